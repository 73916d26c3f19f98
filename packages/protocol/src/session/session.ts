/**
 * A session with one peer (SPEC §5): messages out and in, numbered, acknowledged, in order. Channels come and go under it;
 * what one of them did not deliver goes on over the next.
 */
import type { PeerId, SessionInfo } from '../api.ts'
import { TsunagiError, toTsunagiError } from '../errors.ts'
import type { Channel, Resumption } from '../handshake/channel.ts'
import { peerIdOf } from '../identity/peer-id.ts'
import { LIMITS, PROTOCOL } from '../limits.ts'
import type { Link, LinkEvents } from '../links/link.ts'
import { SESSION_TYPES, type SessionPayload, type SessionType, sessionPayloads } from '../messages.ts'
import type { Clock, CryptoProvider, SigningKey } from '../ports.ts'
import { type Bytes, equalBytes } from '../wire/bytes.ts'
import { decodeAs, encodeCbor } from '../wire/cbor.ts'
import { uuidBytes, uuidText, uuidV4 } from '../wire/uuid.ts'
import { DURABLE_PREFIX, type FrameBody } from './frame.ts'
import { durablePayload, Inbox } from './inbox.ts'
import { Incoming, type IncomingMessage } from './incoming.ts'
import { type DurableSend, Outbox } from './outbox.ts'
import { LANES, type Lane, Outgoing } from './outgoing.ts'
import { type FrameNumber, SecureChannel } from './secure-channel.ts'
import { isOver, SESSION_STATES, type SessionEvent, type SessionState } from './states.ts'
import type { SessionStore, StoredMessage, StoredSession } from './store.ts'

/** One verified message. `message` payloads are bytes where their sender gave bytes; the others fit their schema. */
export type SessionMessage = {
  [T in SessionType]: { readonly type: T; readonly payload: SessionPayload<T> }
}[SessionType]

/** What the inspector shows of one message or refused frame. */
export interface SessionTrace {
  readonly direction: 'out' | 'in'
  readonly type: string
  readonly sequence: number
  readonly size: number
  readonly epoch: number
  readonly counter: number
  readonly refused: string | undefined
}

export interface SessionHost {
  readonly clock: Clock
  readonly crypto: CryptoProvider
  readonly key: SigningKey
  /** Undefined where the host keeps nothing: then no message is durable. */
  readonly store: SessionStore | undefined
  /** A verified frame came: page code of the other side lives. */
  onHeard(): void
  onMessage(message: SessionMessage, size: number): void
  /** A message went to a link for the first time. */
  onSent(type: SessionType, size: number): void
  onDelivered(messages: number): void
  /** A frame or a message of the peer was refused; the session goes on. */
  onRefused(error: TsunagiError): void
  /** Whether there is room to store durable messages; where not, inboxHasRoom() is called later. */
  canTake(): boolean
  /** A durable message was taken, for the first time. It stays stored until the store is told that it was handled. */
  onTaken(message: StoredMessage, size: number): void
  /** A durable message of ours was accepted, has arrived, or failed with `error`; also one of a page before this. */
  onDurable(message: StoredMessage, state: DurableState, error?: TsunagiError): void
  onStorageFailure(error: TsunagiError): void
  /** The state changed. `error` says why it ended or was suspended. */
  onState(state: SessionState, error: TsunagiError | undefined): void
  /** There was no link for so long that nothing but durable messages is waited for. */
  onGivenUp(): void
  /** Undefined while nobody wants it. */
  readonly onTrace: ((trace: SessionTrace) => void) | undefined
}

export type DurableState = 'accepted' | 'delivered' | 'failed'

/** Why the other side closed a link on purpose, so that it is not opened again at once. */
export type Rest = SessionPayload<'session_suspend'>['reason']

/** What a page before this one left of a session. */
export interface KeptSession {
  readonly session: StoredSession
  readonly outbox: readonly StoredMessage[]
}

/** Where each type goes; what is not named goes in the lane normal. */
const LANE_OF: Partial<Record<SessionType, Lane>> = {
  ping: 'high',
  pong: 'high',
  task_accept: 'high',
  task_reject: 'high',
  task_cancel: 'high',
  task_query: 'high',
  task_state: 'high',
  task_credit: 'high',
  task_renew: 'high',
  chunk_ack: 'high',
  chunk_resend: 'high',
  error: 'high',
  heartbeat: 'low',
  status_report: 'low',
  chunk_init: 'low',
  chunk: 'low',
  chunk_complete: 'low',
}

/** Sent once and never again: a late one says nothing. */
const EPHEMERAL: ReadonlySet<SessionType> = new Set(['ping', 'pong', 'heartbeat', 'task_renew'])

/** What may be kept over pages. */
const DURABLE: ReadonlySet<number> = new Set([SESSION_TYPES.message, SESSION_TYPES.task_result])
type DurableType = 'message' | 'task_result'

/** Types whose payload may be as large as a message; the others keep to PROTOCOL.maxControl. */
const LARGE: ReadonlySet<SessionType> = new Set(['message', 'task_delegate', 'task_result', 'chunk'])

/** Types that may travel as raw bytes. */
const RAW: ReadonlySet<SessionType> = new Set(['message', 'chunk'])

/** The last message on a link, outside the order of the others. */
const GOODBYES: ReadonlySet<number> = new Set([SESSION_TYPES.session_close, SESSION_TYPES.session_suspend])

const typeNames = new Map<number, SessionType>(
  (Object.entries(SESSION_TYPES) as [SessionType, number][]).map(([name, number]) => [number, name]),
)

export class Session {
  readonly peer: Bytes
  readonly #peerId: PeerId
  readonly #host: SessionHost
  readonly #outgoing = new Outgoing()
  readonly #incoming = new Incoming((message) => this.#arrived(message))
  readonly #outbox: Outbox
  readonly #inbox: Inbox
  readonly #createdAt: number
  /** Undefined before the first handshake. */
  #id: Bytes | undefined
  #state: SessionState = 'new'
  /**
   * What has come by sequence number is not certain: a page before this one had the session, or a handshake settled the numbers
   * anew and the other side, not heard since, may not have ended it.
   */
  #isUnsettled = false
  /** The other side was heard, which says nothing before its store has the session: from then on its next page has it, too. */
  #isShared = false
  /** Its id is being stored. */
  #isBeginning = false
  #rest: Rest | undefined
  #current: SecureChannel | undefined
  /** Replaced, and closed when the other side is seen to use the new one. */
  #previous: SecureChannel | undefined
  /** The lowest epoch not used by the channels before the current one. */
  #epochBefore = 1
  /** What the other side had acknowledged before the current channel; whoever has less has lost its state. */
  #leastAck = 1
  #since: number | undefined
  #activeAt: number
  #received = 0
  #pumpDue = false
  #ackDue = false
  #unacknowledgedBytes = 0
  #resendAskedFor = 0
  #resendAskedAt = 0
  #frameBeingRead: FrameNumber = { epoch: 0, counter: 0 }
  #unlinked = Promise.resolve()
  #tellUnlinked = (): void => undefined
  #stopAckTimer: (() => void) | undefined
  #stopPatience: (() => void) | undefined

  /** attach() gives it its first channel. */
  constructor(host: SessionHost, peer: Bytes, kept?: KeptSession) {
    this.#host = host
    this.peer = peer
    this.#peerId = peerIdOf(peer)
    const now = host.clock.now()
    this.#createdAt = kept?.session.createdAt ?? now
    this.#activeAt = kept?.session.activeAt ?? now
    this.#inbox = new Inbox(this.#inboxHost(), this.#peerId, kept?.session.durableExpected ?? 1)
    this.#outbox = new Outbox(this.#outboxHost(), this.#peerId, kept?.session.durableNext ?? 1, kept?.outbox ?? [])
    if (kept === undefined) return
    if (kept.session.id !== '') {
      this.#id = uuidBytes(kept.session.id)
      this.#state = 'suspended'
      this.#isUnsettled = true
      this.#isShared = kept.session.shared
    }
    this.#epochBefore = kept.session.epoch
    this.#outgoing.restart(kept.session.next, 1)
    this.#incoming.restart(kept.session.expected)
    for (const message of kept.outbox) this.#enqueueDurable(message)
  }

  get state(): SessionState {
    return this.#state
  }

  /** Whether a handshake that names `id` goes on with this session, or gives it the first channel that the other side has. */
  answersTo(id: Bytes): boolean {
    return !isOver(this.#state) && (!this.#isShared || this.#isOf(id))
  }

  /** Why the other side closed the link; undefined while there is one, or where it was lost. */
  get rest(): Rest | undefined {
    return this.#rest
  }

  /** The link in use. */
  get link(): Pick<Link, 'kind' | 'route'> | undefined {
    return this.#current?.channel.link
  }

  /** Milliseconds since 1970 at which a frame last came. */
  get activeAt(): number {
    return this.#activeAt
  }

  get createdAt(): number {
    return this.#createdAt
  }

  /** Accepted for the other side and not yet there, oldest first. */
  get durable(): readonly StoredMessage[] {
    return this.#outbox.messages
  }

  get info(): SessionInfo {
    return {
      id: this.#id === undefined ? '' : uuidText(this.#id),
      state: this.#state,
      since: this.#since,
      createdAt: this.#createdAt,
      sent: this.#outgoing.nextSequence - 1,
      received: this.#received,
      waiting: this.#outgoing.waiting,
    }
  }

  /** What a handshake may offer to go on with; undefined before the first one, and once the session is over. */
  get resumption(): Resumption | undefined {
    if (isOver(this.#state) || this.#id === undefined) return undefined
    return {
      sessionId: this.#id,
      epoch: this.#unusedEpoch,
      at: {
        next: this.#outgoing.nextSequence,
        ...(!this.#isUnsettled && { expected: this.#acknowledgeable }),
        durable: this.#inbox.taken,
      },
    }
  }

  /** The session as the store keeps it. */
  get record(): StoredSession {
    return {
      peer: this.#peerId,
      id: this.#id === undefined ? '' : uuidText(this.#id),
      shared: this.#isShared,
      createdAt: this.#createdAt,
      activeAt: this.#activeAt,
      epoch: this.#unusedEpoch,
      next: this.#outgoing.nextSequence,
      expected: this.#acknowledgeable,
      durableNext: this.#outbox.next,
      durableExpected: this.#inbox.expected,
    }
  }

  /** A handshake with the peer is under way. */
  handshakeBegan(): void {
    this.#move('begin')
  }

  handshakeFailed(): void {
    this.#move('fail')
  }

  /** Goes on over `channel`. What the one before did not deliver is sent again there. @returns what gets the link's events */
  attach(channel: Channel): LinkEvents {
    const secured: SecureChannel = new SecureChannel(channel, this.#host, {
      frame: (body, number, size) => this.#read(secured, body, number, size),
      refused: (error) => this.#refused(error),
      room: () => this.#pump(),
      closed: (reason) => this.#channelClosed(secured, reason),
    })
    if (isOver(this.#state)) {
      // It ended while the handshake was under way.
      secured.close()
      return secured.linkEvents
    }
    this.#epochBefore = this.#unusedEpoch
    this.#previous?.close()
    this.#previous = this.#current
    this.#current = secured
    const isNew = !this.#isOf(channel.sessionId)
    if (isNew) this.#begin(channel.sessionId)
    this.#rest = undefined
    this.#stopPatience?.()
    this.#stopPatience = undefined
    this.#since ??= this.#host.clock.now()
    this.#activeAt = this.#host.clock.now()
    const settled = this.#resume(channel.resumed)
    this.#leastAck = this.#outgoing.unacknowledged
    if (settled === undefined) {
      this.#violation(wentElsewhere())
      return secured.linkEvents
    }
    if (settled > 0) this.#host.onDelivered(settled)
    this.#move('attach')
    const stored = this.store()
    if (isNew) void stored.then(() => this.#begun(channel.sessionId))
    this.#ackDue = true
    this.#schedulePump()
    return secured.linkEvents
  }

  /**
   * Fulfils when the other side has acknowledged; before there is a link the message waits for one. `payload` is taken as it
   * is now. Rejects with QUEUE_FULL, MESSAGE_TOO_LARGE, INVALID_FORMAT, LINK_LOST where it was ephemeral, its page was loaded
   * anew or no link came for LIMITS.linkPatience, and with what ended the session.
   */
  send<T extends SessionType>(type: T, payload: SessionPayload<T>): Promise<void> {
    return new Promise((fulfil, reject) => {
      const { raw, bytes } = this.#encode(type, payload)
      this.#outgoing.add({
        type: SESSION_TYPES[type],
        raw,
        payload: bytes,
        lane: LANE_OF[type] ?? 'normal',
        ephemeral: EPHEMERAL.has(type),
        durable: undefined,
        settle: (error) => (error === undefined ? fulfil() : reject(error)),
      })
      if (this.#current === undefined) this.#losePatience()
      else this.#schedulePump()
    })
  }

  /** @throws TsunagiError STORAGE_FAILED where nothing can be kept, and as send() rejects */
  sendDurable<T extends DurableType>(type: T, payload: SessionPayload<T>): DurableSend {
    const { raw, bytes } = this.#encode(type, payload)
    const id = uuidText(uuidV4(this.#host.crypto.randomBytes(16)))
    return this.#outbox.add({ id, at: this.#host.clock.now(), type: SESSION_TYPES[type], raw, payload: bytes })
  }

  /** Messages that could not be stored for want of room now can. */
  inboxHasRoom(): void {
    this.#inbox.resume()
  }

  /** Writes the state that is only a hint down; what must not be lost is written with each durable message. Never rejects. */
  async store(): Promise<void> {
    try {
      await this.#host.store?.update(this.record)
    } catch (cause) {
      this.#storageFailed(cause)
    }
  }

  /** Nobody came back in time. */
  expire(): void {
    if (isOver(this.#state)) return
    const error = new TsunagiError(
      'SESSION_EXPIRED',
      'The session with that peer has expired; what waited in it is given up.',
    )
    if (this.#current === undefined) this.#end('expire', error)
    else void this.close(error)
  }

  /** Closes the link on purpose; the session goes on when there is another. Fulfils when the link is gone. */
  leave(reason: Rest): Promise<void> {
    if (this.#current === undefined || isOver(this.#state)) return this.#unlinked
    this.#sayGoodbye(this.#current, SESSION_TYPES.session_suspend, { reason })
    this.#rest = reason
    void this.store()
    return this.#unlinked
  }

  /** Tells the other side, rejects what waits with `error`, and lets go of the link, which is gone when this fulfils. Idempotent. */
  close(error: TsunagiError): Promise<void> {
    if (isOver(this.#state)) return this.#unlinked
    if (this.#current !== undefined) {
      const payload = { code: error.code, message: error.message.slice(0, 256) }
      this.#sayGoodbye(this.#current, SESSION_TYPES.session_close, payload)
    }
    this.#previous?.close()
    this.#end('close', error)
    return this.#unlinked
  }

  /** The page goes: what is kept goes on with the next one, everything else is rejected. */
  abandon(error: TsunagiError): void {
    this.#stopPatience?.()
    this.#stopAckTimer?.()
    this.#outgoing.failAll(error)
    this.#outbox.abandon(error)
  }

  /** Drops the link, as if the network had done it. */
  dropLink(): void {
    this.#current?.close()
  }

  #isOf(id: Bytes): boolean {
    return this.#id !== undefined && equalBytes(this.#id, id)
  }

  /** A handshake made the session. Where one before it gave it another id, that came to nothing on the other side. */
  #begin(id: Bytes): void {
    this.#closePrevious()
    this.#id = id.slice()
    this.#isUnsettled = false
    this.#isBeginning = true
    this.#outgoing.restart(1, 1)
  }

  /** The id is stored. Before that nothing is said: the next page could not go on with what the other side believes to share. */
  #begun(id: Bytes): void {
    if (!this.#isOf(id)) return
    this.#isBeginning = false
    this.#schedulePump()
  }

  /** @returns messages known to have arrived, or undefined where the other side goes on from what it cannot know */
  #resume(resumed: Channel['resumed']): number | undefined {
    this.#outgoing.dropEphemeral()
    if (resumed === undefined) return 0
    const { ours, theirs } = resumed
    if (ours.expected !== undefined && theirs.expected !== undefined) {
      // What the other side had when it offered to go on; it may have acknowledged more since.
      const settled = this.#outgoing.acknowledge(theirs.expected, this.#window)
      this.#outgoing.sendAgain()
      this.#incoming.dropEarly()
      return settled
    }
    // One page is new. Both start from what the other said, and what the old page still has on its way comes too late.
    this.#closePrevious()
    this.#isUnsettled = true
    if (theirs.durable > this.#outbox.next) return undefined
    const expected = ours.expected ?? theirs.next
    this.#incoming.restart(expected)
    this.#inbox.restart(expected)
    return this.#outgoing.restart(theirs.expected ?? ours.next, theirs.durable)
  }

  /** The last frame of a link. The other side closes the link when it has read it; one that does not is not waited for. */
  #sayGoodbye(channel: SecureChannel, type: number, payload: object): void {
    this.#unlinked = new Promise((fulfil) => {
      this.#tellUnlinked = fulfil
    })
    const record = { type, raw: false, more: false, durable: false, lane: LANES.high, payload: encodeCbor(payload) }
    channel.send({ ...this.#acknowledgement(), prompt: false, first: this.#outgoing.nextSequence, records: [record] })
    const stop = this.#host.clock.after(LIMITS.closeGrace, () => channel.close())
    void this.#unlinked.then(stop)
  }

  /** @throws TsunagiError INVALID_STATE, INVALID_FORMAT, MESSAGE_TOO_LARGE */
  #encode<T extends SessionType>(
    type: T,
    payload: SessionPayload<T>,
  ): { readonly raw: boolean; readonly bytes: Bytes } {
    if (isOver(this.#state)) throw new TsunagiError('INVALID_STATE', 'The session with that peer is over.')
    const raw = RAW.has(type) && payload instanceof Uint8Array
    const bytes = raw ? rawBytes(type, payload) : encodeCbor(payload)
    const most = LARGE.has(type) ? PROTOCOL.maxMessage : PROTOCOL.maxControl
    if (bytes.length <= most) return { raw, bytes }
    throw new TsunagiError('MESSAGE_TOO_LARGE', `The message has ${bytes.length} bytes; at most ${most} go in one.`)
  }

  #enqueueDurable(message: StoredMessage): void {
    const { number, id, type, raw, payload } = message
    this.#outgoing.add({
      type,
      raw,
      payload: durablePayload(number, uuidBytes(id), payload),
      lane: 'normal',
      ephemeral: false,
      durable: number,
      settle: (error) => {
        if (error === undefined) this.#outbox.delivered(number)
      },
    })
  }

  #outboxHost(): ConstructorParameters<typeof Outbox>[0] {
    const { store } = this.#host
    return {
      store,
      record: () => this.record,
      onAccepted: (message) => {
        this.#host.onDurable(message, 'accepted')
        this.#enqueueDurable(message)
        this.#schedulePump()
      },
      onDelivered: (message) => this.#host.onDurable(message, 'delivered'),
      onFailed: (message, error) => this.#host.onDurable(message, 'failed', error),
      onStorageFailure: (error) => this.#host.onStorageFailure(error),
    }
  }

  #inboxHost(): ConstructorParameters<typeof Inbox>[0] {
    const { store, clock } = this.#host
    return {
      store,
      now: () => clock.now(),
      record: () => this.record,
      canTake: () => this.#host.canTake(),
      onVolatile: (message) => this.#deliver(message),
      onTaken: (message, incoming) => {
        this.#received++
        this.#traceIn(incoming, undefined)
        this.#host.onTaken(message, incoming.payload.length)
      },
      onProgress: () => {
        this.#ackDue = true
        this.#schedulePump()
      },
      onViolation: (error) => {
        this.#host.onRefused(error)
        void this.close(error)
      },
      onStorageFailure: (error) => this.#host.onStorageFailure(error),
    }
  }

  /** Up to which sequence number all has arrived, and what is durable of it is stored. */
  get #acknowledgeable(): number {
    return this.#inbox.acknowledgeable(this.#incoming.expected)
  }

  /** Of what it still has on its way nothing is taken. */
  #closePrevious(): void {
    this.#previous?.close()
    this.#previous = undefined
  }

  get #window(): number {
    return this.#current?.window ?? LIMITS.receiveWindow
  }

  get #unusedEpoch(): number {
    return Math.max(this.#epochBefore, this.#current?.unusedEpoch ?? 1)
  }

  #storageFailed(cause: unknown): void {
    this.#host.onStorageFailure(toTsunagiError(cause, 'STORAGE_FAILED', 'The state of a session could not be kept.'))
  }

  #losePatience(): void {
    this.#stopPatience ??= this.#host.clock.after(LIMITS.linkPatience, () => {
      this.#stopPatience = undefined
      this.#outgoing.dropVolatile(new TsunagiError('LINK_LOST', 'No link to that peer came about in time.'))
      this.#host.onGivenUp()
    })
  }

  #read(from: SecureChannel, body: FrameBody, number: FrameNumber, size: number): void {
    const goodbye = body.records.find(({ type }) => GOODBYES.has(type))
    if (isOver(this.#state)) {
      // Both sides closed at once, and neither has to wait for the other.
      if (goodbye !== undefined) from.close()
      return
    }
    // What was closed may have had frames of other numbers on their way through the host's crypto threads.
    if (from !== this.#current && from !== this.#previous) return
    if (from === this.#current) {
      this.#closePrevious()
      this.#isUnsettled = false
      if (!this.#isShared) {
        this.#isShared = true
        void this.store()
      }
      if (body.ack < this.#leastAck) {
        void this.close(wentElsewhere())
        return
      }
    }
    this.#activeAt = this.#host.clock.now()
    this.#host.onHeard()
    this.#frameBeingRead = number
    const settled = this.#outgoing.acknowledge(body.ack, body.window)
    if (settled === undefined) {
      this.#violation(new TsunagiError('SEQUENCE_ERROR', 'The peer acknowledged what was never sent to it.'))
      return
    }
    if (settled > 0) this.#host.onDelivered(settled)
    if (goodbye !== undefined) {
      // Outside the order: what is missing before it was given up by its sender and will not come.
      this.#deliver({ ...goodbye, sequence: body.first })
      return
    }
    if (body.resend) this.#outgoing.sendAgain()
    try {
      this.#incoming.take(body.first, body.records)
    } catch (cause) {
      this.#violation(toTsunagiError(cause, 'INVALID_FORMAT', 'A frame of the peer could not be read.'))
      return
    }
    if (isOver(this.#state)) return
    if (body.records.length > 0) this.#acknowledgeSoon(body.prompt, size)
    if (this.#incoming.hasGap) this.#askAgain()
    this.#pump()
  }

  /** At once where the sender may be waiting for it, else with what goes out anyway, after a while, or with much received. */
  #acknowledgeSoon(prompt: boolean, size: number): void {
    this.#unacknowledgedBytes += size
    if (prompt || this.#unacknowledgedBytes >= LIMITS.receiveWindow / 4) {
      this.#ackDue = true
      return
    }
    this.#stopAckTimer ??= this.#host.clock.after(LIMITS.ackDelay, () => {
      this.#stopAckTimer = undefined
      this.#ackDue = true
      this.#pump()
    })
  }

  /** Once for what is missing, and again where that did not help: the request may be lost as well. */
  #askAgain(): void {
    const now = this.#host.clock.now()
    const { expected } = this.#incoming
    if (this.#isBeginning) return
    if (this.#resendAskedFor === expected && Math.abs(now - this.#resendAskedAt) < LIMITS.resendSpacing) return
    this.#resendAskedFor = expected
    this.#resendAskedAt = now
    this.#current?.send({
      ...this.#acknowledgement(),
      prompt: false,
      resend: true,
      first: this.#outgoing.nextSequence,
      records: [],
    })
  }

  #acknowledgement(): Pick<FrameBody, 'ack' | 'window' | 'resend'> {
    this.#ackDue = false
    this.#unacknowledgedBytes = 0
    this.#stopAckTimer?.()
    this.#stopAckTimer = undefined
    return { ack: this.#acknowledgeable, window: this.#window, resend: false }
  }

  /** In a moment: what is sent in one go shares a frame. */
  #schedulePump(): void {
    if (this.#pumpDue) return
    this.#pumpDue = true
    void Promise.resolve().then(() => {
      this.#pumpDue = false
      this.#pump()
    })
  }

  #pump(): void {
    if (this.#isBeginning) return
    const channel = this.#current
    while (channel?.hasRoom && !isOver(this.#state)) {
      const batch = this.#outgoing.take()
      if (batch === undefined && !this.#ackDue) return
      const number = channel.send({
        ...this.#acknowledgement(),
        prompt: batch?.records.some(({ lane }) => lane !== LANES.low) === true && !this.#outgoing.hasWork,
        first: batch?.first ?? this.#outgoing.nextSequence,
        records: batch?.records ?? [],
      })
      for (const { message, sequence } of batch?.finished ?? []) {
        const type = typeNames.get(message.type) as SessionType
        const size = message.payload.length - (message.durable === undefined ? 0 : DURABLE_PREFIX)
        this.#host.onSent(type, size)
        this.#host.onTrace?.({ direction: 'out', type, sequence, size, ...number, refused: undefined })
      }
    }
  }

  #arrived(message: IncomingMessage): void {
    if (isOver(this.#state)) return
    if (!message.durable || DURABLE.has(message.type)) this.#inbox.add(message)
    else this.#violation(new TsunagiError('INVALID_FORMAT', 'The peer sent as durable what cannot be.'))
  }

  #deliver(incoming: IncomingMessage): void {
    if (isOver(this.#state)) return
    this.#received++
    const type = typeNames.get(incoming.type)
    let refused: TsunagiError | undefined
    let message: SessionMessage | undefined
    try {
      message = readMessage(type, incoming.raw, incoming.payload)
    } catch (cause) {
      refused = toTsunagiError(cause, 'INVALID_FORMAT', 'A message of the peer could not be read.')
    }
    this.#traceIn(incoming, refused)
    if (message === undefined) this.#answerRefused(refused as TsunagiError, type)
    else if (message.type === 'session_close') this.#closedByPeer(message.payload)
    else if (message.type === 'session_suspend') this.#suspendedByPeer(message.payload)
    else this.#host.onMessage(message, incoming.payload.length)
  }

  #traceIn({ type, sequence, payload }: IncomingMessage, refused: TsunagiError | undefined): void {
    this.#host.onTrace?.({
      direction: 'in',
      type: typeNames.get(type) ?? `unknown (${type})`,
      sequence,
      size: payload.length,
      ...this.#frameBeingRead,
      refused: refused?.message,
    })
  }

  #suspendedByPeer({ reason }: SessionPayload<'session_suspend'>): void {
    this.#rest = reason
    this.#current?.close()
    this.#previous?.close()
  }

  /** The other side learns that a message of it was not understood; an error is not answered. */
  #answerRefused(error: TsunagiError, type: SessionType | undefined): void {
    this.#host.onRefused(error)
    if (type === 'error') return
    // Where there is no room for the answer, the peer learns it from nobody; it is told only to help.
    this.send('error', { code: error.code, message: error.message.slice(0, 256) }).catch(() => undefined)
  }

  #closedByPeer({ code, message }: SessionPayload<'session_close'>): void {
    this.#end('close', new TsunagiError(code, `The peer ended the session: ${message}`))
    this.#current?.close()
    this.#previous?.close()
  }

  #refused(error: TsunagiError): void {
    this.#host.onRefused(error)
    this.#host.onTrace?.({
      direction: 'in',
      type: 'frame',
      sequence: 0,
      size: 0,
      epoch: 0,
      counter: 0,
      refused: `${error.code}: ${error.message}`,
    })
  }

  /** Numbers that do not fit are mended by going on over a new channel; a peer that breaks the protocol is left. */
  #violation(error: TsunagiError): void {
    this.#host.onRefused(error)
    if (error.code === 'SEQUENCE_ERROR' && this.#state === 'established') this.#current?.close()
    else void this.close(error)
  }

  #channelClosed(channel: SecureChannel, reason: Error | undefined): void {
    if (channel === this.#previous) this.#previous = undefined
    if (channel !== this.#current) return
    this.#epochBefore = this.#unusedEpoch
    this.#current = undefined
    // The other side may have given that one up already.
    this.#previous?.close()
    this.#tellUnlinked()
    if (isOver(this.#state)) return
    this.#outgoing.dropEphemeral()
    this.#losePatience()
    void this.store()
    this.#move('lose', toTsunagiError(reason, 'LINK_LOST', 'The link to the peer was lost.'))
  }

  #end(event: 'expire' | 'close', error: TsunagiError): void {
    this.#stopPatience?.()
    this.#stopAckTimer?.()
    this.#move(event, error)
    this.#outgoing.failAll(error)
    this.#outbox.failAll(error)
    this.#incoming.dropEarly()
    this.#inbox.stop()
    this.#host.store?.end(this.#peerId).catch((cause: unknown) => this.#storageFailed(cause))
  }

  #move(event: SessionEvent, error?: TsunagiError): void {
    const state = SESSION_STATES[this.#state][event]
    const changed = state !== this.#state
    this.#state = state
    if (changed) this.#host.onState(state, error)
  }
}

function wentElsewhere(): TsunagiError {
  return new TsunagiError('SESSION_NOT_FOUND', 'The peer goes on from another place than the session had reached.')
}

/** A message is taken as it is now; a chunk was made to be sent, and nobody writes to it any more. */
function rawBytes(type: SessionType, payload: Uint8Array): Bytes {
  return type === 'chunk' ? (payload as Bytes) : new Uint8Array(payload)
}

/** @throws TsunagiError INVALID_FORMAT, MISSING_FIELDS, MESSAGE_TOO_LARGE */
export function readMessage(type: SessionType | undefined, raw: boolean, bytes: Bytes): SessionMessage {
  if (type === undefined) throw new TsunagiError('INVALID_FORMAT', 'The peer sent a message of a type unknown here.')
  if (raw) {
    // A chunk is not kept for long, and its bytes are its own where it came in several records.
    if (type === 'chunk') return { type, payload: bytes }
    if (type !== 'message') throw new TsunagiError('INVALID_FORMAT', `The peer sent a ${type} as raw bytes.`)
    // A copy where it is a part: a listener that keeps a small message would keep its whole frame alive.
    return { type, payload: bytes.length === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes) }
  }
  if (!LARGE.has(type) && bytes.length > PROTOCOL.maxControl) {
    throw new TsunagiError('MESSAGE_TOO_LARGE', `The peer sent a ${type} of ${bytes.length} bytes.`)
  }
  if (type === 'chunk') throw new TsunagiError('INVALID_FORMAT', 'The peer sent a chunk that is no raw bytes.')
  return { type, payload: decodeAs(sessionPayloads[type], bytes, type) } as SessionMessage
}
