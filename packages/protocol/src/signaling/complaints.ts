import type { TsunagiError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { Clock } from '../ports.ts'

/** Passes an error on where the same was not told within LIMITS.complaintSpacing: strangers choose how often it happens. */
export class Complaints {
  readonly #clock: Clock
  readonly #tell: (error: TsunagiError) => void
  /** What was told and when, oldest first. */
  readonly #told = new Map<string, number>()

  constructor(clock: Clock, tell: (error: TsunagiError) => void) {
    this.#clock = clock
    this.#tell = tell
  }

  /** @param subject complaints about the same are the same */
  make(subject: string, error: TsunagiError): void {
    const now = this.#clock.now()
    for (const [told, at] of this.#told) {
      if (Math.abs(now - at) >= LIMITS.complaintSpacing) this.#told.delete(told)
    }
    if (this.#told.has(subject) || this.#told.size >= LIMITS.maxComplaints) return
    this.#told.set(subject, now)
    this.#tell(error)
  }
}
