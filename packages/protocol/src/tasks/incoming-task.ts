/** One task of another peer, and what its caller is told of it (SPEC §8). */
import type { PeerId, TaskInfo } from '../api.ts'
import { TsunagiError } from '../errors.ts'
import { LIMITS, PROTOCOL } from '../limits.ts'
import type { SessionPayload, TaskFilePlace } from '../messages.ts'
import type { Bytes } from '../wire/bytes.ts'
import { uuidText } from '../wire/uuid.ts'
import type { OfferedCapability } from './capabilities.ts'
import { withMarks } from './files.ts'
import type { PartialSender } from './partials.ts'
import { asItArrives } from './payload.ts'
import type { ProgressMerger } from './progress.ts'

export type Delegated = SessionPayload<'task_delegate'>

export interface IncomingTask {
  info: TaskInfo
  readonly key: string
  readonly id: Bytes
  /** Undefined while a task of a page before this one waits for its capability to be provided again. */
  offered: OfferedCapability | undefined
  /** Nobody can start it yet: the user is asked, or its capability is not provided again. */
  isHeld: boolean
  /** With null for each of its Blobs, until all have come. */
  input: unknown
  readonly files: readonly TaskFilePlace[]
  /** Fulfils when the task is taken, and with it its Blobs; also where it has ended before that. */
  readonly filesOpen: Promise<void>
  readonly openFiles: () => void
  /** Of its message; the Blobs are not counted. */
  readonly size: number
  readonly wantsPartials: boolean
  readonly abort: AbortController
  readonly progress: ProgressMerger
  readonly partials: PartialSender
  /** Undo timers; called when the task has ended or its handler has returned. */
  readonly release: (() => void)[]
}

/** Bytes of a partial result: a message of it stays below PROTOCOL.maxControl. */
export const MOST_PARTIAL = PROTOCOL.maxControl - 128

export function newInfo(caller: PeerId, { task_id, capability, priority, deadline }: Delegated, now: number): TaskInfo {
  return {
    id: uuidText(task_id),
    direction: 'in',
    capability,
    peer: caller,
    state: 'submitted',
    priority,
    progress: 0,
    note: '',
    createdAt: now,
    endedAt: undefined,
    deadlineAt: now + Math.min(deadline, LIMITS.maxDeadline),
    tries: 1,
    error: undefined,
  }
}

export function keyOf(caller: PeerId, taskId: Uint8Array): string {
  return `${caller} ${uuidText(taskId)}`
}

/** A handler may throw anything, also what cannot be read. */
export function messageOf(error: unknown): string {
  try {
    if (error instanceof Error && typeof error.message === 'string' && error.message !== '') return error.message
  } catch {
    // Then it has nothing to say.
  }
  return 'The handler of the task failed.'
}

/** @throws TsunagiError TASK_OUTPUT_INVALID, MESSAGE_TOO_LARGE */
export function checkedResult(
  task: IncomingTask,
  offered: OfferedCapability,
  output: unknown,
  files: readonly TaskFilePlace[],
): Extract<SessionPayload<'task_result'>, { state: 'completed' }> {
  const result = { task_id: task.id, state: 'completed' as const, output: output ?? null }
  const payload = asItArrives(
    { ...result, ...(files.length > 0 && { files: [...files] }) },
    'The output',
    'TASK_OUTPUT_INVALID',
  )
  const problem = offered.checkOutput(withMarks(payload.output, files))
  if (problem === undefined) return payload
  throw new TsunagiError('TASK_OUTPUT_INVALID', `The output does not fit its schema. ${problem}`)
}
