import type { Clock } from '@tsunagi/protocol/signaling'

/** Notices when what was handed to a socket has not left within a time. */
export class WriteWatch {
  readonly #clock: Clock
  readonly #deadline: number
  readonly #overdue: () => void
  #handed = 0
  #left = 0
  #cancelTimer: (() => void) | undefined
  /** One for all messages: they leave in the order in which they were handed over. */
  readonly #hasLeft = () => {
    this.#left++
  }

  /** @param deadline milliseconds after which `overdue` is called, and twice that at the latest */
  constructor(clock: Clock, deadline: number, overdue: () => void) {
    this.#clock = clock
    this.#deadline = deadline
    this.#overdue = overdue
  }

  /** Counts a message; the function returned is to be called once it has left. */
  handedOver(): () => void {
    this.#handed++
    if (this.#cancelTimer === undefined) this.#watch()
    return this.#hasLeft
  }

  stop(): void {
    this.#cancelTimer?.()
  }

  #watch(): void {
    const mark = this.#handed
    this.#cancelTimer = this.#clock.after(this.#deadline, () => {
      this.#cancelTimer = undefined
      if (this.#left < mark) this.#overdue()
      else if (this.#left < this.#handed) this.#watch()
    })
  }
}
