/** What each key has used up, over all its sockets: those it has, and those it had. */
import type { Clock } from '@tsunagi/protocol/signaling'
import { Accounts } from './accounts.ts'
import type { SignalingLimits } from './limits.ts'
import { TokenBucket, TrafficBudget, type TrafficRates } from './token-bucket.ts'

export class KeyAccount {
  /** Meshes it is in now. */
  meshes = 0
  readonly #rates: TrafficRates
  /** None where it would be full. */
  #traffic: TrafficBudget | undefined
  readonly #limits: SignalingLimits
  readonly #clock: Clock
  #turn: TokenBucket | undefined
  #wakes: TokenBucket | undefined

  constructor(limits: SignalingLimits, clock: Clock, rates: TrafficRates) {
    this.#limits = limits
    this.#clock = clock
    this.#rates = rates
  }

  /** Takes what a message costs, or as many messages, where there is as much. */
  take(now: number, bytes: number, messages: number): boolean {
    this.#traffic ??= new TrafficBudget(this.#rates, now)
    return this.#traffic.take(now, bytes, messages)
  }

  /** Keeps nothing that would be the same if it were made anew. */
  rest(now: number): void {
    if (this.#traffic?.isFull(now)) this.#traffic = undefined
  }

  /** TURN credentials. Made when they are asked for, as most keys ask for none here. */
  get turn(): TokenBucket {
    const { turnPerHour } = this.#limits
    this.#turn ??= new TokenBucket(turnPerHour / 3_600, turnPerHour, this.#clock)
    return this.#turn
  }

  get wakes(): TokenBucket {
    const { wakesPerMinute } = this.#limits
    this.#wakes ??= new TokenBucket(wakesPerMinute / 60, wakesPerMinute, this.#clock)
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
  return new Accounts(
    limits.maxRemembered,
    () => new KeyAccount(limits, clock, rates),
    ({ meshes }) => meshes > 0,
  )
}
