import { type CapabilityDescription, LIMITS } from '@tsunagi/protocol'
import { workerHandler } from '@tsunagi/protocol/browser'
import type { FileDigest } from './file-sha256.worker.ts'
import FileSha256Worker from './file-sha256.worker.ts?worker&inline'

export type { FileDigest }

export const fileSha256: CapabilityDescription = {
  name: 'file.sha256',
  version: '2.0',
  description: 'SHA-256 digest of a file',
  input: {
    type: 'object',
    properties: {
      file: { type: 'string', contentEncoding: 'blob', maxLength: LIMITS.maxTaskFileBytes, title: 'File' },
    },
    required: ['file'],
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

export const digestFile = workerHandler(() => new FileSha256Worker())

export function isFileDigest(value: unknown): value is FileDigest {
  const { digest, size, ms } = (value ?? {}) as Record<string, unknown>
  return (
    typeof digest === 'string' && /^[0-9a-f]{64}$/.test(digest) && typeof size === 'number' && typeof ms === 'number'
  )
}
