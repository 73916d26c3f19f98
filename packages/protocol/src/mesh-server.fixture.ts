/** A signaling server in memory. It checks no proof, since no peer may count on that; what else it does wrong a test decides. */
import { SIGNALING_CLOSE, type SignalingPayload } from './messages.ts'
import type { Clock, OpenSocket, Socket, SocketEvents } from './ports.ts'
import { decodeSignaling, encodeSignaling, type SignalingMessage } from './signaling/messages.ts'
import { type Bytes, equalBytes } from './wire/bytes.ts'

/** A sealed frame on its way. */
export interface Relay {
  readonly from: Bytes
  readonly to: Bytes
  readonly payload: Bytes
}

/** A wake-up that waits for its target. */
export interface Mail extends Relay {
  readonly expires: number
}

export class MeshServer {
  readonly #clock: Clock
  readonly #seats: Seat[] = []
  /** At most one for each pair. */
  #mails: Mail[] = []
  readonly #known = new Set<string>()
  /** Sees every byte that any peer sends. */
  onBytes: (bytes: Bytes) => void = () => undefined
  /** What becomes of a relayed frame. */
  onRelay: (relay: Relay) => void = (relay) => this.deliver(relay)
  /** What becomes of a wake-up. @returns what its sender is told */
  onWakeUp: (mail: Mail) => SignalingPayload<'wake_step'>['step'] = (mail) => this.keep(mail)
  /** Whether a push service takes pushes for a peer. */
  pushes: (peer: Bytes) => boolean = () => false
  /** Nobody listens there: sockets close before they open. */
  isDown = false
  /** Members that a welcome names at most. */
  sample = Number.POSITIVE_INFINITY
  /** Whether the members are told of one that joins. */
  tellsOfNewcomers = true
  /** The record that is shown for the member `of`. */
  shows: (record: Bytes, of: Bytes) => Bytes = (record) => record

  /** Whether a key that joins again loses its older socket. */
  replaces = true

  constructor(clock: Clock) {
    this.#clock = clock
  }

  readonly openSocket: OpenSocket = (_, events) => {
    if (this.isDown) {
      queueMicrotask(() => events.close(1006, ''))
      return { send: () => undefined, bufferedAmount: 0, close: () => undefined }
    }
    const seat: Seat = new Seat(
      events,
      (bytes) => this.#take(seat, bytes),
      () => this.#left(seat),
    )
    this.#seats.push(seat)
    const challenge = { challenge: new Uint8Array(32).fill(7), time: this.#clock.now(), max_message: 65_536 }
    seat.tell({ type: 'challenge', payload: challenge })
    return seat
  }

  /** Sockets that neither side has closed. */
  get openSockets(): number {
    return this.#seats.length
  }

  /** Hands a frame to its addressee, whoever it says it is from. */
  deliver({ from, to, payload }: Relay): void {
    this.#seatOf(to)?.tell({ type: 'relay', publicKey: from, payload })
  }

  /** Wake-ups that wait. */
  get mails(): readonly Mail[] {
    return this.#mails
  }

  keep(mail: Mail): SignalingPayload<'wake_step'>['step'] {
    const { from, to, expires } = mail
    if (expires <= this.#clock.now()) return 'expired'
    if (!this.#known.has(to.toString())) return 'unknown_peer'
    this.#mails = this.#mails.filter((other) => !equalBytes(other.from, from) || !equalBytes(other.to, to))
    this.#mails.push(mail)
    if (this.#seatOf(to) === undefined) return this.pushes(to) ? 'push' : 'mailbox'
    this.deliverMail(mail)
    return 'socket'
  }

  /** Its id is that of its sender, of whom there is one. */
  deliverMail({ from, to, payload }: Mail): void {
    this.#seatOf(to)?.tell({
      type: 'mail',
      payload: { mail_id: from.slice(0, 16), public_key: from, sealed: payload },
    })
  }

  tell(peer: Bytes, message: SignalingMessage): void {
    this.#seatOf(peer)?.tell(message)
  }

  /** Bytes to a peer as they are. */
  tellBytes(peer: Bytes, bytes: Bytes): void {
    this.#seatOf(peer)?.tellBytes(bytes)
  }

  /** Closes the socket of a peer, or all, and tells the other members. */
  drop(peer?: Bytes, code: number = SIGNALING_CLOSE.goingAway): void {
    for (const seat of [...this.#seats]) {
      if (peer !== undefined && (seat.key === undefined || !equalBytes(seat.key, peer))) continue
      this.#left(seat)
      seat.end(code)
    }
  }

  /** The page of a peer is gone: what it still sends comes from nowhere, and nothing reaches it. */
  forget(peer: Bytes): void {
    const seat = this.#seatOf(peer)
    if (seat === undefined) return
    this.#left(seat)
    seat.cutOff()
  }

  #seatOf(peer: Bytes): Seat | undefined {
    return this.#seats.find(({ key }) => key !== undefined && equalBytes(key, peer))
  }

  #take(seat: Seat, bytes: Bytes): void {
    this.onBytes(bytes)
    const message = decodeSignaling(bytes)
    if (message.type === 'join') this.#join(seat, message.payload)
    if (message.type === 'ping') seat.tell({ type: 'pong', payload: message.payload })
    if (message.type === 'wake_up' && seat.key !== undefined) this.#wakeUp(seat, seat.key, message.payload)
    if (message.type === 'mail_taken') this.#taken(seat, message.payload.mail_id)
    if (message.type === 'announce') seat.tags = message.payload.tags.map((tag) => tag.slice())
    if (message.type === 'discover') this.#discover(seat, message.payload.tag)
    if (message.type !== 'relay' || seat.key === undefined) return
    const { publicKey, payload } = message
    if (this.#seatOf(publicKey) !== undefined) {
      this.onRelay({ from: seat.key, to: publicKey.slice(), payload: payload.slice() })
    } else {
      const gone = { code: 'UNKNOWN_PEER', message: 'It is not here.', public_key: publicKey } as const
      seat.tell({ type: 'error', payload: gone })
    }
  }

  #wakeUp(seat: Seat, from: Bytes, { wake_id, public_key, expires, sealed }: SignalingPayload<'wake_up'>): void {
    const step = this.onWakeUp({ from, to: public_key.slice(), payload: sealed.slice(), expires })
    seat.tell({ type: 'wake_step', payload: { wake_id: wake_id.slice(), step } })
  }

  #taken({ key }: Seat, mailId: Bytes): void {
    this.#mails = this.#mails.filter(
      ({ from, to }) => key === undefined || !equalBytes(to, key) || !equalBytes(from.slice(0, 16), mailId),
    )
  }

  #join(seat: Seat, { public_key, presence }: SignalingPayload<'join'>): void {
    const key = public_key.slice()
    const older = this.#seatOf(key)
    if (older !== undefined && this.replaces) {
      this.#seats.splice(this.#seats.indexOf(older), 1)
      older.end(SIGNALING_CLOSE.replaced)
    }
    const others = this.#seats.filter((other) => other.key !== undefined)
    seat.sit(key, presence.slice())
    seat.tell({
      type: 'welcome',
      payload: {
        members: others.slice(0, this.sample).map((other) => this.shows(other.presence, other.key as Bytes)),
        total: others.length + 1,
        ice_servers: [],
      },
    })
    const joined = { event: 'joined', presence: this.shows(seat.presence, key) } as const
    for (const other of this.tellsOfNewcomers ? others : []) other.tell({ type: 'presence', payload: joined })
    this.#known.add(key.toString())
    this.#mails = this.#mails.filter(({ expires }) => expires > this.#clock.now())
    for (const mail of this.#mails) if (equalBytes(mail.to, key)) this.deliverMail(mail)
  }

  #discover(seat: Seat, tag: Bytes): void {
    const found = this.#seats.filter((other) => other !== seat && other.tags.some((known) => equalBytes(known, tag)))
    seat.tell({ type: 'found', payload: { tag: tag.slice(), members: found.map(({ presence }) => presence) } })
  }

  #left(seat: Seat): void {
    const at = this.#seats.indexOf(seat)
    if (at < 0) return
    this.#seats.splice(at, 1)
    if (seat.key === undefined) return
    const left = { event: 'left', public_key: seat.key } as const
    for (const other of this.#seats) if (other.key !== undefined) other.tell({ type: 'presence', payload: left })
  }
}

/** The server's end of a socket, and who has proven to sit there. */
class Seat implements Socket {
  readonly bufferedAmount = 0
  key: Bytes | undefined
  presence: Bytes = new Uint8Array()
  tags: Bytes[] = []
  readonly #events: SocketEvents
  readonly #take: (bytes: Bytes) => void
  readonly #left: () => void
  #closed = false

  constructor(events: SocketEvents, take: (bytes: Bytes) => void, left: () => void) {
    this.#events = events
    this.#take = take
    this.#left = left
  }

  sit(key: Bytes, presence: Bytes): void {
    this.key = key
    this.presence = presence
  }

  send(bytes: Bytes): void {
    this.#soon(() => this.#take(bytes))
  }

  tell(message: SignalingMessage): void {
    this.tellBytes(encodeSignaling(message))
  }

  tellBytes(bytes: Bytes): void {
    this.#soon(() => this.#events.message(bytes.slice()))
  }

  close(): void {
    this.end(1000)
    this.#left()
  }

  end(code: number): void {
    if (this.#closed) return
    this.#closed = true
    queueMicrotask(() => this.#events.close(code, ''))
  }

  cutOff(): void {
    this.#closed = true
  }

  /** As a network does: never from inside the call that caused it, and in order. */
  #soon(action: () => void): void {
    queueMicrotask(() => {
      if (!this.#closed) action()
    })
  }
}
