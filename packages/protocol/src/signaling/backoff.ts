import { LIMITS } from '../limits.ts'
import type { Bytes } from '../wire/bytes.ts'

/** Full jitter: any wait from nothing to a bound that doubles, so that peers a server lost together do not return together. */
export class Backoff {
  readonly #randomBytes: (length: number) => Bytes
  #bound: number = LIMITS.backoffFirst

  constructor(randomBytes: (length: number) => Bytes) {
    this.#randomBytes = randomBytes
  }

  /** Whole milliseconds to wait before the next attempt. */
  next(): number {
    const share = this.#randomBytes(4).reduce((sum, byte) => (sum + byte) / 256, 0)
    const wait = Math.floor(share * this.#bound)
    this.#bound = Math.min(LIMITS.backoffMost, 2 * this.#bound)
    return wait
  }

  reset(): void {
    this.#bound = LIMITS.backoffFirst
  }
}
