/** Somebody who has got at the keys that encrypt a session's frames, but not at the identity that signs them. */
import type { Channel } from '../../handshake/channel.ts'
import type { SigningKey } from '../../ports.ts'
import type { Bytes } from '../../wire/bytes.ts'
import { FrameWriter } from './frame-writer.fixture.ts'

/** Far from the counters of the honest side, so that only the signature tells. */
const COUNTER = 1_000

/** Signs with a key of its own, in the name of the peer it would be. */
export function thiefWithAKeyOfItsOwn(channel: Channel, own: SigningKey, victim: Bytes): FrameWriter {
  return new FrameWriter(channel, { publicKey: victim, sign: own.sign.bind(own) }, COUNTER)
}

/** Leaves the place of the signature empty. */
export function thiefThatDoesNotSign(channel: Channel, victim: Bytes): FrameWriter {
  return new FrameWriter(channel, { publicKey: victim, sign: async () => new Uint8Array(64) }, COUNTER)
}

/** Puts there a signature that the peer once gave for something else. */
export function thiefOfASignature(channel: Channel, victim: Bytes, signature: Bytes): FrameWriter {
  return new FrameWriter(channel, { publicKey: victim, sign: async () => signature }, COUNTER)
}
