/** One task of another peer: what its handler gets, and what its caller is told of it (SPEC §8). */
import type { PeerId, TaskContext, TaskInfo } from '../api.ts'
import { TsunagiError } from '../errors.ts'
import { LIMITS, PROTOCOL } from '../limits.ts'
import type { SessionPayload, TaskFilePlace } from '../messages.ts'
import type { Clock } from '../ports.ts'
import type { Bytes } from '../wire/bytes.ts'
import { uuidText } from '../wire/uuid.ts'
import type { OfferedCapability } from './capabilities.ts'
import { withMarks } from './files.ts'
import { PartialSender } from './partials.ts'
import { asItArrives, shortened } from './payload.ts'
import { ProgressMerger } from './progress.ts'
import { schemaCheck } from './schema-check.ts'
import { isTerminal } from './states.ts'

export type Delegated = SessionPayload<'task_delegate'>

/** What its caller said of it. */
export type Given = Pick<Delegated, 'task_id' | 'input' | 'partials' | 'files'>

export interface IncomingTaskEvents {
  readonly onProgress: (progress: number, note: string) => void
  /** Fulfils when the caller has it. */
  readonly sendPartial: (index: number, output: unknown) => Promise<void>
  /** Its deadline has passed. */
  readonly onOverdue: () => void
}

/** Bytes of a partial result: a message of it stays below PROTOCOL.maxControl. */
const MOST_PARTIAL = PROTOCOL.maxControl - 128

export class IncomingTask {
  info: TaskInfo
  readonly key: string
  readonly id: Bytes
  /** Undefined while a task of a page before this one waits for its capability to be provided again. */
  offered: OfferedCapability | undefined
  /** Nobody can start it yet: the user is asked, its Blobs are not here, or its capability is not provided again. */
  isHeld = false
  /** It is taken, and waits for its Blobs: it will need a place. */
  awaitsFiles = false
  /** Its handler has returned, and the Blobs of its output are on their way. */
  isSendingFiles = false
  /** With null for each of its Blobs, until all have come. */
  input: unknown
  readonly files: readonly TaskFilePlace[]
  /** Fulfils when the task is taken, and with it its Blobs; also where it has ended before that. */
  readonly filesOpen: Promise<void>
  readonly openFiles: () => void
  /** Of its message; the Blobs are not counted. */
  readonly size: number
  readonly wantsPartials: boolean
  readonly abort = new AbortController()
  readonly progress: ProgressMerger
  readonly partials: PartialSender
  /** Undo timers; called when the task has ended or its output is sent. */
  readonly release: (() => void)[] = []

  constructor(key: string, given: Given, size: number, info: TaskInfo, clock: Clock, events: IncomingTaskEvents) {
    this.info = info
    this.key = key
    this.id = given.task_id
    this.input = given.input
    this.files = given.files ?? []
    this.size = size
    this.wantsPartials = given.partials === true
    let openFiles: () => void = () => undefined
    this.filesOpen = new Promise((open) => {
      openFiles = open
    })
    this.openFiles = openFiles
    this.progress = new ProgressMerger(clock, events.onProgress)
    this.partials = new PartialSender(events.sendPartial)
    this.release.push(clock.after(Math.max(0, info.deadlineAt - clock.now()), events.onOverdue))
  }

  /** Its timers stop: it has ended, or its output is sent. Idempotent. */
  releaseTimers(): void {
    for (const release of this.release.splice(0)) release()
  }

  /** Nobody wants it any more: its handler's signal aborts. */
  end(error: TsunagiError): void {
    this.releaseTimers()
    this.progress.stop()
    this.partials.end(error)
    this.abort.abort(error)
    this.openFiles()
  }

  /** What its handler gets beside the input. */
  context(isRunning: () => boolean): TaskContext {
    const isOver = () => !isRunning() || isTerminal(this.info.state)
    return {
      taskId: this.info.id,
      caller: this.info.peer,
      signal: this.abort.signal,
      deadlineAt: this.info.deadlineAt,
      progress: (progress, note = '') => {
        if (!(progress >= 0 && progress <= 1) || typeof note !== 'string') {
          throw new TsunagiError('INVALID_ARGUMENT', 'progress() takes a number from 0 to 1 and, if you like, a text.')
        }
        if (!isOver()) this.progress.update(progress, shortened(note))
      },
      partial: async (output) => {
        const carried = asItArrives({ output }, 'The partial result', 'INVALID_ARGUMENT', MOST_PARTIAL)
        if (isOver()) throw new TsunagiError('INVALID_STATE', 'The task is over.')
        if (this.wantsPartials) await this.partials.add(carried.output)
      },
    }
  }
}

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
  const problem = schemaCheck(offered.output)(withMarks(payload.output, files))
  if (problem === undefined) return payload
  throw new TsunagiError('TASK_OUTPUT_INVALID', `The output does not fit its schema. ${problem}`)
}
