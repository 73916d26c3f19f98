/** The tasks one side knows: those under way with what belongs to them, and snapshots of the latest that ended. */
import type { TaskInfo } from '../api.ts'
import { LIMITS } from '../limits.ts'
import type { Clock } from '../ports.ts'
import { afterEvent, isTerminal, type TaskEvent } from './states.ts'

export interface TaskLedgerOptions {
  readonly clock: Clock
  /** Must not throw. */
  readonly onChange: (task: TaskInfo) => void
  /** An ended task is remembered no longer. Must not throw. */
  readonly onForgotten: (key: string) => void
}

interface Ended {
  readonly info: TaskInfo
  readonly size: number
}

/** An ended task leaves only its snapshot here: inputs and outputs are not kept alive by the list of tasks. */
export class TaskLedger<Entry extends { readonly key: string; info: TaskInfo }> {
  readonly #options: TaskLedgerOptions
  readonly #live = new Map<string, Entry>()
  readonly #ended = new Map<string, Ended>()
  #endedBytes = 0

  constructor(options: TaskLedgerOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#live.size
  }

  /** Under way, oldest first. A copy, so that tasks may end while it is walked. */
  get live(): Entry[] {
    return [...this.#live.values()]
  }

  /** Newest first. */
  get infos(): TaskInfo[] {
    return [
      ...Array.from(this.#ended.values(), ({ info }) => info),
      ...Array.from(this.#live.values(), ({ info }) => info),
    ].sort((a, b) => b.createdAt - a.createdAt)
  }

  find(key: string): Entry | undefined {
    return this.#live.get(key)
  }

  findEnded(key: string): TaskInfo | undefined {
    return this.#ended.get(key)?.info
  }

  add(entry: Entry): void {
    this.#live.set(entry.key, entry)
    this.#options.onChange(entry.info)
  }

  /** One that had ended on a page before this. */
  addEnded(key: string, info: TaskInfo, size: number): void {
    this.#ended.set(key, { info, size })
    this.#endedBytes += size
    for (const [oldest, ended] of this.#ended) {
      if (this.#ended.size <= LIMITS.maxEndedTasks && this.#endedBytes <= LIMITS.maxKeptOutputBytes) break
      this.#ended.delete(oldest)
      this.#endedBytes -= ended.size
      this.#options.onForgotten(oldest)
    }
  }

  /**
   * Moves a task on. False, and nothing happens, where the table says that the event has no effect in its state.
   * @param size bytes of its output, where that is kept
   */
  apply(entry: Entry, event: TaskEvent, error?: TaskInfo['error'], size = 0): boolean {
    const info = afterEvent(entry.info, event, this.#options.clock.now(), error)
    if (info === entry.info) return false
    entry.info = info
    if (isTerminal(info.state)) {
      this.#live.delete(entry.key)
      this.addEnded(entry.key, info, size)
    }
    this.#options.onChange(info)
    return true
  }

  /** Ends one that is not remembered: it may be offered again. */
  reject(entry: Entry, error: TaskInfo['error']): void {
    entry.info = afterEvent(entry.info, 'reject', this.#options.clock.now(), error)
    this.#live.delete(entry.key)
    this.#options.onChange(entry.info)
  }

  /** Progress of a task under way. */
  report(entry: Entry, progress: number, note: string): void {
    entry.info = { ...entry.info, progress, note }
    this.#options.onChange(entry.info)
  }

  /** Another peer has a task under way. */
  given(entry: Entry, peer: string): void {
    entry.info = { ...entry.info, peer, tries: entry.info.tries + 1 }
    this.#options.onChange(entry.info)
  }
}
