/** Peer ids: `did:key` text of an Ed25519 public key (SPEC §2; multicodec 0xed 0x01, multibase base58btc). */
import baseX from 'base-x'
import type { PeerId } from '../api.ts'
import { TsunagiError } from '../errors.ts'
import { type Bytes, concat } from '../wire/bytes.ts'

const base58 = baseX('123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz')
const PREFIX = 'did:key:z'
const MULTICODEC = new Uint8Array([0xed, 0x01])
/** `did:key:z` and 34 bytes in base58: the longest text a key can have. */
const LONGEST = PREFIX.length + 48

/** @param publicKey 32 bytes */
export function peerIdOf(publicKey: Uint8Array): PeerId {
  return PREFIX + base58.encode(concat(MULTICODEC, publicKey))
}

/** @throws TsunagiError INVALID_ARGUMENT where `id` is not the did:key of an Ed25519 key */
export function publicKeyOf(id: unknown): Bytes {
  if (typeof id === 'string' && id.startsWith(PREFIX) && id.length <= LONGEST) {
    try {
      const bytes = base58.decode(id.slice(PREFIX.length))
      if (bytes.length === 34 && bytes[0] === MULTICODEC[0] && bytes[1] === MULTICODEC[1])
        return new Uint8Array(bytes.subarray(2))
    } catch {
      // Falls through to the one answer for everything that is no peer id.
    }
  }
  throw new TsunagiError(
    'INVALID_ARGUMENT',
    'A peer id is a text that begins with did:key:z6Mk; take it from peer.peers or from the other page.',
  )
}

/** Last 8 characters: enough for a person to tell two peers apart at a glance, never enough to trust one. */
export function fingerprintOf(id: PeerId): string {
  return id.slice(-8)
}
