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
    const now = this.#clock.now()
    // A clock that was set back must not take away what is there.
    const elapsed = Math.max(0, now - this.#filledAt)
    this.#filledAt = now
    this.#level = Math.min(this.#burst, this.#level + (elapsed / 1000) * this.#rate)
    if (amount > this.#level) return false
    this.#level -= amount
    return true
  }
}
