/** One socket, from its challenge to its end: unproven → proving → proven → closed. */
import {
  type Bytes,
  type Clock,
  type CryptoProvider,
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
import { verifyJoin } from './join-proof.ts'
import type { SignalingLimits } from './limits.ts'
import type { Member, Mesh, Meshes } from './mesh.ts'
import { TokenBucket } from './token-bucket.ts'

/** What all sockets of a server share. */
export interface ConnectionHost {
  readonly clock: Clock
  readonly crypto: CryptoProvider
  readonly iceServers: IceServer[]
  readonly limits: SignalingLimits
  readonly log: Logger
  readonly meshes: Meshes
  readonly origins: ReadonlySet<string>
}

type State = 'unproven' | 'proving' | 'proven' | 'closed'
type FromPeer = 'join' | 'relay' | 'ping'
type ErrorPayload = SignalingPayload<'error'>
type CloseKind = keyof typeof SIGNALING_CLOSE

/** What is taken in which state; the rest is answered INVALID_STATE. */
const ACCEPTED: Record<State, Record<FromPeer, boolean>> = {
  unproven: { join: true, relay: false, ping: true },
  proving: { join: false, relay: false, ping: true },
  proven: { join: false, relay: true, ping: true },
  closed: { join: false, relay: false, ping: false },
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

export class Connection {
  readonly #socket: WebSocket
  readonly #host: ConnectionHost
  readonly #proven: () => void
  readonly #challenge: Bytes
  readonly #messages: TokenBucket
  readonly #bytes: TokenBucket
  readonly #drops: TokenBucket
  #state: State = 'unproven'
  #seat: { readonly mesh: Mesh; readonly member: Member } | undefined
  #heardAt: number
  #cancelTimer: () => void

  /** @param proven called once, when the key is proved */
  constructor(socket: WebSocket, host: ConnectionHost, proven: () => void) {
    const { clock, crypto, limits, log } = host
    this.#socket = socket
    this.#host = host
    this.#proven = proven
    this.#messages = new TokenBucket(limits.messageRate, limits.messageBurst, clock)
    this.#bytes = new TokenBucket(limits.byteRate, limits.byteBurst, clock)
    this.#drops = new TokenBucket(limits.maxDropped / 60, limits.maxDropped, clock)
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

  /** Tells the peer why and waits for its answer, for the close timeout at most. Idempotent. */
  close(kind: CloseKind): void {
    if (this.#state === 'closed') return
    this.#socket.close(SIGNALING_CLOSE[kind], CLOSE_REASONS[kind])
    this.#end(SIGNALING_CLOSE[kind])
  }

  #end(code: number): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#cancelTimer()
    this.#host.log.info({ peer: this.#name, code }, 'closed')
    this.#seat?.mesh.leave(this.#seat.member)
  }

  /** As logs name the peer: enough to tell two apart. */
  get #name(): string | undefined {
    return this.#seat && fingerprintOf(peerIdOf(this.#seat.member.publicKey))
  }

  /** Notes that the peer lives, and answers whether its rate allows what it sent. */
  #admit(bytes: number): boolean {
    if (this.#state === 'closed') return false
    this.#heardAt = this.#host.clock.now()
    if (this.#messages.take(1) && this.#bytes.take(bytes)) return true
    if (this.#drops.take(1)) this.#answer('RATE_LIMITED', 'A message was dropped: too many of them, or too many bytes.')
    else this.close('rateLimited')
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
    if (message.type !== 'join' && message.type !== 'relay' && message.type !== 'ping') {
      throw new TsunagiError('INVALID_FORMAT', `A peer does not send ${message.type}.`)
    }
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
      case 'join':
        this.#join(message.payload).catch((error: unknown) => this.#fail(error))
    }
  }

  async #join(join: SignalingPayload<'join'>): Promise<void> {
    this.#state = 'proving'
    const { clock, crypto, iceServers, limits, log, meshes, origins } = this.#host
    try {
      await verifyJoin(crypto, join, { challenge: this.#challenge, origins, now: clock.now() })
    } catch (error) {
      if (!(error instanceof TsunagiError)) throw error
      if (error.code === 'INVALID_VERSION') this.#refuse('INVALID_VERSION', error.message, 'wrongVersion')
      else this.#refuse('INVALID_SIGNATURE', error.message, 'notProven')
      return
    }
    if (!this.#is('proving')) return

    const mesh = meshes.get(join.mesh_id)
    const member: Member = {
      // Copies: the originals are views that would keep the whole read buffer alive as long as the socket.
      publicKey: new Uint8Array(join.public_key),
      presence: new Uint8Array(join.presence),
      send: (message) => this.#sendBytes(message),
      replaced: () => this.close('replaced'),
    }
    if (!mesh.join(member)) {
      this.close('overloaded')
      return
    }
    this.#seat = { mesh, member }
    this.#state = 'proven'
    this.#proven()
    this.#cancelTimer()
    log.info({ peer: this.#name, members: mesh.size }, 'joined')
    mesh.announce(member)
    this.#keepAlive()
    // Last, since a socket that takes no more is closed by it, and then leaves.
    const members = mesh.sample(limits.sampleSize, member).map((other) => other.presence)
    this.#send({ type: 'welcome', payload: { members, total: mesh.size, ice_servers: iceServers } })
  }

  /**
   * The sender's key takes the place of the addressee's. A new message, since a view into what was read would keep all
   * that was read with it for as long as a slow reader leaves it waiting.
   */
  #relay(addressee: Bytes, payload: Bytes): void {
    if (this.#seat === undefined) return
    const { mesh, member } = this.#seat
    const target = mesh.member(addressee)
    if (target) target.send(encodeSignaling({ type: 'relay', publicKey: member.publicKey, payload }))
    else this.#answer('UNKNOWN_PEER', 'No peer of this key is in the mesh now.', addressee)
  }

  /** Pings again and again, and closes the socket once it has been silent for too long. */
  #keepAlive(): void {
    const { clock, limits } = this.#host
    const silentFor = clock.now() - this.#heardAt
    if (silentFor >= limits.silence) {
      this.close('silent')
      return
    }
    this.#socket.ping()
    this.#cancelTimer = clock.after(Math.min(limits.pingInterval, limits.silence - silentFor), () => this.#keepAlive())
  }

  /** A fault of this server ends the one socket that met it. */
  #fail(error: unknown): void {
    this.#host.log.error({ err: error }, 'a message could not be handled')
    this.close('overloaded')
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

  #sendBytes(message: Uint8Array): void {
    if (this.#state === 'closed') return
    if (this.#socket.bufferedAmount + message.length > this.#host.limits.sendHighMark) this.close('tooSlow')
    else this.#socket.send(message)
  }

  /** Asks anew: while a promise was awaited the socket may have closed. */
  #is(state: State): boolean {
    return this.#state === state
  }
}
