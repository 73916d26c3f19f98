/** Both ends of tasks, for tests: what a test does not care about is filled in. */
import type { PeerId } from '../api.ts'
import { TsunagiError } from '../errors.ts'
import { TaskCaller, type TaskCallerOptions } from './caller.ts'
import { TaskExecutor, type TaskExecutorOptions } from './executor.ts'
import { noFiles } from './outbox.fixture.ts'
import { UsePolicies } from './policy.ts'

type CallerNeeds = Pick<TaskCallerOptions, 'clock' | 'send' | 'choose'>
type ExecutorNeeds = Pick<TaskExecutorOptions, 'clock' | 'capabilities' | 'send' | 'sendResult'>

export function newCaller(options: CallerNeeds & Partial<TaskCallerOptions>): TaskCaller {
  return new TaskCaller({
    files: noFiles,
    randomBytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
    isIdempotent: () => false,
    mayWake: () => false,
    outputCheck: () => undefined,
    onGiven: () => undefined,
    onTried: () => undefined,
    store: undefined,
    onChange: () => undefined,
    onError: unexpected,
    ...options,
  })
}

export function newExecutor(options: ExecutorNeeds & Partial<TaskExecutorOptions>): TaskExecutor {
  return new TaskExecutor({
    files: noFiles,
    policies: new UsePolicies(() => false),
    store: undefined,
    onChange: () => undefined,
    onError: unexpected,
    ...options,
  })
}

/** Chooses the first of those who are here, the best one first. */
export function firstOf(here: () => readonly PeerId[]): TaskCallerOptions['choose'] {
  return (_, to, without) => {
    const found = here().find((peer) => (to === undefined || peer === to) && !without.has(peer))
    if (found !== undefined) return found
    throw new TsunagiError('UNKNOWN_CAPABILITY', 'Nobody offers that.')
  }
}

function unexpected(error: TsunagiError): void {
  throw error
}
