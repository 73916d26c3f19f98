/**
 * A session with one peer (SPEC §5): messages out and in, numbered, acknowledged, in order. Channels come and go under it;
 * what one of them did not deliver goes on over the next.
 */
import type { PeerId, SessionInfo } from '../api.ts'
import { TsunagiError, toTsunagiError } from '../errors.ts'
import type { Channel, Resumption } from '../handshake/channel.ts'
import { peerIdOf } from '../identity/peer-id.ts'
import { LIMITS } from '../limits.ts'
import type { Link, LinkEvents } from '../links/link.ts'
import { SESSION_TYPES, type SessionPayload, type SessionType } from '../messages.ts'
import { settleable } from '../settleable.ts'
import type { Bytes } from '../wire/bytes.ts'
import { Slab } from '../wire/slab.ts'
import { uuidBytes, uuidText, uuidV4 } from '../wire/uuid.ts'
import { Arrivals, type ArrivalsOwner } from './arrivals.ts'
import { DURABLE_PREFIX } from './frame.ts'
import type { KeptSession, Rest, SessionHost } from './host.ts'
import { durablePayload } from './inbox.ts'
import { type DurableSend, Outbox } from './outbox.ts'
import { type Batch, Outgoing, type OutgoingMessage } from './outgoing.ts'
import type { FrameNumber } from './secure-channel.ts'
import { type DurableType, type EncodedPayload, EPHEMERAL, encodePayload, laneOf, typeOf } from './session-messages.ts'
import { Standing } from './standing.ts'
import { isOver, SESSION_STATES, type SessionEvent, type SessionState } from './states.ts'
import type { StoredMessage, StoredSession } from './store.ts'
import { Traffic, wentElsewhere } from './traffic.ts'

export class Session {
  readonly peer: Bytes
  readonly #peerId: PeerId
  readonly #host: SessionHost
  readonly #outgoing = new Outgoing()
  readonly #slab = new Slab()
  readonly #outbox: Outbox
  readonly #arrivals: Arrivals
  readonly #traffic: Traffic
  readonly #standing: Standing
  readonly #createdAt: number
  #state: SessionState = 'new'
  #rest: Rest | undefined
  #since: number | undefined
  #activeAt: number
  #stopPatience: (() => void) | undefined
  #stopStoring: (() => void) | undefined

  /** attach() gives it its first channel. */
  constructor(host: SessionHost, peer: Bytes, kept?: KeptSession) {
    this.#host = host
    this.peer = peer
    this.#peerId = peerIdOf(peer)
    const now = host.clock.now()
    this.#createdAt = kept?.session.createdAt ?? now
    this.#activeAt = kept?.session.activeAt ?? now
    const { durableNext = 1, durableExpected = 1, epoch = 1 } = kept?.session ?? {}
    this.#outbox = new Outbox(this.#outboxHost(), this.#peerId, durableNext, kept?.outbox ?? [])
    this.#arrivals = new Arrivals(host, this.#arrivalsOwner(), this.#peerId, durableExpected)
    const { incoming, inbox } = this.#arrivals
    this.#traffic = new Traffic(this.#trafficHost(), this.#outgoing, incoming, epoch)
    this.#standing = new Standing(
      { outgoing: this.#outgoing, incoming, outbox: this.#outbox, inbox, traffic: this.#traffic },
      kept?.session,
    )
    if (kept === undefined) return
    if (kept.session.id !== '') this.#state = 'suspended'
    for (const message of kept.outbox) this.#enqueueDurable(message)
  }

  get state(): SessionState {
    return this.#state
  }

  /** Whether a handshake that names `id` goes on with this session, or gives it the first channel that the other side has. */
  answersTo(id: Bytes): boolean {
    return !isOver(this.#state) && this.#standing.answersTo(id)
  }

  /** Why the other side closed the link; undefined while there is one, or where it was lost. */
  get rest(): Rest | undefined {
    return this.#rest
  }

  /** The link in use. */
  get link(): Pick<Link, 'kind' | 'route'> | undefined {
    return this.#traffic.link
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

  /** Whether it goes on while the other side is away: that one may know of it, or what waits in it is durable. */
  get isKept(): boolean {
    return this.resumption !== undefined || !this.#outbox.isEmpty
  }

  get info(): SessionInfo {
    return {
      id: this.#standing.id,
      state: this.#state,
      since: this.#since,
      createdAt: this.#createdAt,
      sent: this.#outgoing.nextSequence - 1,
      received: this.#arrivals.received,
      waiting: this.#outgoing.waiting,
    }
  }

  /** What a handshake may offer to go on with; undefined before the first one, and once the session is over. */
  get resumption(): Resumption | undefined {
    return isOver(this.#state) ? undefined : this.#standing.resumption
  }

  /** The session as the store keeps it. */
  get record(): StoredSession {
    return {
      peer: this.#peerId,
      id: this.#standing.id,
      shared: this.#standing.isShared,
      createdAt: this.#createdAt,
      activeAt: this.#activeAt,
      epoch: this.#traffic.unusedEpoch,
      next: this.#outgoing.nextSequence,
      expected: this.#standing.acknowledgeable,
      durableNext: this.#outbox.next,
      durableExpected: this.#arrivals.inbox.expected,
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
    const events = this.#traffic.moveTo(channel)
    // It may have ended while the handshake was under way.
    if (isOver(this.#state)) return events
    this.#rest = undefined
    this.#stopPatience?.()
    this.#stopPatience = undefined
    const now = this.#host.clock.now()
    this.#since ??= now
    this.#activeAt = now
    if (!this.#standing.isOf(channel.sessionId)) this.#begin(channel.sessionId)
    const settled = this.#standing.resume(channel.resumed)
    if (settled === undefined) {
      this.#violation(wentElsewhere())
      return events
    }
    if (settled > 0) this.#host.onDelivered(settled)
    this.#move('attach')
    this.#traffic.begin()
    this.#storeSoon()
    return events
  }

  /**
   * Fulfils when the other side has acknowledged; before there is a link the message waits for one. `payload` is taken as it
   * is now. Rejects with QUEUE_FULL, MESSAGE_TOO_LARGE, INVALID_FORMAT, LINK_LOST where it was ephemeral, its page was loaded
   * anew or no link came for LIMITS.linkPatience, and with what ended the session.
   */
  async send<T extends SessionType>(type: T, payload: SessionPayload<T>): Promise<void> {
    const { promise, settle } = settleable()
    this.enqueue(type, payload, settle)
    return promise
  }

  /**
   * As send(), with a function that is called once in place of a promise.
   * @throws TsunagiError INVALID_STATE, QUEUE_FULL, MESSAGE_TOO_LARGE, INVALID_FORMAT
   */
  enqueue<T extends SessionType>(type: T, payload: SessionPayload<T>, settle: OutgoingMessage['settle']): void {
    const { raw, bytes } = this.#encode(type, payload, (given) => this.#slab.copy(given))
    this.#outgoing.add({
      type: SESSION_TYPES[type],
      raw,
      payload: bytes,
      lane: laneOf(type),
      ephemeral: EPHEMERAL.has(type),
      durable: undefined,
      settle,
    })
    if (this.link === undefined) this.#losePatience()
    else this.#traffic.flush()
  }

  /** @throws TsunagiError STORAGE_FAILED where nothing can be kept, and as send() rejects */
  sendDurable<T extends DurableType>(type: T, payload: SessionPayload<T>): DurableSend {
    // What the disk keeps may wait for long, and keeps no others alive meanwhile.
    const { raw, bytes } = this.#encode(type, payload, (given) => new Uint8Array(given))
    const id = uuidText(uuidV4(this.#host.crypto.randomBytes(16)))
    return this.#outbox.add({ id, at: this.#host.clock.now(), type: SESSION_TYPES[type], raw, payload: bytes })
  }

  /** Messages that could not be stored for want of room now can. */
  inboxHasRoom(): void {
    this.#arrivals.inbox.resume()
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
    if (this.link === undefined) this.#end('expire', error)
    else void this.close(error)
  }

  /** Closes the link on purpose; the session goes on when there is another. Fulfils when the link is gone. */
  leave(reason: Rest): Promise<void> {
    if (this.link !== undefined && !isOver(this.#state)) {
      this.#traffic.sayGoodbye('session_suspend', { reason })
      this.#rest = reason
      void this.store()
    }
    return this.#traffic.unlinked
  }

  /** Tells the other side, rejects what waits with `error`, and lets go of the link, which is gone when this fulfils. Idempotent. */
  close(error: TsunagiError): Promise<void> {
    if (!isOver(this.#state)) {
      this.#traffic.sayGoodbye('session_close', { code: error.code, message: error.message.slice(0, 256) })
      this.#end('close', error)
    }
    return this.#traffic.unlinked
  }

  /** The page goes: what is kept goes on with the next one, everything else is rejected. */
  abandon(error: TsunagiError): void {
    this.#stopPatience?.()
    this.#stopStoring?.()
    this.#traffic.stop()
    this.#outgoing.failAll(error)
    this.#outbox.abandon(error)
  }

  /** Drops the link, as if the network had done it. */
  dropLink(): void {
    this.#traffic.dropLink()
  }

  /** Until the id is stored the next page could not go on with what the other side would believe to share. */
  #begin(id: Bytes): void {
    this.#standing.begin(id)
    this.#traffic.isProvisional = this.#host.store !== undefined
  }

  /** When the first frames have passed: to write takes a browser as long as they do. */
  #storeSoon(): void {
    if (this.#host.store === undefined) return
    this.#stopStoring ??= this.#host.clock.after(LIMITS.storeAfter, () => {
      this.#stopStoring = undefined
      const { id } = this.#standing
      void this.store().then(() => {
        // Where it has got another one meanwhile, that one's turn comes.
        if (this.#standing.id === id) this.#traffic.isProvisional = false
      })
    })
  }

  /** @throws TsunagiError INVALID_STATE, INVALID_FORMAT, MESSAGE_TOO_LARGE */
  #encode<T extends SessionType>(
    type: T,
    payload: SessionPayload<T>,
    copy: (bytes: Uint8Array) => Bytes,
  ): EncodedPayload {
    if (isOver(this.#state)) throw new TsunagiError('INVALID_STATE', 'The session with that peer is over.')
    return encodePayload(type, payload, copy)
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
        this.#traffic.flush()
      },
      onDelivered: (message) => this.#host.onDurable(message, 'delivered'),
      onFailed: (message, error) => this.#host.onDurable(message, 'failed', error),
      onStorageFailure: (error) => this.#host.onStorageFailure(error),
    }
  }

  #arrivalsOwner(): ArrivalsOwner {
    return {
      isOver: () => isOver(this.#state),
      record: () => this.record,
      reading: () => this.#traffic.reading,
      onProgress: () => this.#traffic.acknowledge(),
      onGoodbye: (goodbye) => {
        if (goodbye.type === 'session_close') this.#closedByPeer(goodbye.payload)
        else this.#suspendedByPeer(goodbye.payload)
      },
      onRefused: ({ code, message }) => {
        // Where there is no room for the answer, the peer learns it from nobody; it is told only to help.
        this.send('error', { code, message: message.slice(0, 256) }).catch(() => undefined)
      },
      onViolation: (error) => {
        this.#host.onRefused(error)
        void this.close(error)
      },
    }
  }

  #trafficHost(): ConstructorParameters<typeof Traffic>[0] {
    const { clock, crypto, key } = this.#host
    return {
      clock,
      crypto,
      key,
      acknowledgeable: () => this.#standing.acknowledgeable,
      onHeard: (isCurrent, isProvisional) => this.#heard(isCurrent, isProvisional),
      onSettled: (messages) => this.#host.onDelivered(messages),
      onFinished: (finished, number) => this.#sent(finished, number),
      onGoodbye: (goodbye, sequence) => this.#arrivals.takeGoodbye(goodbye, sequence),
      onRefused: (error) => this.#refused(error),
      onViolation: (error) => this.#violation(error),
      onUnlinked: (reason) => this.#unlinked(reason),
    }
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

  #heard(isCurrent: boolean, isProvisional: boolean): void {
    this.#activeAt = this.#host.clock.now()
    this.#host.onHeard()
    if (isCurrent && this.#standing.heard(isProvisional)) this.#storeSoon()
  }

  #sent(finished: Batch['finished'], number: FrameNumber): void {
    for (const { message, sequence } of finished) {
      const type = typeOf(message.type) as SessionType
      const size = message.payload.length - (message.durable === undefined ? 0 : DURABLE_PREFIX)
      this.#host.onSent(type, size)
      this.#host.onTrace?.({ direction: 'out', type, sequence, size, ...number, refused: undefined })
    }
  }

  #suspendedByPeer({ reason }: SessionPayload<'session_suspend'>): void {
    this.#rest = reason
    this.#traffic.dropLinks()
  }

  #closedByPeer({ code, message }: SessionPayload<'session_close'>): void {
    this.#end('close', new TsunagiError(code, `The peer ended the session: ${message}`))
    this.#traffic.dropLinks()
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
    if (error.code === 'SEQUENCE_ERROR' && this.#state === 'established') this.#traffic.dropLink()
    else void this.close(error)
  }

  #unlinked(reason: Error | undefined): void {
    if (isOver(this.#state)) return
    this.#outgoing.dropEphemeral()
    this.#losePatience()
    this.#stopStoring?.()
    this.#stopStoring = undefined
    void this.store()
    this.#move('lose', toTsunagiError(reason, 'LINK_LOST', 'The link to the peer was lost.'))
  }

  #end(event: 'expire' | 'close', error: TsunagiError): void {
    this.#stopPatience?.()
    this.#stopStoring?.()
    this.#traffic.end()
    this.#move(event, error)
    this.#outgoing.failAll(error)
    this.#outbox.failAll(error)
    this.#arrivals.stop()
    this.#host.store?.end(this.#peerId).catch((cause: unknown) => this.#storageFailed(cause))
  }

  #move(event: SessionEvent, error?: TsunagiError): void {
    const state = SESSION_STATES[this.#state][event]
    const changed = state !== this.#state
    this.#state = state
    if (changed) this.#host.onState(state, error)
  }
}
