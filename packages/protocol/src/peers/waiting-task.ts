/** What delegate() and map() give before what does them is loaded: the task, or the run, that it becomes then. */
import type { MapRun, Progress, Task, TaskInfo } from '../api.ts'
import type { TsunagiError } from '../errors.ts'

export class WaitingTask<Output = unknown> implements Task<Output> {
  readonly id: string
  readonly result: Promise<Output>
  readonly partials: AsyncIterable<unknown>
  readonly #given: Promise<Task<Output>>
  #task: Task<Output> | undefined
  #isCanceled = false
  #info: TaskInfo

  /** @param given fulfils with the task once it was given away; rejects with a TsunagiError */
  constructor(info: TaskInfo, given: Promise<Task<Output>>, now: () => number) {
    this.id = info.id
    this.#info = info
    this.#given = given.then(
      (task) => {
        this.#task = task
        if (this.#isCanceled) task.cancel()
        return task
      },
      (error: TsunagiError) => {
        const { code, message } = error
        this.#info = { ...info, state: 'failed', endedAt: now(), error: { code, message } }
        throw error
      },
    )
    this.result = this.#given.then(({ result }) => result)
    // As of every task, nobody has to await it.
    this.result.catch(() => undefined)
    this.partials = {
      async *[Symbol.asyncIterator]() {
        yield* (await given).partials
      },
    }
  }

  get info(): TaskInfo {
    return this.#task?.info ?? this.#info
  }

  onProgress(listener: (progress: Progress) => void): () => void {
    if (this.#task !== undefined) return this.#task.onProgress(listener)
    let remove: (() => void) | undefined
    let isWanted = true
    this.#given.then(
      (task) => {
        if (isWanted) remove = task.onProgress(listener)
      },
      () => undefined,
    )
    return () => {
      isWanted = false
      remove?.()
    }
  }

  cancel(): void {
    this.#isCanceled = true
    this.#task?.cancel()
  }
}

export class WaitingMap<Output> implements MapRun<Output> {
  readonly #run: Promise<MapRun<Output>>

  constructor(run: Promise<MapRun<Output>>) {
    this.#run = run
    run.catch(() => undefined)
  }

  async all(): Promise<Output[]> {
    return (await this.#run).all()
  }

  cancel(): void {
    this.#run.then(
      (run) => run.cancel(),
      () => undefined,
    )
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Output, void> {
    yield* await this.#run
  }
}
