/** Wakes peers unasked for whom something waits here: tasks, durable messages, transfers (SPEC §7.1). Bounded in rate. */
import type { PeerId, WakeUpResult } from '../api.ts'
import { LIMITS } from '../limits.ts'
import type { Clock } from '../ports.ts'

export interface WorkHost {
  readonly clock: Clock
  /** Whether it does not answer, and something waits here for it. */
  needsWaking(peer: PeerId): boolean
  /** Wakes it. */
  wakeUp(peer: PeerId): Promise<WakeUpResult>
}

/** Of use until close(). */
export class WakeUpsForWork {
  readonly #host: WorkHost
  /** Until it is looked at again. */
  readonly #watched = new Map<PeerId, () => void>()
  #isClosed = false

  constructor(host: WorkHost) {
    this.#host = host
  }

  /** The peer may have fallen asleep, or something may wait for it now. It gets some time to come back by itself. */
  watch(peer: PeerId): void {
    if (!this.#watched.has(peer)) this.#lookAfter(peer, LIMITS.wakeAfter)
  }

  /** The peer has been silent for so long that it is woken at once, unless that was tried just now. */
  silent(peer: PeerId): void {
    if (!this.#watched.has(peer)) this.#look(peer)
  }

  /** It has a link again. */
  awake(peer: PeerId): void {
    this.#watched.get(peer)?.()
    this.#watched.delete(peer)
  }

  /** Idempotent. */
  close(): void {
    this.#isClosed = true
    for (const stop of this.#watched.values()) stop()
    this.#watched.clear()
  }

  #lookAfter(peer: PeerId, delay: number): void {
    if (!this.#isClosed)
      this.#watched.set(
        peer,
        this.#host.clock.after(delay, () => this.#look(peer)),
      )
  }

  #look(peer: PeerId): void {
    this.#watched.delete(peer)
    if (this.#isClosed || !this.#host.needsWaking(peer)) return
    // Meanwhile it is watched, and what else happens starts no second one.
    this.#watched.set(peer, () => undefined)
    this.#host.wakeUp(peer).then(
      (result) => this.#lookAfter(peer, pauseAfter(result)),
      () => this.#lookAfter(peer, LIMITS.wakeSpacing),
    )
  }
}

/** What the server keeps is read when the target is back; and who said no is not asked again for as long. */
function pauseAfter({ outcome }: WakeUpResult): number {
  return outcome === 'kept' || outcome === 'refused' ? LIMITS.wakeLife : LIMITS.wakeSpacing
}
