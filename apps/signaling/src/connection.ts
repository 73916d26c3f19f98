/** One socket, from its challenge to its end: unproven → proving → proven → closed. */
import {
  type Bytes,
  type Clock,
  type CryptoProvider,
  closeReason,
  decodeSignaling,
  encodeSignaling,
  fingerprintOf,
  type IceServer,
  peerIdOf,
  RELAY_HEAD,
  SIGNALING_CLOSE,
  SIGNALING_TYPES,
  type SignalingMessage,
  type SignalingPayload,
  TsunagiError,
} from '@tsunagi/protocol/signaling'
import type { Logger } from 'pino'
import type { Accounts } from './accounts.ts'
import type { AddressAccount } from './addresses.ts'
import { BINARY, frameOf, openFrame, PONG } from './frames.ts'
import { verifyJoin } from './join-proof.ts'
import type { KeyAccount } from './keys.ts'
import type { Place } from './known-peers.ts'
import type { SignalingLimits } from './limits.ts'
import { keyBytes, type Mail, type Member, type Mesh, type Meshes, mapKey, type Seat } from './mesh.ts'
import type { Metrics } from './metrics.ts'
import { PairBudgets } from './pairs.ts'
import type { PeerSocket, SocketOwner } from './peer-socket.ts'
import { ACCEPTED, isFromPeer, type State } from './states.ts'
import { TokenBucket, TrafficBudget, type TrafficRates } from './token-bucket.ts'
import { type TurnOptions, turnServer } from './turn.ts'
import type { Waking } from './waking.ts'

/** What all sockets of a server share. */
export interface ConnectionHost {
  readonly clock: Clock
  readonly crypto: CryptoProvider
  readonly iceServers: readonly IceServer[]
  readonly keys: Accounts<KeyAccount>
  readonly limits: SignalingLimits
  readonly log: Logger
  readonly meshes: Meshes
  readonly metrics: Metrics
  readonly origins: ReadonlySet<string>
  readonly pairRates: TrafficRates
  readonly turn: TurnOptions | undefined
  readonly unprovenRates: TrafficRates
  readonly waking: Waking
}

type ErrorPayload = SignalingPayload<'error'>
type CloseKind = keyof typeof SIGNALING_CLOSE

const CLOSE_REASONS: Record<CloseKind, string> = {
  goingAway: 'The server is stopping.',
  overloaded: 'The server cannot take this peer now.',
  tooSlow: 'Too much is waiting to be read.',
  silent: 'What had to come did not come in time.',
  rateLimited: 'Too many messages, for too long.',
  invalidMessage: 'Not a message of this protocol.',
  notProven: 'No key was proved.',
  replaced: 'A newer socket has proved the same key.',
  wrongVersion: 'Another version of the protocol.',
}

/** Bytes for which a dropped message counts as one more: reading them has cost as much. */
const DROP_SIZE = 4_096

/** Milliseconds without a word after which what it may send is looked at. */
const QUIET = 1_000

/** As so many messages counts one that has something read and written in the store. */
const STORE_COST = 8

/** Of the lifetime of TURN credentials, after which a peer that stays gets new ones. */
const TURN_RENEWAL = 0.75

/** What keeps account of the sockets that are open. */
export interface Door {
  /** The key was proved. */
  proven(connection: Connection): void
  /** The socket has closed. */
  left(connection: Connection): void
}

/** One object for all that a peer is to the server, and without closures: there are thousands, most of them quiet. */
export class Connection implements Member, SocketOwner {
  readonly address: AddressAccount
  /** Of a proven peer. */
  key = ''
  seat: Seat | undefined
  readonly #socket: PeerSocket
  readonly #host: ConnectionHost
  readonly #door: Door
  /** Undefined once it was answered. */
  #challenge: Bytes | undefined
  /** A small one until the key is proved. None where it would be full. */
  #traffic: TrafficBudget | undefined
  /** Made with the first message that is dropped. */
  #drops: TokenBucket | undefined
  #pairs: PairBudgets | undefined
  #state: State = 'unproven'
  /** Where a proven peer is. */
  #mesh: Mesh | undefined
  #account: KeyAccount | undefined
  /** As its mesh packs it. */
  #presence = ''
  #heardAt: number
  /** When the key must be proved, and then when the peer is to be pinged. */
  #dueAt: number
  #renewTurnAt: number | undefined

  constructor(socket: PeerSocket, host: ConnectionHost, address: AddressAccount, door: Door) {
    const { clock, crypto, limits } = host
    this.#socket = socket
    this.#host = host
    this.address = address
    this.#door = door
    this.#heardAt = clock.now()
    this.#dueAt = this.#heardAt + limits.proofDeadline
    socket.owner = this

    const challenge = crypto.randomBytes(32)
    this.#challenge = challenge
    this.#send({ type: 'challenge', payload: { challenge, time: this.#heardAt, max_message: limits.maxMessage } })
  }

  get publicKey(): Bytes {
    return keyBytes(this.key)
  }

  get presence(): Bytes {
    return this.#mesh?.unpack(this.#presence) ?? new Uint8Array()
  }

  /** Bytes that wait to be read by the peer. */
  get waiting(): number {
    return this.#socket.waiting
  }

  /**
   * Tells the peer why and waits for its answer, for the close timeout at most. Idempotent.
   * @param delay milliseconds for which it is asked to stay away; of no meaning where it is not to come back
   */
  close(kind: CloseKind, delay = 0): void {
    if (this.#state === 'closed') return
    this.#socket.close(SIGNALING_CLOSE[kind], closeReason(CLOSE_REASONS[kind], delay))
    this.#end(SIGNALING_CLOSE[kind])
  }

  /** Without a word. */
  cut(): void {
    this.#socket.terminate()
  }

  #end(code: number): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#host.metrics.closed(code)
    this.#host.log.info({ peer: this.#name, code }, 'closed')
    const mesh = this.#mesh
    if (mesh === undefined || this.#account === undefined) return
    this.#account.meshes--
    mesh.leave(this)
    this.#host.waking.left(this.#placeIn(mesh))
    this.#host.meshes.release(mesh.id)
  }

  /** Closes the socket where something did not come in time, and pings it again and again. To be called often. */
  look(now: number): void {
    if (this.#state === 'closed') return
    if (now - this.#heardAt >= QUIET) this.#rest(now)
    if (this.#socket.isOverdue(now, this.#host.limits.writeDeadline)) this.close('tooSlow')
    else if (now < this.#dueAt) return
    // A slow line is no reason to stay away, so this is not the code of a proof that failed.
    else if (this.#state !== 'proven') this.close('silent')
    else this.#keepAlive(now)
  }

  // ---------------------------------------------------------------------------------------------------------------
  // What the socket says

  pinged(bytes: Buffer): void {
    if (this.#admit(bytes.length) !== undefined) this.#sendBytes(bytes, PONG)
  }

  ponged(bytes: Buffer): void {
    this.#admit(bytes.length)
  }

  failed({ message }: Error): void {
    this.#host.log.debug({ reason: message }, 'socket failed')
  }

  ended(code: number): void {
    this.#end(code)
    this.#door.left(this)
  }

  /** As logs name the peer: enough to tell two apart. */
  get #name(): string | undefined {
    return this.#mesh && fingerprintOf(peerIdOf(this.publicKey))
  }

  received(message: Buffer<ArrayBuffer>, isBinary: boolean): void {
    const now = this.#admit(message.length)
    if (now === undefined) return
    try {
      if (!isBinary) throw new TsunagiError('INVALID_FORMAT', 'Signaling messages are binary.')
      if (message[0] === SIGNALING_TYPES.relay && this.#state === 'proven') this.#relay(message, now)
      else this.#handle(decodeSignaling(message))
    } catch (error) {
      if (error instanceof TsunagiError) this.#refuse('INVALID_FORMAT', error.message, 'invalidMessage')
      else this.#fail(error)
    }
  }

  /** Notes that the peer lives. Answers the time where its rates allow what it sent, else undefined. */
  #admit(bytes: number, messages = 1): number | undefined {
    if (this.#state === 'closed') return undefined
    const now = this.#host.clock.now()
    this.#heardAt = now
    this.#traffic ??= new TrafficBudget(this.#state === 'proven' ? this.#host.limits : this.#host.unprovenRates, now)
    if (!this.#traffic.has(now, bytes, messages)) return this.#drop('messageRate', bytes)
    if (this.#account?.take(now, bytes, messages) === false) return this.#drop('keyMessageRate', bytes)
    this.#traffic.take(now, bytes, messages)
    return now
  }

  /** Keeps nothing that would be the same if it were made anew. */
  #rest(now: number): void {
    if (this.#traffic?.isFull(now)) this.#traffic = undefined
    if (this.#pairs?.isFull(now)) this.#pairs = undefined
    this.#account?.rest(now)
  }

  /** As so many messages more counts what is handled now. Answers whether the rates of the peer allow it. */
  #counts(messages: number): boolean {
    return this.#admit(0, messages - 1) !== undefined
  }

  /** Says that a message was dropped, and closes the socket once there were too many: a large one counts as several. */
  #drop(limit: string, bytes: number, publicKey?: Bytes): undefined {
    const { clock, limits, metrics } = this.#host
    metrics.refused(limit)
    this.#drops ??= new TokenBucket(limits.maxDropped / 60, limits.maxDropped, clock)
    if (this.#drops.take(1 + Math.floor(bytes / DROP_SIZE))) {
      this.#answer('RATE_LIMITED', 'A message was dropped: too many of them, or too many bytes.', publicKey)
    } else this.close('rateLimited', limits.comeBackAfter)
  }

  #handle(message: SignalingMessage): void {
    if (!isFromPeer(message)) throw new TsunagiError('INVALID_FORMAT', `A peer does not send ${message.type}.`)
    this.#host.metrics.received(message.type)
    if (!ACCEPTED[this.#state][message.type]) {
      this.#answer('INVALID_STATE', `No ${message.type} is taken while this socket is ${this.#state}.`)
      return
    }
    switch (message.type) {
      case 'ping':
        this.#send({ type: 'pong', payload: message.payload })
        break
      case 'announce':
        this.#mesh?.announce(this, message.payload.tags)
        break
      case 'discover':
        this.#discover(message.payload.tag)
        break
      case 'wake_up':
        this.#wakeUp(message.payload).catch((error: unknown) => this.#fail(error))
        break
      case 'mail_taken':
        if (this.#mesh && this.#counts(STORE_COST)) {
          this.#host.waking.taken(this.#placeIn(this.#mesh), new Uint8Array(message.payload.mail_id))
        }
        break
      case 'push_subscribe':
        this.#subscribe(message.payload).catch((error: unknown) => this.#fail(error))
        break
      case 'join':
        this.#join(message.payload).catch((error: unknown) => this.#fail(error))
    }
  }

  async #join(join: SignalingPayload<'join'>): Promise<void> {
    const challenge = this.#challenge
    if (challenge === undefined) return
    this.#challenge = undefined
    this.#state = 'proving'
    const { clock, crypto, keys, limits, meshes, metrics, origins } = this.#host
    const begun = performance.now()
    try {
      await verifyJoin(crypto, join, { challenge, origins, now: clock.now() })
    } catch (error) {
      if (!(error instanceof TsunagiError)) throw error
      metrics.refused('proof')
      if (error.code === 'INVALID_VERSION') this.#refuse('INVALID_VERSION', error.message, 'wrongVersion')
      else this.#refuse('INVALID_SIGNATURE', error.message, 'notProven')
      return
    }
    if (!this.#is('proving')) return
    this.#door.proven(this)
    this.#dueAt = Number.POSITIVE_INFINITY

    const mesh = await meshes.hold(join.mesh_id)
    this.key = mapKey(join.public_key)
    this.#presence = mesh.pack(join.presence)
    const account = keys.get(this.key)
    const refusal = this.#is('proving') ? roomFor(this, mesh, account, limits) : 'gone'
    if (refusal !== undefined) {
      meshes.release(mesh.id)
      metrics.refused(refusal)
      this.close('overloaded', limits.comeBackAfter)
      return
    }
    account.meshes++
    this.#mesh = mesh
    this.#account = account
    this.#state = 'proven'
    this.#traffic = undefined
    this.#welcome(mesh)
    metrics.joined(performance.now() - begun)
    for (const mail of await this.#host.waking.returned(this.#placeIn(mesh))) this.mail(mail)
  }

  #welcome(mesh: Mesh): void {
    const others = mesh.sample(this)
    const members = others.map((other) => other.presence)
    this.#host.log.info({ peer: this.#name, members: mesh.size }, 'joined')
    const { vapidKey } = this.#host.waking
    const payload = { members, total: mesh.size, ice_servers: this.#iceServers() }
    this.#send({ type: 'welcome', payload: vapidKey === undefined ? payload : { ...payload, vapid_key: vapidKey } })
    // After the welcome, which must be the first that the peer hears, and may be too much for a socket that takes no more.
    if (!this.#is('proven')) return
    mesh.introduce(this, others)
    if (this.#is('proven')) this.#keepAlive(this.#host.clock.now())
  }

  /** With new TURN credentials, unless the key has had too many. */
  #iceServers(): IceServer[] {
    const { clock, iceServers, limits, metrics, turn } = this.#host
    if (turn === undefined || this.#account === undefined) return [...iceServers]
    this.#renewTurnAt = clock.now() + limits.turnLifetime * TURN_RENEWAL
    if (!this.#account.turn.take(1)) {
      metrics.refused('turnPerHour')
      return [...iceServers]
    }
    return [...iceServers, turnServer(turn, this.publicKey, limits.turnLifetime, clock.now())]
  }

  /** Most of what there is to do, so nothing is decoded or copied that need not be. */
  #relay(message: Buffer<ArrayBuffer>, now: number): void {
    if (message.length <= RELAY_HEAD) throw new TsunagiError('INVALID_FORMAT', 'A relay has no payload.')
    const { limits, metrics, pairRates } = this.#host
    metrics.received('relay')
    const addressee = message.toString('latin1', 1, RELAY_HEAD)
    this.#pairs ??= new PairBudgets(pairRates, limits.maxPairs, now)
    const payload = message.subarray(RELAY_HEAD)
    if (!this.#pairs.take(addressee, now, payload.length)) {
      this.#drop('pairMessageRate', payload.length, keyBytes(addressee))
    } else if (!this.#mesh?.relay(this, addressee, payload)) this.undelivered(keyBytes(addressee))
  }

  /** An answer of many records counts as so many messages. */
  #discover(tag: Bytes): void {
    if (this.#mesh === undefined || !this.#counts(this.#host.limits.discoverSize)) return
    const members = this.#mesh.discover(this, tag).map(({ presence }) => presence)
    this.#send({ type: 'found', payload: { tag, members } })
  }

  async #wakeUp(payload: SignalingPayload<'wake_up'>): Promise<void> {
    const [mesh, account] = [this.#mesh, this.#account]
    if (mesh === undefined || account === undefined || !this.#counts(STORE_COST)) return
    const step = await this.#host.waking.wakeUp(this, account, mesh, payload)
    this.#send({ type: 'wake_step', payload: { wake_id: payload.wake_id, step } })
  }

  async #subscribe({ subscription }: SignalingPayload<'push_subscribe'>): Promise<void> {
    if (this.#mesh === undefined || !this.#counts(STORE_COST)) return
    const subscribed = await this.#host.waking.subscribe(this.#placeIn(this.#mesh), subscription)
    this.#send({ type: 'push_state', payload: { subscribed } })
  }

  /** Pings, and closes the socket once it has been silent for too long. */
  #keepAlive(now: number): void {
    const { limits } = this.#host
    const silentFor = now - this.#heardAt
    if (silentFor >= limits.silence) {
      this.close('silent')
      return
    }
    if (this.#renewTurnAt !== undefined && now >= this.#renewTurnAt) {
      this.#send({ type: 'ice_servers', payload: { ice_servers: this.#iceServers() } })
    }
    this.#socket.ping()
    this.#dueAt = now + Math.min(limits.pingInterval, limits.silence - silentFor)
  }

  // ---------------------------------------------------------------------------------------------------------------
  // What its mesh says

  tell(message: Uint8Array): void {
    this.#sendBytes(message)
  }

  /** Under the sender's key. A copy, since the payload is a view that would keep all that was read with it until it has left. */
  relay(sender: string, payload: Bytes): boolean {
    const length = RELAY_HEAD + payload.length
    if (!this.#takes(length)) return false
    const frame = openFrame(length, this.#socket.waiting > 0)
    const start = frame.length - length
    frame[start] = SIGNALING_TYPES.relay
    frame.write(sender, start + 1, 'latin1')
    frame.set(payload, start + RELAY_HEAD)
    this.#socket.write(frame)
    this.#host.metrics.relayed('local')
    return true
  }

  mail({ id, sender, sealed }: Mail): boolean {
    const payload = { mail_id: id, public_key: sender, sealed }
    if (!this.#sendBytes(encodeSignaling({ type: 'mail', payload }))) return false
    this.#host.metrics.mail('delivered')
    return true
  }

  undelivered(addressee: Bytes): void {
    this.#answer('UNKNOWN_PEER', 'No peer of this key is in the mesh now.', addressee)
  }

  replaced(): void {
    this.close('replaced')
  }

  // ---------------------------------------------------------------------------------------------------------------

  /** A fault of this server ends the one socket that met it. */
  #fail(error: unknown): void {
    this.#host.log.error({ err: error }, 'a message could not be handled')
    this.close('overloaded', this.#host.limits.comeBackAfter)
  }

  #refuse(code: ErrorPayload['code'], message: string, kind: CloseKind): void {
    this.#answer(code, message)
    this.close(kind)
  }

  #answer(code: ErrorPayload['code'], message: string, publicKey?: Bytes): void {
    const payload: ErrorPayload = { code, message: message.slice(0, 256) }
    this.#send({ type: 'error', payload: publicKey === undefined ? payload : { ...payload, public_key: publicKey } })
  }

  #send(message: SignalingMessage): void {
    this.#sendBytes(encodeSignaling(message))
  }

  /** Answers whether it was taken for sending. */
  #sendBytes(message: Uint8Array, kind = BINARY): boolean {
    if (!this.#takes(message.length)) return false
    this.#socket.write(frameOf(message, kind))
    return true
  }

  /** Whether so many bytes can be sent. Closes the socket where too much waits already. */
  #takes(bytes: number): boolean {
    // A peer that is about to leave is still in its mesh.
    if (this.#state === 'closed' || this.#socket.readyState !== this.#socket.OPEN) return false
    if (this.#socket.waiting + bytes <= this.#host.limits.sendHighMark) return true
    this.close('tooSlow')
    return false
  }

  #placeIn({ id }: Mesh): Place {
    return { meshId: id, publicKey: this.publicKey }
  }

  /** Asks anew: while a promise was awaited the socket may have closed. */
  #is(state: State): boolean {
    return this.#state === state
  }
}

/** Takes the seat, or answers the limit that leaves none. */
function roomFor(member: Member, mesh: Mesh, account: KeyAccount, limits: SignalingLimits): string | undefined {
  // A newer socket in the same mesh takes the older one's place.
  const isNew = mesh.member(member.publicKey) === undefined
  if (isNew && account.meshes >= limits.maxMeshesPerKey) return 'maxMeshesPerKey'
  return mesh.join(member) ? undefined : 'maxMembers'
}

/** Nothing comes back with time: who has not proved a key soon is closed. */
export function unprovenRates({ unprovenBytes, unprovenMessages }: SignalingLimits): TrafficRates {
  return { messageRate: 0, messageBurst: unprovenMessages, byteRate: 0, byteBurst: unprovenBytes }
}
