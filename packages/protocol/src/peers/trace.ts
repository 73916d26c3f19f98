/** What the inspector is shown of each message, in and out. */
import type { TraceEntry } from '../api.ts'
import type { OpenFrameTrace } from '../handshake/host.ts'
import { peerIdOf } from '../identity/peer-id.ts'
import type { SessionTrace } from '../session/host.ts'
import { uuidText } from '../wire/uuid.ts'
import type { RemotePeer } from './remote-peer.ts'

export function sessionEntry(at: number, { id, session }: RemotePeer, trace: SessionTrace): TraceEntry {
  return { ...trace, at, peer: id, verified: trace.refused === undefined, session: session.info.id }
}

export function openFrameEntry(at: number, frame: OpenFrameTrace): TraceEntry {
  const { direction, peer, type, session, size, refused } = frame
  return {
    at,
    peer: peerIdOf(peer),
    direction,
    type: type ?? 'frame',
    sequence: 0,
    size,
    verified: refused === undefined,
    session: session === undefined ? '' : uuidText(session),
    epoch: 0,
    counter: 0,
    refused: refused && `${refused.code}: ${refused.message}`,
  }
}
