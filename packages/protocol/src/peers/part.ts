/** A part of the library that a page loads when it first needs it: most pages that send messages never do (SPEC §1). */
import type { PeerId } from '../api.ts'
import { TsunagiError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { Clock } from '../ports.ts'
import { PeerShares } from './peer-shares.ts'

export interface PartHost<T> {
  readonly clock: Clock
  /** Rejects where it cannot be loaded; called again when it is needed again. */
  readonly load: () => Promise<T>
  /** Ends it: the peer is closed. */
  readonly close: (part: T, error: TsunagiError) => void
  /** It could not be loaded. */
  readonly onError: (error: TsunagiError) => void
}

interface Waiting<T> {
  act(part: T): void
  fail(error: TsunagiError): void
}

/** What is to be done by it waits for it in order, and fails with LOAD_FAILED where it does not come. */
export class Part<T> {
  readonly #host: PartHost<T>
  readonly #messages = new PeerShares()
  #waiting: Waiting<T>[] = []
  #here: T | undefined
  #loading: Promise<void> | undefined
  #stopPatience: (() => void) | undefined
  #closed: TsunagiError | undefined
  #missedAt = Number.NEGATIVE_INFINITY

  constructor(host: PartHost<T>) {
    this.#host = host
  }

  /** Undefined before it was needed, and while it is on its way. */
  get here(): T | undefined {
    return this.#here
  }

  /** Has it loaded where need be. Neither `act` nor `fail` may throw. */
  use(act: (part: T) => void, fail: (error: TsunagiError) => void): void {
    if (this.#here !== undefined) act(this.#here)
    else if (this.#closed !== undefined) fail(this.#closed)
    else {
      this.#waiting.push({ act, fail })
      this.#load()
    }
  }

  /** Rejects with LOAD_FAILED, and with what closed it. */
  get(): Promise<T> {
    return new Promise((fulfil, reject) => this.use(fulfil, reject))
  }

  /** As use(), for what concerns it only where somebody needed it before. */
  tell(act: (part: T) => void): void {
    if (this.#here !== undefined) act(this.#here)
    else if (this.#waiting.length > 0) this.#waiting.push({ act, fail: () => undefined })
  }

  /**
   * As use(), for a message of `bytes` bytes. What waits of one peer, and of all, is bounded as their durable messages are:
   * beyond that it fails with QUEUE_FULL. What could not be loaded is not asked for again at once: a peer that goes on would have
   * this page ask its server without end.
   */
  take(peer: PeerId, bytes: number, act: (part: T) => void, fail: (error: TsunagiError) => void): void {
    if (this.#here !== undefined) {
      act(this.#here)
      return
    }
    const { clock } = this.#host
    if (this.#waiting.length === 0 && Math.abs(clock.now() - this.#missedAt) < LIMITS.partPatience) {
      fail(loadFailed(undefined))
      return
    }
    if (!this.#messages.hasRoom(peer)) {
      fail(new TsunagiError('QUEUE_FULL', 'More came than waits here for a part of this page that is being loaded.'))
      return
    }
    this.#messages.add(peer, bytes)
    this.use(
      (part) => {
        this.#messages.remove(peer, bytes)
        act(part)
      },
      (error) => {
        this.#messages.remove(peer, bytes)
        fail(error)
      },
    )
  }

  /** What waits fails with `error`, and so does whatever asks for it later. */
  close(error: TsunagiError): void {
    this.#closed = error
    if (this.#here !== undefined) this.#host.close(this.#here, error)
    this.#fail(error)
  }

  #load(): void {
    // A network that is gone may leave a request without any answer.
    this.#stopPatience ??= this.#host.clock.after(LIMITS.partPatience, () =>
      this.#missed(new Error('It did not come in time.')),
    )
    this.#loading ??= this.#host.load().then(
      (part) => this.#arrived(part),
      (cause: unknown) => {
        this.#loading = undefined
        this.#missed(cause)
      },
    )
  }

  #arrived(part: T): void {
    if (this.#closed !== undefined) {
      this.#host.close(part, this.#closed)
      return
    }
    this.#here = part
    for (const { act } of this.#settle()) act(part)
  }

  #missed(cause: unknown): void {
    if (this.#closed !== undefined) return
    const error = loadFailed(cause)
    this.#missedAt = this.#host.clock.now()
    this.#fail(error)
    this.#host.onError(error)
  }

  #fail(error: TsunagiError): void {
    for (const { fail } of this.#settle()) fail(error)
  }

  /** Nothing waits any more. @returns what did, in its order */
  #settle(): Waiting<T>[] {
    this.#stopPatience?.()
    this.#stopPatience = undefined
    const waiting = this.#waiting
    this.#waiting = []
    return waiting
  }
}

export function loadFailed(cause: unknown): TsunagiError {
  const message =
    'A part of this page could not be loaded: check the network; where a newer version of the page was published, reload it.'
  return new TsunagiError('LOAD_FAILED', message, { cause })
}
