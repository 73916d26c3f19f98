/** Asks the user whether a peer may use a capability (SPEC R67): few questions at once, and none for ever. */
import type { AbortSignal, CapabilityPolicy, ConsentRequest, PeerId } from '../api.ts'
import { TsunagiError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { Clock } from '../ports.ts'

export class ConsentDesk {
  readonly #clock: Clock
  /** Who waits for an answer, once for each question. */
  readonly #waiting: PeerId[] = []

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Whether one more question of `caller` may wait. */
  hasRoom(caller: PeerId): boolean {
    const own = this.#waiting.filter((waiting) => waiting === caller).length
    return this.#waiting.length < LIMITS.maxConsents && own < LIMITS.maxConsentsPerCaller
  }

  /**
   * Whether the user agrees. A policy that cannot ask does not agree, and neither does silence. Never rejects.
   * @param ended aborts when the task has ended meanwhile, which answers the question
   */
  async ask({ ask }: CapabilityPolicy, request: Omit<ConsentRequest, 'signal'>, ended: AbortSignal): Promise<boolean> {
    const asked = new AbortController()
    this.#waiting.push(request.caller)
    let stop: () => void = () => undefined
    const silence = new Promise<false>((answer) => {
      stop = this.#clock.after(LIMITS.consentTimeout, () => answer(false))
      ended.addEventListener('abort', () => answer(false), { once: true })
    })
    try {
      return await Promise.race([silence, Promise.resolve(ask?.({ ...request, signal: asked.signal })).then(isYes)])
    } catch {
      // Who cannot ask has not been allowed.
      return false
    } finally {
      stop()
      asked.abort(new TsunagiError('INVALID_STATE', 'Nobody waits for that answer any more.'))
      this.#waiting.splice(this.#waiting.indexOf(request.caller), 1)
    }
  }
}

function isYes(answer: unknown): boolean {
  return answer === true
}
