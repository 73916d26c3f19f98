import { type CapabilityDescription, PROTOCOL, type TaskHandler } from '@tsunagi/protocol'
import type { FileDigest, FileInput } from './file-sha256.worker.ts'
import FileSha256Worker from './file-sha256.worker.ts?worker&inline'
import { runInWorker } from './run-in-worker.ts'

export type { FileDigest, FileInput }

/** A task travels in one message: the largest one, less room for what surrounds the file in it. */
export const MAX_FILE = PROTOCOL.maxMessage - 64 * 1_024

export const fileSha256: CapabilityDescription = {
  name: 'file.sha256',
  version: '1.0',
  description: 'SHA-256 digest of a file',
  input: {
    type: 'object',
    properties: { bytes: { type: 'string', contentEncoding: 'binary', maxLength: MAX_FILE } },
    required: ['bytes'],
    additionalProperties: false,
  },
  output: {
    type: 'object',
    properties: {
      digest: { type: 'string', pattern: '^[0-9a-f]{64}$' },
      size: { type: 'integer', minimum: 0 },
      ms: { type: 'number', minimum: 0 },
    },
    required: ['digest', 'size', 'ms'],
    additionalProperties: false,
  },
}

export const digestFile: TaskHandler = ({ bytes }: FileInput, context) => {
  // A copy of its own: the bytes may be part of a larger message, which a transfer would take along.
  const input: FileInput = { bytes: new Uint8Array(bytes) }
  return runInWorker(new FileSha256Worker(), input, context, [input.bytes.buffer])
}

export function isFileDigest(value: unknown): value is FileDigest {
  const { digest, size, ms } = (value ?? {}) as Record<string, unknown>
  return (
    typeof digest === 'string' && /^[0-9a-f]{64}$/.test(digest) && typeof size === 'number' && typeof ms === 'number'
  )
}
