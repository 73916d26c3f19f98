/**
 * A session with one peer (SPEC §5): messages out and in, numbered, acknowledged, in order. Channels come and go under it;
 * what one of them did not deliver goes on over the next.
 */
import type { SessionInfo } from '../api.ts'
import { TsunagiError, toTsunagiError } from '../errors.ts'
import type { Channel, Resumption } from '../handshake/channel.ts'
import { LIMITS, PROTOCOL } from '../limits.ts'
import type { LinkEvents, LinkKind } from '../links/link.ts'
import { SESSION_TYPES, type SessionPayload, type SessionType, sessionPayloads } from '../messages.ts'
import type { Clock, CryptoProvider, SigningKey } from '../ports.ts'
import type { Bytes } from '../wire/bytes.ts'
import { decodeAs, encodeCbor } from '../wire/cbor.ts'
import { uuidText } from '../wire/uuid.ts'
import type { FrameBody } from './frame.ts'
import { Incoming, type IncomingMessage } from './incoming.ts'
import { LANES, type Lane, Outgoing } from './outgoing.ts'
import { SecureChannel } from './secure-channel.ts'
import { isOver, SESSION_STATES, type SessionEvent, type SessionState } from './states.ts'

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
  /** A verified frame came: page code of the other side lives. */
  onHeard(): void
  onMessage(message: SessionMessage, size: number): void
  /** A message went to a link for the first time. */
  onSent(type: SessionType, size: number): void
  onDelivered(messages: number): void
  /** A frame or a message of the peer was refused; the session goes on. */
  onRefused(error: TsunagiError): void
  /** The state changed. `error` says why it ended or was suspended. */
  onState(state: SessionState, error: TsunagiError | undefined): void
  /** Undefined while nobody wants it. */
  readonly onTrace: ((trace: SessionTrace) => void) | undefined
}

/** Where each type goes; what is not named goes in the lane normal. */
const LANE_OF: Partial<Record<SessionType, Lane>> = {
  ping: 'high',
  pong: 'high',
  task_accept: 'high',
  task_reject: 'high',
  task_cancel: 'high',
  error: 'high',
  heartbeat: 'low',
  status_report: 'low',
}

/** Sent once and never again: a late one says nothing. */
const EPHEMERAL: ReadonlySet<SessionType> = new Set(['ping', 'pong', 'heartbeat'])

/** Types whose payload may be as large as a message; the others keep to PROTOCOL.maxControl. */
const LARGE: ReadonlySet<SessionType> = new Set(['message', 'task_delegate', 'task_result'])

const typeNames = new Map<number, SessionType>(
  (Object.entries(SESSION_TYPES) as [SessionType, number][]).map(([name, number]) => [number, name]),
)

export class Session {
  readonly peer: Bytes
  readonly id: Bytes
  readonly #host: SessionHost
  readonly #outgoing = new Outgoing()
  readonly #incoming = new Incoming((message) => this.#deliver(message))
  #state: SessionState = 'suspended'
  #current: SecureChannel | undefined
  /** Replaced, and closed when the other side is seen to use the new one. */
  #previous: SecureChannel | undefined
  #nextEpoch = 1
  /** What the other side had acknowledged before the current channel; whoever has less has lost its state. */
  #leastAck = 1
  #since: number | undefined
  #received = 0
  #pumpDue = false
  #ackDue = false
  #unacknowledgedBytes = 0
  #resendAskedFor = 0
  #resendAskedAt = 0
  #frameBeingRead: { readonly epoch: number; readonly counter: number } = { epoch: 0, counter: 0 }
  #unlinked = Promise.resolve()
  #tellUnlinked = (): void => undefined
  #stopAckTimer: (() => void) | undefined
  #stopExpiry: (() => void) | undefined

  /** attach() gives it the first channel. */
  constructor(host: SessionHost, peer: Bytes, id: Bytes) {
    this.#host = host
    this.peer = peer
    this.id = id
  }

  get state(): SessionState {
    return this.#state
  }

  get linkKind(): LinkKind | undefined {
    return this.#current?.channel.link.kind
  }

  get info(): SessionInfo {
    return {
      id: uuidText(this.id),
      state: this.#state,
      since: this.#since,
      sent: this.#outgoing.nextSequence - 1,
      received: this.#received,
      waiting: this.#outgoing.waiting,
    }
  }

  /** What a handshake may offer to go on with; undefined once the session is over. */
  get resumption(): Resumption | undefined {
    if (isOver(this.#state)) return undefined
    return { sessionId: this.id, expected: this.#incoming.expected, epoch: this.#nextEpoch }
  }

  /** Goes on over `channel`. What the one before did not deliver is sent again there. @returns what gets the link's events */
  attach(channel: Channel): LinkEvents {
    const secured: SecureChannel = new SecureChannel(channel, this.#host.crypto, this.#host.key, {
      frame: (body, counter, size) => this.#read(secured, body, counter, size),
      refused: (error) => this.#refused(error),
      room: () => this.#pump(),
      closed: (reason) => this.#channelClosed(secured, reason),
    })
    if (isOver(this.#state)) {
      // It ended while the handshake was under way.
      secured.close()
      return secured.linkEvents
    }
    this.#nextEpoch = channel.epoch + 1
    this.#previous?.close()
    this.#previous = this.#current
    this.#current = secured
    this.#stopExpiry?.()
    this.#since ??= this.#host.clock.now()
    // What the other side had when it offered to go on; it may have acknowledged more since.
    const settled = this.#outgoing.acknowledge(channel.resumedFrom ?? 1, LIMITS.receiveWindow)
    this.#leastAck = this.#outgoing.unacknowledged
    this.#outgoing.dropEphemeral()
    this.#outgoing.sendAgain()
    this.#incoming.dropEarly()
    if (settled === undefined) {
      this.#violation(wentElsewhere())
      return secured.linkEvents
    }
    if (settled > 0) this.#host.onDelivered(settled)
    this.#move('attach')
    this.#ackDue = true
    this.#schedulePump()
    return secured.linkEvents
  }

  /**
   * Fulfils when the other side has acknowledged. `payload` is taken as it is now.
   * Rejects with QUEUE_FULL, MESSAGE_TOO_LARGE, INVALID_FORMAT, LINK_LOST where it was ephemeral, and what ended the session.
   */
  send<T extends SessionType>(type: T, payload: SessionPayload<T>): Promise<void> {
    return new Promise((fulfil, reject) => {
      if (isOver(this.#state)) throw new TsunagiError('INVALID_STATE', 'The session with that peer is over.')
      const raw = type === 'message' && payload instanceof Uint8Array
      const bytes: Bytes = raw ? new Uint8Array(payload) : encodeCbor(payload)
      const most = LARGE.has(type) ? PROTOCOL.maxMessage : PROTOCOL.maxControl
      if (bytes.length > most) {
        throw new TsunagiError('MESSAGE_TOO_LARGE', `The message has ${bytes.length} bytes; at most ${most} go in one.`)
      }
      this.#outgoing.add({
        type: SESSION_TYPES[type],
        raw,
        payload: bytes,
        lane: LANE_OF[type] ?? 'normal',
        ephemeral: EPHEMERAL.has(type),
        settle: (error) => (error === undefined ? fulfil() : reject(error)),
      })
      this.#schedulePump()
    })
  }

  /** Tells the other side, rejects what waits with `error`, and lets go of the link, which is gone when this fulfils. Idempotent. */
  close(error: TsunagiError): Promise<void> {
    if (isOver(this.#state)) return this.#unlinked
    const channel = this.#current
    if (channel !== undefined) {
      this.#unlinked = new Promise((fulfil) => {
        this.#tellUnlinked = fulfil
      })
      const payload = encodeCbor({ code: error.code, message: error.message.slice(0, 256) })
      channel.send({
        ...this.#acknowledgement(),
        prompt: false,
        first: this.#outgoing.nextSequence,
        records: [{ type: SESSION_TYPES.session_close, raw: false, more: false, lane: LANES.high, payload }],
      })
      // The other side closes the link when it has read that; one that does not is not waited for.
      const stop = this.#host.clock.after(LIMITS.closeGrace, () => channel.close())
      void this.#unlinked.then(stop)
    }
    this.#previous?.close()
    this.#end('close', error)
    return this.#unlinked
  }

  /** Drops the link, as if the network had done it. */
  dropLink(): void {
    this.#current?.close()
  }

  #read(from: SecureChannel, body: FrameBody, counter: number, size: number): void {
    const goodbye = body.records.find(({ type }) => type === SESSION_TYPES.session_close)
    if (isOver(this.#state)) {
      // Both sides closed at once, and neither has to wait for the other.
      if (goodbye !== undefined) from.close()
      return
    }
    if (from === this.#current && this.#previous !== undefined) {
      this.#previous.close()
      this.#previous = undefined
    }
    if (from === this.#current && body.ack < this.#leastAck) {
      void this.close(wentElsewhere())
      return
    }
    this.#host.onHeard()
    this.#frameBeingRead = { epoch: from.channel.epoch, counter }
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
    return { ack: this.#incoming.expected, window: LIMITS.receiveWindow, resend: false }
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
    const channel = this.#current
    while (channel?.hasRoom && !isOver(this.#state)) {
      const batch = this.#outgoing.take()
      if (batch === undefined && !this.#ackDue) return
      const counter = channel.nextCounter
      channel.send({
        ...this.#acknowledgement(),
        prompt: batch?.records.some(({ lane }) => lane !== LANES.low) === true && !this.#outgoing.hasWork,
        first: batch?.first ?? this.#outgoing.nextSequence,
        records: batch?.records ?? [],
      })
      for (const { message, sequence } of batch?.finished ?? []) {
        const type = typeNames.get(message.type) as SessionType
        this.#host.onSent(type, message.payload.length)
        this.#host.onTrace?.({
          direction: 'out',
          type,
          sequence,
          size: message.payload.length,
          epoch: channel.channel.epoch,
          counter,
          refused: undefined,
        })
      }
    }
  }

  #deliver({ type: number, raw, payload: bytes, sequence }: IncomingMessage): void {
    if (isOver(this.#state)) return
    this.#received++
    const type = typeNames.get(number)
    let refused: TsunagiError | undefined
    let message: SessionMessage | undefined
    try {
      message = readMessage(type, raw, bytes)
    } catch (cause) {
      refused = toTsunagiError(cause, 'INVALID_FORMAT', 'A message of the peer could not be read.')
    }
    this.#host.onTrace?.({
      direction: 'in',
      type: type ?? `unknown (${number})`,
      sequence,
      size: bytes.length,
      ...this.#frameBeingRead,
      refused: refused?.message,
    })
    if (message === undefined) this.#answerRefused(refused as TsunagiError, type)
    else if (message.type === 'session_close') this.#closedByPeer(message.payload)
    else this.#host.onMessage(message, bytes.length)
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
    this.#current = undefined
    // The other side may have given that one up already.
    this.#previous?.close()
    this.#tellUnlinked()
    if (isOver(this.#state)) return
    this.#outgoing.dropEphemeral()
    this.#stopExpiry = this.#host.clock.after(LIMITS.suspendedMost, () => {
      this.#end('expire', new TsunagiError('SESSION_EXPIRED', 'The peer did not come back in time.'))
    })
    this.#move('lose', toTsunagiError(reason, 'LINK_LOST', 'The link to the peer was lost.'))
  }

  #end(event: 'expire' | 'close', error: TsunagiError): void {
    this.#stopExpiry?.()
    this.#stopAckTimer?.()
    this.#move(event, error)
    this.#outgoing.failAll(error)
    this.#incoming.dropEarly()
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

/** @throws TsunagiError INVALID_FORMAT, MISSING_FIELDS, MESSAGE_TOO_LARGE */
function readMessage(type: SessionType | undefined, raw: boolean, bytes: Bytes): SessionMessage {
  if (type === undefined) throw new TsunagiError('INVALID_FORMAT', 'The peer sent a message of a type unknown here.')
  if (raw) {
    if (type !== 'message') throw new TsunagiError('INVALID_FORMAT', `The peer sent a ${type} as raw bytes.`)
    // A copy: a listener that keeps a small message would keep its whole frame alive.
    return { type, payload: new Uint8Array(bytes) }
  }
  if (!LARGE.has(type) && bytes.length > PROTOCOL.maxControl) {
    throw new TsunagiError('MESSAGE_TOO_LARGE', `The peer sent a ${type} of ${bytes.length} bytes.`)
  }
  return { type, payload: decodeAs(sessionPayloads[type], bytes, type) } as SessionMessage
}
