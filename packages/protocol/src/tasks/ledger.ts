/** The tasks one side knows: those under way with what belongs to them, and snapshots of the latest that ended. */
import type { TaskInfo } from '../api.ts'
import { LIMITS } from '../limits.ts'
import type { Clock } from '../ports.ts'
import { afterEvent, isTerminal, type TaskEvent } from './states.ts'

/** An ended task leaves only its snapshot here: inputs and outputs are not kept alive by the list of tasks. */
export class TaskLedger<Entry extends { readonly key: string; info: TaskInfo }> {
  readonly #clock: Clock
  readonly #onChange: (task: TaskInfo) => void
  readonly #live = new Map<string, Entry>()
  readonly #ended = new Map<string, TaskInfo>()

  constructor(clock: Clock, onChange: (task: TaskInfo) => void) {
    this.#clock = clock
    this.#onChange = onChange
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
    return [...this.#ended.values(), ...Array.from(this.#live.values(), (entry) => entry.info)].sort(
      (a, b) => b.createdAt - a.createdAt,
    )
  }

  find(key: string): Entry | undefined {
    return this.#live.get(key)
  }

  findEnded(key: string): TaskInfo | undefined {
    return this.#ended.get(key)
  }

  add(entry: Entry): void {
    this.#live.set(entry.key, entry)
    this.#onChange(entry.info)
  }

  /** Moves a task on. False, and nothing happens, where the table says that the event has no effect in its state. */
  apply(entry: Entry, event: TaskEvent, error?: TaskInfo['error']): boolean {
    const info = afterEvent(entry.info, event, this.#clock.now(), error)
    if (info === entry.info) return false
    entry.info = info
    if (isTerminal(info.state)) {
      this.#live.delete(entry.key)
      this.#ended.set(entry.key, info)
      for (const oldest of this.#ended.keys()) {
        if (this.#ended.size <= LIMITS.maxEndedTasks) break
        this.#ended.delete(oldest)
      }
    }
    this.#onChange(info)
    return true
  }

  /** Progress of a task under way. */
  report(entry: Entry, progress: number, note: string): void {
    entry.info = { ...entry.info, progress, note }
    this.#onChange(entry.info)
  }
}
