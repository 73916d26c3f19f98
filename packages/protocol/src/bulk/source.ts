import { TsunagiError } from '../errors.ts'
import type { ChunkSource } from './ports.ts'

/** Bytes in memory; they are not copied before they are sent. */
export function bytesSource(bytes: Uint8Array): ChunkSource {
  let at = 0
  return {
    size: bytes.length,
    name: '',
    type: '',
    async read(length) {
      // A copy: bytes that others may write to could not be sent under the digest they had.
      const part = new Uint8Array(bytes.subarray(at, at + length))
      at += part.length
      return part
    },
    close: () => undefined,
  }
}

export function notASource(): TsunagiError {
  return new TsunagiError(
    'INVALID_ARGUMENT',
    'A transfer takes a Blob or File, a ReadableStream of bytes that nobody reads, or a Uint8Array.',
  )
}
