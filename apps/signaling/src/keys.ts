/** What each key has used up, over all its sockets: those it has, and those it had. */
import type { Clock } from '@tsunagi/protocol/signaling'
import { Accounts } from './accounts.ts'
import type { SignalingLimits } from './limits.ts'
import { TokenBucket, TrafficBudget, type TrafficRates } from './token-bucket.ts'

export class KeyAccount {
  /** Meshes it is in now. */
  meshes = 0
  readonly traffic: TrafficBudget
  readonly #limits: SignalingLimits
  readonly #clock: Clock
  #turn: TokenBucket | undefined
  #wakes: TokenBucket | undefined

  constructor(limits: SignalingLimits, clock: Clock, rates: TrafficRates) {
    this.#limits = limits
    this.#clock = clock
    this.traffic = new TrafficBudget(rates, clock.now())
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
