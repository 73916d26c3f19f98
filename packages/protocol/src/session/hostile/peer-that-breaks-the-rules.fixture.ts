/** A proven peer whose frames are signed and encrypted as they must be, and say what no correct session says. */
import { SESSION_TYPES } from '../../messages.ts'
import type { CryptoProvider } from '../../ports.ts'
import { SessionPair } from '../session-pair.fixture.ts'
import { FrameWriter } from './frame-writer.fixture.ts'

export interface Siege {
  /** Its side `b` is the one that is attacked; `a` is correct and only gives the peer its name. */
  readonly pair: SessionPair
  readonly peer: FrameWriter
}

/** A session of `b` with a peer that has written one correct frame so far. */
export async function peerThatBreaksTheRules(crypto: CryptoProvider): Promise<Siege> {
  const pair = await SessionPair.open(crypto)
  const connection = await pair.connect()
  connection.b.link.start(pair.b.session.attach(connection.b))
  connection.a.link.start({ frame: () => undefined, drain: () => undefined, close: () => undefined })
  const peer = new FrameWriter(connection.a, pair.a.key, 0)
  await peer.send({})
  await pair.quiet()
  return { pair, peer }
}

export const UNKNOWN_TYPE = Math.max(...Object.values(SESSION_TYPES)) + 1
