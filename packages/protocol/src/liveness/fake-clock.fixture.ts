import type { Clock } from '../ports.ts'

interface Timer {
  readonly due: number
  readonly action: () => void
}

/** A clock that moves only when a test says so. Timers fire in the order of their due times, then of their making. */
export class FakeClock implements Clock {
  #now: number
  readonly #timers = new Set<Timer>()

  /** @param now milliseconds since 1970; the default is 2001-09-09 */
  constructor(now = 1_000_000_000_000) {
    this.#now = now
  }

  now(): number {
    return this.#now
  }

  after(delay: number, action: () => void): () => void {
    const timer = { due: this.#now + Math.max(0, delay), action }
    this.#timers.add(timer)
    return () => {
      this.#timers.delete(timer)
    }
  }

  /** Timers set and neither fired nor cancelled: what a part that has stopped must have brought back to zero. */
  get pending(): number {
    return this.#timers.size
  }

  /** Lets `ms` milliseconds pass; each timer that falls due fires at its own time, also one set by another on the way. */
  advance(ms: number): void {
    const until = this.#now + ms
    for (let timer = this.#earliest(until); timer; timer = this.#earliest(until)) {
      this.#timers.delete(timer)
      this.#now = Math.max(this.#now, timer.due)
      timer.action()
    }
    this.#now = until
  }

  /** What a frozen page sees: `ms` milliseconds (negative where the clock is set back) pass, and no timer fires before the next advance(). */
  jump(ms: number): void {
    this.#now += ms
  }

  #earliest(until: number): Timer | undefined {
    let earliest: Timer | undefined
    for (const timer of this.#timers) {
      if (timer.due <= until && (earliest === undefined || timer.due < earliest.due)) earliest = timer
    }
    return earliest
  }
}
