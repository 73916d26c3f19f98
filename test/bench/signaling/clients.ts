/** A client of each server that costs the process of all clients little: it joins, sends messages of 200 bytes, and gets them. */
import { once } from 'node:events'
import type { CryptoProvider } from '@tsunagi/protocol/signaling'
import { WebSocket } from 'ws'
import { LoadPeer } from '../../load/load-peer.ts'
import type { Kind } from './server.ts'

const SIZE = 200

export interface Client {
  /**
   * Fulfils when others can send to it. The server has had a message of it by then: what ws allocates for the first one and
   * keeps, ours has of the join.
   */
  join(): Promise<void>
  /** A message that carries the time. */
  send(to: Client): void
  leave(): void
  /** Called for each message with the time that it carries. */
  onMessage: (sentAt: number) => void
}

export async function makeClient(kind: Kind, port: number, crypto: CryptoProvider): Promise<Client> {
  if (kind === 'bare') return new BareClient(port)
  if (kind === 'peerserver') return new PeerServerClient(port)
  const mesh = new Uint8Array(32).fill(7)
  return new TsunagiClient(port, new LoadPeer(crypto, await crypto.generateSigningKey(), mesh))
}

class BareClient implements Client {
  onMessage: Client['onMessage'] = () => undefined
  readonly #url: string
  #socket: WebSocket | undefined
  #number = 0

  constructor(port: number) {
    this.#url = `ws://127.0.0.1:${port}`
  }

  async join(): Promise<void> {
    const socket = new WebSocket(this.#url, { perMessageDeflate: false })
    this.#socket = socket
    const [number] = (await once(socket, 'message')) as [Buffer]
    this.#number = number.readUInt32BE()
    this.send(this)
    await once(socket, 'message')
    socket.on('message', (data: Buffer) => this.onMessage(data.readDoubleLE(4)))
  }

  send(to: BareClient): void {
    const message = Buffer.alloc(4 + SIZE)
    message.writeUInt32BE(to.#number)
    message.writeDoubleLE(performance.now(), 4)
    this.#socket?.send(message)
  }

  leave(): void {
    this.#socket?.terminate()
  }
}

/** As PeerJS speaks to it, with an offer that is only as long as the others' messages. */
class PeerServerClient implements Client {
  onMessage: Client['onMessage'] = () => undefined
  readonly #url: string
  readonly #id = crypto.randomUUID()
  #socket: WebSocket | undefined

  constructor(port: number) {
    this.#url = `ws://127.0.0.1:${port}/peerjs?key=peerjs&id=${this.#id}&token=${this.#id.slice(0, 8)}`
  }

  async join(): Promise<void> {
    const socket = new WebSocket(this.#url, { perMessageDeflate: false })
    this.#socket = socket
    const [open] = (await once(socket, 'message')) as [Buffer]
    if (JSON.parse(String(open)).type !== 'OPEN') throw new Error(`PeerServer said ${open}.`)
    this.send(this)
    await once(socket, 'message')
    socket.on('message', (data) => this.onMessage(Number.parseFloat(JSON.parse(String(data)).payload)))
  }

  send(to: PeerServerClient): void {
    const payload = `${performance.now()} `.padEnd(SIZE, 'x')
    this.#socket?.send(JSON.stringify({ type: 'OFFER', dst: to.#id, payload }))
  }

  leave(): void {
    this.#socket?.terminate()
  }
}

class TsunagiClient implements Client {
  onMessage: Client['onMessage'] = () => undefined
  readonly #url: string
  readonly #peer: LoadPeer

  constructor(port: number, peer: LoadPeer) {
    this.#url = `http://127.0.0.1:${port}`
    this.#peer = peer
    peer.onRelay = (payload) => this.onMessage(payload.readDoubleLE(0))
    peer.onError = () => {
      throw new Error('The server refused a message.')
    }
  }

  join(): Promise<void> {
    return this.#peer.join(this.#url)
  }

  send(to: TsunagiClient): void {
    const payload = new Uint8Array(SIZE)
    new DataView(payload.buffer).setFloat64(0, performance.now(), true)
    this.#peer.relay(to.#peer.key.publicKey, payload)
  }

  leave(): void {
    this.#peer.leave()
  }
}
