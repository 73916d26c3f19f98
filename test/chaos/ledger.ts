/** What was accepted and what arrived, held against each other. */

export interface ChaosMessage {
  /** Consecutive for each pair of sender and receiver, from 1. */
  readonly n: number
}

/** In the order of the receiver's listener. */
export interface Arrival {
  readonly from: string
  readonly to: string
  readonly n: number
  readonly id: string
}

export interface Verdict {
  readonly accepted: number
  /** Of the accepted ones. */
  readonly delivered: number
  readonly lost: number
  readonly duplicated: number
  readonly out_of_order: number
}

export class Ledger {
  readonly #accepted = new Set<string>()

  accept(from: string, to: string, n: number): void {
    this.#accepted.add(`${from} ${to} ${n}`)
  }

  get accepted(): number {
    return this.#accepted.size
  }

  /** A message whose acceptance nobody lived to see may arrive or not, but like all others only once and in order. */
  judge(arrivals: readonly Arrival[]): Verdict {
    const latest = new Map<string, number>()
    const seen = new Set<string>()
    let duplicated = 0
    let outOfOrder = 0
    for (const { from, to, n } of arrivals) {
      const pair = `${from} ${to}`
      if (seen.has(`${pair} ${n}`)) duplicated++
      else if (n < (latest.get(pair) ?? 0)) outOfOrder++
      seen.add(`${pair} ${n}`)
      latest.set(pair, Math.max(n, latest.get(pair) ?? 0))
    }
    const delivered = [...this.#accepted].filter((message) => seen.has(message)).length
    return {
      accepted: this.#accepted.size,
      delivered,
      lost: this.#accepted.size - delivered,
      duplicated,
      out_of_order: outOfOrder,
    }
  }
}
