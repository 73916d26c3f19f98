import { describe, expect, test } from 'vitest'
import type { PeerInfo } from '../api.ts'
import { PeerCounters } from '../liveness/statistics.ts'
import { choosePeer, PastTasks } from './choice.ts'

const peer = (id: string, differs: Partial<PeerInfo> = {}): PeerInfo => ({
  id,
  name: id,
  health: 'healthy',
  healthChanges: [],
  roundTrip: 10,
  link: 'webrtc',
  route: 'direct',
  metAt: undefined,
  load: 0,
  capabilities: [{ name: 'text.count', version: '1.0' }],
  session: undefined,
  statistics: new PeerCounters().snapshot(),
  ...differs,
})

test.each<[string, PeerInfo[]]>([
  [
    'a healthy peer before a degraded one, however loaded',
    [peer('b', { health: 'degraded' }), peer('a', { load: 0.9 })],
  ],
  [
    'the less loaded of two healthy ones, however far',
    [peer('b', { load: 0.2 }), peer('a', { load: 0.1, roundTrip: 900 })],
  ],
  ['the nearer of two equally loaded ones', [peer('b', { roundTrip: 30 }), peer('a', { roundTrip: 20 })]],
  [
    'a measured round trip before an unknown one',
    [peer('b', { roundTrip: undefined }), peer('a', { roundTrip: 5_000 })],
  ],
  ['the same of two equal ones whatever their order', [peer('b'), peer('a')]],
  ['only a peer that offers it', [peer('b', { capabilities: [] }), peer('a', { health: 'degraded', load: 1 })]],
  [
    'only a peer that answers',
    [peer('b', { health: 'unreachable' }), peer('c', { health: 'connecting' }), peer('a', { load: 1 })],
  ],
])('chosen is %s', (_, peers) => {
  expect(choosePeer(peers, 'text.count')).toBe('a')
  expect(choosePeer(peers.toReversed(), 'text.count')).toBe('a')
})

test('where nobody offers it, the sentence names it; where those who do are silent, it says so', () => {
  expect(() => choosePeer([peer('a')], 'image.render')).toThrow(
    expect.objectContaining({ code: 'UNKNOWN_CAPABILITY', message: expect.stringContaining('offers image.render') }),
  )
  expect(() => choosePeer([peer('a', { health: 'unreachable' })], 'text.count')).toThrow(
    expect.objectContaining({ code: 'UNKNOWN_CAPABILITY', message: expect.stringContaining('answers at present') }),
  )
})

describe('what became of our tasks there counts', () => {
  const [a, b] = [peer('a'), peer('b', { roundTrip: 20 })]

  test('one that lost a task is asked again when the other has several of ours', () => {
    const past = new PastTasks()
    past.given('a')
    past.ended('a', false)
    let others = 0
    while (choosePeer([a, b], 'text.count', past) === 'b') {
      past.given('b')
      others++
    }
    expect(others).toBeGreaterThan(1)
    expect(others).toBeLessThan(10)
  })

  test('it is forgiven with each task that ends well, and one that was cancelled says nothing', () => {
    const past = new PastTasks()
    past.ended('a', false)
    const before = past.failures('a')
    past.ended('a', undefined)
    expect(past.failures('a')).toBe(before)
    for (let i = 0; i < 20; i++) past.ended('a', true)
    expect(past.failures('a')).toBe(0)
  })

  test('tasks given in one go are spread, although nobody has told of more load yet', () => {
    const past = new PastTasks()
    const chosen = Array.from({ length: 10 }, () => {
      const id = choosePeer([a, b], 'text.count', past)
      past.given(id)
      return id
    })
    expect(chosen.filter((id) => id === 'a')).toHaveLength(5)
  })

  test('those that are left out are not asked, whoever remains', () => {
    expect(choosePeer([a, b], 'text.count', new PastTasks(), new Set(['a']))).toBe('b')
    expect(() => choosePeer([a], 'text.count', new PastTasks(), new Set(['a']))).toThrow()
  })
})
