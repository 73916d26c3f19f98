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
  SIGNALING_CLOSE,
  type SignalingMessage,
  type SignalingPayload,
  TsunagiError,
} from '@tsunagi/protocol/signaling'
import type { Logger } from 'pino'
import type { WebSocket } from 'ws'
import type { Accounts } from './accounts.ts'
import { verifyJoin } from './join-proof.ts'
import { type KeyAccount, pairBudgets } from './keys.ts'
import type { Place } from './known-peers.ts'
import type { SignalingLimits } from './limits.ts'
import { type Mail, type Member, type Mesh, type Meshes, mapKey } from './mesh.ts'
import type { Metrics } from './metrics.ts'
import { TokenBucket, TrafficBudget } from './token-bucket.ts'
import { type TurnOptions, turnServer } from './turn.ts'
import type { Waking } from './waking.ts'
import { WriteWatch } from './write-watch.ts'

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
  readonly turn: TurnOptions | undefined
  readonly waking: Waking
}

type State = 'unproven' | 'proving' | 'proven' | 'closed'
type FromPeer = 'join' | 'relay' | 'ping' | 'announce' | 'discover' | 'wake_up' | 'mail_taken' | 'push_subscribe'
type ErrorPayload = SignalingPayload<'error'>
type CloseKind = keyof typeof SIGNALING_CLOSE

const NOTHING = {
  join: false,
  relay: false,
  ping: false,
  announce: false,
  discover: false,
  wake_up: false,
  mail_taken: false,
  push_subscribe: false,
}
/** What is taken in which state; the rest is answered INVALID_STATE. */
const ACCEPTED: Record<State, Record<FromPeer, boolean>> = {
  unproven: { ...NOTHING, join: true, ping: true },
  proving: { ...NOTHING, ping: true },
  proven: {
    join: false,
    relay: true,
    ping: true,
    announce: true,
    discover: true,
    wake_up: true,
    mail_taken: true,
    push_subscribe: true,
  },
  closed: NOTHING,
}

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

/** As so many messages counts one that has something read and written in the store. */
const STORE_COST = 8

/** Of the lifetime of TURN credentials, after which a peer that stays gets new ones. */
const TURN_RENEWAL = 0.75

/** Where a proven peer is. */
interface Seat {
  readonly mesh: Mesh
  readonly member: Member
  readonly account: KeyAccount
}

export class Connection {
  readonly #socket: WebSocket
  readonly #host: ConnectionHost
  readonly #proven: () => void
  readonly #challenge: Bytes
  readonly #drops: TokenBucket
  readonly #pairs: Accounts<TrafficBudget>
  readonly #writes: WriteWatch
  /** A small one until the key is proved. */
  #traffic: TrafficBudget
  #state: State = 'unproven'
  #seat: Seat | undefined
  #heardAt: number
  #renewTurnAt = Number.POSITIVE_INFINITY
  #cancelTimer: () => void

  /** @param proven called once, when the key is proved */
  constructor(socket: WebSocket, host: ConnectionHost, proven: () => void) {
    const { clock, crypto, limits, log } = host
    this.#socket = socket
    this.#host = host
    this.#proven = proven
    this.#traffic = new TrafficBudget(unprovenRates(limits), clock)
    this.#drops = new TokenBucket(limits.maxDropped / 60, limits.maxDropped, clock)
    this.#pairs = pairBudgets(limits, clock)
    this.#writes = new WriteWatch(clock, limits.writeDeadline, () => this.close('tooSlow'))
    this.#heardAt = clock.now()
    // A slow line is no reason to stay away, so this is not the code of a proof that failed.
    this.#cancelTimer = clock.after(limits.proofDeadline, () => this.close('silent'))

    socket.on('message', (data, isBinary) => this.#receive(data as Buffer<ArrayBuffer>, isBinary))
    socket.on('ping', (data) => this.#admit(data.length))
    socket.on('pong', (data) => this.#admit(data.length))
    socket.on('error', (error) => log.debug({ reason: error.message }, 'socket failed'))
    socket.on('close', (code) => this.#end(code))

    this.#challenge = crypto.randomBytes(32)
    this.#send({
      type: 'challenge',
      payload: { challenge: this.#challenge, time: clock.now(), max_message: limits.maxMessage },
    })
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

  #end(code: number): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#cancelTimer()
    this.#writes.stop()
    this.#host.metrics.closed(code)
    this.#host.log.info({ peer: this.#name, code }, 'closed')
    if (this.#seat === undefined) return
    const { account, member, mesh } = this.#seat
    account.meshes--
    mesh.leave(member)
    this.#host.waking.left(placeOf(this.#seat))
    this.#host.meshes.release(mesh.id)
  }

  /** As logs name the peer: enough to tell two apart. */
  get #name(): string | undefined {
    return this.#seat && fingerprintOf(peerIdOf(this.#seat.member.publicKey))
  }

  /** Notes that the peer lives, and answers whether its rates allow what it sent. */
  #admit(bytes: number, messages = 1): boolean {
    if (this.#state === 'closed') return false
    this.#heardAt = this.#host.clock.now()
    if (!this.#traffic.has(bytes, messages)) return this.#drop('messageRate', bytes)
    if (this.#seat?.account.traffic.take(bytes, messages) === false) return this.#drop('keyMessageRate', bytes)
    return this.#traffic.take(bytes, messages)
  }

  /** Says that a message was dropped, and closes the socket once there were too many: a large one counts as several. */
  #drop(limit: string, bytes: number, publicKey?: Bytes): false {
    this.#host.metrics.refused(limit)
    if (this.#drops.take(1 + Math.floor(bytes / DROP_SIZE))) {
      this.#answer('RATE_LIMITED', 'A message was dropped: too many of them, or too many bytes.', publicKey)
    } else this.close('rateLimited', this.#host.limits.comeBackAfter)
    return false
  }

  #receive(data: Buffer<ArrayBuffer>, isBinary: boolean): void {
    if (!this.#admit(data.length)) return
    try {
      if (!isBinary) throw new TsunagiError('INVALID_FORMAT', 'Signaling messages are binary.')
      this.#handle(decodeSignaling(data))
    } catch (error) {
      if (error instanceof TsunagiError) this.#refuse('INVALID_FORMAT', error.message, 'invalidMessage')
      else this.#fail(error)
    }
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
      case 'relay':
        this.#relay(message.publicKey, message.payload)
        break
      case 'announce':
        this.#seat?.mesh.announce(this.#seat.member, message.payload.tags)
        break
      case 'discover':
        this.#discover(message.payload.tag)
        break
      case 'wake_up':
        this.#wakeUp(message.payload).catch((error: unknown) => this.#fail(error))
        break
      case 'mail_taken':
        if (this.#seat && this.#admit(0, STORE_COST - 1)) {
          this.#host.waking.taken(placeOf(this.#seat), new Uint8Array(message.payload.mail_id))
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
    this.#state = 'proving'
    const { clock, crypto, keys, limits, meshes, metrics, origins } = this.#host
    const begun = performance.now()
    try {
      await verifyJoin(crypto, join, { challenge: this.#challenge, origins, now: clock.now() })
    } catch (error) {
      if (!(error instanceof TsunagiError)) throw error
      metrics.refused('proof')
      if (error.code === 'INVALID_VERSION') this.#refuse('INVALID_VERSION', error.message, 'wrongVersion')
      else this.#refuse('INVALID_SIGNATURE', error.message, 'notProven')
      return
    }
    if (!this.#is('proving')) return
    this.#proven()
    this.#cancelTimer()

    const mesh = await meshes.hold(join.mesh_id)
    const member: Member = {
      // Copies: the originals are views that would keep the whole read buffer alive as long as the socket.
      publicKey: new Uint8Array(join.public_key),
      presence: new Uint8Array(join.presence),
      tell: (message) => void this.#sendBytes(message),
      relay: (sender, payload) => this.#deliver(sender, payload),
      mail: (mail) => this.#sendMail(mail),
      undelivered: (addressee) => this.#unknown(addressee),
      replaced: () => this.close('replaced'),
    }
    const account = keys.get(mapKey(member.publicKey))
    const refusal = this.#is('proving') ? roomFor(member, mesh, account, limits) : 'gone'
    if (refusal !== undefined) {
      meshes.release(mesh.id)
      metrics.refused(refusal)
      this.close('overloaded', limits.comeBackAfter)
      return
    }
    account.meshes++
    this.#seat = { mesh, member, account }
    this.#state = 'proven'
    this.#traffic = new TrafficBudget(limits, clock)
    this.#welcome(this.#seat)
    metrics.joined(performance.now() - begun)
    for (const mail of await this.#host.waking.returned(placeOf(this.#seat))) this.#sendMail(mail)
  }

  #welcome({ mesh, member }: Seat): void {
    const others = mesh.sample(member)
    const members = others.map((other) => other.presence)
    this.#host.log.info({ peer: this.#name, members: mesh.size }, 'joined')
    const { vapidKey } = this.#host.waking
    const payload = { members, total: mesh.size, ice_servers: this.#iceServers() }
    this.#send({ type: 'welcome', payload: vapidKey === undefined ? payload : { ...payload, vapid_key: vapidKey } })
    // After the welcome, which must be the first that the peer hears, and may be too much for a socket that takes no more.
    if (!this.#is('proven')) return
    mesh.introduce(member, others)
    if (this.#is('proven')) this.#keepAlive()
  }

  /** With new TURN credentials, unless the key has had too many. */
  #iceServers(): IceServer[] {
    const { clock, iceServers, limits, metrics, turn } = this.#host
    this.#renewTurnAt = clock.now() + limits.turnLifetime * TURN_RENEWAL
    if (turn === undefined || this.#seat === undefined) return [...iceServers]
    if (!this.#seat.account.turn.take(1)) {
      metrics.refused('turnPerHour')
      return [...iceServers]
    }
    return [...iceServers, turnServer(turn, this.#seat.member.publicKey, limits.turnLifetime, clock.now())]
  }

  #relay(addressee: Bytes, payload: Bytes): void {
    if (this.#seat === undefined) return
    const { mesh, member } = this.#seat
    const pair = this.#pairs.get(mapKey(addressee))
    if (!pair.take(payload.length)) this.#drop('pairMessageRate', payload.length, addressee)
    else if (!mesh.relay(member, addressee, payload)) this.#unknown(addressee)
  }

  #unknown(addressee: Bytes): void {
    this.#answer('UNKNOWN_PEER', 'No peer of this key is in the mesh now.', addressee)
  }

  /**
   * The sender's key takes the place of the addressee's. A new message, since a view into what was read would keep all
   * that was read with it for as long as a slow reader leaves it waiting.
   */
  #deliver(sender: Bytes, payload: Bytes): boolean {
    if (!this.#sendBytes(encodeSignaling({ type: 'relay', publicKey: sender, payload }))) return false
    this.#host.metrics.relayed('local')
    return true
  }

  /** An answer of many records counts as so many messages. */
  #discover(tag: Bytes): void {
    if (this.#seat === undefined || !this.#admit(0, this.#host.limits.discoverSize - 1)) return
    const members = this.#seat.mesh.discover(this.#seat.member, tag).map(({ presence }) => presence)
    this.#send({ type: 'found', payload: { tag, members } })
  }

  async #wakeUp(payload: SignalingPayload<'wake_up'>): Promise<void> {
    if (this.#seat === undefined || !this.#admit(0, STORE_COST - 1)) return
    const { mesh, member, account } = this.#seat
    const step = await this.#host.waking.wakeUp(member, account, mesh, payload)
    this.#send({ type: 'wake_step', payload: { wake_id: payload.wake_id, step } })
  }

  #sendMail({ id, sender, sealed }: Mail): boolean {
    const payload = { mail_id: id, public_key: sender, sealed }
    if (!this.#sendBytes(encodeSignaling({ type: 'mail', payload }))) return false
    this.#host.metrics.mail('delivered')
    return true
  }

  async #subscribe({ subscription }: SignalingPayload<'push_subscribe'>): Promise<void> {
    if (this.#seat === undefined || !this.#admit(0, STORE_COST - 1)) return
    const subscribed = await this.#host.waking.subscribe(placeOf(this.#seat), subscription)
    this.#send({ type: 'push_state', payload: { subscribed } })
  }

  /** Pings again and again, and closes the socket once it has been silent for too long. */
  #keepAlive(): void {
    const { clock, limits, turn } = this.#host
    const now = clock.now()
    const silentFor = now - this.#heardAt
    if (silentFor >= limits.silence) {
      this.close('silent')
      return
    }
    if (turn !== undefined && now >= this.#renewTurnAt) {
      this.#send({ type: 'ice_servers', payload: { ice_servers: this.#iceServers() } })
    }
    this.#socket.ping()
    this.#cancelTimer = clock.after(Math.min(limits.pingInterval, limits.silence - silentFor), () => this.#keepAlive())
  }

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
  #sendBytes(message: Uint8Array): boolean {
    // A peer that is about to leave is still in its mesh: ws makes an error of each message to it.
    if (this.#state === 'closed' || this.#socket.readyState !== this.#socket.OPEN) return false
    if (this.#socket.bufferedAmount + message.length > this.#host.limits.sendHighMark) {
      this.close('tooSlow')
      return false
    }
    this.#socket.send(message, this.#writes.handedOver())
    return true
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

function placeOf({ mesh, member }: Seat): Place {
  return { meshId: mesh.id, publicKey: member.publicKey }
}

function isFromPeer(message: SignalingMessage): message is SignalingMessage & { readonly type: FromPeer } {
  return message.type in NOTHING
}

/** Nothing comes back with time: who has not proved a key soon is closed. */
function unprovenRates({ unprovenBytes, unprovenMessages }: SignalingLimits) {
  return { messageRate: 0, messageBurst: unprovenMessages, byteRate: 0, byteBurst: unprovenBytes }
}
