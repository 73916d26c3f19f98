/** What waits to leave for the server: open frames before those of links, all no faster than the server takes them (SPEC §10). */
import Queue from 'yocto-queue'
import type { TsunagiError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { Clock } from '../ports.ts'
import { TokenBucket } from '../token-bucket.ts'

interface Waiting {
  readonly size: number
  readonly send: () => Promise<void>
  readonly fulfil: () => void
  readonly reject: (reason: unknown) => void
}

/** `open`: what begins a session. `link`: frames of links, of which there may always be more. */
export type OutboxLane = 'open' | 'link'

export class Outbox {
  readonly #clock: Clock
  readonly #socketBuffer: () => number
  readonly #lanes: Record<OutboxLane, Queue<Waiting>> = { open: new Queue(), link: new Queue() }
  readonly #messages: TokenBucket
  readonly #bytes: TokenBucket
  #openBytes = 0
  #sending = false
  #stopTimer: (() => void) | undefined

  /** @param socketBuffer bytes that the socket has taken and that have not left */
  constructor(clock: Clock, socketBuffer: () => number) {
    const now = clock.now()
    this.#clock = clock
    this.#socketBuffer = socketBuffer
    this.#messages = new TokenBucket(LIMITS.relayMessageRate, LIMITS.relayMessageBurst, now)
    this.#bytes = new TokenBucket(LIMITS.relayByteRate, LIMITS.relayByteBurst, now)
  }

  /** Bytes of open frames that have not gone to the socket. */
  get openBytes(): number {
    return this.#openBytes
  }

  /** Calls `send` when it is its turn, those of a lane one after the other. Settles as `send` does, or with what clear() was given. */
  add(lane: OutboxLane, size: number, send: () => Promise<void>): Promise<void> {
    return new Promise((fulfil, reject) => {
      this.#lanes[lane].enqueue({ size, send, fulfil, reject })
      if (lane === 'open') {
        this.#openBytes += size
        this.#stopWaiting()
      }
      this.#next()
    })
  }

  /** The server says that it was too fast, so it counts otherwise than we do. */
  slowDown(): void {
    this.#messages.empty(this.#clock.now())
    this.#bytes.empty(this.#clock.now())
  }

  /** Nothing that waits can be sent any more. */
  clear(error: TsunagiError): void {
    this.#stopWaiting()
    this.#openBytes = 0
    for (const lane of Object.values(this.#lanes)) for (const { reject } of lane.drain()) reject(error)
  }

  #next(): void {
    if (this.#sending || this.#stopTimer !== undefined) return
    const lane = this.#lanes.open.size > 0 ? 'open' : 'link'
    const first = this.#lanes[lane].peek()
    if (first === undefined) return
    const wait = this.#wait(lane, first.size)
    if (wait > 0) {
      this.#stopTimer = this.#clock.after(wait, () => {
        this.#stopTimer = undefined
        this.#next()
      })
      return
    }
    this.#lanes[lane].dequeue()
    this.#sending = true
    void this.#send(lane, first)
  }

  async #send(lane: OutboxLane, { size, send, fulfil, reject }: Waiting): Promise<void> {
    const now = this.#clock.now()
    this.#messages.take(1, now)
    this.#bytes.take(size, now)
    await send().then(fulfil, reject)
    if (lane === 'open') this.#openBytes = Math.max(0, this.#openBytes - size)
    this.#sending = false
    this.#next()
  }

  #stopWaiting(): void {
    this.#stopTimer?.()
    this.#stopTimer = undefined
  }

  #wait(lane: OutboxLane, size: number): number {
    // A socket does not tell when it has room again.
    if (lane === 'link' && this.#socketBuffer() > LIMITS.relaySocketMark) return LIMITS.relaySocketPoll
    const now = this.#clock.now()
    return Math.max(this.#messages.wait(1, now), this.#bytes.wait(size, now))
  }
}
