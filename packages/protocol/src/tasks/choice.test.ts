import { expect, test } from 'vitest'
import type { PeerInfo } from '../api.ts'
import { PeerCounters } from '../liveness/statistics.ts'
import { choosePeer } from './choice.ts'

const peer = (id: string, differs: Partial<PeerInfo> = {}): PeerInfo => ({
  id,
  name: id,
  health: 'healthy',
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
