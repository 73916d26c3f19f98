/** The life of a task, the same table at its caller and at its executor (SPEC §8). */
import type { TaskInfo, TaskState } from '../api.ts'

/** What can befall a task. `start`: it left the queue. `again`: it is given away once more. `lose`: the executor is gone. */
export type TaskEvent = 'start' | 'again' | 'complete' | 'fail' | 'cancel' | 'reject' | 'lose'

const ended = <S extends TaskState>(state: S): Record<TaskEvent, S> => ({
  start: state,
  again: state,
  complete: state,
  fail: state,
  cancel: state,
  reject: state,
  lose: state,
})

/** Every state × every event. A terminal state answers each event with itself. */
export const TASK_STATES: Record<TaskState, Record<TaskEvent, TaskState>> = {
  submitted: {
    start: 'working',
    again: 'submitted',
    complete: 'completed',
    fail: 'failed',
    cancel: 'canceled',
    reject: 'rejected',
    lose: 'lost',
  },
  working: {
    start: 'working',
    again: 'submitted',
    complete: 'completed',
    fail: 'failed',
    cancel: 'canceled',
    // Work that began cannot be refused any more; the caller waits for its result.
    reject: 'working',
    lose: 'lost',
  },
  completed: ended('completed'),
  failed: ended('failed'),
  canceled: ended('canceled'),
  rejected: ended('rejected'),
  lost: ended('lost'),
}

export function isTerminal(state: TaskState): boolean {
  return state !== 'submitted' && state !== 'working'
}

/** The snapshot after `event`; the same object where the event changes nothing. `error` is kept where the task ends with one. */
export function afterEvent(task: TaskInfo, event: TaskEvent, now: number, error?: TaskInfo['error']): TaskInfo {
  const state = TASK_STATES[task.state][event]
  if (state === task.state) return task
  if (!isTerminal(state)) return { ...task, state }
  return { ...task, state, progress: state === 'completed' ? 1 : task.progress, endedAt: now, error }
}
