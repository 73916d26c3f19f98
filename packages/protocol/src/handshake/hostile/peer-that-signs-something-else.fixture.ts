import type { SigningKey } from '../../ports.ts'

/** Signs every frame as it should, and in place of the transcript something else of the same length. */
export function signSomethingElse(key: SigningKey): SigningKey {
  return {
    publicKey: key.publicKey,
    // Frames are signed behind text, the transcript behind a length.
    sign: (data) => key.sign(data[0] === 0 ? new Uint8Array(data.length) : data),
  }
}
