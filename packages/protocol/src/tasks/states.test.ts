import { expect, test } from 'vitest'
import type { TaskInfo, TaskState } from '../api.ts'
import { afterEvent, isTerminal, TASK_STATES, type TaskEvent } from './states.ts'

const states = Object.keys(TASK_STATES) as TaskState[]
const events = Object.keys(TASK_STATES.submitted) as TaskEvent[]

function taskIn(state: TaskState): TaskInfo {
  return {
    id: '00000000-0000-4000-8000-000000000000',
    direction: 'out',
    capability: 'text.count',
    peer: 'did:key:z6MkA',
    state,
    priority: 'normal',
    progress: 0.5,
    note: 'half',
    createdAt: 10,
    endedAt: undefined,
    deadlineAt: 1_000,
    tries: 1,
    error: undefined,
  }
}

test('a task ends completed, failed, canceled, rejected or lost, and nowhere else', () => {
  expect(states.filter(isTerminal)).toEqual(['completed', 'failed', 'canceled', 'rejected', 'lost'])
})

test.each(states.filter(isTerminal))('nothing changes a task that is %s', (state) => {
  const task = taskIn(state)
  for (const event of events) expect(afterEvent(task, event, 20)).toBe(task)
})

test('work that began cannot be rejected any more', () => {
  expect(afterEvent(taskIn('working'), 'reject', 20).state).toBe('working')
  expect(afterEvent(taskIn('submitted'), 'reject', 20).state).toBe('rejected')
})

test('an end states when and why, and only completion means all of the progress', () => {
  const error = { code: 'TASK_FAILED', message: 'No.' }
  expect(afterEvent(taskIn('working'), 'fail', 20, error)).toMatchObject({
    state: 'failed',
    endedAt: 20,
    error,
    progress: 0.5,
  })
  expect(afterEvent(taskIn('working'), 'complete', 20)).toMatchObject({ state: 'completed', endedAt: 20, progress: 1 })
})
