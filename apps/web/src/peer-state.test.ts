import type { PeerInfo } from '@tsunagi/protocol'
import { expect, test } from 'vitest'
import { detourWord } from './peer-state.ts'

const peer = (route: PeerInfo['route'], since: number | undefined) =>
  ({ route, session: { since } }) as unknown as PeerInfo

test('a peer that is still not reached directly when every attempt at it has ended needs a TURN server', () => {
  expect(detourWord(peer('relay', 0), 20_000)).toContain('It needs a TURN server.')
  expect(detourWord(peer('relay', 0), 19_999)).toBeUndefined()
  expect(detourWord(peer('relay', undefined), 60_000)).toBeUndefined()
  expect(detourWord(peer('direct', 0), 60_000)).toBeUndefined()
  expect(detourWord(peer('turn', 0), 60_000)).toBeUndefined()
})
