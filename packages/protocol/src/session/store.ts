/**
 * What outlives a page (SPEC §5.4): sessions, messages accepted for others and not yet delivered, messages taken from others
 * and not yet handled. A host without storage gives none, and then nothing is durable.
 */
import type { PeerId } from '../api.ts'
import type { Bytes } from '../wire/bytes.ts'

/** The session with one peer; there is at most one. */
export interface StoredSession {
  readonly peer: PeerId
  /** UUIDv4 text; '' before the first handshake. */
  readonly id: string
  /** Whether the other side is known to have it, too; until then a handshake may give it another id. */
  readonly shared: boolean
  /** Milliseconds since 1970. */
  readonly createdAt: number
  readonly activeAt: number
  /** The lowest number of traffic keys not used. A hint: keys of another handshake are other keys, whatever their number. */
  readonly epoch: number
  /** The next sequence number of ours, and the next expected. Hints: a handshake settles them anew. */
  readonly next: number
  readonly expected: number
  /** The number that the next durable message of ours gets. */
  readonly durableNext: number
  /** The number of the next durable message of theirs: all below it were taken, whatever became of pages since. */
  readonly durableExpected: number
}

/** One durable message, on its way out or in. */
export interface StoredMessage {
  readonly peer: PeerId
  /** Its durable number, from 1, per session and direction. */
  readonly number: number
  /** UUIDv4 text, made by its sender. */
  readonly id: string
  /** Milliseconds since 1970 at which it was accepted, or taken. */
  readonly at: number
  /** Number of its type (SESSION_TYPES). */
  readonly type: number
  /** The payload is application bytes, not CBOR. */
  readonly raw: boolean
  readonly payload: Bytes
}

/** A peer once met, known again by its key and never by its name. */
export interface PinnedPeer {
  readonly peer: PeerId
  /** As it last called itself. */
  readonly name: string
  /** Milliseconds since 1970. */
  readonly metAt: number
  readonly seenAt: number
  /** What a wake-up is sealed to while it is not here, and until when. */
  readonly introductionKey?: Bytes
  readonly introductionNotAfter?: number
  /** Timestamp of its newest wake-up that was taken: no older one is taken any more. */
  readonly wokeAt?: number
}

export interface StoredState {
  readonly pinned: readonly PinnedPeer[]
  readonly sessions: readonly StoredSession[]
  /** By peer and number. */
  readonly outbox: readonly StoredMessage[]
  /** By peer and number; what an ended session left comes before the messages of the next. */
  readonly inbox: readonly StoredMessage[]
}

/** Every method rejects with STORAGE_FAILED where the host cannot keep its word. Calls take effect in their order. */
export interface SessionStore {
  load(): Promise<StoredState>
  /** Messages of ours join the outbox, in one transaction with their session; on the disk when it fulfils. */
  accept(session: StoredSession, messages: readonly StoredMessage[]): Promise<void>
  /** Messages of ours below `number` leave the outbox. */
  delivered(peer: PeerId, number: number): Promise<void>
  /** Messages of theirs join the inbox, in one transaction with their session; on the disk when it fulfils. */
  take(session: StoredSession, messages: readonly StoredMessage[]): Promise<void>
  /** A message of theirs leaves the inbox. It is known by peer and id: another peer may use the same id, another session the same number. */
  handled(message: StoredMessage): Promise<void>
  /** The peer is known from now on, or known by another name. */
  pin(peer: PinnedPeer): Promise<void>
  /** The peer is forgotten. */
  unpin(peer: PeerId): Promise<void>
  /** The session is as given. */
  update(session: StoredSession): Promise<void>
  /** The session is over: it and its outbox go; what was taken stays until it is handled. */
  end(peer: PeerId): Promise<void>
}
