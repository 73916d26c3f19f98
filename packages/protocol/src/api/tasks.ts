/** Tasks given to other peers (SPEC §8). */
import type { Priority } from '../messages.ts'
import type { AbortSignal } from './abort-signal.ts'
import type { PeerId } from './remote-peers.ts'

/** States of A2A 1.0, and `lost`: the executor is gone and what became of the task is unknown. */
export type TaskState = 'submitted' | 'working' | 'completed' | 'failed' | 'canceled' | 'rejected' | 'lost'

/** A Blob that belongs to a task, as long as only its size is known. */
export interface TaskFileInfo {
  readonly size: number
  readonly type: string
  /** As the peer calls it: a text to show, never a path. */
  readonly name: string
}

/** A snapshot of one task, ours at another peer (`out`) or another peer's here (`in`). */
export interface TaskInfo {
  /** UUIDv4 text. */
  readonly id: string
  readonly direction: 'out' | 'in'
  readonly capability: string
  readonly peer: PeerId
  readonly state: TaskState
  readonly priority: Priority
  /** 0 to 1. */
  readonly progress: number
  readonly note: string
  /** Milliseconds since 1970. */
  readonly createdAt: number
  readonly endedAt: number | undefined
  readonly deadlineAt: number
  /** Of ours: how often it was given to a peer. Of another's: 1. */
  readonly tries: number
  readonly error: { readonly code: string; readonly message: string } | undefined
}

export interface Progress {
  /** 0 to 1. */
  readonly progress: number
  readonly note: string
}

export interface DelegateOptions {
  /** The peer to ask; without it one that has the capability is chosen by health, past success, load and round trip. */
  readonly to?: PeerId
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: Progress) => void
  /** Milliseconds from now; default LIMITS.defaultDeadline. */
  readonly deadline?: number
  readonly priority?: Priority
  /** Partial results are wanted: `task.partials` then gives them. */
  readonly partials?: boolean
  /**
   * How often it may be given away again, 0 to 1,000; default LIMITS.taskRetries. A full peer is asked again when it says so,
   * until the deadline, unless this is 0. One that refuses, or does not know the capability, gives way to another.
   */
  readonly retries?: number
  /**
   * Whether a task may run a second time, with another peer: where it is lost, where its result does not fit, and, of an
   * idempotent capability, where it failed. Default: true without `to`, else false.
   */
  readonly failover?: boolean
  /** JSON Schema that the output must fit; default: that of the capability of this name and version which this peer provides itself. */
  readonly output?: Record<string, unknown>
  /** While a task of this key is under way or remembered, also from a page before, it is returned and none is made. */
  readonly idempotencyKey?: string
}

export interface Task<Output = unknown> {
  readonly id: string
  readonly info: TaskInfo
  /**
   * Fulfils with the output. A Blob in it is there as long as the task is in the list of tasks. Rejects with TASK_REJECTED, TASK_FAILED, TASK_CANCELED, TASK_DEADLINE, TASK_LOST,
   * UNKNOWN_CAPABILITY, …; with INVALID_STATE where the task ended long ago and its output is not kept any more.
   */
  readonly result: Promise<Output>
  /**
   * Partial results in their order, for one reader. Where the task goes to another peer it goes on after those that were
   * taken; after a reload of this page, after those that were sent before it asked: what must not be missed belongs into the
   * output. Ends when the task is completed, and throws where that ends otherwise or `partials` was not asked for.
   */
  readonly partials: AsyncIterable<unknown>
  /** The returned function removes the listener. */
  onProgress(listener: (progress: Progress) => void): () => void
  cancel(): void
}

export interface MapOptions extends Omit<DelegateOptions, 'to' | 'onProgress' | 'partials' | 'idempotencyKey'> {
  /** Tasks under way at once, 1 to 256; default LIMITS.mapAtOncePerPeer for each peer that offers the capability. */
  readonly atOnce?: number
  /** Called for each input that is done. */
  readonly onProgress?: (progress: { readonly done: number; readonly drawn: number }) => void
  /**
   * Called with each task that is given away, and the number of its input, from 0: its result is there before that of the
   * inputs before it. An input may have two, of which the first result counts.
   */
  readonly onTask?: (input: number, task: Task) => void
}

/**
 * The results of a map() in the order of its inputs, read once: by `for await`, or by all(). Inputs are drawn as results are
 * read, so an endless source is fine. The first input that fails ends it, and cancels what is under way.
 */
export interface MapRun<Output = unknown> extends AsyncIterable<Output> {
  all(): Promise<Output[]>
  cancel(): void
}
