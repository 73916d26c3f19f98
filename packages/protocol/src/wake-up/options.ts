/** What wakeUp() and the wake policy are given by a page, checked at the door. */
import type { AbortSignal, WakePolicy, WakeUpOptions } from '../api.ts'
import { TsunagiError } from '../errors.ts'
import { LIMITS, PROTOCOL } from '../limits.ts'
import { PRIORITIES, type Priority } from '../messages.ts'
import { isWellFormed } from '../wire/bytes.ts'

export interface WakeUpRequest {
  readonly reason: string
  readonly priority: Priority
  /** Milliseconds that it is good for. */
  readonly life: number
  readonly signal: AbortSignal | undefined
}

/** The options with their defaults, each read once. @throws TsunagiError INVALID_ARGUMENT, and what reading them throws */
export function checkWakeUp(options: WakeUpOptions): WakeUpRequest {
  if (typeof options !== 'object' || options === null) {
    throw wrong('The options of wakeUp() are an object, such as { reason: "A file for you" }.')
  }
  const { reason = '', priority = 'normal', expires: life = LIMITS.wakeLife, signal } = options
  if (typeof reason !== 'string' || reason.length > PROTOCOL.maxWakeReason || !isWellFormed(reason)) {
    throw wrong(`The option reason is a text of at most ${PROTOCOL.maxWakeReason} characters.`)
  }
  if (!PRIORITIES.includes(priority)) throw wrong(`The priority is one of ${PRIORITIES.join(', ')}.`)
  if (!Number.isInteger(life) || life < 1 || life > PROTOCOL.maxWakeLife) {
    throw wrong(`The option expires is a whole number of milliseconds, 1 to ${PROTOCOL.maxWakeLife}.`)
  }
  if (
    signal !== undefined &&
    (typeof signal?.addEventListener !== 'function' || typeof signal.removeEventListener !== 'function')
  ) {
    throw wrong('The signal is an AbortSignal, taken from an AbortController.')
  }
  return { reason, priority, life, signal }
}

const POLICIES: readonly unknown[] = ['mesh', 'contacts', 'nobody'] satisfies WakePolicy[]

export function isWakePolicy(value: unknown): value is WakePolicy {
  return POLICIES.includes(value)
}

/** @throws TsunagiError INVALID_ARGUMENT */
export function checkWakePolicy(policy: unknown): WakePolicy {
  if (isWakePolicy(policy)) return policy
  throw wrong(`The wake policy is one of ${POLICIES.join(', ')}.`)
}

function wrong(message: string): TsunagiError {
  return new TsunagiError('INVALID_ARGUMENT', message)
}
