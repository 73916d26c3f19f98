import { serveTasks } from '@tsunagi/protocol/browser'
import { Sha256 } from './sha256-stream.ts'

export interface FileDigest {
  /** SHA-256 in 64 hexadecimal digits. */
  readonly digest: string
  /** Bytes that were hashed. */
  readonly size: number
  /** Milliseconds the hashing took. */
  readonly ms: number
}

/** Read at a time: what a worker holds of a file of any size. */
const PIECE = 1_024 * 1_024

serveTasks<{ readonly file: Blob }>(async ({ file }, context): Promise<FileDigest> => {
  const started = performance.now()
  const hash = new Sha256()
  for (let at = 0; at < file.size; at += PIECE) {
    context.signal.throwIfAborted()
    hash.update(new Uint8Array(await file.slice(at, at + PIECE).arrayBuffer()))
    context.progress(Math.min(1, (at + PIECE) / file.size), 'hashing')
  }
  return { digest: hash.digest(), size: file.size, ms: performance.now() - started }
})
