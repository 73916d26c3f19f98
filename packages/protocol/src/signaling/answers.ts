/** Answers of the server that are waited for, each known by a text (SPEC §10). */
import { TsunagiError } from '../errors.ts'
import type { Clock } from '../ports.ts'

interface Waiting<T> {
  readonly to: string
  readonly fulfil: (answer: T) => void
  readonly reject: (error: TsunagiError) => void
  readonly stopTimer: () => void
}

export interface AnswerLimits {
  /** Milliseconds within which an answer must come. */
  readonly timeout: number
  /** Answers that may be waited for. */
  readonly most: number
}

export class Answers<T> {
  readonly #clock: Clock
  readonly #limits: AnswerLimits
  readonly #waiting = new Set<Waiting<T>>()

  constructor(clock: Clock, limits: AnswerLimits) {
    this.#clock = clock
    this.#limits = limits
  }

  /** Rejects with SIGNALING_UNREACHABLE where no answer came in time, and QUEUE_FULL where too many are waited for. */
  wait(to: string): Promise<T> {
    return new Promise((fulfil, reject) => {
      if (this.#waiting.size >= this.#limits.most) {
        reject(new TsunagiError('QUEUE_FULL', 'Too many answers of the signaling server are waited for.'))
        return
      }
      const stopTimer = this.#clock.after(this.#limits.timeout, () => this.#fail(waiting))
      const waiting: Waiting<T> = { to, fulfil, reject, stopTimer }
      this.#waiting.add(waiting)
    })
  }

  /** One answer serves all who asked the same. */
  give(to: string, answer: T): void {
    for (const waiting of this.#waiting) {
      if (waiting.to !== to) continue
      this.#waiting.delete(waiting)
      waiting.stopTimer()
      waiting.fulfil(answer)
    }
  }

  /** The socket closed: nothing will come. */
  end(): void {
    for (const waiting of this.#waiting) this.#fail(waiting)
  }

  #fail(waiting: Waiting<T>): void {
    this.#waiting.delete(waiting)
    waiting.stopTimer()
    waiting.reject(new TsunagiError('SIGNALING_UNREACHABLE', 'The signaling server did not answer.'))
  }
}
