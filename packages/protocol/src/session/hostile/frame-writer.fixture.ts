/** Writes frames by hand, with whatever keys its user has: what a correct session would never send. */
import type { Channel } from '../../handshake/channel.ts'
import { SESSION_TYPES, type SessionType } from '../../messages.ts'
import type { SigningKey } from '../../ports.ts'
import { type Bytes, concat, utf8 } from '../../wire/bytes.ts'
import { type FrameBody, frameContext, nonceOf, type Record, signedBytes, writeFrame } from '../frame.ts'

export interface FrameChanges extends Partial<FrameBody> {
  readonly epoch?: number
  readonly counter?: number
  readonly sessionId?: Bytes
  /** Whom the signature names as sender and recipient. */
  readonly signedAs?: { readonly sender: Bytes; readonly recipient: Bytes }
  /** Changes the body's bytes before they are signed. */
  readonly mangle?: (body: Bytes) => void
}

export function record(payload: Bytes | string, changes: Partial<Record> = {}): Record {
  const bytes = typeof payload === 'string' ? utf8(payload) : payload
  return { type: SESSION_TYPES.message, raw: true, more: false, durable: false, lane: 1, payload: bytes, ...changes }
}

export const typed = (type: SessionType, payload: Bytes): Record =>
  record(payload, { type: SESSION_TYPES[type], raw: false })

export class FrameWriter {
  readonly #channel: Channel
  readonly #key: SigningKey
  #counter: number

  /** @param counter number of the first frame */
  constructor(channel: Channel, key: SigningKey, counter: number) {
    this.#channel = channel
    this.#key = key
    this.#counter = counter
  }

  /** One frame, sealed with the channel's key. */
  async write(changes: FrameChanges): Promise<Bytes> {
    const { sessionId, epoch, peer, sendKeys } = this.#channel
    const counter = changes.counter ?? this.#counter++
    const { sender, recipient } = changes.signedAs ?? { sender: this.#key.publicKey, recipient: peer }
    const plain = writeFrame(changes.sessionId ?? sessionId, changes.epoch ?? epoch, counter, {
      prompt: true,
      resend: false,
      provisional: false,
      ack: 1,
      window: 1_000_000,
      first: 1,
      records: [],
      ...changes,
    })
    changes.mangle?.(plain.plaintext)
    const sha256 = async (bytes: Uint8Array) =>
      new Uint8Array(await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>))
    const signed = await signedBytes({ sha256 }, frameContext(sender, recipient), plain.header, plain.body)
    plain.signature.set(await this.#key.sign(signed))
    return concat(plain.header, await sendKeys.key.seal(nonceOf(counter), plain.header, plain.plaintext))
  }

  /** Sends it past the session that has the channel. */
  async send(changes: FrameChanges): Promise<void> {
    this.#channel.link.send(await this.write(changes))
  }
}
