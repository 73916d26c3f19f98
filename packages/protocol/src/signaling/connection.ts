/** One socket to the server, from its opening to its end: opening → joining → online → ended (SPEC §10). */
import { TsunagiError, toTsunagiError } from '../errors.ts'
import { LIMITS, PROTOCOL } from '../limits.ts'
import { SIGNALING_TYPES, type SignalingPayload, type SignalingType } from '../messages.ts'
import type { Clock, OpenSocket, Socket } from '../ports.ts'
import type { Bytes } from '../wire/bytes.ts'
import { decodeSignaling, encodeSignaling, type SignalingMessage } from './messages.ts'

type State = 'opening' | 'joining' | 'online' | 'ended'

/** What is taken from the server in which state; anything else ends the connection. */
const ACCEPTED: Record<State, readonly SignalingType[]> = {
  opening: ['challenge'],
  joining: ['welcome', 'error'],
  online: ['presence', 'relay', 'error', 'pong', 'found', 'ice_servers', 'mail', 'wake_step', 'push_state'],
  ended: [],
}

/** Called one after the other in the server's order, each when the promise of the one before has settled. */
export interface ConnectionEvents {
  /** Answers a challenge. */
  challenge(payload: SignalingPayload<'challenge'>): Promise<SignalingPayload<'join'>>
  welcome(payload: SignalingPayload<'welcome'>): Promise<void>
  presence(payload: SignalingPayload<'presence'>): Promise<void>
  relay(sender: Bytes, sealed: Bytes): Promise<void>
  found(payload: SignalingPayload<'found'>): Promise<void>
  iceServers(payload: SignalingPayload<'ice_servers'>): void
  mail(payload: SignalingPayload<'mail'>): Promise<void>
  wakeStep(payload: SignalingPayload<'wake_step'>): void
  pushState(payload: SignalingPayload<'push_state'>): void
  error(payload: SignalingPayload<'error'>): void
  /** A relayed frame was dropped: more came than could be opened. */
  overflow(): void
  /** What the server sent could not be handled, so the connection ends. */
  refused(error: TsunagiError): void
  /** Once and last, unless close() was called. `code` is the server's close code, undefined where this side gave up. */
  ended(code: number | undefined, reason: string): void
}

export class Connection {
  readonly #clock: Clock
  readonly #events: ConnectionEvents
  #state: State = 'opening'
  #socket: Socket | undefined
  /** The socket has closed; what it brought before is still worked through. */
  #socketClosed = false
  /** Milliseconds that timers have counted since something was heard: a clock that is set is no silence. */
  #silence = 0
  #cancelWatch: (() => void) | undefined
  #onlineSince: number | undefined
  #maxMessage = 0
  #backlog = 0
  #order: Promise<void> = Promise.resolve()

  constructor(clock: Clock, events: ConnectionEvents) {
    this.#clock = clock
    this.#events = events
  }

  get hasEnded(): boolean {
    return this.#state === 'ended'
  }

  get isOnline(): boolean {
    return this.#state === 'online' && !this.#socketClosed
  }

  /** Milliseconds since the welcome. */
  get age(): number {
    return this.#onlineSince === undefined ? 0 : this.#clock.now() - this.#onlineSince
  }

  /** Bytes of one message that the server takes, 0 before its challenge. */
  get maxMessage(): number {
    return this.#maxMessage
  }

  get bufferedAmount(): number {
    return this.#socket?.bufferedAmount ?? 0
  }

  /** Call once. */
  open(openSocket: OpenSocket, url: string): void {
    this.#watch(LIMITS.signalingPing)
    this.#socket = openSocket(url, {
      // The server speaks first.
      open: () => undefined,
      message: (data) => this.#receive(data),
      close: (code, reason) => {
        this.#socketClosed = true
        this.#inOrder(() => this.#end(code, reason))
      },
    })
  }

  /** Hands a message to the socket. Does nothing once that has closed. */
  send(message: SignalingMessage): void {
    if (!this.hasEnded && !this.#socketClosed) this.#socket?.send(encodeSignaling(message))
  }

  /** The server has to show soon that it is still there. Asked again meanwhile, it gets no more time. */
  probe(): void {
    if (!this.isOnline || this.#silence >= LIMITS.signalingSilence - LIMITS.signalingProbe) return
    this.#silence = LIMITS.signalingSilence - LIMITS.signalingProbe
    this.#ping()
    this.#watch(LIMITS.signalingProbe)
  }

  /** Gives this socket up, so that ended() is told. */
  drop(): void {
    this.#end()
  }

  /** Ends it; nothing more is told. Idempotent. */
  close(): void {
    if (this.hasEnded) return
    this.#state = 'ended'
    this.#cancelWatch?.()
    this.#socket?.close()
  }

  #end(code?: number, reason = ''): void {
    if (this.hasEnded) return
    this.close()
    this.#events.ended(code, reason)
  }

  #refuse(error: TsunagiError): void {
    if (this.hasEnded) return
    this.#events.refused(error)
    this.drop()
  }

  #receive(data: Bytes): void {
    if (this.hasEnded) return
    if (this.#state === 'online') this.#silence = 0
    if (this.#backlog + data.length > LIMITS.maxSignalingBacklog) {
      // Any member may cause this by relays and wake-ups, and a lost one is sent again. The rest is the server's own doing.
      if (data[0] === SIGNALING_TYPES.relay || data[0] === SIGNALING_TYPES.mail) this.#events.overflow()
      else this.#refuse(new TsunagiError('QUEUE_FULL', 'The signaling server sends faster than this page can read.'))
      return
    }
    this.#backlog += data.length
    this.#inOrder(async () => {
      this.#backlog -= data.length
      await this.#handle(data)
    })
  }

  #inOrder(action: () => void | Promise<void>): void {
    const why = 'What the signaling server sent could not be handled.'
    this.#order = this.#order
      .then(() => (this.hasEnded ? undefined : action()))
      .catch((cause: unknown) => this.#refuse(toTsunagiError(cause, 'INVALID_STATE', why)))
  }

  async #handle(data: Bytes): Promise<void> {
    const message = decodeSignaling(data)
    if (!ACCEPTED[this.#state].includes(message.type)) {
      throw new TsunagiError('INVALID_STATE', `The signaling server sent a ${message.type} while ${this.#state}.`)
    }
    switch (message.type) {
      case 'challenge': {
        this.#state = 'joining'
        this.#maxMessage = Math.min(message.payload.max_message, PROTOCOL.maxSignaling)
        const join = await this.#events.challenge(message.payload)
        return this.send({ type: 'join', payload: join })
      }
      case 'welcome':
        this.#state = 'online'
        this.#onlineSince = this.#clock.now()
        return this.#events.welcome(message.payload)
      case 'presence':
        return this.#events.presence(message.payload)
      case 'relay':
        return this.#events.relay(message.publicKey, message.payload)
      case 'found':
        return this.#events.found(message.payload)
      case 'ice_servers':
        return this.#events.iceServers(message.payload)
      case 'mail':
        return this.#events.mail(message.payload)
      case 'wake_step':
        return this.#events.wakeStep(message.payload)
      case 'push_state':
        return this.#events.pushState(message.payload)
      case 'error':
        return this.#events.error(message.payload)
      // That it was heard is all a pong says; what only peers send is refused above.
    }
  }

  #watch(delay: number): void {
    this.#cancelWatch?.()
    this.#cancelWatch = this.#clock.after(delay, () => {
      this.#silence += delay
      if (this.#silence >= LIMITS.signalingSilence) return this.drop()
      this.#ping()
      this.#watch(Math.min(LIMITS.signalingPing, LIMITS.signalingSilence - this.#silence))
    })
  }

  #ping(): void {
    if (this.#state === 'online') this.send({ type: 'ping', payload: new Uint8Array() })
  }
}
