/** Spreads many inputs over the mesh (SPEC R66): a bounded number under way, results in the order of the inputs. */
import type { AbortSignal, DelegateOptions, MapOptions, MapRun, PeerId, Task } from '../api.ts'
import { TsunagiError, toTsunagiError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { Clock } from '../ports.ts'
import { isTerminal } from './states.ts'

export interface MapHost {
  readonly clock: Clock
  /** Peers that would be asked for the capability at present. */
  offerCount(): number
  /** @param without peers that are not asked */
  delegate(input: unknown, options: DelegateOptions, without: readonly PeerId[]): Task
}

/** How often the slow are looked for. */
const LOOK = 500

/** One input on its way: one task, and another where that took too long. */
interface Item {
  readonly index: number
  readonly input: unknown
  readonly startedAt: number
  readonly tasks: Task[]
  output?: { readonly value: unknown }
}

/** What the options of a map() are; each is checked again for each task. @throws TsunagiError INVALID_ARGUMENT */
function checkMap(inputs: unknown, options: MapOptions) {
  if (typeof options !== 'object' || options === null) throw wrong('The options of map() are an object.')
  const { atOnce, onProgress, onTask, signal, ...rest } = options
  if (atOnce !== undefined && !(Number.isInteger(atOnce) && atOnce >= 1 && atOnce <= LIMITS.maxMapAtOnce)) {
    throw wrong(`The option atOnce is a whole number from 1 to ${LIMITS.maxMapAtOnce}.`)
  }
  if (onProgress !== undefined && typeof onProgress !== 'function') throw wrong('The option onProgress is a function.')
  if (onTask !== undefined && typeof onTask !== 'function') throw wrong('The option onTask is a function.')
  if (signal !== undefined && typeof signal?.addEventListener !== 'function')
    throw wrong('The signal is an AbortSignal.')
  return { atOnce, onProgress, onTask, signal, rest, source: iteratorOf(inputs) }
}

function iteratorOf(inputs: unknown): AsyncIterator<unknown> | Iterator<unknown> {
  const source = Object(inputs) as Partial<AsyncIterable<unknown> & Iterable<unknown>>
  if (typeof inputs !== 'string' && typeof source[Symbol.asyncIterator] === 'function') {
    return (source as AsyncIterable<unknown>)[Symbol.asyncIterator]()
  }
  if (typeof inputs !== 'string' && typeof source[Symbol.iterator] === 'function') {
    return (source as Iterable<unknown>)[Symbol.iterator]()
  }
  throw wrong('map() takes a list of inputs, or something else to iterate over.')
}

export class MappedTasks<Output> implements MapRun<Output> {
  readonly #host: MapHost
  readonly #options: ReturnType<typeof checkMap> | undefined
  /** Those drawn and not yet read, by index. */
  readonly #items = new Map<number, Item>()
  /** How long the latest took, oldest first. */
  readonly #durations: number[] = []
  #drawn = 0
  #done = 0
  #read = 0
  #underWay = 0
  #drawing = false
  /** The source has no more. */
  #exhausted = false
  #failed: TsunagiError | undefined
  #isRead = false
  #wake: () => void = () => undefined
  #stopLooking: () => void = () => undefined
  #unfollow: () => void = () => undefined

  constructor(host: MapHost, inputs: unknown, options: MapOptions) {
    this.#host = host
    try {
      this.#options = checkMap(inputs, options)
    } catch (cause) {
      this.#failed = toTsunagiError(cause, 'INVALID_ARGUMENT', 'What was given to map() cannot be read.')
      return
    }
    const { signal } = this.#options
    if (signal !== undefined) this.#follow(signal)
  }

  async all(): Promise<Output[]> {
    const outputs: Output[] = []
    for await (const output of this) outputs.push(output)
    return outputs
  }

  cancel(): void {
    this.#fail(new TsunagiError('TASK_CANCELED', 'The map was cancelled.'))
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Output, undefined> {
    if (this.#isRead) throw new TsunagiError('INVALID_STATE', 'The results of a map() are read once.')
    this.#isRead = true
    try {
      this.#look()
      for (;;) {
        this.#draw()
        if (this.#failed !== undefined) throw this.#failed
        const output = this.#items.get(this.#read)?.output
        if (output !== undefined) {
          this.#items.delete(this.#read++)
          yield output.value as Output
        } else if (this.#exhausted && this.#read === this.#drawn) {
          return undefined
        } else {
          await new Promise<void>((wake) => {
            this.#wake = wake
          })
        }
      }
    } finally {
      // Also where the reader leaves early: nobody wants the rest.
      this.cancel()
      this.#stopLooking()
    }
  }

  get #atOnce(): number {
    const own = this.#options?.atOnce
    return own ?? Math.min(LIMITS.maxMapAtOnce, Math.max(1, this.#host.offerCount()) * LIMITS.mapAtOncePerPeer)
  }

  /** Draws inputs while there is room for more. */
  #draw(): void {
    if (this.#drawing || this.#options === undefined) return
    this.#drawing = true
    void this.#drawSome(this.#options.source).then(
      () => {
        this.#drawing = false
        // Room may have come while the last look for it ended.
        if (this.#mayDraw()) this.#draw()
      },
      (cause: unknown) => {
        this.#fail(toTsunagiError(cause, 'INVALID_ARGUMENT', 'The inputs of map() could not be read.'))
      },
    )
  }

  async #drawSome(source: AsyncIterator<unknown> | Iterator<unknown>): Promise<void> {
    while (this.#mayDraw()) {
      const next = await source.next()
      if (this.#failed !== undefined) return
      if (next.done === true) {
        this.#exhausted = true
        this.#wake()
        return
      }
      const index = this.#drawn++
      const item: Item = { index, input: next.value, startedAt: this.#host.clock.now(), tasks: [] }
      this.#items.set(index, item)
      this.#underWay++
      this.#start(item, [])
    }
  }

  #mayDraw(): boolean {
    if (this.#exhausted || this.#failed !== undefined) return false
    const atOnce = this.#atOnce
    return this.#underWay < atOnce && this.#drawn - this.#read < atOnce * LIMITS.mapLookAhead
  }

  #start(item: Item, without: readonly PeerId[]): void {
    const task = this.#host.delegate(item.input, this.#options?.rest ?? {}, without)
    item.tasks.push(task)
    task.result.then(
      (value) => this.#completed(item, value),
      (cause: unknown) => this.#lost(item, toTsunagiError(cause, 'TASK_FAILED', 'A task of the map failed.')),
    )
    this.#listen('onTask', () => this.#options?.onTask?.(item.index, task))
  }

  #completed(item: Item, value: unknown): void {
    if (item.output !== undefined || this.#failed !== undefined) return
    item.output = { value }
    for (const task of item.tasks) task.cancel()
    this.#underWay--
    this.#done++
    this.#durations.push(Math.max(0, this.#host.clock.now() - item.startedAt))
    if (this.#durations.length > MEDIAN_OF) this.#durations.shift()
    this.#listen('onProgress', () => this.#options?.onProgress?.({ done: this.#done, drawn: this.#drawn }))
    this.#draw()
    this.#wake()
  }

  #listen(option: 'onProgress' | 'onTask', listener: () => void): void {
    try {
      listener()
    } catch (cause) {
      this.#fail(new TsunagiError('LISTENER_FAILED', `The ${option} listener of a map() threw an error.`, { cause }))
    }
  }

  /** One that has another task under way may still come. */
  #lost(item: Item, error: TsunagiError): void {
    if (item.output !== undefined || item.tasks.some(({ info }) => !isTerminal(info.state))) return
    this.#fail(error)
  }

  #fail(error: TsunagiError): void {
    if (this.#failed !== undefined) return
    this.#failed = error
    this.#unfollow()
    for (const { tasks } of this.#items.values()) for (const task of tasks) task.cancel()
    const { source } = this.#options ?? {}
    // A source that is drawn from by no one any more may let go of what it holds; how that ends concerns nobody.
    if (!this.#exhausted) Promise.resolve(source?.return?.()).catch(() => undefined)
    this.#wake()
  }

  #follow(signal: AbortSignal): void {
    if (signal.aborted) {
      this.cancel()
      return
    }
    const abort = () => this.cancel()
    signal.addEventListener('abort', abort)
    this.#unfollow = () => signal.removeEventListener('abort', abort)
  }

  #look(): void {
    this.#stopLooking = this.#host.clock.after(LOOK, () => {
      this.#look()
      this.#draw()
      if (this.#options?.rest.failover !== false) this.#helpTheSlow()
    })
  }

  /** Where there is nothing else to begin, what takes far longer than the others is given to a second peer as well. */
  #helpTheSlow(): void {
    const atOnce = this.#atOnce
    const median = this.#durations.toSorted((a, b) => a - b)[this.#durations.length >> 1]
    if (median === undefined || this.#underWay >= atOnce || this.#host.offerCount() < 2) return
    const long = Math.max(LIMITS.stragglerLeast, median * LIMITS.stragglerFactor)
    const now = this.#host.clock.now()
    let room = atOnce - this.#underWay
    for (const item of this.#items.values()) {
      const [only, second] = item.tasks
      if (item.output !== undefined || only === undefined || second !== undefined) continue
      if (now - item.startedAt < long || room-- <= 0) continue
      this.#start(item, [only.info.peer])
    }
  }
}

/** So many durations make the median: those of now, and not of an hour ago. */
const MEDIAN_OF = 64

function wrong(message: string): TsunagiError {
  return new TsunagiError('INVALID_ARGUMENT', message)
}
