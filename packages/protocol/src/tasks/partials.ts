/** Partial results of one task (SPEC R64): bounded at both ends by what the reader has read. */
import { TsunagiError, toTsunagiError } from '../errors.ts'
import { LIMITS, PROTOCOL } from '../limits.ts'
import { isGone } from './payload.ts'

/** At the caller: what came and was not read yet, for one reader. */
export class PartialStream implements AsyncIterable<unknown> {
  readonly #onRead: (read: number) => void
  readonly #unread: unknown[] = []
  #taken = 0
  #read = 0
  #told = 0
  /** The index that comes next from the peer that has the task now: one that begins anew repeats what was taken. */
  #next = 0
  #end: { readonly error: TsunagiError | undefined } | undefined
  #wake: () => void = () => undefined
  #isAbandoned = false

  /** @param onRead called with how many were read, often enough that the sender need not wait. Must not throw. */
  constructor(onRead: (read: number) => void) {
    this.#onRead = onRead
  }

  get read(): number {
    return this.#read
  }

  /** Another peer has the task: it begins anew. */
  restart(): void {
    this.#next = 0
  }

  /** A page before this one had the task; what comes next is number `index`. */
  resume(index: number): void {
    if (this.#next !== 0 || this.#unread.length > 0) return
    this.#next = index
    this.#taken = index
    this.#read = index
    this.#told = index
  }

  /** False where the peer breaks the rules: it left one out, repeats one, or sent more than it may. */
  take(index: number, output: unknown): boolean {
    if (index !== this.#next) return false
    this.#next++
    if (index < this.#taken) return true
    if (this.#taken - this.#read >= PROTOCOL.partialWindow) return false
    this.#taken++
    if (this.#isAbandoned) this.#count()
    else this.#unread.push(output)
    this.#wake()
    return true
  }

  /** What was taken can still be read; then `error` is thrown, or the reading ends. */
  end(error?: TsunagiError): void {
    this.#end ??= { error }
    this.#wake()
  }

  [Symbol.asyncIterator](): AsyncIterator<unknown> {
    return {
      next: () => this.#readOne(),
      return: async () => {
        this.#isAbandoned = true
        while (this.#unread.splice(0, 1).length > 0) this.#count()
        return { done: true, value: undefined }
      },
    }
  }

  async #readOne(): Promise<IteratorResult<unknown>> {
    while (this.#unread.length === 0) {
      if (this.#end?.error !== undefined) throw this.#end.error
      if (this.#end !== undefined) return { done: true, value: undefined }
      await new Promise<void>((wake) => {
        this.#wake = wake
      })
    }
    const value = this.#unread.shift()
    this.#count()
    return { done: false, value }
  }

  #count(): void {
    this.#read++
    if (this.#read - this.#told < PROTOCOL.partialWindow / 2) return
    this.#told = this.#read
    this.#onRead(this.#read)
  }
}

interface Waiting {
  readonly output: unknown
  readonly done: () => void
  readonly fail: (error: TsunagiError) => void
}

/** At the executor: sends what the reader has room for, and lets the rest wait. */
export class PartialSender {
  readonly #send: (index: number, output: unknown) => Promise<void>
  #sent = 0
  #allowed: number = PROTOCOL.partialWindow
  #waiting: Waiting[] = []
  #ended: TsunagiError | undefined

  constructor(send: (index: number, output: unknown) => Promise<void>) {
    this.#send = send
  }

  get sent(): number {
    return this.#sent
  }

  /** Fulfils when the other side has it, or is not there, in which case the next page goes on after it. Rejects with QUEUE_FULL, what send() rejects with, and what end() is given. */
  add(output: unknown): Promise<void> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended)
    if (this.#waiting.length >= LIMITS.maxPartialsWaiting) {
      const message = `${LIMITS.maxPartialsWaiting} partial results wait for the caller to read; await each partial().`
      return Promise.reject(new TsunagiError('QUEUE_FULL', message))
    }
    return new Promise((done, fail) => {
      this.#waiting.push({ output, done, fail })
      this.#pump()
    })
  }

  /** The reader has read so many. A number that cannot be counts for no more than what was sent. */
  credit(read: number): void {
    this.#allowed = Math.max(this.#allowed, Math.min(read, this.#sent) + PROTOCOL.partialWindow)
    this.#pump()
  }

  end(error: TsunagiError): void {
    this.#ended ??= error
    for (const { fail } of this.#waiting.splice(0)) fail(error)
  }

  #pump(): void {
    while (this.#sent < this.#allowed) {
      const next = this.#waiting.shift()
      if (next === undefined) return
      this.#send(this.#sent++, next.output).then(next.done, (cause: unknown) => {
        const error = toTsunagiError(cause, 'LINK_FAILED', 'A partial result could not be sent.')
        // The task goes on without its caller, and so must its handler.
        if (isGone(error)) next.done()
        else next.fail(error)
      })
    }
  }
}
