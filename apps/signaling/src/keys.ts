/** What each key has used up, over all its sockets: those it has, and those it had. */
import type { Clock } from '@tsunagi/protocol/signaling'
import { Accounts } from './accounts.ts'
import type { SignalingLimits } from './limits.ts'
import { TokenBucket, TrafficBudget, type TrafficRates } from './token-bucket.ts'

/** What all accounts of a server share. */
interface KeyTerms {
  readonly limits: SignalingLimits
  readonly clock: Clock
  readonly rates: TrafficRates
}

export class KeyAccount {
  /** Meshes it is in now. */
  meshes = 0
  readonly #terms: KeyTerms
  /** None where it would be full. */
  #traffic: TrafficBudget | undefined
  #turn: TokenBucket | undefined
  #wakes: TokenBucket | undefined

  constructor(terms: KeyTerms) {
    this.#terms = terms
  }

  /** Takes what a message costs, or as many messages, where there is as much. */
  take(now: number, bytes: number, messages: number): boolean {
    this.#traffic ??= new TrafficBudget(this.#terms.rates, now)
    return this.#traffic.take(now, bytes, messages)
  }

  /** Keeps nothing that would be the same if it were made anew. */
  rest(now: number): void {
    if (this.#traffic?.isFull(now)) this.#traffic = undefined
  }

  /** TURN credentials. Made when they are asked for, as most keys ask for none here. */
  get turn(): TokenBucket {
    const { clock, limits } = this.#terms
    this.#turn ??= new TokenBucket(limits.turnPerHour / 3_600, limits.turnPerHour, clock)
    return this.#turn
  }

  get wakes(): TokenBucket {
    const { clock, limits } = this.#terms
    this.#wakes ??= new TokenBucket(limits.wakesPerMinute / 60, limits.wakesPerMinute, clock)
    return this.#wakes
  }
}

export function keyAccounts(limits: SignalingLimits, clock: Clock): Accounts<KeyAccount> {
  const rates = {
    messageRate: limits.keyMessageRate,
    messageBurst: limits.keyMessageBurst,
    byteRate: limits.keyByteRate,
    byteBurst: limits.keyByteBurst,
  }
  const terms = { limits, clock, rates }
  return new Accounts(
    limits.maxRemembered,
    () => new KeyAccount(terms),
    ({ meshes }) => meshes > 0,
  )
}
