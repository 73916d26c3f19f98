/** A link moves frames between two peers and promises nothing about who is at the other end (SPEC §6). */
import type { IceServer, LinkKind } from '../messages.ts'
import type { Bytes } from '../wire/bytes.ts'

export type { LinkKind }

/** What frames pass on their way: nothing of ours, a TURN server, or the signaling server. */
export type LinkRoute = 'direct' | 'turn' | 'relay'

/** Fingerprints of the two ends as the live transport reports them, 32 bytes each. */
export interface ChannelBinding {
  readonly local: Bytes
  readonly remote: Bytes
}

export interface LinkEvents {
  /** One whole frame, in the order sent. The bytes are the receiver's until it returns: some hosts take them back then. */
  frame(bytes: Bytes): void
  /** `bufferedAmount` has fallen to `lowMark` or below. */
  drain(): void
  /** Called once, after which nothing else is called. `reason` is undefined where this side called close(). */
  close(reason?: Error): void
}

/** An open link: reliable, ordered, keeps frame boundaries. */
export interface Link {
  readonly kind: LinkKind
  /** Undefined while it is not known; may change. */
  readonly route: LinkRoute | undefined
  /** Most bytes one frame may have: at least PROTOCOL.commonFrame. */
  readonly maxFrame: number
  /** Bytes accepted by send() that have not left this side. */
  readonly bufferedAmount: number
  /** Set by who sends. */
  lowMark: number
  readonly binding: ChannelBinding
  /** Starts delivery: frames that came before are kept (at most maxFrame × 4 bytes) and delivered first. Call once. */
  start(events: LinkEvents): void
  /**
   * Hands over one frame; the link copies or transfers nothing it must keep after it returns.
   * @throws TsunagiError LINK_LOST after the link closed, MESSAGE_TOO_LARGE above maxFrame, QUEUE_FULL where 16 MiB wait already
   */
  send(frame: Bytes): void
  /** Closes at once, both ends learn it. Idempotent. */
  close(): void
}

/** How one side describes its end, to be carried to the other by the handshake. */
export interface LinkDescription {
  /** Opaque to the core: an SDP for WebRTC. */
  readonly data: Bytes
  /** Fingerprint of this end's certificate as `data` states it, 32 bytes. */
  readonly fingerprint: Bytes
}

/** One attempt at a link, by the side that offers or the side that answers. */
export interface LinkAttempt {
  /** This side's offer or answer. Rejects with LINK_FAILED. */
  readonly description: Promise<LinkDescription>
  /** Fulfils when the link is open. Rejects with LINK_FAILED, also after abort(). Never left without a handler by the attempt itself. */
  readonly opened: Promise<Link>
  /** Gives the offering side its answer; the answering side got its offer at the start. @throws TsunagiError INVALID_FORMAT */
  accept(answer: Bytes): void
  /** Candidates of the other side, in any order, also before accept(). Malformed ones are ignored. */
  addCandidates(candidates: readonly Bytes[]): void
  /** Ends the attempt or the link it opened. Idempotent. */
  abort(): void
}

export interface LinkTransport {
  readonly kind: LinkKind
  /** `onCandidates` gets this side's candidates in small groups, after `description` is settled. */
  offer(onCandidates: (candidates: Bytes[]) => void, iceServers: readonly IceServer[]): LinkAttempt
  /** `offer` is the other side's description data. @throws TsunagiError INVALID_FORMAT */
  answer(offer: Bytes, onCandidates: (candidates: Bytes[]) => void, iceServers: readonly IceServer[]): LinkAttempt
  /** Fingerprint stated by a description of the other side. @throws TsunagiError INVALID_FORMAT */
  fingerprintOf(data: Bytes): Bytes
  /** Links will be tried for: from now on what the next attempt needs is made ahead. */
  prepare?(): void
  /** None will be tried for any more: gives back what was made ahead. Attempts under way are not touched. */
  close?(): void
}
