import type { Clock } from '@tsunagi/protocol/signaling'

/** Grants `rate` a second on average and `burst` at once. */
export class TokenBucket {
  readonly #rate: number
  readonly #burst: number
  readonly #clock: Clock
  #level: number
  #filledAt: number

  constructor(rate: number, burst: number, clock: Clock) {
    this.#rate = rate
    this.#burst = burst
    this.#clock = clock
    this.#level = burst
    this.#filledAt = clock.now()
  }

  /** Takes `amount` where there is as much, else nothing. */
  take(amount: number): boolean {
    if (!this.has(amount)) return false
    this.#level -= amount
    return true
  }

  has(amount: number): boolean {
    const now = this.#clock.now()
    this.#level = filled(this.#level, now - this.#filledAt, this.#rate, this.#burst)
    this.#filledAt = now
    return amount <= this.#level
  }

  /** Milliseconds until `amount` will be there if nobody takes any. */
  waitFor(amount: number): number {
    return this.has(amount) ? 0 : Math.ceil(((amount - this.#level) / this.#rate) * 1000)
  }
}

export interface TrafficRates {
  readonly messageRate: number
  readonly messageBurst: number
  readonly byteRate: number
  readonly byteBurst: number
}

/** What one sender, key or pair may send: messages and their bytes. Times are by the server's clock: each message asks some budgets. */
export class TrafficBudget {
  readonly #rates: TrafficRates
  #messages: number
  #bytes: number
  #filledAt: number

  constructor(rates: TrafficRates, now: number) {
    this.#rates = rates
    this.#messages = rates.messageBurst
    this.#bytes = rates.byteBurst
    this.#filledAt = now
  }

  /** @param messages as how many it counts: some cost the server more than their bytes */
  has(now: number, bytes: number, messages = 1): boolean {
    this.#fill(now)
    return messages <= this.#messages && bytes <= this.#bytes
  }

  /** Whether it is as at its beginning. */
  isFull(now: number): boolean {
    return this.has(now, this.#rates.byteBurst, this.#rates.messageBurst)
  }

  /** Takes both or neither. */
  take(now: number, bytes: number, messages = 1): boolean {
    if (!this.has(now, bytes, messages)) return false
    this.#messages -= messages
    this.#bytes -= bytes
    return true
  }

  /** Takes a message of so many bytes where that share of both bursts is left. */
  takeOfPlenty(now: number, bytes: number, share: number): boolean {
    const { messageBurst, byteBurst } = this.#rates
    return this.has(now, bytes + byteBurst * share, 1 + messageBurst * share) && this.take(now, bytes)
  }

  /** Takes a message of so many bytes, or what there is of it. */
  drain(now: number, bytes: number): void {
    this.#fill(now)
    this.#messages = Math.max(0, this.#messages - 1)
    this.#bytes = Math.max(0, this.#bytes - bytes)
  }

  /** Another one with as much as there is here, or that share of both bursts where that is more. */
  another(now: number, share: number): TrafficBudget {
    this.#fill(now)
    const other = new TrafficBudget(this.#rates, now)
    other.#messages = Math.max(this.#messages, this.#rates.messageBurst * share)
    other.#bytes = Math.max(this.#bytes, this.#rates.byteBurst * share)
    return other
  }

  #fill(now: number): void {
    if (now === this.#filledAt) return
    const { messageRate, messageBurst, byteRate, byteBurst } = this.#rates
    const elapsed = now - this.#filledAt
    this.#messages = filled(this.#messages, elapsed, messageRate, messageBurst)
    this.#bytes = filled(this.#bytes, elapsed, byteRate, byteBurst)
    this.#filledAt = now
  }
}

/** A clock that was set back must not take away what is there. */
function filled(level: number, elapsed: number, rate: number, burst: number): number {
  return Math.min(burst, level + (Math.max(0, elapsed) / 1000) * rate)
}
