/** How much is given to a link ahead of what it carries: as much as leaves in a moment, so that what is urgent waits no longer. */
import { LIMITS } from '../limits.ts'
import type { Clock } from '../ports.ts'

export class LinkPace {
  readonly #clock: Pick<Clock, 'now'>
  /** Bytes a millisecond. */
  #rate: number = LIMITS.firstLinkRate
  /** Bytes that have left the link's buffer since the stretch began in which it is not empty, and when that was. */
  #left = 0
  #since = 0
  #buffered = 0

  constructor(clock: Pick<Clock, 'now'>) {
    this.#clock = clock
  }

  /** Bytes in the link's buffer above which it is given nothing more. */
  get highMark(): number {
    return within(LIMITS.leastFrameTarget, this.#rate * LIMITS.linkAhead, LIMITS.linkHighMark)
  }

  /** Bytes of records that a frame is filled up to. */
  get frameTarget(): number {
    return within(LIMITS.leastFrameTarget, this.highMark / 2, LIMITS.frameTarget)
  }

  /** A frame of `size` bytes is handed over now to a link whose buffer holds `buffered` bytes of those before. */
  hand(size: number, buffered: number): void {
    const now = this.#clock.now()
    const left = this.#buffered - buffered
    this.#left += left
    const time = now - this.#since
    // An empty buffer says only that the link is at least so quick.
    const isQuicker = buffered === 0 && this.#left > this.#rate * time
    if (time > 0 && (isQuicker || (buffered > 0 && time >= LIMITS.linkRateStretch))) this.#rate = this.#left / time
    if (buffered === 0 || time < 0 || time >= LIMITS.linkRateStretch) {
      this.#since = now
      this.#left = 0
    }
    this.#buffered = buffered + size
  }
}

function within(least: number, value: number, most: number): number {
  return Math.max(least, Math.min(value, most))
}
