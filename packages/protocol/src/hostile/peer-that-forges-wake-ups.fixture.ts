import type { Mesh } from '../mesh.fixture.ts'
import type { OpenPayload } from '../messages.ts'
import type { IntroductionKey, SigningKey } from '../ports.ts'
import { relayInfo } from '../signaling/messages.ts'
import type { Bytes } from '../wire/bytes.ts'
import { sealOpenFrame } from '../wire/open-frame.ts'

interface Forgery<T extends 'wake_up' | 'wake_up_ack'> {
  readonly type: T
  readonly payload: OpenPayload<T>
  /** Whom it is brought to. */
  readonly to: Bytes
  readonly introductionKey: IntroductionKey
  /** Whom its envelope names; default: who it is brought to. */
  readonly recipient?: Bytes
  /** Whom the envelope names as its sender, and the server as well; default: the one that signs. */
  readonly sender?: Bytes
  readonly timestamp?: number
}

/** Makes wake-ups and answers as it likes, signed with the key it has, and has the server on its side. */
export async function forge<T extends 'wake_up' | 'wake_up_ack'>(
  { crypto, keys, clock, server }: Mesh,
  key: SigningKey,
  { type, payload, to, introductionKey, recipient = to, sender = key.publicKey, timestamp = clock.now() }: Forgery<T>,
): Promise<void> {
  const session = new Uint8Array(16)
  const frame = await sealOpenFrame(
    crypto,
    { ...key, publicKey: sender, sign: (data) => key.sign(data) },
    {
      type,
      recipient,
      session,
      timestamp,
      payload,
    },
  )
  const sealed = await crypto.seal(introductionKey.publicKey, relayInfo(keys.meshId, sender, to), frame)
  server.deliver({ from: sender, to, payload: sealed })
}
