/**
 * Two sessions with each other over memory links: a clock that the test moves, a wire that the test may tamper with, and pages
 * that it may end and load anew.
 */
import { TsunagiError } from '../errors.ts'
import type { Channel } from '../handshake/channel.ts'
import type { KeyChain } from '../handshake/key-schedule.ts'
import { peerIdOf } from '../identity/peer-id.ts'
import { LIMITS } from '../limits.ts'
import type { Link, LinkEvents } from '../links/link.ts'
import { createMemoryNetwork, type MemoryNetwork } from '../links/memory.ts'
import { FakeClock } from '../liveness/fake-clock.fixture.ts'
import type { SessionPayload, SessionType } from '../messages.ts'
import type { CryptoProvider, SigningKey, TrafficKey } from '../ports.ts'
import { type Bytes, equalBytes, utf8 } from '../wire/bytes.ts'
import { uuidV4 } from '../wire/uuid.ts'
import { HEADER_LENGTH } from './frame.ts'
import type { DurableState, KeptSession, SessionHost, SessionTrace } from './host.ts'
import type { MemoryStore } from './memory-store.fixture.ts'
import { Session } from './session.ts'
import type { SessionMessage } from './session-messages.ts'
import type { SessionState } from './states.ts'
import type { StoredMessage } from './store.ts'

export type Side = 'a' | 'b'

/** Stands between the two ends; see MemoryNetworkOptions.onFrame. */
export type Wire = (frame: Bytes, deliver: (frame: Bytes) => void, from: Side) => void

export const passing: Wire = (frame, deliver) => deliver(frame)

/** Loses the frames of one side, or of both. */
export function losing(side?: Side): Wire {
  return (frame, deliver, from) => {
    if (side !== undefined && from !== side) deliver(frame)
  }
}

/** What a handshake gave to each side. */
export interface Connection {
  readonly a: Channel
  readonly b: Channel
}

/** What becomes of a message: undefined so far. */
export interface Sending {
  outcome: string | undefined
}

/** And of a durable one, which is accepted before. */
export interface DurableSending extends Sending {
  readonly id: string
  accepted: string | undefined
}

/** A page of one side, and all that its session told. */
export class SessionEnd implements SessionHost {
  readonly clock: FakeClock
  readonly crypto: CryptoProvider
  readonly key: SigningKey
  readonly peer: Bytes
  readonly store: MemoryStore | undefined
  session: Session
  readonly messages: SessionMessage[] = []
  readonly taken: StoredMessage[] = []
  /** What was told of durable messages of this side, as `state id`, with the code where one failed. */
  readonly durable: string[] = []
  readonly refused: TsunagiError[] = []
  readonly storageFailures: TsunagiError[] = []
  readonly states: { readonly state: SessionState; readonly code: string | undefined }[] = []
  readonly traces: SessionTrace[] = []
  hasRoom = true
  heard = 0
  givenUp = 0
  sent = 0
  delivered = 0
  /** The page has ended: what it was told is told to nobody. */
  isGone = false
  /** Durable messages that an earlier page took, and nobody has handled. */
  found: readonly StoredMessage[] = []

  constructor(
    clock: FakeClock,
    crypto: CryptoProvider,
    key: SigningKey,
    peer: Bytes,
    store?: MemoryStore,
    kept?: KeptSession,
  ) {
    this.clock = clock
    this.crypto = crypto
    this.key = key
    this.peer = peer
    this.store = store
    this.session = new Session(this, peer, kept)
  }

  /** Goes on over a channel as a peer does: with its session, or with a new one where the other side does not know that. */
  attach(channel: Channel): void {
    if (!this.session.answersTo(channel.sessionId)) {
      void this.session.close(new TsunagiError('SESSION_NOT_FOUND', 'The peer does not know the session any more.'))
      this.session = new Session(this, this.peer)
    }
    const link = new PageLink(channel.link, () => this.isGone)
    link.start(this.session.attach({ ...channel, link }))
  }

  /** The page ends, as in a crash: nothing comes of what it was about. @returns the page that is loaded then */
  async reload(store: MemoryStore | undefined = this.store?.crash()): Promise<SessionEnd> {
    this.isGone = true
    this.session.abandon(new TsunagiError('PEER_CLOSED', 'The page is gone.'))
    const state = await store?.load()
    const id = peerIdOf(this.peer)
    const session = state?.sessions.find(({ peer }) => peer === id)
    const kept = session && { session, outbox: state?.outbox.filter(({ peer }) => peer === id) ?? [] }
    const page = new SessionEnd(this.clock, this.crypto, this.key, this.peer, store, kept)
    page.found = state?.inbox ?? []
    return page
  }

  /** Texts of the durable messages that this page took. */
  get takenTexts(): string[] {
    return this.taken.map(({ payload }) => new TextDecoder().decode(payload))
  }

  /** Payloads of what came, of one type where one is given. */
  received(type?: SessionType): unknown[] {
    return this.messages.filter((message) => type === undefined || message.type === type).map(({ payload }) => payload)
  }

  get refusedCodes(): string[] {
    return this.refused.map(({ code }) => code)
  }

  /** What becomes of a message: 'delivered', the code of its error, or undefined so far. */
  send<T extends SessionType>(type: T, payload: SessionPayload<T>): Readonly<Sending> {
    const sending: Sending = { outcome: undefined }
    this.session.send(type, payload).then(
      () => {
        sending.outcome = 'delivered'
      },
      (error: unknown) => {
        sending.outcome = codeOf(error)
      },
    )
    return sending
  }

  /** A durable message of these bytes. @throws TsunagiError as Session.sendDurable() */
  sendDurable(data: Bytes | string): Readonly<DurableSending> {
    const bytes = typeof data === 'string' ? utf8(data) : data
    const { id, accepted, delivered } = this.session.sendDurable('message', bytes)
    const sending: DurableSending = { id, accepted: undefined, outcome: undefined }
    accepted.then(
      () => {
        sending.accepted = 'accepted'
      },
      (error: unknown) => {
        sending.accepted = codeOf(error)
      },
    )
    delivered.then(
      () => {
        sending.outcome = 'delivered'
      },
      (error: unknown) => {
        sending.outcome = codeOf(error)
      },
    )
    return sending
  }

  onHeard(): void {
    this.heard++
  }
  canTake(): boolean {
    return this.hasRoom
  }
  onTaken(message: StoredMessage): void {
    this.taken.push(message)
  }
  onDurable({ id }: StoredMessage, state: DurableState, error?: TsunagiError): void {
    this.durable.push(error === undefined ? `${state} ${id}` : `${state} ${id} ${error.code}`)
  }
  onStorageFailure(error: TsunagiError): void {
    this.storageFailures.push(error)
  }
  onGivenUp(): void {
    this.givenUp++
  }
  onMessage(message: SessionMessage): void {
    this.messages.push(message)
  }
  onSent(): void {
    this.sent++
  }
  onDelivered(messages: number): void {
    this.delivered += messages
  }
  onRefused(error: TsunagiError): void {
    this.refused.push(error)
  }
  onState(state: SessionState, error: TsunagiError | undefined): void {
    this.states.push({ state, code: error?.code })
  }
  onTrace(trace: SessionTrace): void {
    this.traces.push(trace)
  }
}

function codeOf(error: unknown): string {
  return error instanceof TsunagiError ? error.code : String(error)
}

/**
 * A link of a page: when that is gone it neither sends nor hears anything, and closes when the other side notices. It refuses a
 * second frame of one key and counter, so that every test of a session is one of R24.
 */
class PageLink implements Link {
  readonly kind = 'memory'
  readonly route: Link['route']
  readonly maxFrame: number
  readonly binding: Link['binding']
  readonly #link: Link
  readonly #isGone: () => boolean
  readonly #headers = new Set<string>()

  constructor(link: Link, isGone: () => boolean) {
    this.#link = link
    this.#isGone = isGone
    this.route = link.route
    this.maxFrame = link.maxFrame
    this.binding = link.binding
  }

  get bufferedAmount(): number {
    return this.#link.bufferedAmount
  }

  get lowMark(): number {
    return this.#link.lowMark
  }

  set lowMark(bytes: number) {
    this.#link.lowMark = bytes
  }

  start(events: LinkEvents): void {
    this.#link.start({
      frame: (bytes) => {
        if (!this.#isGone()) events.frame(bytes)
      },
      drain: () => {
        if (!this.#isGone()) events.drain()
      },
      close: (reason) => {
        if (!this.#isGone()) events.close(reason)
      },
    })
  }

  send(frame: Bytes): void {
    const header = frame.subarray(0, HEADER_LENGTH).toString()
    if (this.#headers.has(header)) throw new Error('A counter was used twice under one key.')
    this.#headers.add(header)
    if (!this.#isGone()) this.#link.send(frame)
  }

  close(): void {
    if (!this.#isGone()) this.#link.close()
  }
}

export interface PairOptions {
  /** Of the first session; a random one without it. */
  readonly id?: Bytes
  /** Undefined where that side keeps nothing. */
  readonly stores?: { readonly [S in Side]?: MemoryStore }
}

export class SessionPair {
  readonly clock = new FakeClock()
  a: SessionEnd
  b: SessionEnd
  readonly net: MemoryNetwork
  /** Every frame that left, before the wire did anything to it. */
  readonly frames: { readonly from: Side; readonly bytes: Bytes }[] = []
  wire: Wire = passing
  readonly #work: Work
  #firstId: Bytes | undefined

  /** A pair whose sessions are established, and quiet. */
  static async open(crypto: CryptoProvider, options?: PairOptions): Promise<SessionPair> {
    return SessionPair.between(crypto, await crypto.generateSigningKey(), await crypto.generateSigningKey(), options)
  }

  static async between(
    crypto: CryptoProvider,
    a: SigningKey,
    b: SigningKey,
    options?: PairOptions,
  ): Promise<SessionPair> {
    const pair = new SessionPair(crypto, a, b, options)
    await pair.replaceLink()
    pair.frames.length = 0
    return pair
  }

  /** A pair whose pages have no link yet. */
  static async apart(crypto: CryptoProvider, options?: PairOptions): Promise<SessionPair> {
    return new SessionPair(crypto, await crypto.generateSigningKey(), await crypto.generateSigningKey(), options)
  }

  private constructor(crypto: CryptoProvider, a: SigningKey, b: SigningKey, { id, stores }: PairOptions = {}) {
    this.#work = new Work(crypto)
    this.#firstId = id
    this.a = new SessionEnd(this.clock, this.#work.crypto, this.#work.key(a), b.publicKey, stores?.a)
    this.b = new SessionEnd(this.clock, this.#work.crypto, this.#work.key(b), a.publicKey, stores?.b)
    this.net = createMemoryNetwork({
      schedule: queueMicrotask,
      randomBytes: crypto.randomBytes,
      onFrame: (bytes, deliver, from) => {
        this.frames.push({ from: from as Side, bytes })
        this.wire(bytes, deliver, from as Side)
      },
    })
  }

  framesOf(side: Side): Bytes[] {
    return this.frames.filter(({ from }) => from === side).map(({ bytes }) => bytes)
  }

  /** What a handshake does: a link, fresh keys, and what each side had received at that moment. Nothing is attached yet. */
  async connect(): Promise<Connection> {
    const offering = this.net.transport('a').offer(() => undefined, [])
    const answering = this.net.transport('b').answer((await offering.description).data, () => undefined, [])
    offering.accept((await answering.description).data)
    const [linkA, linkB] = await Promise.all([offering.opened, answering.opened])
    const [aToB, bToA] = await Promise.all([this.#work.keyChain(), this.#work.keyChain()])
    const [fromA, fromB] = [this.a.session.resumption, this.b.session.resumption]
    // The first channel of a session resumes nothing.
    const resumed = fromA && fromB && equalBytes(fromA.sessionId, fromB.sessionId) ? { fromA, fromB } : undefined
    const sessionId = resumed?.fromA.sessionId ?? this.#newId()
    const epoch = resumed ? Math.max(resumed.fromA.epoch, resumed.fromB.epoch) : 1
    return {
      a: {
        peer: this.b.key.publicKey,
        sessionId,
        resumed: resumed && { ours: resumed.fromA.at, theirs: resumed.fromB.at },
        epoch,
        initiator: true,
        sendKeys: aToB,
        receiveKeys: bToA,
        link: linkA,
      },
      b: {
        peer: this.a.key.publicKey,
        sessionId,
        resumed: resumed && { ours: resumed.fromB.at, theirs: resumed.fromA.at },
        epoch,
        initiator: false,
        sendKeys: bToA,
        receiveKeys: aToB,
        link: linkB,
      },
    }
  }

  attach(connection: Connection): void {
    this.a.attach(connection.a)
    this.b.attach(connection.b)
  }

  /**
   * The page of one side ends and is loaded anew. Its links stay until the other side notices, which is for the test to say.
   * @param store what the new page finds, where it is not what the old one had committed
   */
  async reload(side: Side, store?: MemoryStore): Promise<void> {
    this[side] = await this[side].reload(store)
  }

  #newId(): Bytes {
    const id = this.#firstId ?? uuidV4(this.#work.crypto.randomBytes(16))
    this.#firstId = undefined
    return id
  }

  /** Both go on over a new link, and have noted that they do and that the other has; the sessions close the old one, if there is one. */
  async replaceLink(): Promise<Connection> {
    const connection = await this.connect()
    this.attach(connection)
    await this.quiet()
    await this.pass(2 * LIMITS.storeAfter, LIMITS.storeAfter)
    return connection
  }

  /** Breaks all links. */
  async cut(): Promise<void> {
    this.net.cut()
    await this.quiet()
  }

  /** Fulfils when nothing more happens unless the test does something or the clock moves. */
  quiet(): Promise<void> {
    return this.#work.done()
  }

  /** Lets time pass in steps that leave room for what a timer sets off. */
  async pass(ms: number, step: number = ms): Promise<void> {
    for (let passed = 0; passed < ms; passed += step) {
      this.clock.advance(Math.min(step, ms - passed))
      await this.quiet()
    }
  }
}

/** Signing, verifying and encrypting that is under way: the only things of a session that take time of their own. */
class Work {
  readonly crypto: CryptoProvider
  #underWay = 0

  constructor(crypto: CryptoProvider) {
    this.crypto = {
      ...crypto,
      sha256: (data) => this.#count(crypto.sha256(data)),
      verify: (publicKey, signature, data) => this.#count(crypto.verify(publicKey, signature, data)),
    }
  }

  key(key: SigningKey): SigningKey {
    return { publicKey: key.publicKey, sign: (data) => this.#count(key.sign(data)) }
  }

  /** Keys that nobody has agreed on, each from chance. */
  async keyChain(): Promise<KeyChain> {
    const secret = await this.crypto.derivationKey(this.crypto.randomBytes(32))
    const key = this.#trafficKey(await secret.trafficKey(new Uint8Array(), new Uint8Array()))
    let following: Promise<KeyChain> | undefined
    return {
      key,
      next: () => {
        following ??= this.#count(this.keyChain())
        return following
      },
    }
  }

  #trafficKey(key: TrafficKey): TrafficKey {
    return {
      seal: (nonce, header, plaintext) => this.#count(key.seal(nonce, header, plaintext)),
      open: (nonce, header, sealed) => this.#count(key.open(nonce, header, sealed)),
    }
  }

  /** Where none is under way when all microtasks have run, none of them has begun any either. */
  async done(): Promise<void> {
    do await new Promise((fulfil) => setImmediate(fulfil))
    while (this.#underWay > 0)
  }

  async #count<T>(work: Promise<T>): Promise<T> {
    this.#underWay++
    try {
      return await work
    } finally {
      this.#underWay--
    }
  }
}
