/** What is tried again, and with whom (SPEC R63). */
import type { ErrorCode } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { TaskRejectReason } from '../messages.ts'
import type { TaskEvent } from './states.ts'

/**
 * How one peer's try at a task ended without a result that counts. `full`: it had no room. `refused`: it does not do it.
 * `lost`: what became of it is unknown. `faulty`: what it reported breaks the rules. `failed`: its handler failed. `stopped`:
 * its user ended it.
 */
export type TryEnd = 'full' | 'refused' | 'lost' | 'faulty' | 'failed' | 'stopped'

/** What a refusal means to the caller. */
export const REFUSALS: Record<TaskRejectReason, ErrorCode> = {
  full: 'TASK_REJECTED',
  refused: 'TASK_REJECTED',
  unsupported: 'UNKNOWN_CAPABILITY',
  expired: 'TASK_DEADLINE',
  too_large: 'MESSAGE_TOO_LARGE',
  invalid_input: 'TASK_INPUT_INVALID',
}

/** Refusals after which another peer may do it. */
export const OTHERS_MAY: Partial<Record<TaskRejectReason, TryEnd>> = {
  full: 'full',
  refused: 'refused',
  unsupported: 'refused',
}

/** How a task ends whose last try ended so. */
export const ENDS: Record<TryEnd, TaskEvent> = {
  full: 'reject',
  refused: 'reject',
  lost: 'lose',
  faulty: 'fail',
  failed: 'fail',
  stopped: 'cancel',
}

/** With these an executor says that the work is not done and nobody's fault. */
export const LOST_CODES: ReadonlySet<string> = new Set<ErrorCode>(['TASK_LOST', 'LINK_LOST', 'PEER_CLOSED'])

export interface RetryRules {
  readonly retries: number
  /** It may run a second time. */
  readonly failover: boolean
  /** Only this peer may be asked, or this one first where `failover` lets others follow. */
  readonly to: string | undefined
}

export interface NextTry {
  /** Milliseconds. */
  readonly after: number
  /** Whether the peer of the last try is asked again: never, or only where there is no other. */
  readonly samePeer: 'never' | 'last'
}

/**
 * @param tries how often the task was given away, without those that met a full peer
 * @param full how often it met a full peer in a row
 * @param random 0 to 1
 */
export function nextTry(
  end: TryEnd,
  rules: RetryRules,
  task: { readonly tries: number; readonly full: number; readonly idempotent: boolean },
  retryAfter: number,
  random: number,
): NextTry | undefined {
  if (end === 'full') {
    if (rules.retries === 0) return undefined
    // Many callers are told the same moment; and one that says "at once" again and again is believed less each time.
    const wait = Math.max(retryAfter, LIMITS.fullWaitLeast * 2 ** Math.min(task.full, 10))
    return { after: Math.ceil(Math.min(wait * (1 + random / 2), LIMITS.fullWaitMost)), samePeer: 'last' }
  }
  if (task.tries > rules.retries) return undefined
  if (end === 'refused') return rules.to === undefined || rules.failover ? { after: 0, samePeer: 'never' } : undefined
  const isUndone = end === 'failed' || end === 'stopped'
  if (!rules.failover || (isUndone && !task.idempotent)) return undefined
  return { after: 0, samePeer: end === 'faulty' || end === 'stopped' ? 'never' : 'last' }
}
