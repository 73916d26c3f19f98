import type { Clock } from '@tsunagi/protocol/signaling'

interface Timer {
  readonly due: number
  readonly action: () => void
}

/** A clock that moves only when a test says so. */
export class FakeClock implements Clock {
  #now = 1_000_000_000_000
  readonly #timers = new Set<Timer>()

  now(): number {
    return this.#now
  }

  after(delay: number, action: () => void): () => void {
    const timer = { due: this.#now + delay, action }
    this.#timers.add(timer)
    return () => {
      this.#timers.delete(timer)
    }
  }

  /** Lets `ms` milliseconds pass; each timer that falls due fires at its own time, also one set by another on the way. */
  advance(ms: number): void {
    const until = this.#now + ms
    for (let timer = this.#next(until); timer; timer = this.#next(until)) {
      this.#timers.delete(timer)
      this.#now = timer.due
      timer.action()
    }
    this.#now = until
  }

  #next(until: number): Timer | undefined {
    return [...this.#timers].filter(({ due }) => due <= until).sort((a, b) => a.due - b.due)[0]
  }
}
