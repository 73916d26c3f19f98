/** What each key has used up, over all its sockets: those it has, and those it had. */
import type { Clock } from '@tsunagi/protocol/signaling'
import { Accounts } from './accounts.ts'
import type { SignalingLimits } from './limits.ts'
import { TokenBucket, TrafficBudget } from './token-bucket.ts'

export interface KeyAccount {
  /** Meshes it is in now. */
  meshes: number
  readonly traffic: TrafficBudget
  /** TURN credentials. */
  readonly turn: TokenBucket
  readonly wakes: TokenBucket
}

export function keyAccounts(limits: SignalingLimits, clock: Clock): Accounts<KeyAccount> {
  const rates = {
    messageRate: limits.keyMessageRate,
    messageBurst: limits.keyMessageBurst,
    byteRate: limits.keyByteRate,
    byteBurst: limits.keyByteBurst,
  }
  const open = () => ({
    meshes: 0,
    traffic: new TrafficBudget(rates, clock),
    turn: new TokenBucket(limits.turnPerHour / 3_600, limits.turnPerHour, clock),
    wakes: new TokenBucket(limits.wakesPerMinute / 60, limits.wakesPerMinute, clock),
  })
  return new Accounts(limits.maxRemembered, open, ({ meshes }) => meshes > 0)
}

/** What one socket may send to each of its addressees. */
export function pairBudgets(limits: SignalingLimits, clock: Clock): Accounts<TrafficBudget> {
  const rates = {
    messageRate: limits.pairMessageRate,
    messageBurst: limits.pairMessageBurst,
    byteRate: limits.pairByteRate,
    byteBurst: limits.pairByteBurst,
  }
  return new Accounts(limits.maxPairs, () => new TrafficBudget(rates, clock))
}
