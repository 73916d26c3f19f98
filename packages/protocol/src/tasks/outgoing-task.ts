/** One task of ours: what the app holds of it, and which peer has it at present. */
import type { AbortSignal, PeerId, Progress, Task, TaskInfo } from '../api.ts'
import { TsunagiError } from '../errors.ts'
import type { Priority, TaskFilePlace } from '../messages.ts'
import type { Bytes } from '../wire/bytes.ts'
import type { CheckedOptions } from './delegate-options.ts'
import type { Lease } from './lease.ts'
import { PartialStream } from './partials.ts'
import type { RetryRules } from './retry.ts'
import type { SchemaCheck } from './schema-check.ts'
import type { OwnTask, StoredTask } from './store.ts'
import { NO_PARTIALS } from './task-errors.ts'

/** One peer's try at a task. Each has an id of its own, so that what a former one reports late means nothing any more. */
export interface Try {
  readonly peer: PeerId
  readonly id: Bytes
  readonly key: string
  readonly lease: Lease
  /** A page before this one gave it away. */
  readonly isRestored: boolean
  /** Whether the peer has said on this page that it has it. */
  accepted: boolean
  /** Aborts when the try has ended: nothing more is sent for it. */
  readonly over: AbortController
}

export interface OutgoingTaskOptions {
  readonly id: string
  readonly capability: string
  readonly now: number
  readonly deadline: number
  readonly priority: Priority
}

export interface OutgoingTaskEvents {
  /** The app has read so many partial results. */
  readonly onRead: (read: number) => void
  readonly onCancel: () => void
  readonly onError: (error: TsunagiError) => void
}

export class OutgoingTask {
  readonly key: string
  info: TaskInfo
  rules: RetryRules = { retries: 0, failover: false, to: undefined }
  /** Bytes of the input. */
  size = 0
  /** Undefined where a page before this one had it and it was not read from the store yet. */
  input: { readonly value: unknown; readonly blobs: readonly Blob[] } | undefined
  /** Where the Blobs of the input stand in it. */
  files: readonly TaskFilePlace[] = []
  wantsPartials = false
  idempotencyKey: string | undefined
  checkOutput: SchemaCheck | undefined
  /** Undefined while no peer has it. */
  current: Try | undefined
  /** Tries that did not meet a full peer, and how many full ones were met in a row. */
  counted = 0
  full = 0
  /** Peers that are not asked again, and those that are asked again only where there is no other. */
  readonly unfit = new Set<PeerId>()
  readonly asked = new Set<PeerId>()
  readonly partials: PartialStream
  /** Undo timers and listeners; called when the task has ended. */
  readonly release: (() => void)[] = []
  readonly fulfil: (output: unknown) => void
  readonly reject: (error: TsunagiError) => void
  readonly #result: Promise<unknown>
  readonly #events: OutgoingTaskEvents
  readonly #listeners = new Set<(progress: Progress) => void>()

  constructor({ id, capability, now, deadline, priority }: OutgoingTaskOptions, events: OutgoingTaskEvents) {
    this.key = id
    this.info = {
      id,
      direction: 'out',
      capability,
      peer: '',
      state: 'submitted',
      priority,
      progress: 0,
      note: '',
      createdAt: now,
      endedAt: undefined,
      deadlineAt: now + deadline,
      tries: 0,
      error: undefined,
    }
    this.#events = events
    this.partials = new PartialStream(events.onRead)
    let fulfil!: OutgoingTask['fulfil']
    let reject!: OutgoingTask['reject']
    this.#result = new Promise((resolve, fail) => {
      fulfil = resolve
      reject = fail
    })
    // Nobody has to await it.
    this.#result.catch(() => undefined)
    this.fulfil = fulfil
    this.reject = reject
  }

  /** It is as delegate() was told. */
  ask({ deadline, priority, retries, failover, to, partials, idempotencyKey, checkOutput }: CheckedOptions): void {
    this.info = { ...this.info, priority, deadlineAt: this.info.createdAt + deadline }
    this.rules = { retries, failover, to }
    this.wantsPartials = partials
    this.idempotencyKey = idempotencyKey
    this.checkOutput = checkOutput
  }

  /** It is as a page before this one left it. */
  recall({ info, partials, files }: StoredTask, ours: OwnTask): void {
    this.info = info
    this.rules = ours
    this.counted = info.tries
    this.wantsPartials = partials
    this.files = files.map(({ transfer: _, ...place }) => place)
    this.idempotencyKey = ours.idempotencyKey
    if (!partials) this.partials.end(new TsunagiError('INVALID_ARGUMENT', NO_PARTIALS))
  }

  /** What the app gets. */
  handle<Output>(): Task<Output> {
    const task = this
    return {
      id: this.key,
      get info() {
        return task.info
      },
      result: this.#result as Promise<Output>,
      partials: this.partials,
      onProgress: (listener) => this.onProgress(listener),
      cancel: () => this.#events.onCancel(),
    }
  }

  onProgress(listener: (progress: Progress) => void): () => void {
    const entry = (progress: Progress) => listener(progress)
    this.#listeners.add(entry)
    return () => {
      this.#listeners.delete(entry)
    }
  }

  tellProgress(progress: Progress): void {
    for (const listener of this.#listeners) {
      try {
        listener(progress)
      } catch (cause) {
        this.#events.onError(new TsunagiError('LISTENER_FAILED', 'An onProgress listener threw an error.', { cause }))
      }
    }
  }

  /** Ends the task when `signal` aborts. */
  follow(signal: AbortSignal): void {
    const abort = () => this.#events.onCancel()
    this.release.push(() => {
      try {
        signal.removeEventListener('abort', abort)
      } catch (cause) {
        // Not the host's own signal; the task ends all the same.
        this.#events.onError(new TsunagiError('LISTENER_FAILED', 'A signal of delegate() threw an error.', { cause }))
      }
    })
    signal.addEventListener('abort', abort)
  }
}
