/** What the executor keeps of other peers' tasks over pages (SPEC R69). A failure is told of, and the task goes on without. */
import type { TaskInfo } from '../api.ts'
import { type TsunagiError, toTsunagiError } from '../errors.ts'
import type { Bytes } from '../wire/bytes.ts'
import type { IncomingTask } from './incoming-task.ts'
import { isTerminal } from './states.ts'
import type { StoredTask, TaskStore } from './store.ts'

export class ExecutorArchive {
  readonly #store: TaskStore | undefined
  readonly #onError: (error: TsunagiError) => void

  /** @param store undefined where the host keeps nothing */
  constructor(store: TaskStore | undefined, onError: (error: TsunagiError) => void) {
    this.#store = store
    this.#onError = onError
  }

  /** @param value the input; null where it goes; undefined leaves it */
  keep(task: IncomingTask, value?: Bytes | null): void {
    this.#put(task, task.info, value)
  }

  /** The result is the outbox's to deliver from now on, also after this page: the task must not run again. */
  keepAsDone(task: IncomingTask, now: number): void {
    this.#put(task, { ...task.info, state: 'completed', endedAt: now }, null)
  }

  forget(key: string): void {
    this.#guarded(this.#store?.remove('in', key))
  }

  /** The input of a task; undefined where it is not kept. Rejects with STORAGE_FAILED. */
  async input(record: StoredTask): Promise<Bytes | undefined> {
    return this.#store?.value(record)
  }

  #put({ key, size, wantsPartials, files: places }: IncomingTask, info: TaskInfo, value?: Bytes | null): void {
    const files = isTerminal(info.state) ? [] : places.map((place) => ({ ...place, transfer: '' }))
    const record = { key, info, size: value === null ? 0 : size, ours: undefined, partials: wantsPartials, files }
    this.#guarded(this.#store?.put(record, value))
  }

  #guarded(written: Promise<void> | undefined): void {
    written?.catch((cause: unknown) => {
      this.#onError(toTsunagiError(cause, 'STORAGE_FAILED', 'A task of another peer could not be kept.'))
    })
  }
}
