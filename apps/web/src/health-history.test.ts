import { expect, test } from 'vitest'
import { lastingOf, stretchesOf } from './health-history.ts'

const changes = [
  { health: 'connecting', at: 0 },
  { health: 'healthy', at: 100 },
  { health: 'unreachable', at: 500 },
  { health: 'healthy', at: 700 },
] as const

test('what is before the window is cut off, and the last goes on until now', () => {
  expect(stretchesOf(changes, 300, 1_000)).toEqual([
    { health: 'healthy', from: 300, to: 500 },
    { health: 'unreachable', from: 500, to: 700 },
    { health: 'healthy', from: 700, to: 1_000 },
  ])
})

test('a clock that was set back shows nothing of later', () => {
  expect(stretchesOf(changes, 0, 50)).toEqual([{ health: 'connecting', from: 0, to: 50 }])
})

test('times of the same health add up', () => {
  expect(lastingOf(stretchesOf(changes, 0, 1_000))).toEqual([
    ['healthy', 700],
    ['unreachable', 200],
    ['connecting', 100],
  ])
})
