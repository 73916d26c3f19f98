import type { Clock } from '@tsunagi/protocol/signaling'

/** Grants `rate` a second on average and `burst` at once. */
export class TokenBucket {
  readonly #rate: number
  readonly #burst: number
  readonly #clock: Clock
  #level: number
  #filledAt: number

  constructor(rate: number, burst: number, clock: Clock) {
    this.#rate = rate
    this.#burst = burst
    this.#clock = clock
    this.#level = burst
    this.#filledAt = clock.now()
  }

  /** Takes `amount` where there is as much, else nothing. */
  take(amount: number): boolean {
    if (!this.has(amount)) return false
    this.#level -= amount
    return true
  }

  has(amount: number): boolean {
    const now = this.#clock.now()
    // A clock that was set back must not take away what is there.
    const elapsed = Math.max(0, now - this.#filledAt)
    this.#filledAt = now
    this.#level = Math.min(this.#burst, this.#level + (elapsed / 1000) * this.#rate)
    return amount <= this.#level
  }

  /** Milliseconds until `amount` will be there if nobody takes any. */
  waitFor(amount: number): number {
    return this.has(amount) ? 0 : Math.ceil(((amount - this.#level) / this.#rate) * 1000)
  }
}

export interface TrafficRates {
  readonly messageRate: number
  readonly messageBurst: number
  readonly byteRate: number
  readonly byteBurst: number
}

/** What one sender, key or pair may send: messages and their bytes. */
export class TrafficBudget {
  readonly #messages: TokenBucket
  readonly #bytes: TokenBucket

  constructor(rates: TrafficRates, clock: Clock) {
    this.#messages = new TokenBucket(rates.messageRate, rates.messageBurst, clock)
    this.#bytes = new TokenBucket(rates.byteRate, rates.byteBurst, clock)
  }

  /** @param messages as how many it counts: some cost the server more than their bytes */
  has(bytes: number, messages = 1): boolean {
    return this.#messages.has(messages) && this.#bytes.has(bytes)
  }

  /** Takes both or neither. */
  take(bytes: number, messages = 1): boolean {
    return this.has(bytes, messages) && this.#messages.take(messages) && this.#bytes.take(bytes)
  }
}
