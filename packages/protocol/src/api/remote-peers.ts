/** What an app is shown of another peer: how it answers, its session, what was counted (SPEC §5, §7). */
import type { LinkKind, LinkRoute } from '../links/link.ts'
import type { CapabilityDescription } from '../messages.ts'

/** `did:key` text of an Ed25519 public key, `did:key:z6Mk…` (SPEC §2). */
export type PeerId = string

/**
 * `connecting`: no session yet. `idle`: its link was closed because nothing was said, and opens when something is; or it said
 * that its page is hidden before it fell silent. The others: what was heard from page code of that peer (SPEC §7).
 */
export type Health = 'connecting' | 'healthy' | 'degraded' | 'idle' | 'unreachable'

export interface HealthChange {
  readonly health: Health
  /** Milliseconds since 1970. */
  readonly at: number
}

export interface PeerStatistics {
  readonly messagesSent: number
  readonly messagesReceived: number
  readonly bytesSent: number
  readonly bytesReceived: number
  /** Messages the other side has acknowledged. */
  readonly delivered: number
  /** Messages that were rejected to their sender. */
  readonly failed: number
  /** Frames refused: altered, repeated, foreign, unsigned. */
  readonly framesRejected: number
  /** Milliseconds; undefined before the first pong. */
  readonly roundTripMedian: number | undefined
  readonly roundTripP95: number | undefined
  /** Milliseconds since 1970. */
  readonly lastSeen: number | undefined
  readonly lastError: { readonly code: string; readonly message: string; readonly at: number } | undefined
}

export interface SessionInfo {
  /** UUIDv4 text; '' before the first handshake. */
  readonly id: string
  readonly state: 'new' | 'handshaking' | 'established' | 'suspended' | 'expired' | 'closed'
  /** Milliseconds since 1970 at which this page first had a link for it. */
  readonly since: number | undefined
  /** Milliseconds since 1970; a session outlives pages. */
  readonly createdAt: number
  readonly sent: number
  readonly received: number
  /** Messages sent and not yet acknowledged, or not yet sent. */
  readonly waiting: number
}

/** A snapshot: a new object whenever something about the peer changes. */
export interface PeerInfo {
  readonly id: PeerId
  /** The name the peer gives itself, told inside the session; '' before that. Never an identifier. */
  readonly name: string
  readonly health: Health
  /** How its health changed on this page, oldest first: the latest LIMITS.healthChanges. The last one is `health`. */
  readonly healthChanges: readonly HealthChange[]
  /** Median of the latest round trips in milliseconds. */
  readonly roundTrip: number | undefined
  /** Undefined without a link. */
  readonly link: LinkKind | undefined
  /** What messages pass on their way: nothing, a TURN server, or the signaling server. Undefined while it is not known. */
  readonly route: LinkRoute | undefined
  /** Milliseconds since 1970 at which this identity first had a session with it; undefined where it never had one. */
  readonly metAt: number | undefined
  /** Share of the peer's task places in use, 0 to 1. */
  readonly load: number
  readonly capabilities: readonly CapabilityDescription[]
  readonly session: SessionInfo | undefined
  readonly statistics: PeerStatistics
}
