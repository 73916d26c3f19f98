import type { Clock } from '../ports.ts'

interface Timer {
  readonly due: number
  readonly action: () => void
}

/** A clock that moves only when a test says so. Timers fire in the order of their due times, then of their making. */
export class FakeClock implements Clock {
  /** Milliseconds that passed; timers follow them, as a host's do, and not the time of day. */
  #passed = 0
  #origin: number
  readonly #timers = new Set<Timer>()

  /** @param now milliseconds since 1970; the default is 2001-09-09 */
  constructor(now = 1_000_000_000_000) {
    this.#origin = now
  }

  now(): number {
    return this.#origin + this.#passed
  }

  after(delay: number, action: () => void): () => void {
    const timer = { due: this.#passed + Math.max(0, delay), action }
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
    const until = this.#passed + ms
    for (let timer = this.#earliest(until); timer; timer = this.#earliest(until)) {
      this.#timers.delete(timer)
      this.#passed = Math.max(this.#passed, timer.due)
      timer.action()
    }
    this.#passed = until
  }

  /** What a frozen page sees: `ms` milliseconds pass, and what fell due meanwhile fires late. */
  sleep(ms: number): void {
    this.#passed += ms
    this.advance(0)
  }

  /** Somebody sets the time of day, forward or (negative) back; timers do not notice. */
  set(ms: number): void {
    this.#origin += ms
  }

  #earliest(until: number): Timer | undefined {
    let earliest: Timer | undefined
    for (const timer of this.#timers) {
      if (timer.due <= until && (earliest === undefined || timer.due < earliest.due)) earliest = timer
    }
    return earliest
  }
}
