/** Tells callers which of their tasks are still here (SPEC R60): one message for all of a caller, while there are any. */
import type { PeerId } from '../api.ts'
import { PROTOCOL } from '../limits.ts'
import type { Clock } from '../ports.ts'
import type { Bytes } from '../wire/bytes.ts'

interface Held {
  readonly id: Bytes
  readonly info: { readonly peer: PeerId }
}

export class Renewal {
  readonly #clock: Clock
  readonly #held: () => readonly Held[]
  readonly #tell: (caller: PeerId, ids: Bytes[]) => void
  #stopTimer: (() => void) | undefined

  /** @param held tasks under way; @param tell sends one message. Must not throw. */
  constructor(clock: Clock, held: () => readonly Held[], tell: (caller: PeerId, ids: Bytes[]) => void) {
    this.#clock = clock
    this.#held = held
    this.#tell = tell
  }

  /** There is a task: its caller hears of it until stop(). */
  schedule(): void {
    if (this.#held().length === 0) return
    this.#stopTimer ??= this.#clock.after(PROTOCOL.taskLease / 3, () => {
      this.#stopTimer = undefined
      this.renew()
      this.schedule()
    })
  }

  stop(): void {
    this.#stopTimer?.()
    this.#stopTimer = undefined
  }

  /** Tells `only`, or every caller, at once. */
  renew(only?: PeerId): void {
    const byCaller = new Map<PeerId, Bytes[]>()
    for (const { info, id } of this.#held()) {
      if (only !== undefined && info.peer !== only) continue
      byCaller.set(info.peer, [...(byCaller.get(info.peer) ?? []), id])
    }
    for (const [caller, ids] of byCaller) {
      for (let at = 0; at < ids.length; at += PROTOCOL.maxRenewed) {
        this.#tell(caller, ids.slice(at, at + PROTOCOL.maxRenewed))
      }
    }
  }
}
