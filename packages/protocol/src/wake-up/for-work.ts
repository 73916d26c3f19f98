/** Wakes peers unasked for whom something waits here: tasks, durable messages, transfers (SPEC §7.1). Bounded in rate. */
import type { PeerId, WakeOutcome, WakeUpResult } from '../api.ts'
import { LIMITS } from '../limits.ts'
import type { Clock } from '../ports.ts'

export interface WorkHost {
  readonly clock: Clock
  /** Whether it does not answer, and something waits here for it. */
  needsWaking(peer: PeerId): boolean
  /** Wakes it. */
  wakeUp(peer: PeerId): Promise<WakeUpResult>
}

interface Watched {
  readonly stop: () => void
  readonly mayWake: boolean
}

/** When a peer is called again. What the server keeps is read when it is back; and who said no is not asked again for as long. */
const PAUSES: Record<WakeOutcome, number> = {
  active: LIMITS.wakeSpacing,
  waking: LIMITS.wakeSpacing,
  expired: LIMITS.wakeSpacing,
  unanswered: LIMITS.wakeSpacing,
  kept: LIMITS.wakeLife,
  refused: LIMITS.wakeLife,
}

/** Of use until close(). */
export class WakeUpsForWork {
  readonly #host: WorkHost
  /** Until they are looked at again. */
  readonly #watched = new Map<PeerId, Watched>()
  #isClosed = false

  constructor(host: WorkHost) {
    this.#host = host
  }

  /** The peer may have fallen asleep, or something may wait for it now. It gets some time to come back by itself. */
  watch(peer: PeerId): void {
    if (!this.#watched.has(peer)) this.#lookAfter(peer, LIMITS.wakeAfter, true)
  }

  /** The peer has been silent for so long that it is woken at once, unless that was tried just now. */
  silent(peer: PeerId): void {
    if (!this.#watched.has(peer)) this.#look(peer)
  }

  /** Whether it may come back for what waits here: it is called, or will be soon, or the server keeps the call for it. */
  mayWake(peer: PeerId): boolean {
    return this.#watched.get(peer)?.mayWake === true
  }

  /** It has a link again. */
  awake(peer: PeerId): void {
    this.#watched.get(peer)?.stop()
    this.#watched.delete(peer)
  }

  /** Idempotent. */
  close(): void {
    this.#isClosed = true
    for (const { stop } of this.#watched.values()) stop()
    this.#watched.clear()
  }

  #lookAfter(peer: PeerId, delay: number, mayWake: boolean): void {
    if (this.#isClosed) return
    const stop = this.#host.clock.after(delay, () => this.#look(peer))
    this.#watched.set(peer, { stop, mayWake })
  }

  #look(peer: PeerId): void {
    this.#watched.delete(peer)
    if (this.#isClosed || !this.#host.needsWaking(peer)) return
    // Meanwhile it is watched, and what else happens starts no second one.
    const called: Watched = { stop: () => undefined, mayWake: true }
    this.#watched.set(peer, called)
    const then = (outcome: WakeOutcome) => {
      // It may have come by itself.
      if (this.#watched.get(peer) !== called) return
      this.#lookAfter(peer, PAUSES[outcome], outcome !== 'refused' && outcome !== 'unanswered')
    }
    this.#host.wakeUp(peer).then(
      ({ outcome }) => then(outcome),
      () => then('unanswered'),
    )
  }
}
