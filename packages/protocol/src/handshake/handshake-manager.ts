/** Handshakes with all peers (SPEC §4): who may begin one, which of two goes on, and which frame belongs to which. */
import { TsunagiError, toTsunagiError } from '../errors.ts'
import { LIMITS, PROTOCOL } from '../limits.ts'
import type { LinkKind } from '../links/link.ts'
import { type Bytes, compareBytes, equalBytes } from '../wire/bytes.ts'
import { Freshness } from '../wire/freshness.ts'
import { openFrameType, openOpenFrame, type Verified, type VerifiedOpen } from '../wire/open-frame.ts'
import { uuidV4 } from '../wire/uuid.ts'
import { type HandshakeHost, sealFor, traceReceived, traceSent } from './host.ts'
import { Initiator } from './initiator.ts'
import { OpenFrameGate } from './open-frame-gate.ts'
import { heard, told } from './refusal.ts'
import { Responder } from './responder.ts'

export class HandshakeManager {
  readonly #host: HandshakeHost
  readonly #gate: OpenFrameGate
  readonly #freshness = new Freshness()
  /** At most one for each peer and kind of link; all with one peer have the same initiator. */
  readonly #attempts = new Set<Initiator | Responder>()
  /** Frames are checked one after the other: candidates must not overtake the handshake they belong to. */
  #queue: Promise<void> = Promise.resolve()
  #waiting = 0
  #closed = false

  constructor(host: HandshakeHost) {
    this.#host = host
    this.#gate = new OpenFrameGate(host.clock)
  }

  /** Whether one is under way with that peer, for that kind of link where it is given. */
  isUnderWay(peer: Bytes, kind?: LinkKind): boolean {
    return this.#with(peer).some((attempt) => kind === undefined || attempt.kind === kind)
  }

  /**
   * Begins a handshake, with the session the host can resume where there is one. Does nothing while one with this peer is
   * under way for that kind, or by that peer for any. The outcome comes by onEstablished or onFailed (RATE_LIMITED from inside
   * this call).
   * @throws TsunagiError PEER_CLOSED, INVALID_ARGUMENT where `peer` is this peer itself or there are no such links
   */
  sendHandshake(peer: Bytes, kind: LinkKind): void {
    if (this.#closed) throw new TsunagiError('PEER_CLOSED', 'This peer is closed.')
    if (equalBytes(peer, this.#host.key.publicKey)) {
      throw new TsunagiError('INVALID_ARGUMENT', 'A peer has no session with itself.')
    }
    const transport = this.#host.transport(kind, peer)
    if (transport === undefined) throw new TsunagiError('INVALID_ARGUMENT', `This side has no ${kind} links.`)
    if (this.#with(peer).some((attempt) => attempt.kind === kind || attempt instanceof Responder)) return
    if (this.#attempts.size >= LIMITS.maxHalfOpen) {
      this.#host.onFailed(peer, kind, tooMany())
      return
    }
    const id = uuidV4(this.#host.crypto.randomBytes(16))
    const attempt: Initiator = new Initiator({
      host: this.#host,
      peer: peer.slice(),
      transport,
      id,
      onOver: (error, tell) => this.#over(attempt, error, tell),
    })
    this.#attempts.add(attempt)
    attempt.sendHandshake()
  }

  /**
   * Takes an open frame that came through signaling. What becomes of it is told by onOpenFrame.
   * @param claimedSender the Ed25519 key that the server says sent it
   * @param how `mail` was kept by the server: only a wake-up may come so
   */
  handleOpenFrame(frame: Bytes, claimedSender: Bytes, how: 'relay' | 'mail' = 'relay'): void {
    if (this.#closed) return
    try {
      this.#admit(frame, claimedSender)
      if (how === 'mail' && openFrameType(frame) !== 'wake_up') {
        throw new TsunagiError('INVALID_STATE', 'The signaling server kept a frame that is no wake-up.')
      }
    } catch (error) {
      traceReceived(this.#host, claimedSender, undefined, frame, unreadable(error))
      return
    }
    this.#waiting++
    this.#queue = this.#queue.then(async () => {
      this.#waiting--
      if (!this.#closed) await this.#receive(frame, claimedSender, how)
    })
  }

  /** A frame for `peer` could not be sent: its handshakes would only run into their time-outs. */
  unreachable(peer: Bytes, error: TsunagiError): void {
    for (const attempt of this.#with(peer)) attempt.end(error)
  }

  /**
   * That peer, or this one, is at the server by another socket than before: what was sent by the last one may have come to
   * nobody, and the time-out of an unanswered handshake would hold the next one up.
   */
  cameAnew(peer: Bytes): void {
    for (const attempt of this.#with(peer)) if (attempt instanceof Initiator && attempt.isUnanswered) attempt.end()
  }

  /** Ends all handshakes without a word; established channels stay. Idempotent. */
  close(): void {
    this.#closed = true
    for (const attempt of [...this.#attempts]) attempt.end()
  }

  /** All that can be refused without reading the frame. @throws TsunagiError */
  #admit(frame: Bytes, sender: Bytes): void {
    const type = openFrameType(frame)
    if (type === undefined) throw new TsunagiError('INVALID_FORMAT', 'A frame before the session has an unknown type.')
    if (frame.length > PROTOCOL.maxOpenFrame) {
      throw new TsunagiError('MESSAGE_TOO_LARGE', `A frame before the session has ${frame.length} bytes.`)
    }
    if (equalBytes(sender, this.#host.key.publicKey)) {
      throw new TsunagiError('UNKNOWN_SENDER', 'A frame came back to its sender.')
    }
    this.#gate.admit(sender, type)
    if (this.#waiting >= LIMITS.maxOpenFramesWaiting) throw tooMany()
    if (type === 'handshake') this.#checkRoom(sender)
  }

  /** @param kind of the link, where it is known: then another handshake gives its place to this one */
  #checkRoom(peer: Bytes, kind?: LinkKind): void {
    if (!this.isUnderWay(peer, kind) && this.#attempts.size >= LIMITS.maxHalfOpen) throw tooMany()
  }

  async #receive(frame: Bytes, sender: Bytes, how: 'relay' | 'mail'): Promise<void> {
    let verified: VerifiedOpen | undefined
    let refused: TsunagiError | undefined
    try {
      verified = await this.#verify(frame, sender)
      if (this.#closed) return
      // An error answers a handshake by its random id, which no older frame can know; and its sender's clock may be what is wrong.
      // A wake-up is taken until it expires, and its freshness is judged by who takes it.
      const isOfAnyAge = verified.type === 'error' || verified.type === 'wake_up'
      if (!isOfAnyAge) this.#freshness.take(verified.envelope, this.#host.serverNow())
      this.#dispatch(verified, how)
    } catch (error) {
      refused = unreadable(error)
      if (verified?.type === 'handshake') this.#sendError(sender, verified.envelope.session_id, refused)
    }
    traceReceived(this.#host, sender, verified?.envelope.session_id, frame, refused)
  }

  async #verify(frame: Bytes, sender: Bytes): Promise<VerifiedOpen> {
    const verified = await openOpenFrame(this.#host.crypto, frame, this.#host.key.publicKey)
    if (!equalBytes(verified.envelope.sender_id, sender)) {
      throw new TsunagiError('UNKNOWN_SENDER', `A ${verified.type} came from another peer than the one that signed it.`)
    }
    return verified
  }

  #dispatch(verified: VerifiedOpen, how: 'relay' | 'mail'): void {
    switch (verified.type) {
      case 'handshake':
        this.#handleHandshake(verified)
        break
      case 'handshake_ack':
        this.#handleHandshakeAck(verified)
        break
      case 'link_candidates':
        this.#handleCandidates(verified)
        break
      case 'error':
        this.#handleError(verified)
        break
      case 'wake_up':
        this.#host.onWakeUp?.(verified, how)
        break
      case 'wake_up_ack':
        this.#host.onWakeUpAck?.(verified)
        break
      case 'handshake_confirm':
      case 'discovery':
        throw new TsunagiError('INVALID_STATE', `A ${verified.type} does not come to a peer this way.`)
    }
  }

  #handleHandshake(handshake: Verified<'handshake'>): void {
    const { sender_id: peer, session_id: id, timestamp } = handshake.envelope
    const { link: kind } = handshake.payload
    const transport = this.#host.transport(kind, peer)
    if (transport === undefined) throw new TsunagiError('LINK_FAILED', `The peer asks for a ${kind} link.`)
    // Both have begun: where one side's go on, all of them do, or each could end with another session than the other.
    const ours = this.#with(peer).filter((attempt) => attempt instanceof Initiator)
    const current = this.#with(peer).find((attempt) => attempt.kind === kind)
    const isLower = compareBytes(this.#host.key.publicKey, peer) < 0
    const stayInitiator = isLower && ours.some((attempt) => !attempt.isAnsweredBefore(timestamp))
    const isOlder = current instanceof Responder && timestamp < current.startedAt
    if (stayInitiator || isOlder) {
      throw new TsunagiError('HANDSHAKE_IN_PROGRESS', 'Another handshake with this peer goes on instead.')
    }
    this.#checkRoom(peer, kind)
    const attempt: Responder = new Responder({
      host: this.#host,
      peer,
      transport,
      id,
      handshake,
      verify: (frame) => this.#verifyFresh(frame, peer),
      onOver: (error, tell) => this.#over(attempt, error, tell),
    })
    for (const given of ours) given.end()
    current?.end()
    this.#attempts.add(attempt)
    attempt.sendHandshakeAck()
  }

  #handleHandshakeAck(ack: Verified<'handshake_ack'>): void {
    const attempt = this.#attemptOf(ack)
    if (!(attempt instanceof Initiator)) {
      throw new TsunagiError('SESSION_NOT_FOUND', 'A peer answered a handshake that this side does not wait for.')
    }
    attempt.handleHandshakeAck(ack)
  }

  /** They come late where the link opened without them; then they are of no use and no fault. */
  #handleCandidates(candidates: Verified<'link_candidates'>): void {
    this.#attemptOf(candidates)?.addCandidates(candidates.payload.candidates)
  }

  #handleError(error: Verified<'error'>): void {
    this.#attemptOf(error)?.end(heard(error.payload))
  }

  #attemptOf({ envelope }: VerifiedOpen): Initiator | Responder | undefined {
    return this.#with(envelope.sender_id).find((attempt) => equalBytes(attempt.id, envelope.session_id))
  }

  #with(peer: Bytes): (Initiator | Responder)[] {
    return [...this.#attempts].filter((attempt) => equalBytes(attempt.peer, peer))
  }

  async #verifyFresh(frame: Bytes, sender: Bytes): Promise<VerifiedOpen> {
    const verified = await this.#verify(frame, sender)
    this.#freshness.take(verified.envelope, this.#host.serverNow())
    return verified
  }

  #over(attempt: Initiator | Responder, error: TsunagiError | undefined, tell: boolean): void {
    const { peer, kind, id } = attempt
    this.#attempts.delete(attempt)
    // What another offered to go on with is not where the session stands from now on.
    if (attempt.isEstablished) for (const other of this.#with(peer)) other.end()
    if (!error || this.#closed) return
    if (tell) this.#sendError(peer, id, error)
    this.#host.onFailed(peer, kind, error)
  }

  /** Only to a peer whose signature was verified, or to one this side chose to begin with. */
  #sendError(peer: Bytes, id: Bytes, error: TsunagiError): void {
    const payload = told(error)
    if (!payload || !this.#gate.mayTell(peer)) return
    sealFor(this.#host, 'error', peer, id, payload).then(
      (frame) => {
        if (this.#closed) return
        traceSent(this.#host, peer, id, frame)
        this.#host.sendOpen(peer, frame)
      },
      () => {
        // A key that cannot sign fails every handshake, which says so itself; this word is a courtesy.
      },
    )
  }
}

function tooMany(): TsunagiError {
  return new TsunagiError('RATE_LIMITED', 'Too many handshakes are under way; try again in a few seconds.', {
    retryAfter: LIMITS.handshakeTimeout,
  })
}

function unreadable(cause: unknown): TsunagiError {
  return toTsunagiError(cause, 'INVALID_FORMAT', 'A frame before the session could not be read.')
}
