/** A signaling server that does what the test says, message by message. */
import type { IceServer, SignalingType } from '../messages.ts'
import type { Clock, OpenSocket, Socket, SocketEvents } from '../ports.ts'
import type { Bytes } from '../wire/bytes.ts'
import { decodeSignaling, encodeSignaling, type SignalingMessage } from './messages.ts'

export interface Welcome {
  readonly members?: Bytes[]
  /** Default: all that the welcome names, and the newcomer. */
  readonly total?: number
  readonly iceServers?: IceServer[]
}

export class ScriptedServer {
  readonly sockets: ScriptedSocket[] = []
  readonly urls: string[] = []
  maxMessage = 65_536
  readonly #clock: Clock
  /** How far the server's clock is ahead of the peer's, in milliseconds. */
  readonly #ahead: number

  constructor(clock: Clock, ahead = 0) {
    this.#clock = clock
    this.#ahead = ahead
  }

  readonly openSocket: OpenSocket = (url, events) => {
    const socket = new ScriptedSocket(events)
    this.urls.push(url)
    this.sockets.push(socket)
    return socket
  }

  now(): number {
    return this.#clock.now() + this.#ahead
  }

  /** The newest socket. */
  get socket(): ScriptedSocket {
    const socket = this.sockets.at(-1)
    if (socket === undefined) throw new Error('No socket was opened.')
    return socket
  }

  challenge(): void {
    this.socket.tell({
      type: 'challenge',
      payload: { challenge: new Uint8Array(32).fill(7), time: this.now(), max_message: this.maxMessage },
    })
  }

  /** Challenges the newest socket, waits for its join, and welcomes it without a look at the proof. */
  async admit({ members = [], total = members.length + 1, iceServers = [] }: Welcome = {}): Promise<void> {
    this.challenge()
    await this.socket.next('join')
    this.socket.tell({ type: 'welcome', payload: { members, total, ice_servers: iceServers } })
  }

  /** Every byte any peer sent to this server. */
  get everything(): Bytes[] {
    return this.sockets.flatMap((socket) => socket.bytes)
  }
}

type Received<T> = Extract<SignalingMessage, { type: T }>

/** The server's end of one socket. */
export class ScriptedSocket implements Socket {
  readonly bytes: Bytes[] = []
  readonly received: SignalingMessage[] = []
  bufferedAmount = 0
  closedByPeer = false
  /** Fulfils when the peer has closed its side, which it also does after the server ended the socket. */
  readonly closed: Promise<void>
  readonly #events: SocketEvents
  #taken = 0
  #closed: () => void = () => undefined
  #wake: () => void = () => undefined

  constructor(events: SocketEvents) {
    this.#events = events
    this.closed = new Promise((resolve) => {
      this.#closed = resolve
    })
  }

  send(data: Bytes): void {
    if (this.closedByPeer) throw new Error('A message was sent on a socket that its own side had closed.')
    this.bytes.push(data)
    this.received.push(decodeSignaling(data))
    this.#wake()
  }

  close(): void {
    if (this.closedByPeer) return
    this.closedByPeer = true
    this.#closed()
    queueMicrotask(() => this.#events.close(1000, ''))
  }

  /** The next message of that type; what came before it is passed over. */
  async next<T extends SignalingType>(type: T): Promise<Received<T>> {
    for (;;) {
      while (this.#taken < this.received.length) {
        const message = this.received[this.#taken++]
        if (message?.type === type) return message as Received<T>
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  count(type: SignalingType): number {
    return this.received.filter((message) => message.type === type).length
  }

  tell(message: SignalingMessage): void {
    this.tellBytes(encodeSignaling(message))
  }

  tellBytes(data: Bytes): void {
    this.#events.message(data)
  }

  joined(presence: Bytes): void {
    this.tell({ type: 'presence', payload: { event: 'joined', presence } })
  }

  left(publicKey: Bytes): void {
    this.tell({ type: 'presence', payload: { event: 'left', public_key: publicKey } })
  }

  relay(publicKey: Bytes, payload: Bytes): void {
    this.tell({ type: 'relay', publicKey, payload })
  }

  /** The server's side, or the network, ends the socket. */
  end(code = 1006, reason = ''): void {
    this.#events.close(code, reason)
  }
}
