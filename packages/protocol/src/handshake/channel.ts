/** What a finished handshake hands to the session (SPEC §4): a link whose other end is proven, and keys nobody else has. */
import type { Link } from '../links/link.ts'
import type { ResumptionPoint } from '../messages.ts'
import type { Bytes } from '../wire/bytes.ts'
import type { KeyChain } from './key-schedule.ts'

export interface Channel {
  /** The other side's proven Ed25519 key. */
  readonly peer: Bytes
  /** UUIDv4: a new one, or the one of the session that goes on. */
  readonly sessionId: Bytes
  /** Where the session goes on: what each side said of itself in the handshake. Undefined where it is new. */
  readonly resumed: { readonly ours: ResumptionPoint; readonly theirs: ResumptionPoint } | undefined
  /** Number of the first of these keys within the session. */
  readonly epoch: number
  /** The two directions have keys of their own, and so different roles. */
  readonly initiator: boolean
  readonly sendKeys: KeyChain
  readonly receiveKeys: KeyChain
  /** Started already: its events go to what the session gave for them. */
  readonly link: Link
}

/** What one side can offer to go on with. */
export interface Resumption {
  readonly sessionId: Bytes
  /** The lowest epoch not used in that session. */
  readonly epoch: number
  readonly at: ResumptionPoint
}
