/** What a page and the worker of one task say to each other. */
import type { PeerId } from '../api.ts'

/** From the page, first. */
export interface WorkerStart {
  readonly say: 'start'
  readonly input: unknown
  readonly taskId: string
  readonly caller: PeerId
  readonly deadlineAt: number
  /** Bytes that each WebAssembly memory may grow to; undefined where they are not bounded. */
  readonly memoryLimit: number | undefined
}

export type ToWorker =
  | WorkerStart
  /** Nobody waits for the task any more. */
  | { readonly say: 'stop'; readonly why: string }
  /** What became of a partial result. */
  | { readonly say: 'partial'; readonly number: number; readonly failure: string | undefined }

export type FromWorker =
  | { readonly say: 'progress'; readonly progress: number; readonly note: string }
  | { readonly say: 'partial'; readonly number: number; readonly output: unknown }
  | { readonly say: 'output'; readonly output: unknown }
  | { readonly say: 'failure'; readonly message: string }

/** A copy of `value` in which no bytes are part of a larger buffer: that would be copied along as a whole. */
export function withoutRests(value: unknown): unknown {
  if (value instanceof Uint8Array) return value.length === value.buffer.byteLength ? value : value.slice()
  if (Array.isArray(value)) return value.map(withoutRests)
  const prototype: unknown = typeof value === 'object' && value !== null ? Object.getPrototypeOf(value) : undefined
  if (prototype !== Object.prototype && prototype !== null) return value
  return Object.fromEntries(Object.entries(value as object).map(([key, part]) => [key, withoutRests(part)]))
}

export function sentenceOf(error: unknown): string {
  return error instanceof Error && error.message !== '' ? error.message : String(error)
}
