/** Merges what a handler says of its progress into at most LIMITS.progressRate reports a second. */
import { LIMITS } from '../limits.ts'
import type { Clock } from '../ports.ts'

const SPACING = 1_000 / LIMITS.progressRate

export class ProgressMerger {
  readonly #clock: Clock
  readonly #report: (progress: number, note: string) => void
  #latest: { readonly progress: number; readonly note: string } | undefined
  #stopTimer: (() => void) | undefined

  /** @param report called with the newest progress: at once after a pause, else when the spacing allows it */
  constructor(clock: Clock, report: (progress: number, note: string) => void) {
    this.#clock = clock
    this.#report = report
  }

  update(progress: number, note: string): void {
    this.#latest = { progress, note }
    if (this.#stopTimer === undefined) this.#reportLatest()
  }

  /** Reports what still waits, so that the last word on progress comes before the result. Nothing comes after it. */
  finish(): void {
    this.stop()
    if (this.#latest !== undefined) this.#report(this.#latest.progress, this.#latest.note)
    this.#latest = undefined
  }

  stop(): void {
    this.#stopTimer?.()
    this.#stopTimer = undefined
  }

  #reportLatest(): void {
    this.#stopTimer = undefined
    if (this.#latest === undefined) return
    const { progress, note } = this.#latest
    this.#latest = undefined
    this.#stopTimer = this.#clock.after(SPACING, () => this.#reportLatest())
    this.#report(progress, note)
  }
}
