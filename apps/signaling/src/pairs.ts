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

/** Of a budget's bursts: what must be left of them for all, and what one begins with at least, where none is forgotten. */
const HALF = 0.5

/**
 * The budgets of one socket's addressees. What it sends to all of them is taken from one such budget too, so none of theirs is
 * ever lower than that. As long as half of that is left nothing is remembered of each, and few sockets ever send as much. From
 * then on at least the last `most` addressees are remembered, at most twice as many: those of now, and those before them,
 * which all go at once. Once some may have gone, who is not remembered begins with what is left for all.
 */
export class PairBudgets {
  readonly #most: number
  readonly #all: TrafficBudget
  #recent: Map<string, TrafficBudget> | undefined
  #before: ReadonlyMap<string, TrafficBudget> | undefined

  constructor(rates: TrafficRates, most: number, now: number) {
    this.#most = most
    this.#all = new TrafficBudget(rates, now)
  }

  /** Takes a message of so many bytes from what the addressee of that key may be sent, or nothing. */
  take(addressee: string, now: number, bytes: number): boolean {
    if (this.#all.takeOfPlenty(now, bytes, HALF)) {
      this.#recent = undefined
      this.#before = undefined
      return true
    }
    if (!this.#budgetOf(addressee, now).take(now, bytes)) return false
    this.#all.drain(now, bytes)
    return true
  }

  /** Whether it is as at its beginning. */
  isFull(now: number): boolean {
    return this.#all.isFull(now)
  }

  #budgetOf(addressee: string, now: number): TrafficBudget {
    const known = this.#recent?.get(addressee)
    if (known !== undefined) return known
    const budget = this.#before?.get(addressee) ?? this.#all.another(now, this.#before === undefined ? HALF : 0)
    if (this.#recent === undefined || this.#recent.size >= this.#most) {
      this.#before = this.#recent
      this.#recent = new Map()
    }
    this.#recent.set(addressee, budget)
    return budget
  }
}
