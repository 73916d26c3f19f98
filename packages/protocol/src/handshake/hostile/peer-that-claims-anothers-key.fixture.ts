import type { SigningKey } from '../../ports.ts'

/** States the victim's key and signs with its own. */
export function claimKey(victim: SigningKey, own: SigningKey): SigningKey {
  return { publicKey: victim.publicKey, sign: (data) => own.sign(data) }
}
