/**
 * Links through the signaling server (SPEC §6): used while no direct one is open and where there can be none. What goes over
 * them is sealed to its recipient, so the server cannot tell a frame from a handshake, nor make one for a link whose ends it
 * does not know. It may still lose frames; the session asks again for what is missing.
 */
import { TsunagiError, toTsunagiError } from '../errors.ts'
import { LIMITS, PROTOCOL } from '../limits.ts'
import { RELAYED_TYPES } from '../messages.ts'
import type { Clock, CryptoProvider } from '../ports.ts'
import { TokenBucket } from '../token-bucket.ts'
import { type Bytes, concat, equalBytes, lengthPrefixed, utf8 } from '../wire/bytes.ts'
import type { ChannelBinding, Link, LinkAttempt, LinkDescription, LinkEvents, LinkTransport } from './link.ts'
import { LinkEnd } from './link-end.ts'

export interface RelayHost {
  readonly clock: Clock
  readonly crypto: CryptoProvider
  /** This peer's Ed25519 key. */
  readonly key: Bytes
  /** Most bytes that send() takes; 0 while the server cannot be reached. */
  readonly maxFrame: () => number
  /** Seals `frame` to a peer and hands it to the server, in the order of the calls. Rejects where that cannot be. */
  readonly send: (peer: Bytes, frame: Bytes) => Promise<void>
}

const ID_LENGTH = 16
const ID_END = 1 + ID_LENGTH
const FINGERPRINT_LENGTH = 32
/** A quarter of what a session lets wait: some 40 ms of the rate. */
const FIRST_LOW_MARK = 16 * 1024
/** What a message takes of the rates, however few bytes it has: so that small frames are coalesced and do not queue up. */
const LEAST_WEIGHT = LIMITS.relayByteRate / LIMITS.relayMessageRate

/** Whether a relayed frame is for a relay link, and not an open frame. */
export function isRelayLinkFrame([type]: Bytes): boolean {
  return type === RELAYED_TYPES.link_frame || type === RELAYED_TYPES.link_close
}

/** All relay links of a peer. */
export class RelayLinks {
  readonly #host: RelayHost
  /** This side's ends, from the offer or answer to the close. */
  readonly #ends = new Set<RelayEnd>()
  readonly #gone: TokenBucket

  constructor(host: RelayHost) {
    this.#host = host
    this.#gone = new TokenBucket(LIMITS.relayGoneRate, LIMITS.relayGoneBurst, host.clock.now())
  }

  /** Ends open or under way: what has been left behind. */
  get openEnds(): number {
    return this.#ends.size
  }

  /** Links to that peer. */
  to(peer: Bytes): LinkTransport {
    return {
      kind: 'relay',
      offer: () => this.#begin(peer, undefined),
      answer: (offer) => this.#begin(peer, readDescription(offer)),
      fingerprintOf: (data) => readDescription(data).fingerprint,
    }
  }

  /** @param sender as the server names it; what it is worth is that the frame knows an id which only that peer was told */
  receive(frame: Bytes, sender: Bytes): void {
    if (frame.length < ID_END) return
    const id = frame.subarray(1, ID_END)
    const ends = this.#with(sender)
    if (frame[0] === RELAYED_TYPES.link_close) {
      ends.find((end) => end.isLinkedTo(id))?.lose(new TsunagiError('LINK_LOST', 'The peer closed the link.'))
      return
    }
    const end = ends.find((candidate) => equalBytes(candidate.id, id))
    if (end !== undefined) end.receive(frame.subarray(ID_END))
    // A page that was loaded anew, or missed the close, learns that its link leads nowhere.
    else if (this.#gone.take(1, this.#host.clock.now())) sendClose(this.#host, sender.slice(), id)
  }

  /** The server does not reach that peer any more, or none where none is named. */
  lose(peer?: Bytes): void {
    for (const end of peer === undefined ? [...this.#ends] : this.#with(peer)) {
      end.lose(new TsunagiError('LINK_LOST', 'The signaling server does not reach the peer any more.'))
    }
  }

  #with(peer: Bytes): RelayEnd[] {
    return [...this.#ends].filter((end) => equalBytes(end.peer, peer))
  }

  #begin(peer: Bytes, offer: Description | undefined): LinkAttempt {
    const end: RelayEnd = new RelayEnd(this.#host, peer.slice(), offer, () => this.#ends.delete(end))
    this.#ends.add(end)
    return end
  }
}

/** One end: its id, and a fingerprint that makes the id its owner's. */
interface Description {
  readonly id: Bytes
  readonly fingerprint: Bytes
}

/** @throws TsunagiError INVALID_FORMAT */
function readDescription(data: Bytes): Description {
  if (data.length !== ID_LENGTH + FINGERPRINT_LENGTH) {
    throw new TsunagiError('INVALID_FORMAT', 'This is not the description of a relay link.')
  }
  return { id: data.slice(0, ID_LENGTH), fingerprint: data.slice(ID_LENGTH) }
}

function fingerprintOf(crypto: CryptoProvider, owner: Bytes, id: Bytes): Promise<Bytes> {
  return crypto.sha256(lengthPrefixed(utf8(`tsunagi/${PROTOCOL.version}/relay-link`), owner, id))
}

/** @param id of the end that is gone */
function sendClose(host: RelayHost, peer: Bytes, id: Bytes): void {
  host.send(peer, concat(Uint8Array.of(RELAYED_TYPES.link_close), id)).catch(() => {
    // Whom the server does not reach has lost the link as well, and is told so when it sends.
  })
}

/** This side's end: the attempt at a link, and then the link. */
class RelayEnd implements LinkAttempt, Link {
  readonly kind = 'relay'
  readonly route = 'relay'
  lowMark = FIRST_LOW_MARK
  readonly maxFrame: number
  readonly peer: Bytes
  readonly id: Bytes
  readonly description: Promise<LinkDescription>
  readonly opened: Promise<Link>
  readonly #host: RelayHost
  readonly #end: LinkEnd
  readonly #onEnd: () => void
  readonly #isOffering: boolean
  #remote: Description | undefined
  #binding: ChannelBinding = { local: new Uint8Array(), remote: new Uint8Array() }
  #isOpen = false
  #bufferedAmount = 0
  #fulfil!: (link: Link) => void
  #reject!: (reason: Error) => void

  /** @param onEnd called when nothing more is sent or taken */
  constructor(host: RelayHost, peer: Bytes, offer: Description | undefined, onEnd: () => void) {
    this.#host = host
    this.#onEnd = onEnd
    this.#isOffering = offer === undefined
    this.#remote = offer
    this.peer = peer
    this.id = host.crypto.randomBytes(ID_LENGTH)
    this.maxFrame = Math.max(0, host.maxFrame() - ID_END)
    this.#end = new LinkEnd((action) => void Promise.resolve().then(action), this.maxFrame)
    this.opened = new Promise((fulfil, reject) => {
      this.#fulfil = fulfil
      this.#reject = reject
    })
    this.opened.catch(() => undefined)
    this.description = this.#describe()
    this.description.catch((cause: unknown) => this.#fail(cause))
  }

  get binding(): ChannelBinding {
    return this.#binding
  }

  get bufferedAmount(): number {
    return this.#bufferedAmount
  }

  accept(answer: Bytes): void {
    const remote = readDescription(answer)
    if (this.#remote !== undefined) {
      throw new TsunagiError('INVALID_STATE', 'Only the side that offered takes an answer, and only one.')
    }
    this.#remote = remote
    this.#connect(remote).catch((cause: unknown) => this.#fail(cause))
  }

  addCandidates(): void {
    // There is one way, through the server.
  }

  start(events: LinkEvents): void {
    this.#end.start(events)
  }

  send(frame: Bytes): void {
    this.#end.checkSend(frame)
    if (this.#bufferedAmount + frame.length > LIMITS.maxRelayBuffer) {
      throw new TsunagiError('QUEUE_FULL', 'The link takes no more before some of what waits has left.')
    }
    const weight = Math.max(frame.length, LEAST_WEIGHT)
    this.#bufferedAmount += weight
    void this.#sendFrame(frame).then(() => {
      const before = this.#bufferedAmount
      this.#bufferedAmount -= weight
      if (before > this.lowMark && this.#bufferedAmount <= this.lowMark) this.#end.drain()
    })
  }

  abort(): void {
    this.close()
  }

  close(): void {
    this.#tellClosed()
    this.#shut(undefined)
  }

  /** The other side is gone, or was told already. */
  lose(reason: TsunagiError): void {
    this.#shut(reason)
  }

  /** Whether the other side's end has that id. */
  isLinkedTo(id: Bytes): boolean {
    return this.#remote !== undefined && equalBytes(this.#remote.id, id)
  }

  /** A frame for this end; the first, which is empty, says that the other side has the answer. */
  receive(frame: Bytes): void {
    if (!this.#isOffering && !this.#isOpen) this.#open()
    if (frame.length === 0 || this.#end.frame(frame)) return
    this.#tellClosed()
    this.#shut(new TsunagiError('LINK_LOST', 'More frames came than this side keeps before it listens.'))
  }

  async #describe(): Promise<LinkDescription> {
    if (this.maxFrame < PROTOCOL.commonFrame) {
      throw new TsunagiError('LINK_FAILED', 'The signaling server cannot be reached, or relays too little at a time.')
    }
    if (this.#remote !== undefined) await this.#check(this.#remote)
    const fingerprint = await fingerprintOf(this.#host.crypto, this.#host.key, this.id)
    this.#binding = { local: fingerprint, remote: this.#remote?.fingerprint ?? new Uint8Array() }
    return { data: concat(this.id, fingerprint), fingerprint: fingerprint.slice() }
  }

  async #connect(remote: Description): Promise<void> {
    await Promise.all([this.description, this.#check(remote)])
    if (this.#end.closed) return
    this.#binding = { ...this.#binding, remote: remote.fingerprint }
    this.#open()
    void this.#sendFrame(new Uint8Array())
  }

  /** @throws TsunagiError LINK_FAILED where the end is another peer's */
  async #check({ id, fingerprint }: Description): Promise<void> {
    if (equalBytes(fingerprint, await fingerprintOf(this.#host.crypto, this.peer, id))) return
    throw new TsunagiError('LINK_FAILED', 'The description of a relay link is not one of its peer.')
  }

  #open(): void {
    this.#isOpen = true
    this.#fulfil(this)
  }

  /** Never rejects: a frame that the server does not take is the end of the link. */
  async #sendFrame(frame: Bytes): Promise<void> {
    const to = this.#remote?.id ?? new Uint8Array(ID_LENGTH)
    try {
      await this.#host.send(this.peer, concat(Uint8Array.of(RELAYED_TYPES.link_frame), to, frame))
    } catch (cause) {
      this.lose(toTsunagiError(cause, 'LINK_LOST', 'The signaling server took no more frames.'))
    }
  }

  #tellClosed(): void {
    if (this.#isOpen && !this.#end.closed) sendClose(this.#host, this.peer, this.id)
  }

  #fail(cause: unknown): void {
    this.#shut(toTsunagiError(cause, 'LINK_FAILED', 'The relay link could not be made.'))
  }

  #shut(reason: TsunagiError | undefined): void {
    this.#onEnd()
    this.#end.close(reason)
    // Of no effect on a link that had opened.
    this.#reject(new TsunagiError('LINK_FAILED', reason?.message ?? 'The attempt was ended.', { cause: reason }))
  }
}
