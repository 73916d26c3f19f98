/** A peer's side of signaling (SPEC §10): proves its key, learns who is there, relays sealed frames, comes back. */
import type { PeerStatus } from '../api.ts'
import { isTsunagiError, TsunagiError } from '../errors.ts'
import { peerIdOf } from '../identity/peer-id.ts'
import { LIMITS, PROTOCOL } from '../limits.ts'
import { type IceServer, type Priority, RELAYED_TYPES, type SignalingPayload } from '../messages.ts'
import type { Clock, OpenSocket } from '../ports.ts'
import { type Bytes, equalBytes } from '../wire/bytes.ts'
import { openFrameType } from '../wire/open-frame.ts'
import { uuidV4 } from '../wire/uuid.ts'
import { Answers } from './answers.ts'
import { Backoff } from './backoff.ts'
import { comeBackDelay, refusalOf } from './close-reason.ts'
import { Complaints } from './complaints.ts'
import { Connection } from './connection.ts'
import { Introductions, type IntroductionsHost } from './introductions.ts'
import { Members } from './members.ts'
import { RELAY_OVERHEAD, signalingProof } from './messages.ts'
import { Outbox, type OutboxLane } from './outbox.ts'
import { openPresence, type Presence, readIntroduction } from './presence.ts'

export interface SignalingClientOptions extends IntroductionsHost {
  /** ws: or wss: address of the server. */
  readonly url: string
  readonly openSocket: OpenSocket
  // None of these may throw. After close() only its own onStatus('closed') is called.
  /** The status begins as `connecting`; called when it changes. */
  readonly onStatus: (status: PeerStatus) => void
  /**
   * A peer is in the mesh, by a record it signed: `present` when we came, so the handshake is ours to start, or `joined`
   * after us. Told again for a peer that is known already when it or we come back.
   */
  readonly onMember: (publicKey: Bytes, how: 'present' | 'joined') => void
  /** The server says that a member left: only a hint, which nobody signed. */
  readonly onLeft: (publicKey: Bytes) => void
  /**
   * A frame, open or of a relay link, that was sealed to us in the name of `claimedSender`. Who sealed it, only the frame's own signature tells, and
   * the server may bring it again: freshness is the handshake's to check. `mail` was kept by the server for us.
   */
  readonly onFrame: (frame: Bytes, claimedSender: Bytes, how: 'relay' | 'mail') => void
  /** The server did not pass a frame on, because this member is not there; it no longer counts as one. */
  readonly onUnknownPeer: (publicKey: Bytes) => void
  /** SIGNALING_REFUSED when the server sent us away for good; else what went wrong, told once a minute for each cause. */
  readonly onError: (error: TsunagiError) => void
}

/** What was refused, and how often. */
export interface SignalingRefusals {
  /** Messages of the server that could not be handled; each ended its socket. */
  readonly messages: number
  /** Presence records that were forged, foreign, out of time or rolled back. */
  readonly records: number
  /** Relayed frames that could not be opened, or for which there was no room. */
  readonly frames: number
}

/** How far a wake-up came. */
export type WakeStepReport = SignalingPayload<'wake_step'>['step']

type PushTarget = SignalingPayload<'push_subscribe'>['subscription']

/** Of use from start() to close(). */
export class SignalingClient {
  readonly #options: SignalingClientOptions
  readonly #clock: Clock
  readonly #origin: string
  readonly #members = new Members()
  readonly #backoff: Backoff
  readonly #complaints: Complaints
  readonly #discoveries: Answers<readonly Bytes[]>
  readonly #wakeSteps: Answers<WakeStepReport>
  readonly #pushStates: Answers<boolean>
  readonly #introductions: Introductions
  readonly #outbox: Outbox
  readonly #refused = { messages: 0, records: 0, frames: 0 }
  #status: PeerStatus = 'connecting'
  #connection: Connection | undefined
  #cancelRetry: (() => void) | undefined
  #cancelRenewal: (() => void) | undefined
  #isPartlyKnown = false
  #clockOffset = 0
  #iceServers: readonly IceServer[] = []
  #tags: Bytes[] = []
  #vapidKey: Bytes | undefined
  /** What the server is told of pushes after each welcome; undefined where nobody asked for any. */
  #push: SignalingPayload<'push_subscribe'> | undefined

  /** @throws TypeError where `url` is no URL */
  constructor(options: SignalingClientOptions) {
    this.#options = options
    this.#clock = options.clock
    this.#origin = new URL(options.url).origin
    this.#backoff = new Backoff(options.crypto.randomBytes)
    this.#complaints = new Complaints(options.clock, options.onError)
    const { clock } = options
    this.#discoveries = new Answers(clock, { timeout: LIMITS.discoverTimeout, most: LIMITS.maxDiscoveries })
    this.#wakeSteps = new Answers(clock, { timeout: LIMITS.wakeStepTimeout, most: LIMITS.maxWakeUps })
    this.#pushStates = new Answers(clock, { timeout: LIMITS.wakeStepTimeout, most: LIMITS.maxDiscoveries })
    this.#introductions = new Introductions(options)
    this.#outbox = new Outbox(options.clock, () => this.#connection?.bufferedAmount ?? 0)
  }

  get status(): PeerStatus {
    return this.#status
  }

  /** Keys of those who are in the mesh, as far as the server told. */
  get members(): readonly Bytes[] {
    return this.#members.present
  }

  /** Whether the mesh had more members when we came than the server named: others may be found by discover(). */
  get isPartlyKnown(): boolean {
    return this.#isPartlyKnown
  }

  hasMember(publicKey: Uint8Array): boolean {
    return this.#members.find(publicKey) !== undefined
  }

  /** As the server gave them last. */
  get iceServers(): readonly IceServer[] {
    return this.#iceServers
  }

  get refused(): SignalingRefusals {
    return { ...this.#refused }
  }

  /**
   * Milliseconds since 1970: our clock as the server's challenge corrected it. A server that lies about the time can keep
   * peers apart, which it can do anyway, and no more.
   */
  serverNow(): number {
    return this.#clock.now() + this.#clockOffset
  }

  /** Call once. */
  start(): void {
    this.#connect()
  }

  /** The page woke or the network came back: tries again at once, or has an open socket show that it still lives. */
  reconnectNow(): void {
    this.#connection?.probe()
    if (this.#cancelRetry === undefined) return
    this.#cancelRetry()
    this.#connect()
  }

  /** The page goes, so nothing is to reach it any more; should it come back, reconnectNow() does as well. */
  leave(): void {
    if (this.#status === 'closed') return
    this.#stop()
    this.#cancelRetry = () => undefined
    this.#setStatus('offline')
  }

  /** Idempotent. */
  close(): void {
    if (this.#status === 'closed') return
    this.#stop()
    this.#setStatus('closed')
  }

  /** Most bytes relay() takes of one frame; 0 where the server cannot be reached. */
  get maxFrame(): number {
    return this.#connection?.isOnline ? Math.max(0, this.#connection.maxMessage - RELAY_OVERHEAD) : 0
  }

  /**
   * Seals a frame to a member and hands it to the server, in the order of the calls for its lane; that it arrived, only an
   * answer tells. A handshake and a wake-up take our presence record along, so that who was not told of us can answer.
   * Rejects with UNKNOWN_PEER, SIGNALING_UNREACHABLE, QUEUE_FULL, MESSAGE_TOO_LARGE, or INVALID_FORMAT where the member's
   * introduction key is none.
   */
  async relay(peer: Bytes, frame: Bytes, lane: OutboxLane = 'open'): Promise<void> {
    const connection = this.#connection
    if (!connection?.isOnline) throw unreachable()
    const presence = this.#members.find(peer)
    if (presence === undefined || presence.notAfter <= this.serverNow()) {
      throw new TsunagiError('UNKNOWN_PEER', 'No peer of this key is in the mesh now.', { peer: peerIdOf(peer) })
    }
    const type = openFrameType(frame)
    const content = type === 'handshake' || type === 'wake_up' ? this.#introductions.introduce(frame) : frame
    const size = RELAY_OVERHEAD + content.length
    if (size > connection.maxMessage) {
      throw new TsunagiError(
        'MESSAGE_TOO_LARGE',
        `A relayed frame of ${content.length} bytes is more than the server takes (${connection.maxMessage}).`,
      )
    }
    // Links bound for themselves what waits.
    if (lane === 'open') this.#checkRoom(connection, size)
    return this.#outbox.add(lane, size, async () => {
      const payload = await this.#introductions.seal(presence, content)
      if (!connection.isOnline) throw unreachable()
      connection.send({ type: 'relay', publicKey: presence.publicKey, payload })
    })
  }

  /** The newest record of a peer, also of one that left. */
  presenceOf(publicKey: Bytes): Presence | undefined {
    return this.#members.known(publicKey)
  }

  /**
   * Leaves a wake-up with the server for a peer that need not be in the mesh now. Fulfils with how far it came. Rejects with
   * SIGNALING_UNREACHABLE, QUEUE_FULL, or INVALID_FORMAT where the introduction key is none.
   * @param expires milliseconds since 1970 by the server's clock
   */
  async leaveWakeUp(
    peer: Pick<Presence, 'publicKey' | 'introductionKey'>,
    frame: Bytes,
    { priority, expires }: { readonly priority: Priority; readonly expires: number },
  ): Promise<WakeStepReport> {
    const connection = this.#connection
    if (!connection?.isOnline) throw unreachable()
    const content = this.#introductions.introduce(frame)
    const size = RELAY_OVERHEAD + content.length
    this.#checkRoom(connection, size)
    const wakeId = uuidV4(this.#options.crypto.randomBytes(16))
    let step: Promise<WakeStepReport> | undefined
    await this.#outbox.add('open', size, async () => {
      const sealed = await this.#introductions.seal(peer, content)
      if (!connection.isOnline) throw unreachable()
      step = this.#wakeSteps.wait(wakeId.toString())
      connection.send({
        type: 'wake_up',
        payload: { wake_id: wakeId, public_key: peer.publicKey, priority, expires, sealed },
      })
    })
    return step ?? Promise.reject(unreachable())
  }

  /** As the server gave it last; undefined before that, and where it sends no pushes. */
  get vapidKey(): Bytes | undefined {
    return this.#vapidKey
  }

  /**
   * From now on the server is told, also after each reconnection, where pushes go, or with undefined that they go nowhere.
   * Fulfils with whether it will push. Rejects with SIGNALING_UNREACHABLE.
   */
  async pushTo(target: PushTarget): Promise<boolean> {
    this.#push = target === undefined ? {} : { subscription: target }
    if (!this.#connection?.isOnline) throw unreachable()
    const state = this.#pushStates.wait('')
    this.#connection.send({ type: 'push_subscribe', payload: this.#push })
    return state
  }

  /** By these tags (capabilityTag()) others find this peer from now on, also after it came back. At most PROTOCOL.maxCapabilities. */
  announce(tags: readonly Bytes[]): void {
    this.#tags = [...tags]
    if (this.#connection?.isOnline) this.#connection.send({ type: 'announce', payload: { tags: this.#tags } })
  }

  /**
   * Asks the server who announced a tag. Answers keys of members, some of them where there are many; each was told as a
   * member. Rejects with SIGNALING_UNREACHABLE, or QUEUE_FULL where too many answers are waited for.
   */
  async discover(tag: Bytes): Promise<readonly Bytes[]> {
    const connection = this.#connection
    if (!connection?.isOnline) throw unreachable()
    const found = this.#discoveries.wait(tag.toString())
    connection.send({ type: 'discover', payload: { tag } })
    return found
  }

  /** @throws TsunagiError QUEUE_FULL */
  #checkRoom(connection: Connection, size: number): void {
    if (this.#outbox.openBytes + connection.bufferedAmount + size <= LIMITS.maxSignalingQueue) return
    throw new TsunagiError('QUEUE_FULL', 'Too much waits to leave for the signaling server.')
  }

  #connect(): void {
    this.#cancelRetry = undefined
    const connection = new Connection(this.#clock, {
      challenge: (payload) => this.#join(payload),
      welcome: (payload) => this.#welcome(connection, payload),
      presence: (payload) => this.#presence(connection, payload),
      relay: (sender, sealed) => this.#frame(connection, sender, sealed, 'relay'),
      mail: (payload) => this.#mail(connection, payload),
      wakeStep: ({ wake_id, step }) => this.#wakeSteps.give(wake_id.toString(), step),
      pushState: ({ subscribed }) => this.#pushStates.give('', subscribed),
      found: (payload) => this.#found(connection, payload),
      iceServers: (payload) => {
        this.#iceServers = payload.ice_servers
      },
      error: (payload) => this.#serverError(payload),
      overflow: () => {
        this.#refused.frames++
        const why = 'More relayed frames came than this page can open; some were dropped.'
        this.#complaints.make('overflow', new TsunagiError('QUEUE_FULL', why))
      },
      refused: (error) => {
        this.#refused.messages++
        this.#complaints.make('server', error)
      },
      ended: (code, reason) => this.#ended(connection, code, reason),
    })
    this.#connection = connection
    connection.open(this.#options.openSocket, this.#options.url)
  }

  async #join({ challenge, time }: SignalingPayload<'challenge'>): Promise<SignalingPayload<'join'>> {
    const { key, mesh } = this.#options
    this.#clockOffset = time - this.#clock.now()
    const presence = await this.#introductions.renew(() => this.serverNow())
    const join = { origin: this.#origin, mesh_id: mesh.meshId, public_key: key.publicKey, presence }
    return { version: PROTOCOL.version, ...join, signature: await key.sign(signalingProof(challenge, join)) }
  }

  async #welcome(connection: Connection, welcome: SignalingPayload<'welcome'>): Promise<void> {
    this.#iceServers = welcome.ice_servers
    this.#vapidKey = welcome.vapid_key?.slice()
    if (this.#push !== undefined) connection.send({ type: 'push_subscribe', payload: this.#push })
    this.#renewInTime(connection)
    if (this.#tags.length > 0) connection.send({ type: 'announce', payload: { tags: this.#tags } })
    this.#setStatus('online')
    // The total counts us.
    this.#isPartlyKnown = welcome.members.length + 1 < welcome.total
    const named: Bytes[] = []
    for (const record of welcome.members) {
      const member = await this.#meet(connection, record, 'present')
      if (member !== undefined) named.push(member)
    }
    // Where the welcome names only some, nothing is known of the others.
    if (connection.hasEnded || this.#isPartlyKnown) return
    for (const member of this.#members.presentExcept(named)) this.#left(member)
  }

  /** A record cannot be replaced on an open socket, so a new introduction key comes with a new one. */
  #renewInTime(connection: Connection): void {
    const life = Math.min(this.#introductions.life, PROTOCOL.introductionKeyLife)
    this.#cancelRenewal = this.#clock.after(life, () => connection.drop())
  }

  async #presence(connection: Connection, presence: SignalingPayload<'presence'>): Promise<void> {
    if (presence.event === 'left') this.#left(presence.public_key.slice())
    else await this.#meet(connection, presence.presence, 'joined')
  }

  async #found(connection: Connection, { tag, members }: SignalingPayload<'found'>): Promise<void> {
    const found: Bytes[] = []
    for (const record of members) {
      const member = await this.#meet(connection, record, 'present')
      if (member !== undefined) found.push(member)
    }
    if (!connection.hasEnded) this.#discoveries.give(tag.toString(), found)
  }

  /**
   * Verifies a record and tells of its peer. Answers its key where it is a member now.
   * @param owner whose record it has to be, where that is known
   */
  async #meet(
    connection: Connection,
    record: Bytes,
    how: 'present' | 'joined',
    owner?: Bytes,
  ): Promise<Bytes | undefined> {
    const { crypto, key, mesh } = this.#options
    let presence: Presence
    try {
      presence = await openPresence(crypto, record, mesh.meshId, this.serverNow())
    } catch (error) {
      if (!isTsunagiError(error)) throw error
      this.#refused.records++
      return undefined
    }
    const { publicKey } = presence
    if (connection.hasEnded || equalBytes(publicKey, key.publicKey)) return undefined
    const isForeign = owner !== undefined && !equalBytes(publicKey, owner)
    if (isForeign || !this.#members.join(presence)) {
      this.#refused.records++
      return undefined
    }
    const evicted = this.#members.evict()
    if (evicted !== undefined) this.#options.onLeft(evicted)
    this.#options.onMember(publicKey, how)
    return publicKey
  }

  #left(publicKey: Bytes): void {
    if (this.#members.leave(publicKey)) this.#options.onLeft(publicKey)
  }

  /** Whatever became of it, it need not be kept any more. */
  async #mail(connection: Connection, { mail_id, public_key, sealed }: SignalingPayload<'mail'>): Promise<void> {
    await this.#frame(connection, public_key, sealed, 'mail')
    connection.send({ type: 'mail_taken', payload: { mail_id } })
  }

  async #frame(connection: Connection, sender: Bytes, sealed: Bytes, how: 'relay' | 'mail'): Promise<void> {
    const { onFrame } = this.#options
    // A copy: the original is a view that would keep the whole message alive.
    const claimedSender = sender.slice()
    const frame = await this.#introductions.open(claimedSender, sealed)
    if (connection.hasEnded) return
    if (frame?.[0] === RELAYED_TYPES.introduction) return this.#introduced(connection, frame, claimedSender, how)
    if (frame !== undefined) return onFrame(frame, claimedSender, how)
    this.#refused.frames++
    const peer = peerIdOf(claimedSender)
    const why = 'A relayed frame could not be opened: altered on its way, or sealed to a key this peer no longer has.'
    this.#complaints.make(peer, new TsunagiError('DECRYPTION_FAILED', why, { peer }))
  }

  /** A frame behind the record of its sender, whom the server may not have named to us. */
  async #introduced(connection: Connection, frame: Bytes, claimedSender: Bytes, how: 'relay' | 'mail'): Promise<void> {
    const { record, rest } = readIntroduction(frame) ?? {}
    if (record === undefined || rest === undefined) {
      this.#refused.frames++
      return
    }
    if (!this.hasMember(claimedSender)) await this.#meet(connection, record, 'joined', claimedSender)
    if (!connection.hasEnded) this.#options.onFrame(rest, claimedSender, how)
  }

  #serverError({ code, message, public_key }: SignalingPayload<'error'>): void {
    if (code === 'UNKNOWN_PEER') {
      const publicKey = public_key?.slice()
      if (publicKey !== undefined && this.#members.leave(publicKey)) this.#options.onUnknownPeer(publicKey)
      return
    }
    if (code === 'RATE_LIMITED') this.#outbox.slowDown()
    const why =
      code === 'RATE_LIMITED'
        ? 'The signaling server dropped messages of this peer: there were too many at once.'
        : 'The signaling server did not take a message of this peer.'
    // The server's own words are a stranger's: for the log, not for people.
    this.#complaints.make(code, new TsunagiError(code, why, { cause: message }))
  }

  #ended(connection: Connection, code: number | undefined, reason: string): void {
    this.#stop()
    const refused = refusalOf(code)
    if (refused !== undefined) {
      this.#setStatus('closed')
      this.#options.onError(refused)
      return
    }
    if (connection.age >= LIMITS.signalingStable) this.#backoff.reset()
    this.#cancelRetry = this.#clock.after(comeBackDelay(reason) + this.#backoff.next(), () => this.#connect())
    this.#setStatus('offline')
  }

  #stop(): void {
    this.#cancelRetry?.()
    this.#cancelRetry = undefined
    this.#cancelRenewal?.()
    this.#connection?.close()
    this.#connection = undefined
    for (const answers of [this.#discoveries, this.#wakeSteps, this.#pushStates]) answers.end()
    this.#outbox.clear(unreachable())
  }

  #setStatus(status: PeerStatus): void {
    if (status === this.#status) return
    this.#status = status
    this.#options.onStatus(status)
  }
}

function unreachable(): TsunagiError {
  return new TsunagiError('SIGNALING_UNREACHABLE', 'The signaling server cannot be reached now.')
}
