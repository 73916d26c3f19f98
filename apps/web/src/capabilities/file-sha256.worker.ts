import type { FileDigest, FileInput } from './file-sha256.ts'
import { serve } from './worker-side.ts'

serve<FileInput>(async ({ bytes }) => {
  const started = performance.now()
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
  const digest = Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('')
  const output: FileDigest = { digest, size: bytes.length, ms: performance.now() - started }
  return [output, []]
})
