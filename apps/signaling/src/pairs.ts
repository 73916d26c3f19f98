import type { SignalingLimits } from './limits.ts'
import { TrafficBudget, type TrafficRates } from './token-bucket.ts'

/** What one socket may send to one addressee. */
export function pairRates(limits: SignalingLimits): TrafficRates {
  return {
    messageRate: limits.pairMessageRate,
    messageBurst: limits.pairMessageBurst,
    byteRate: limits.pairByteRate,
    byteBurst: limits.pairByteBurst,
  }
}

/**
 * The budgets of one socket's addressees. At least the last `most` of them are remembered, at most twice as many: those of
 * now, and those before them, which all go at once. To note the order of each use would cost more than the rest of it.
 */
export class PairBudgets {
  readonly #rates: TrafficRates
  readonly #most: number
  #recent = new Map<string, TrafficBudget>()
  #before: ReadonlyMap<string, TrafficBudget> | undefined

  constructor(rates: TrafficRates, most: number) {
    this.#rates = rates
    this.#most = most
  }

  /** @param addressee its key */
  get(addressee: string, now: number): TrafficBudget {
    const known = this.#recent.get(addressee)
    if (known !== undefined) return known
    const budget = this.#before?.get(addressee) ?? new TrafficBudget(this.#rates, now)
    if (this.#recent.size >= this.#most) {
      this.#before = this.#recent
      this.#recent = new Map()
    }
    this.#recent.set(addressee, budget)
    return budget
  }
}
