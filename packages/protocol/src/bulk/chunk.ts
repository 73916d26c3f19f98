/**
 * Chunks on the wire, `transfer_id(16) ‖ index(4) ‖ digest(32) ‖ bytes`, and the digest of a transfer (SPEC §9): each chunk
 * carries that of all chunks up to it, so that one is checked when it comes and 32 bytes say how far both sides agree.
 */
import { TsunagiError } from '../errors.ts'
import { LIMITS, PROTOCOL } from '../limits.ts'
import type { CryptoProvider } from '../ports.ts'
import { type Bytes, concat, utf8 } from '../wire/bytes.ts'

const ID_LENGTH = 16
const INDEX_LENGTH = 4
const DIGEST_LENGTH = 32
const CHUNK_HEAD = ID_LENGTH + INDEX_LENGTH + DIGEST_LENGTH

/** Bytes of a chunk of ours. */
export const CHUNK_SIZE = LIMITS.chunkFrameSize - CHUNK_HEAD

/** The digest of no chunks. */
export const EMPTY_DIGEST: Bytes = new Uint8Array(DIGEST_LENGTH)

const DOMAIN = utf8(`tsunagi/${PROTOCOL.version}/chunk\0`)

export interface Chunk {
  readonly transferId: Bytes
  /** From 0. */
  readonly index: number
  /** Of all chunks up to and with this one. */
  readonly digest: Bytes
  readonly bytes: Bytes
}

export function writeChunk({ transferId, index, digest, bytes }: Chunk): Bytes {
  const payload = new Uint8Array(CHUNK_HEAD + bytes.length)
  payload.set(transferId)
  new DataView(payload.buffer).setUint32(ID_LENGTH, index)
  payload.set(digest, ID_LENGTH + INDEX_LENGTH)
  payload.set(bytes, CHUNK_HEAD)
  return payload
}

/** Views into `payload`. @throws TsunagiError CHUNK_ERROR where it cannot be a chunk */
export function readChunk(payload: Bytes): Chunk {
  if (payload.length <= CHUNK_HEAD || payload.length > CHUNK_HEAD + PROTOCOL.maxChunk) {
    throw new TsunagiError('CHUNK_ERROR', `The peer sent a chunk of ${payload.length} bytes.`)
  }
  return {
    transferId: payload.subarray(0, ID_LENGTH),
    index: new DataView(payload.buffer, payload.byteOffset).getUint32(ID_LENGTH),
    digest: payload.subarray(ID_LENGTH + INDEX_LENGTH, CHUNK_HEAD),
    bytes: payload.subarray(CHUNK_HEAD),
  }
}

/** The digest of the chunks of `before` and of one more, whose SHA-256 is `hash`. */
export function extendDigest(crypto: CryptoProvider, before: Bytes, hash: Bytes): Promise<Bytes> {
  return crypto.sha256(concat(DOMAIN, before, hash))
}

/** Chunks of that size that may be sent and not yet kept. */
export function windowOf(chunkSize: number): number {
  return Math.max(1, Math.floor(LIMITS.transferWindow / (chunkSize + CHUNK_HEAD)))
}
