/** What the caller of a task is told where it does not end well. */
import type { PeerId, TaskInfo } from '../api.ts'
import { type ErrorCode, TsunagiError } from '../errors.ts'

export const UNREADABLE = 'The task cannot be handed over: what was given to delegate() cannot be read.'
export const NO_INPUT = 'The input of the task could not be read any more.'
export const PEER_GONE = 'The peer that had the task is gone.'
export const NO_PARTIALS = 'Partial results come only where delegate() was given { partials: true }.'

export function tooLate(deadline: number): string {
  return `The task was not done within ${deadline} ms; allow more, or less work.`
}

export function errorOf({ error, peer }: TaskInfo): TsunagiError {
  return new TsunagiError((error?.code ?? 'TASK_FAILED') as ErrorCode, error?.message ?? '', { peer })
}

export function canceled(): TsunagiError {
  return new TsunagiError('TASK_CANCELED', 'The task was cancelled.')
}

export function closed(): TsunagiError {
  return new TsunagiError('PEER_CLOSED', 'This peer was closed; make a new one with createPeer().')
}

export function lost(peer: PeerId, why: string): TsunagiError {
  return new TsunagiError('TASK_LOST', `${why} Whether the work was done is unknown.`, { peer })
}
