/** Two sessions with each other over memory links: a clock that the test moves and a wire that the test may tamper with. */
import { TsunagiError } from '../errors.ts'
import type { Channel } from '../handshake/channel.ts'
import type { KeyChain } from '../handshake/key-schedule.ts'
import { createMemoryNetwork, type MemoryNetwork } from '../links/memory.ts'
import { FakeClock } from '../liveness/fake-clock.fixture.ts'
import type { SessionPayload, SessionType } from '../messages.ts'
import type { CryptoProvider, SigningKey, TrafficKey } from '../ports.ts'
import type { Bytes } from '../wire/bytes.ts'
import { uuidV4 } from '../wire/uuid.ts'
import { Session, type SessionHost, type SessionMessage, type SessionTrace } from './session.ts'
import type { SessionState } from './states.ts'

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

/** One side, and all that its session told. */
export class SessionEnd implements SessionHost {
  readonly clock: FakeClock
  readonly crypto: CryptoProvider
  readonly key: SigningKey
  readonly session: Session
  readonly messages: SessionMessage[] = []
  readonly refused: TsunagiError[] = []
  readonly states: { readonly state: SessionState; readonly code: string | undefined }[] = []
  readonly traces: SessionTrace[] = []
  readonly store = undefined
  heard = 0
  givenUp = 0
  sent = 0
  delivered = 0

  constructor(clock: FakeClock, crypto: CryptoProvider, key: SigningKey, peer: Bytes) {
    this.clock = clock
    this.crypto = crypto
    this.key = key
    this.session = new Session(this, peer)
  }

  /** Payloads of what came, of one type where one is given. */
  received(type?: SessionType): unknown[] {
    return this.messages.filter((message) => type === undefined || message.type === type).map(({ payload }) => payload)
  }

  get refusedCodes(): string[] {
    return this.refused.map(({ code }) => code)
  }

  /** What becomes of a message: 'delivered', the code of its error, or undefined so far. */
  send<T extends SessionType>(type: T, payload: SessionPayload<T>): { readonly outcome: string | undefined } {
    const sending: { outcome: string | undefined } = { outcome: undefined }
    const settle = (outcome: string) => {
      sending.outcome = sending.outcome === undefined ? outcome : `settled twice: ${sending.outcome}, ${outcome}`
    }
    this.session.send(type, payload).then(
      () => settle('delivered'),
      (error: unknown) => settle(error instanceof TsunagiError ? error.code : String(error)),
    )
    return sending
  }

  onHeard(): void {
    this.heard++
  }
  canTake(): boolean {
    return true
  }
  onTaken(): void {
    throw new Error('Nothing is durable here.')
  }
  onDurable(): void {
    throw new Error('Nothing is durable here.')
  }
  onStorageFailure(error: TsunagiError): void {
    throw error
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

export class SessionPair {
  readonly clock = new FakeClock()
  readonly a: SessionEnd
  readonly b: SessionEnd
  readonly net: MemoryNetwork
  /** Every frame that left, before the wire did anything to it. */
  readonly frames: { readonly from: Side; readonly bytes: Bytes }[] = []
  wire: Wire = passing
  readonly #work: Work
  readonly #id: Bytes

  /** A pair whose sessions are established, and quiet. */
  static async open(crypto: CryptoProvider, id: Bytes = uuidV4(crypto.randomBytes(16))): Promise<SessionPair> {
    return SessionPair.between(crypto, await crypto.generateSigningKey(), await crypto.generateSigningKey(), id)
  }

  static async between(crypto: CryptoProvider, a: SigningKey, b: SigningKey, id: Bytes): Promise<SessionPair> {
    const pair = new SessionPair(crypto, a, b, id)
    await pair.replaceLink()
    pair.frames.length = 0
    return pair
  }

  private constructor(crypto: CryptoProvider, a: SigningKey, b: SigningKey, id: Bytes) {
    this.#work = new Work(crypto)
    this.#id = id
    this.a = new SessionEnd(this.clock, this.#work.crypto, this.#work.key(a), b.publicKey)
    this.b = new SessionEnd(this.clock, this.#work.crypto, this.#work.key(b), a.publicKey)
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
    const resumed = fromA && fromB
    const sessionId = fromA?.sessionId ?? this.#id
    const epoch = Math.max(fromA?.epoch ?? 1, fromB?.epoch ?? 1)
    return {
      a: {
        peer: this.b.key.publicKey,
        sessionId,
        resumed: resumed && { ours: fromA.at, theirs: fromB.at },
        epoch,
        initiator: true,
        sendKeys: aToB,
        receiveKeys: bToA,
        link: linkA,
      },
      b: {
        peer: this.a.key.publicKey,
        sessionId,
        resumed: resumed && { ours: fromB.at, theirs: fromA.at },
        epoch,
        initiator: false,
        sendKeys: bToA,
        receiveKeys: aToB,
        link: linkB,
      },
    }
  }

  attach(connection: Connection): void {
    connection.a.link.start(this.a.session.attach(connection.a))
    connection.b.link.start(this.b.session.attach(connection.b))
  }

  /** Both go on over a new link; the old one, if there is one, is closed by the sessions. */
  async replaceLink(): Promise<Connection> {
    const connection = await this.connect()
    this.attach(connection)
    await this.quiet()
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
      verify: (publicKey, signature, data) => this.#count(crypto.verify(publicKey, signature, data)),
    }
  }

  key(key: SigningKey): SigningKey {
    return { publicKey: key.publicKey, sign: (data) => this.#count(key.sign(data)) }
  }

  /** Keys that nobody has agreed on, each from chance. */
  async keyChain(): Promise<KeyChain> {
    const key = this.#trafficKey(await this.crypto.trafficKey(this.crypto.randomBytes(32)))
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
