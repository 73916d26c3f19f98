import { expect, test } from 'vitest'
import { TsunagiError } from '../errors.ts'
import { peerIdOf } from '../identity/peer-id.ts'
import type { SessionTrace } from '../session/host.ts'
import type { RemotePeer } from './remote-peer.ts'
import { openFrameEntry, sessionEntry } from './trace.ts'

const peer = new Uint8Array(32).fill(7)
const remote = { id: peerIdOf(peer), session: { info: { id: 'a session' } } } as RemotePeer
const message: SessionTrace = {
  direction: 'in',
  type: 'message',
  sequence: 3,
  size: 20,
  epoch: 1,
  counter: 4,
  refused: undefined,
}

test('a message of a session is shown as verified, unless it was refused', () => {
  expect(sessionEntry(9, remote, message)).toEqual({
    ...message,
    at: 9,
    peer: remote.id,
    verified: true,
    session: 'a session',
  })
  const refused = 'REPLAY_DETECTED: It came before.'
  expect(sessionEntry(9, remote, { ...message, refused })).toMatchObject({ verified: false, refused })
})

test('an open frame that nobody could read is shown as a frame of no session, with why', () => {
  const refused = new TsunagiError('INVALID_FORMAT', 'It is none.')
  const frame = { direction: 'in', peer, type: undefined, session: undefined, size: 5, refused } as const
  const shown = { type: 'frame', session: '', peer: remote.id, verified: false, refused: 'INVALID_FORMAT: It is none.' }
  expect(openFrameEntry(9, frame)).toMatchObject(shown)
})
