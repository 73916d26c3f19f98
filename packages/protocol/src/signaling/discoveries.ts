import { TsunagiError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { Clock } from '../ports.ts'
import { type Bytes, equalBytes } from '../wire/bytes.ts'

interface Waiting {
  readonly tag: Bytes
  readonly resolve: (members: readonly Bytes[]) => void
  readonly reject: (error: TsunagiError) => void
  readonly cancelTimer: () => void
}

/** Answers to `discover` that are waited for. */
export class Discoveries {
  readonly #clock: Clock
  readonly #waiting = new Set<Waiting>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Rejects with SIGNALING_UNREACHABLE where no answer came in time, and QUEUE_FULL where too many are waited for. */
  wait(tag: Bytes): Promise<readonly Bytes[]> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.size >= LIMITS.maxDiscoveries) {
        reject(new TsunagiError('QUEUE_FULL', 'Too many answers of the signaling server are waited for.'))
        return
      }
      const cancelTimer = this.#clock.after(LIMITS.discoverTimeout, () => this.#fail(waiting))
      const waiting: Waiting = { tag, resolve, reject, cancelTimer }
      this.#waiting.add(waiting)
    })
  }

  /** One answer serves all who asked the same. */
  found(tag: Bytes, members: readonly Bytes[]): void {
    for (const waiting of this.#waiting) {
      if (!equalBytes(waiting.tag, tag)) continue
      this.#waiting.delete(waiting)
      waiting.cancelTimer()
      waiting.resolve(members)
    }
  }

  /** The socket closed: nothing will come. */
  end(): void {
    for (const waiting of this.#waiting) this.#fail(waiting)
  }

  #fail(waiting: Waiting): void {
    this.#waiting.delete(waiting)
    waiting.cancelTimer()
    waiting.reject(
      new TsunagiError('SIGNALING_UNREACHABLE', 'The signaling server did not say who has this capability.'),
    )
  }
}
