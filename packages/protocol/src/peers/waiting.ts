/** What calls give before the part that does it is loaded: the task, the run or the transfer that it becomes then. */
import type { MapRun, Progress, Task, TaskInfo, Transfer, TransferInfo } from '../api.ts'
import type { TsunagiError } from '../errors.ts'

class Waiting<Info extends TaskInfo | TransferInfo, T extends { readonly info: Info; cancel(): void }> {
  readonly id: string
  protected readonly becoming: Promise<T>
  protected real: T | undefined
  #info: Info
  #isCanceled = false

  /** @param begun fulfils with what it becomes; rejects with a TsunagiError */
  constructor(info: Info, begun: Promise<T>, now: () => number) {
    this.id = info.id
    this.#info = info
    this.becoming = begun.then(
      (real) => {
        this.real = real
        if (this.#isCanceled) real.cancel()
        return real
      },
      (error: TsunagiError) => {
        const { code, message } = error
        this.#info = { ...info, state: 'failed', endedAt: now(), error: { code, message } }
        throw error
      },
    )
  }

  get info(): Info {
    return this.real?.info ?? this.#info
  }

  cancel(): void {
    this.#isCanceled = true
    this.real?.cancel()
  }
}

export class WaitingTask<Output = unknown> extends Waiting<TaskInfo, Task<Output>> implements Task<Output> {
  readonly result = this.becoming.then(({ result }) => result)
  readonly partials: AsyncIterable<unknown>

  constructor(info: TaskInfo, begun: Promise<Task<Output>>, now: () => number) {
    super(info, begun, now)
    // As of every task, nobody has to await it.
    this.result.catch(() => undefined)
    this.partials = {
      async *[Symbol.asyncIterator]() {
        yield* (await begun).partials
      },
    }
  }

  onProgress(listener: (progress: Progress) => void): () => void {
    if (this.real !== undefined) return this.real.onProgress(listener)
    let remove: (() => void) | undefined
    let isWanted = true
    this.becoming.then(
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
}

export class WaitingTransfer extends Waiting<TransferInfo, Transfer> implements Transfer {
  readonly done = this.becoming.then(({ done }) => done)

  constructor(info: TransferInfo, begun: Promise<Transfer>, now: () => number) {
    super(info, begun, now)
    // Nobody has to await it.
    this.done.catch(() => undefined)
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
