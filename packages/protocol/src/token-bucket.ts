/** Grants `rate` a second on average and `burst` at once. Times are milliseconds. */
export class TokenBucket {
  readonly #rate: number
  readonly #burst: number
  #level: number
  #filledAt: number

  constructor(rate: number, burst: number, now: number) {
    this.#rate = rate
    this.#burst = burst
    this.#level = burst
    this.#filledAt = now
  }

  /** Takes `amount` where there is as much, else nothing. */
  take(amount: number, now: number): boolean {
    if (this.wait(amount, now) > 0) return false
    this.#level -= amount
    return true
  }

  /** How long until there is `amount`, or the whole burst where that is less; 0 where there is. */
  wait(amount: number, now: number): number {
    // A clock that was set back must not take away what is there.
    const elapsed = Math.max(0, now - this.#filledAt)
    this.#filledAt = now
    this.#level = Math.min(this.#burst, this.#level + (elapsed / 1_000) * this.#rate)
    const missing = Math.min(amount, this.#burst) - this.#level
    return missing <= 0 ? 0 : Math.ceil((missing / this.#rate) * 1_000)
  }

  /** Whoever counts as well says that nothing is left. */
  empty(now: number): void {
    this.#level = 0
    this.#filledAt = now
  }
}
