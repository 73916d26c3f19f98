/** One channel of a session: seals frames onto its link and opens those that come, each in order (SPEC §3.3). */
import { TsunagiError, toTsunagiError } from '../errors.ts'
import type { Channel } from '../handshake/channel.ts'
import type { KeyChain } from '../handshake/key-schedule.ts'
import { LIMITS } from '../limits.ts'
import type { LinkEvents } from '../links/link.ts'
import type { Clock, CryptoProvider, SigningKey } from '../ports.ts'
import { type Bytes, equalBytes } from '../wire/bytes.ts'
import {
  FRAME_OVERHEAD,
  type FrameBody,
  frameContext,
  nonceOf,
  type PlainFrame,
  readBody,
  readHeader,
  signedBytes,
  splitSignature,
  writeFrame,
} from './frame.ts'
import { LinkPace } from './link-pace.ts'
import { ReceiveKeys } from './receive-keys.ts'

/** Frames signed at once: while one is on its way through the host's crypto threads the next is prepared. */
const SEALED_AT_ONCE = 2

/** Which frame under which key: never the same twice. */
export interface FrameNumber {
  readonly epoch: number
  readonly counter: number
}

export interface SecureChannelHost {
  readonly clock: Clock
  readonly crypto: CryptoProvider
  readonly key: SigningKey
}

export interface SecureChannelEvents {
  /** A frame was verified; frames come in the order of their counters. */
  frame(body: FrameBody, number: FrameNumber, size: number): void
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
  readonly #host: SecureChannelHost
  readonly #events: SecureChannelEvents
  readonly #sendContext: Bytes
  readonly #receiveContext: Bytes
  readonly #receiveKeys: ReceiveKeys
  readonly #pace: LinkPace
  #sendKeys: Promise<KeyChain>
  #sendEpoch: number
  #sendingSince: number
  #sentBytes = 0
  #nextCounter = 0
  #lastCounter = -1
  #sealing = 0
  #sealingBytes = 0
  #openingBytes = 0
  #emitted: Promise<unknown> = Promise.resolve()
  #opened: Promise<unknown> = Promise.resolve()
  /** Buffers of frames that have left, for the next ones: at most as many as are sealed at once. */
  readonly #written: Bytes[] = []
  #leaving: Bytes = new Uint8Array()
  #closed = false

  constructor(channel: Channel, host: SecureChannelHost, events: SecureChannelEvents) {
    const { publicKey } = host.key
    this.channel = channel
    this.#host = host
    this.#events = events
    this.#sendContext = frameContext(publicKey, channel.peer)
    this.#receiveContext = frameContext(channel.peer, publicKey)
    this.#receiveKeys = new ReceiveKeys(channel.receiveKeys, channel.epoch)
    this.#pace = new LinkPace(host.clock)
    this.#sendKeys = Promise.resolve(channel.sendKeys)
    this.#sendEpoch = channel.epoch
    this.#sendingSince = host.clock.now()
  }

  /** The lowest epoch that neither side has used. */
  get unusedEpoch(): number {
    return Math.max(this.#sendEpoch, this.#receiveKeys.epoch) + 1
  }

  /** Bytes that the other side may have on their way to us here. */
  get window(): number {
    return this.channel.link.kind === 'relay' ? LIMITS.relayWindow : LIMITS.receiveWindow
  }

  /** Whether another frame may be sealed now; where not, room() tells when. */
  get hasRoom(): boolean {
    if (this.#closed || this.#sealing >= SEALED_AT_ONCE) return false
    return this.channel.link.bufferedAmount + this.#sealingBytes < this.#highMark
  }

  /** Bytes of records that the next frame is filled up to. */
  get frameTarget(): number {
    const { kind, maxFrame } = this.channel.link
    return kind === 'relay' ? LIMITS.recordSize : Math.min(this.#pace.frameTarget, maxFrame - FRAME_OVERHEAD)
  }

  /** Signs, encrypts and sends; frames leave in the order of the calls. */
  send(body: FrameBody): FrameNumber {
    const { sessionId } = this.channel
    this.#rekeyWhereDue()
    const epoch = this.#sendEpoch
    const counter = this.#nextCounter++
    const plain = writeFrame(sessionId, epoch, counter, body, this.#written.pop())
    const size = plain.plaintext.length
    this.#sealing++
    this.#sealingBytes += size
    this.#sentBytes += size
    const sealed = this.#seal(plain, counter, this.#sendKeys)
    // Awaited in turn below; a failure that comes before its turn is not unhandled.
    sealed.catch(() => undefined)
    this.#emitted = this.#emitted
      .then(() => sealed)
      .then((bytes) => {
        if (!this.#closed) this.#emit(plain.header, bytes)
        this.#written.push(plain.buffer)
      })
      .catch((cause: unknown) => this.#fail(toTsunagiError(cause, 'LINK_LOST', 'A frame could not be sealed.')))
      .then(() => {
        this.#sealing--
        this.#sealingBytes -= size
        if (!this.#closed) this.#events.room()
      })
    return { epoch, counter }
  }

  close(): void {
    this.channel.link.close()
  }

  get #highMark(): number {
    return this.channel.link.kind === 'relay' ? LIMITS.relayHighMark : this.#pace.highMark
  }

  /** Without a pause: the next key is derived while frames wait for their signatures anyway. */
  #rekeyWhereDue(): void {
    const now = this.#host.clock.now()
    const isDue =
      this.#nextCounter >= LIMITS.rekeyFrames ||
      this.#sentBytes >= LIMITS.rekeyBytes ||
      (this.#nextCounter > 0 && Math.abs(now - this.#sendingSince) >= LIMITS.rekeyAfter)
    if (!isDue) return
    this.#sendKeys = this.#sendKeys.then((chain) => chain.next())
    this.#sendEpoch++
    this.#sendingSince = now
    this.#nextCounter = 0
    this.#sentBytes = 0
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
        ({ body, number }) => this.#take(body, number, bytes.length),
        (cause: unknown) => this.#refuse(toTsunagiError(cause, 'INVALID_FORMAT', 'A frame of the peer is malformed.')),
      )
      .catch((cause: unknown) => this.#fail(toTsunagiError(cause, 'INVALID_STATE', 'A frame could not be handled.')))
      .then(() => {
        this.#openingBytes -= bytes.length
      })
  }

  async #seal(plain: PlainFrame, counter: number, keys: Promise<KeyChain>): Promise<Bytes> {
    const { crypto, key: signing } = this.#host
    const signed = await signedBytes(crypto, this.#sendContext, plain.header, plain.body)
    plain.signature.set(await signing.sign(signed))
    const { key } = await keys
    return key.seal(nonceOf(counter), plain.header, plain.plaintext)
  }

  /** A link has copied what it needs when send() returns, so that all large frames leave by one buffer. */
  #emit(header: Bytes, sealed: Bytes): void {
    const size = header.length + sealed.length
    if (this.#leaving.length < size) this.#leaving = new Uint8Array(size)
    this.#leaving.set(header)
    this.#leaving.set(sealed, header.length)
    const { link } = this.channel
    this.#pace.hand(size, link.bufferedAmount)
    link.lowMark = this.#highMark / 2
    link.send(this.#leaving.subarray(0, size))
  }

  async #open(frame: Bytes): Promise<{ readonly body: FrameBody; readonly number: FrameNumber }> {
    const { sessionId, peer } = this.channel
    const { bytes, epoch, counter, ...named } = readHeader(frame)
    if (!equalBytes(named.sessionId, sessionId)) {
      throw new TsunagiError('SESSION_NOT_FOUND', 'A frame of the peer belongs to another session.')
    }
    if (this.#isRepeated({ epoch, counter })) throw repeated()
    const header = bytes.slice()
    const ready = this.#receiveKeys.ready(epoch)
    // The host's crypto copies what it is given when it is called, which spares the copy that waiting for a key takes.
    const sealed = ready === undefined ? frame.slice(header.length) : frame.subarray(header.length)
    const key = ready ?? (await this.#receiveKeys.keyOf(epoch))
    const plaintext = await key.open(nonceOf(counter), header, sealed)
    const { body, signature } = splitSignature(plaintext)
    const { crypto } = this.#host
    const signed = await signedBytes(crypto, this.#receiveContext, header, body)
    if (!(await crypto.verify(peer, signature, signed))) {
      throw new TsunagiError('INVALID_SIGNATURE', 'A frame is not signed by the peer of its session.')
    }
    return { body: readBody(plaintext), number: { epoch, counter } }
  }

  #take(body: FrameBody, number: FrameNumber, size: number): void {
    if (this.#closed) return
    if (number.epoch < this.#receiveKeys.epoch || this.#isRepeated(number)) {
      this.#refuse(repeated())
      return
    }
    this.#receiveKeys.reached(number.epoch)
    this.#lastCounter = number.counter
    this.#events.frame(body, number, size)
  }

  #isRepeated({ epoch, counter }: FrameNumber): boolean {
    return epoch === this.#receiveKeys.epoch && counter <= this.#lastCounter
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
