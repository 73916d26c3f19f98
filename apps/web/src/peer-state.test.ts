import type { PeerInfo, TaskInfo } from '@tsunagi/protocol'
import { expect, test } from 'vitest'
import { detourWord, whoWords } from './peer-state.ts'

const peer = (route: PeerInfo['route'], since: number | undefined) =>
  ({ route, session: { since } }) as unknown as PeerInfo

test('a peer that is still not reached directly when every attempt at it has ended needs a TURN server', () => {
  expect(detourWord(peer('relay', 0), 20_000)).toContain('It needs a TURN server.')
  expect(detourWord(peer('relay', 0), 19_999)).toBeUndefined()
  expect(detourWord(peer('relay', undefined), 60_000)).toBeUndefined()
  expect(detourWord(peer('direct', 0), 60_000)).toBeUndefined()
  expect(detourWord(peer('turn', 0), 60_000)).toBeUndefined()
})

test.each([
  ['submitted', false, 'asked of Ada'],
  ['rejected', false, 'asked of Ada'],
  ['canceled', false, 'asked of Ada'],
  ['working', false, 'done by Ada'],
  ['completed', false, 'done by Ada'],
  ['working', true, 'waits for Ada to come back'],
] as const)('a task that is %s, its executor gone: %s, reads “%s”', (state, isGone, words) => {
  const task = { direction: 'out', peer: 'did:key:z6MkA', state, endedAt: undefined } as TaskInfo
  expect(whoWords(task, 'Ada', isGone)).toBe(words)
  expect(whoWords({ ...task, direction: 'in' }, 'Ada', false)).toBe('for Ada')
})
