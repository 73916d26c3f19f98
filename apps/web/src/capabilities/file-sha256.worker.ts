import { serve } from './worker-side.ts'

export interface FileInput {
  readonly bytes: Uint8Array<ArrayBuffer>
}

export interface FileDigest {
  /** SHA-256 in 64 hexadecimal digits. */
  readonly digest: string
  /** Bytes that were hashed. */
  readonly size: number
  /** Milliseconds the hashing took. */
  readonly ms: number
}

serve<FileInput>(async ({ bytes }) => {
  const started = performance.now()
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
  const digest = Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('')
  const output: FileDigest = { digest, size: bytes.length, ms: performance.now() - started }
  return [output, []]
})
