import { type CapabilityDescription, PROTOCOL, type TaskContext, type TaskHandler } from '@tsunagi/protocol'
import { workerHandler } from '@tsunagi/protocol/browser'
import type { FileDigest } from './file-sha256.worker.ts'
import FileSha256Worker from './file-sha256.worker.ts?worker&inline'
import type { TaskFiles } from './task-file.ts'

export type { FileDigest }

/** A file up to this size travels in the task itself, which is one message; a larger one beside it. */
export const MAX_INLINE = 1_024 * 1_024
/** What a stranger's file may take of this disk while it is hashed. */
export const MAX_FILE = 16 * 1_024 ** 3
/** Of the whole work, moving the file is the larger part. */
const MOVING = 0.9

/** The bytes, or the token under which they come beside the task. */
export type FileInput = { readonly bytes: Uint8Array } | { readonly file: string; readonly size: number }

export const fileSha256: CapabilityDescription = {
  name: 'file.sha256',
  version: '1.1',
  description: 'SHA-256 digest of a file',
  input: {
    type: 'object',
    properties: {
      bytes: { type: 'string', contentEncoding: 'binary', maxLength: PROTOCOL.maxMessage - 64 * 1_024 },
      file: { type: 'string', minLength: 16, maxLength: 64 },
      size: { type: 'integer', minimum: 0, maximum: MAX_FILE },
    },
    oneOf: [{ required: ['bytes'] }, { required: ['file', 'size'] }],
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

const digestBlob = workerHandler(() => new FileSha256Worker())

export function digestFile(files: TaskFiles): TaskHandler {
  return (input: FileInput, context) => {
    if ('bytes' in input) return digestBlob(new Blob([new Uint8Array(input.bytes)]), context)
    return files.receive(context, input.file, input.size, MOVING, async (file) =>
      digestBlob(file, {
        ...context,
        progress: (progress: number, note?: string) => context.progress(MOVING + (1 - MOVING) * progress, note),
      } satisfies TaskContext),
    )
  }
}

export function isFileDigest(value: unknown): value is FileDigest {
  const { digest, size, ms } = (value ?? {}) as Record<string, unknown>
  return (
    typeof digest === 'string' && /^[0-9a-f]{64}$/.test(digest) && typeof size === 'number' && typeof ms === 'number'
  )
}
