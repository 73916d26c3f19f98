/** One channel of a session: seals frames onto its link and opens those that come, each in order (SPEC §3.3). */
import { TsunagiError, toTsunagiError } from '../errors.ts'
import type { Channel } from '../handshake/channel.ts'
import { LIMITS } from '../limits.ts'
import type { LinkEvents } from '../links/link.ts'
import type { CryptoProvider, SigningKey } from '../ports.ts'
import { type Bytes, concat, equalBytes } from '../wire/bytes.ts'
import { type FrameBody, frameContext, nonceOf, readBody, readHeader, readSigned, writeFrame } from './frame.ts'

/** Frames signed at once: while one is on its way through the host's crypto threads the next is prepared. */
const SEALED_AT_ONCE = 2

export interface SecureChannelEvents {
  /** A frame was verified; frames come in the order of their counters. */
  frame(body: FrameBody, counter: number, size: number): void
  /** A frame was refused: altered, repeated, foreign or unsigned. Nothing of it was used. */
  refused(error: TsunagiError): void
  /** There is room for another frame. */
  room(): void
  /** Called once, last. */
  closed(reason: Error | undefined): void
}

export class SecureChannel {
  readonly channel: Channel
  /** What the link tells goes here. */
  readonly linkEvents: LinkEvents = {
    frame: (bytes) => this.#receive(bytes),
    drain: () => {
      if (!this.#closed) this.#events.room()
    },
    close: (reason) => this.#end(reason),
  }
  readonly #crypto: CryptoProvider
  readonly #key: SigningKey
  readonly #events: SecureChannelEvents
  readonly #sendContext: Bytes
  readonly #receiveContext: Bytes
  #nextCounter = 0
  #lastCounter = -1
  #sealing = 0
  #sealingBytes = 0
  #openingBytes = 0
  #emitted: Promise<unknown> = Promise.resolve()
  #opened: Promise<unknown> = Promise.resolve()
  #closed = false

  constructor(channel: Channel, crypto: CryptoProvider, key: SigningKey, events: SecureChannelEvents) {
    this.channel = channel
    this.#crypto = crypto
    this.#key = key
    this.#events = events
    this.#sendContext = frameContext(key.publicKey, channel.peer)
    this.#receiveContext = frameContext(channel.peer, key.publicKey)
  }

  /** Counter of the next frame to be sealed. */
  get nextCounter(): number {
    return this.#nextCounter
  }

  /** Whether another frame may be sealed now; where not, room() tells when. */
  get hasRoom(): boolean {
    if (this.#closed || this.#sealing >= SEALED_AT_ONCE) return false
    return this.channel.link.bufferedAmount + this.#sealingBytes < LIMITS.linkHighMark
  }

  /** Signs, encrypts and sends; frames leave in the order of the calls. */
  send(body: FrameBody): void {
    const { sessionId, epoch, link } = this.channel
    const counter = this.#nextCounter++
    const plain = writeFrame(this.#sendContext, sessionId, epoch, counter, body)
    const size = plain.plaintext.length
    this.#sealing++
    this.#sealingBytes += size
    const sealed = this.#seal(plain, counter)
    // Awaited in turn below; a failure that comes before its turn is not unhandled.
    sealed.catch(() => undefined)
    this.#emitted = this.#emitted
      .then(() => sealed)
      .then((frame) => {
        if (!this.#closed) link.send(frame)
      })
      .catch((cause: unknown) => this.#fail(toTsunagiError(cause, 'LINK_LOST', 'A frame could not be sealed.')))
      .then(() => {
        this.#sealing--
        this.#sealingBytes -= size
        if (!this.#closed) this.#events.room()
      })
  }

  close(): void {
    this.channel.link.close()
  }

  #receive(bytes: Bytes): void {
    if (this.#closed) return
    this.#openingBytes += bytes.length
    if (this.#openingBytes > 2 * LIMITS.receiveWindow) {
      this.#fail(new TsunagiError('CREDIT_EXCEEDED', 'The peer sent more than it was allowed to.'))
      return
    }
    const opened = this.#open(bytes)
    opened.catch(() => undefined)
    this.#opened = this.#opened
      .then(() => opened)
      .then(
        ({ body, counter }) => this.#take(body, counter, bytes.length),
        (cause: unknown) => this.#refuse(toTsunagiError(cause, 'INVALID_FORMAT', 'A frame of the peer is malformed.')),
      )
      .catch((cause: unknown) => this.#fail(toTsunagiError(cause, 'INVALID_STATE', 'A frame could not be handled.')))
      .then(() => {
        this.#openingBytes -= bytes.length
      })
  }

  async #seal(plain: ReturnType<typeof writeFrame>, counter: number): Promise<Bytes> {
    plain.signature.set(await this.#key.sign(plain.signed))
    return concat(plain.header, await this.channel.sendKey.seal(nonceOf(counter), plain.header, plain.plaintext))
  }

  async #open(frame: Bytes): Promise<{ body: FrameBody; counter: number }> {
    const { sessionId, epoch, peer, receiveKey } = this.channel
    const header = readHeader(frame)
    if (!equalBytes(header.sessionId, sessionId) || header.epoch !== epoch) {
      throw new TsunagiError('SESSION_NOT_FOUND', 'A frame of the peer belongs to another session or other keys.')
    }
    if (header.counter <= this.#lastCounter) throw repeated()
    const sealed = frame.subarray(header.bytes.length)
    const plaintext = await receiveKey.open(nonceOf(header.counter), header.bytes, sealed)
    const { signed, signature } = readSigned(this.#receiveContext, header.bytes, plaintext)
    if (!(await this.#crypto.verify(peer, signature, signed))) {
      throw new TsunagiError('INVALID_SIGNATURE', 'A frame is not signed by the peer of its session.')
    }
    return { body: readBody(plaintext), counter: header.counter }
  }

  #take(body: FrameBody, counter: number, size: number): void {
    if (this.#closed) return
    if (counter <= this.#lastCounter) {
      this.#refuse(repeated())
      return
    }
    this.#lastCounter = counter
    this.#events.frame(body, counter, size)
  }

  #refuse(error: TsunagiError): void {
    if (!this.#closed) this.#events.refused(error)
  }

  #fail(error: TsunagiError): void {
    this.channel.link.close()
    this.#end(error)
  }

  #end(reason: Error | undefined): void {
    if (this.#closed) return
    this.#closed = true
    this.#events.closed(reason)
  }
}

function repeated(): TsunagiError {
  return new TsunagiError('REPLAY_DETECTED', 'A frame of the peer came twice.')
}
