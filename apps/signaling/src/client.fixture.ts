/** A peer's side of the signaling wire, for tests and load tools. What it receives waits until it is asked for. */
import {
  type Bytes,
  type CryptoProvider,
  decodeSignaling,
  encodeSignaling,
  PROTOCOL,
  type SignalingMessage,
  type SignalingPayload,
  type SigningKey,
  sealOpenFrame,
  signalingProof,
} from '@tsunagi/protocol/signaling'
import { type ClientOptions, WebSocket } from 'ws'
import { SIGNALING_PATH } from './gate.ts'

export type Join = SignalingPayload<'join'>
type Received<T> = SignalingMessage & { readonly type: T }

/** What a join is signed over. */
export interface JoinTerms {
  readonly challenge: Bytes
  /** The server as the peer addressed it, `ws://host:port`. */
  readonly origin: string
  readonly meshId: Bytes
  readonly presence: Bytes
}

export class SignalingClient {
  readonly socket: WebSocket
  readonly origin: string
  /** Fulfils at the end of the socket. */
  readonly closed: Promise<{ code: number; reason: string }>
  readonly #received: SignalingMessage[] = []
  #wake: () => void = () => undefined

  /** @param url the server's address as it prints it, `http://localhost:8787` */
  constructor(url: string, options: ClientOptions = {}) {
    this.origin = url.replace(/^http/, 'ws')
    this.socket = new WebSocket(this.origin + SIGNALING_PATH, { perMessageDeflate: false, ...options })
    this.socket.on('message', (data) => {
      this.#received.push(decodeSignaling(new Uint8Array(data as Buffer)))
      this.#wake()
    })
    this.closed = new Promise((resolve, reject) => {
      this.socket.on('error', reject)
      this.socket.on('close', (code, reason) => {
        resolve({ code, reason: reason.toString() })
        this.#wake()
      })
    })
    // Whoever waits for a message or for the end gets the failure; nobody needs it twice.
    this.closed.catch(() => this.#wake())
  }

  /** The next message. Rejects where it is of another type, and where the socket ended before there was one. */
  async next<T extends SignalingMessage['type']>(type: T): Promise<Received<T>> {
    while (this.#received.length === 0) {
      if (this.socket.readyState === WebSocket.CLOSED) {
        const { code, reason } = await this.closed
        throw new Error(`Waited for a ${type}, but the socket closed: ${code} ${reason}`)
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    const message = this.#received.shift() as SignalingMessage
    if (message.type !== type) {
      const detail = message.type === 'error' ? ` ${message.payload.code} ${message.payload.message}` : ''
      throw new Error(`Waited for a ${type}, but got a ${message.type}${detail}`)
    }
    return message as Received<T>
  }

  /** All that comes, to the end of the socket. Not to be mixed with next(). */
  async *messages(): AsyncGenerator<SignalingMessage> {
    while (this.#received.length > 0 || this.socket.readyState !== WebSocket.CLOSED) {
      const message = this.#received.shift()
      if (message) yield message
      else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
      }
    }
  }

  send(message: SignalingMessage): void {
    this.socket.send(encodeSignaling(message))
  }

  relay(publicKey: Bytes, payload: Bytes): void {
    this.send({ type: 'relay', publicKey, payload })
  }

  /** A round trip: what the server sent before its pong has arrived, and nothing else waits. Rejects where something does. */
  async ping(): Promise<void> {
    this.send({ type: 'ping', payload: new Uint8Array([1]) })
    await this.next('pong')
  }

  /** Waits for the challenge and signs what answers it. */
  async joinFor(crypto: CryptoProvider, key: SigningKey, meshId: Bytes, origin = this.origin): Promise<Join> {
    const { challenge, time } = (await this.next('challenge')).payload
    const presence = await presenceRecord(crypto, key, meshId, time)
    return signedJoin(key, { challenge, origin, meshId, presence })
  }

  /** Proves the key and enters the mesh. @returns the welcome */
  async join(crypto: CryptoProvider, key: SigningKey, meshId: Bytes): Promise<SignalingPayload<'welcome'>> {
    this.send({ type: 'join', payload: await this.joinFor(crypto, key, meshId) })
    return (await this.next('welcome')).payload
  }
}

export async function signedJoin(key: SigningKey, { challenge, origin, meshId, presence }: JoinTerms): Promise<Join> {
  const join = { version: PROTOCOL.version, origin, mesh_id: meshId, public_key: key.publicKey, presence }
  return { ...join, signature: await key.sign(signalingProof(challenge, join)) }
}

/** @param now milliseconds since 1970 */
export async function presenceRecord(
  crypto: CryptoProvider,
  key: SigningKey,
  meshId: Bytes,
  now: number,
  notAfter = now + PROTOCOL.introductionKeyLife,
): Promise<Bytes> {
  const { publicKey } = await crypto.generateEphemeralKey()
  return sealOpenFrame(crypto, key, {
    type: 'discovery',
    recipient: new Uint8Array(32),
    session: new Uint8Array(16),
    timestamp: now,
    payload: { mesh_id: meshId, introduction_key: publicKey, not_after: notAfter },
  })
}
