import { expect, test } from 'vitest'
import { LIMITS } from '../limits.ts'
import { TaskQueue } from './queue.ts'

const all = () => true

test('the more important class goes first, and within a class who came first', () => {
  const queue = new TaskQueue<string>()
  queue.add('low', 'low', 1, 0)
  queue.add('normal', 'normal', 1, 1)
  queue.add('critical', 'critical', 1, 2)
  queue.add('high', 'high', 1, 3)
  queue.add('normal too', 'normal', 1, 4)
  expect(queue.position('critical')).toBe(1)
  expect(queue.position('low')).toBe(5)
  expect(Array.from({ length: 6 }, () => queue.take(all))).toEqual([
    'critical',
    'high',
    'normal',
    'normal too',
    'low',
    undefined,
  ])
})

test('a low task goes in time although critical ones keep coming', () => {
  const queue = new TaskQueue<string>()
  queue.add('low', 'low', 1, 0)
  let now = 0
  let taken: string | undefined
  while (taken !== 'low' && now < 100 * LIMITS.taskAgeing) {
    now += 1_000
    queue.add(`critical ${now}`, 'critical', 1, now)
    taken = queue.take(all)
  }
  expect(now).toBe(3 * LIMITS.taskAgeing)
})

test('who may not go yet is passed over and stays', () => {
  const queue = new TaskQueue<string>()
  queue.add('busy', 'critical', 1, 0)
  queue.add('free', 'low', 1, 0)
  expect(queue.take((item) => item === 'free')).toBe('free')
  expect(queue.take((item) => item === 'free')).toBeUndefined()
  expect(queue.position('busy')).toBe(1)
})

test('it is full by number and by bytes, and has room again when one goes', () => {
  const byNumber = new TaskQueue<number>()
  for (let i = 0; i < LIMITS.maxQueuedTasks; i++) byNumber.add(i, 'normal', 0, i)
  expect(byNumber.hasRoom(0)).toBe(false)
  byNumber.take(all)
  expect(byNumber.hasRoom(0)).toBe(true)

  const byBytes = new TaskQueue<number>()
  byBytes.add(1, 'normal', LIMITS.maxQueuedTaskBytes - 10, 0)
  expect(byBytes.hasRoom(10)).toBe(true)
  expect(byBytes.hasRoom(11)).toBe(false)
  byBytes.remove(1)
  byBytes.remove(1)
  expect(byBytes.hasRoom(LIMITS.maxQueuedTaskBytes)).toBe(true)
  expect(byBytes.hasRoom(LIMITS.maxQueuedTaskBytes + 1)).toBe(false)
})
