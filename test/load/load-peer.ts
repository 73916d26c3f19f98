/**
 * A peer that costs its process little, so that thousands of them can load a server: it proves a key and counts what comes,
 * and looks at nothing that it does not need.
 */
import { once } from 'node:events'
import {
  type Bytes,
  type CryptoProvider,
  decodeSignaling,
  encodeSignaling,
  SIGNALING_TYPES,
  type SigningKey,
} from '@tsunagi/protocol/signaling'
import { SIGNALING_PATH } from '@tsunagi/signaling'
import { type ClientOptions, WebSocket } from 'ws'
import { presenceRecord, signedJoin } from '../../apps/signaling/src/client.fixture.ts'

const RELAY_PAYLOAD = 33
const FIRST_BACKOFF = 500
const MOST_BACKOFF = 30_000

export class LoadPeer {
  readonly key: SigningKey
  /** Called with the payload of each relay. */
  onRelay: (payload: Buffer) => void = () => undefined
  onPong: (payload: Buffer) => void = () => undefined
  onError: () => void = () => undefined
  /** Attempts that the server refused before there was a socket. */
  refusals = 0
  errors = 0
  readonly #crypto: CryptoProvider
  readonly #meshId: Bytes
  #socket: WebSocket | undefined

  readonly #options: ClientOptions

  /** @param options such as the address it comes from: all of 127.0.0.0/8 is this machine */
  constructor(crypto: CryptoProvider, key: SigningKey, meshId: Bytes, options: ClientOptions = {}) {
    this.#crypto = crypto
    this.key = key
    this.#meshId = meshId
    this.#options = options
  }

  get isOpen(): boolean {
    return this.#socket?.readyState === WebSocket.OPEN
  }

  /** Fulfils when the socket has closed, with its code. */
  async closed(): Promise<number> {
    const [code] = await once(this.#socket as WebSocket, 'close')
    return code
  }

  /** Fulfils with the welcome. Rejects where the socket is refused or closes before. */
  join(url: string): Promise<void> {
    const origin = url.replace(/^http/, 'ws')
    const socket = new WebSocket(origin + SIGNALING_PATH, { perMessageDeflate: false, ...this.#options })
    this.#socket = socket
    return new Promise((resolve, reject) => {
      socket.on('error', reject)
      socket.on('close', (code) => reject(new Error(`The socket closed with ${code}.`)))
      socket.on('message', (data: Buffer) => {
        switch (data[0]) {
          case SIGNALING_TYPES.relay:
            this.onRelay(data.subarray(RELAY_PAYLOAD))
            break
          case SIGNALING_TYPES.error:
            this.errors++
            this.onError()
            break
          case SIGNALING_TYPES.pong:
            this.onPong(data.subarray(1))
            break
          case SIGNALING_TYPES.welcome:
            resolve()
            break
          case SIGNALING_TYPES.challenge:
            this.#prove(socket, origin, new Uint8Array(data)).catch(reject)
        }
      })
    })
  }

  /** As a client does: again and again, after a full-jitter back-off. Fulfils with the welcome. */
  async comeBack(url: string): Promise<void> {
    for (let bound = FIRST_BACKOFF; ; bound = Math.min(MOST_BACKOFF, 2 * bound)) {
      await new Promise((resolve) => setTimeout(resolve, Math.random() * bound))
      try {
        await this.join(url)
        return
      } catch {
        this.refusals++
      }
    }
  }

  relay(to: Bytes, payload: Bytes): void {
    this.#socket?.send(encodeSignaling({ type: 'relay', publicKey: to, payload }))
  }

  ping(payload: Bytes): void {
    this.#socket?.send(encodeSignaling({ type: 'ping', payload }))
  }

  /** Reads nothing more, so that no ping of the server is answered either. */
  fallAsleep(): void {
    this.#socket?.pause()
  }

  leave(): void {
    this.#socket?.terminate()
  }

  async #prove(socket: WebSocket, origin: string, data: Bytes): Promise<void> {
    const message = decodeSignaling(data)
    if (message.type !== 'challenge') return
    const { challenge, time } = message.payload
    const presence = await presenceRecord(this.#crypto, this.key, this.#meshId, time)
    const payload = await signedJoin(this.key, { challenge, origin, meshId: this.#meshId, presence })
    socket.send(encodeSignaling({ type: 'join', payload }))
  }
}

/** @returns in the order of the items, at most `width` under way at once */
export async function eachOf<T>(items: readonly T[], width: number, action: (item: T) => Promise<void>): Promise<void> {
  const queue = items[Symbol.iterator]()
  const work = async () => {
    for (const item of queue) await action(item)
  }
  await Promise.all(Array.from({ length: width }, work))
}
