/** What delegate() is given, checked at the door (SPEC §8). */
import type { DelegateOptions, PeerId } from '../api.ts'
import { TsunagiError } from '../errors.ts'
import { LIMITS, PROTOCOL } from '../limits.ts'
import { PRIORITIES } from '../messages.ts'
import { isCapabilityName } from './capabilities.ts'
import { compileSchema, type SchemaCheck } from './schema-check.ts'

export interface CheckedOptions
  extends Required<Pick<DelegateOptions, 'deadline' | 'priority' | 'partials' | 'retries' | 'failover'>> {
  readonly to: PeerId | undefined
  readonly signal: DelegateOptions['signal']
  readonly onProgress: DelegateOptions['onProgress']
  readonly idempotencyKey: string | undefined
  readonly checkOutput: SchemaCheck | undefined
}

/** The options with their defaults, each read once. @throws TsunagiError INVALID_ARGUMENT, and what reading them throws */
export function checkDelegate(capability: unknown, options: DelegateOptions): CheckedOptions {
  if (!isCapabilityName(capability)) {
    throw wrong(`delegate() takes the name of a capability, a text of 1 to ${PROTOCOL.maxCapabilityName} characters.`)
  }
  if (typeof options !== 'object' || options === null) {
    throw wrong('The options of delegate() are an object, such as { deadline: 5000 }.')
  }
  const { to, signal, onProgress, output, idempotencyKey } = options
  const { deadline = LIMITS.defaultDeadline, priority = 'normal', retries = LIMITS.taskRetries } = options
  const { partials = false, failover = to === undefined } = options
  if (!Number.isInteger(deadline) || deadline < 1 || deadline > LIMITS.maxDeadline) {
    throw wrong(`The deadline is a whole number of milliseconds, 1 to ${LIMITS.maxDeadline}.`)
  }
  if (!PRIORITIES.includes(priority)) throw wrong(`The priority is one of ${PRIORITIES.join(', ')}.`)
  if (
    signal !== undefined &&
    (typeof signal?.addEventListener !== 'function' || typeof signal.removeEventListener !== 'function')
  ) {
    throw wrong('The signal is an AbortSignal, taken from an AbortController.')
  }
  if (onProgress !== undefined && typeof onProgress !== 'function') throw wrong('The option onProgress is a function.')
  if (!Number.isInteger(retries) || retries < 0 || retries > LIMITS.maxTaskRetries) {
    throw wrong(`The option retries is a whole number, 0 to ${LIMITS.maxTaskRetries}.`)
  }
  if (typeof partials !== 'boolean' || typeof failover !== 'boolean') {
    throw wrong('The options partials and failover are true or false.')
  }
  if (
    idempotencyKey !== undefined &&
    (typeof idempotencyKey !== 'string' || idempotencyKey === '' || idempotencyKey.length > LIMITS.maxTaskKey)
  ) {
    throw wrong(`The option idempotencyKey is a text of 1 to ${LIMITS.maxTaskKey} characters.`)
  }
  const checkOutput = output === undefined ? undefined : compileSchema(output, 'The option output')
  return { to, signal, onProgress, deadline, priority, retries, partials, failover, idempotencyKey, checkOutput }
}

function wrong(message: string): TsunagiError {
  return new TsunagiError('INVALID_ARGUMENT', message)
}
