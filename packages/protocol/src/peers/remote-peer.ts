/** Another peer as this one knows it: its session, how well it answers, what it says of itself (SPEC §5, §7, §8). */
import type { Health, PeerId, PeerInfo } from '../api.ts'
import { TsunagiError } from '../errors.ts'
import type { Channel } from '../handshake/channel.ts'
import { peerIdOf } from '../identity/peer-id.ts'
import { LIMITS } from '../limits.ts'
import type { LinkEvents } from '../links/link.ts'
import { HeartbeatManager } from '../liveness/heartbeat.ts'
import { PeerCounters } from '../liveness/statistics.ts'
import type { CapabilityDescription, SessionPayload } from '../messages.ts'
import type { Clock, CryptoProvider, SigningKey } from '../ports.ts'
import { Session, type SessionMessage, type SessionTrace } from '../session/session.ts'
import type { SessionState } from '../session/states.ts'
import { capabilityDigestInput } from '../tasks/capabilities.ts'
import { type Bytes, equalBytes } from '../wire/bytes.ts'

type LivenessMessage = Extract<SessionMessage, { type: 'ping' | 'pong' | 'heartbeat' | 'status_report' }>
type PresenceMessage = Extract<
  SessionMessage,
  { type: 'capability_query' | 'capability_response' | 'error' | 'session_close' }
>
/** What the peer is not answered by itself: application data and tasks. */
export type WorkMessage = Exclude<SessionMessage, LivenessMessage | PresenceMessage>

export interface RemotePeerHost {
  readonly clock: Clock
  readonly crypto: CryptoProvider
  readonly key: SigningKey
  heartbeat(): SessionPayload<'heartbeat'>
  status(): SessionPayload<'status_report'>
  capabilities(): SessionPayload<'capability_response'>
  /** Something that its PeerInfo shows has changed. */
  onChange(peer: RemotePeer): void
  onWork(peer: RemotePeer, message: WorkMessage): void
  /** The link is gone; the session waits for another. */
  onSuspended(peer: RemotePeer): void
  /** The session is over, and what waited in it was rejected with `error`. */
  onOver(peer: RemotePeer, error: TsunagiError): void
  readonly onTrace: ((peer: RemotePeer, session: Session, trace: SessionTrace) => void) | undefined
}

interface Waiter {
  readonly fulfil: (session: Session) => void
  readonly reject: (error: TsunagiError) => void
  readonly stopTimer: () => void
}

export class RemotePeer {
  readonly key: Bytes
  readonly id: PeerId
  readonly counters = new PeerCounters()
  /** Whether signaling says that it is there: a hint, which nobody signed. */
  isMember = false
  readonly #host: RemotePeerHost
  readonly #waiters = new Set<Waiter>()
  #session: Session | undefined
  #heartbeat: HeartbeatManager | undefined
  #name = ''
  #load = 0
  #capabilities: readonly CapabilityDescription[] = []
  #capabilitiesDigest: Bytes | undefined
  #askedForDigest: Bytes | undefined
  #answering = false

  constructor(host: RemotePeerHost, key: Bytes) {
    this.#host = host
    this.key = key
    this.id = peerIdOf(key)
  }

  get session(): Session | undefined {
    return this.#session
  }

  get isConnected(): boolean {
    return this.#session?.state === 'established'
  }

  get health(): Health {
    if (this.#session === undefined) return 'connecting'
    return this.#heartbeat?.health ?? 'unreachable'
  }

  get info(): PeerInfo {
    return {
      id: this.id,
      name: this.#name,
      health: this.health,
      roundTrip: this.counters.roundTrips.median,
      link: this.#session?.linkKind,
      load: this.#load,
      capabilities: this.#capabilities,
      session: this.#session?.info,
      statistics: this.counters.snapshot(),
    }
  }

  /** The peer has proven itself over `channel`: its session goes on there, or a new one begins. */
  attach(channel: Channel): LinkEvents {
    const before = this.#session
    if (before !== undefined && equalBytes(before.id, channel.sessionId)) return before.attach(channel)
    void before?.close(
      new TsunagiError('SESSION_NOT_FOUND', 'The peer does not know the session any more.', { peer: this.id }),
    )
    const session: Session = new Session(
      this.#sessionHost(() => session),
      channel.peer,
      channel.sessionId,
    )
    this.#session = session
    return session.attach(channel)
  }

  /**
   * Its session, as soon as it is established.
   * Rejects with QUEUE_FULL where too many wait, LINK_FAILED after LIMITS.connectPatience, PEER_CLOSED, UNKNOWN_PEER.
   */
  established(): Promise<Session> {
    if (this.#session !== undefined) return Promise.resolve(this.#session)
    return new Promise((fulfil, reject) => {
      if (this.#waiters.size >= LIMITS.maxWaitingForSession) {
        throw new TsunagiError('QUEUE_FULL', 'Too much waits for the session with that peer.', { peer: this.id })
      }
      const waiter: Waiter = {
        fulfil,
        reject,
        stopTimer: this.#host.clock.after(LIMITS.connectPatience, () => {
          this.#waiters.delete(waiter)
          reject(new TsunagiError('LINK_FAILED', 'No connection to that peer came about.', { peer: this.id }))
        }),
      }
      this.#waiters.add(waiter)
    })
  }

  /** Rejects with LINK_LOST, QUEUE_FULL, and what ended the session. */
  ping(): Promise<number> {
    return (
      this.#heartbeat?.ping() ??
      Promise.reject(new TsunagiError('LINK_LOST', 'There is no link to that peer at present.', { peer: this.id }))
    )
  }

  /** This peer's own status or capabilities changed. */
  tellStatus(): void {
    this.#heartbeat?.statusChanged()
  }

  /** Ends the session; fulfils when its link is gone. */
  async close(error: TsunagiError): Promise<void> {
    this.rejectWaiters(error)
    await this.#session?.close(error)
  }

  rejectWaiters(error: TsunagiError): void {
    for (const waiter of this.#takeWaiters()) waiter.reject(error)
  }

  #takeWaiters(): Waiter[] {
    const waiters = [...this.#waiters]
    this.#waiters.clear()
    for (const { stopTimer } of waiters) stopTimer()
    return waiters
  }

  #sessionHost(own: () => Session): ConstructorParameters<typeof Session>[0] {
    const { clock, crypto, key } = this.#host
    const remote = this
    return {
      clock,
      crypto,
      key,
      onHeard: () => this.#heartbeat?.heard(clock.now()),
      onMessage: (message, size) => {
        this.counters.received(size, clock.now())
        this.#take(message)
      },
      onSent: (type, size) => {
        this.counters.sent(size)
        if (type !== 'ping' && type !== 'pong') this.#heartbeat?.sent()
      },
      onDelivered: (messages) => this.counters.delivered(messages),
      onRefused: (error) => this.counters.frameRejected(error, clock.now()),
      onState: (state, error) => this.#stateChanged(own(), state, error),
      get onTrace() {
        const tell = remote.#host.onTrace
        return tell && ((trace: SessionTrace) => tell(remote, own(), trace))
      },
    }
  }

  #stateChanged(session: Session, state: SessionState, error: TsunagiError | undefined): void {
    const isCurrent = session === this.#session
    const reason = error ?? new TsunagiError('INVALID_STATE', 'The session is over.')
    if (state === 'established') {
      this.#watch(session)
      for (const waiter of this.#takeWaiters()) waiter.fulfil(session)
    } else if (isCurrent) {
      this.#heartbeat?.stop(reason)
      this.#heartbeat = undefined
    }
    if (state === 'suspended') this.#host.onSuspended(this)
    if (state === 'expired' || state === 'closed') {
      if (isCurrent) this.#forgetSession()
      this.#host.onOver(this, reason)
    }
    this.#host.onChange(this)
  }

  #forgetSession(): void {
    this.#session = undefined
    this.#load = 0
    this.#capabilities = []
    this.#capabilitiesDigest = undefined
    this.#askedForDigest = undefined
  }

  #watch(session: Session): void {
    const { clock, crypto } = this.#host
    this.#heartbeat = new HeartbeatManager({
      clock,
      randomBytes: crypto.randomBytes,
      send: (type, payload) => session.send(type, payload),
      heartbeat: () => ({ ...this.#host.heartbeat(), last_sequence: session.info.sent }),
      status: () => this.#host.status(),
      roundTrips: this.counters.roundTrips,
      onHealth: () => this.#host.onChange(this),
    })
    this.#heartbeat.start()
  }

  #take(message: SessionMessage): void {
    switch (message.type) {
      case 'ping':
        this.#heartbeat?.handlePing(message.payload)
        return
      case 'pong':
        this.#heartbeat?.handlePong(message.payload)
        this.#host.onChange(this)
        return
      case 'heartbeat':
        this.#update({ load: message.payload.load })
        return
      case 'status_report':
        this.#update(message.payload)
        this.#askCapabilities(message.payload.capabilities_digest)
        return
      case 'capability_query':
        this.#answerCapabilities()
        return
      case 'capability_response':
        // Never rejects: the hash of what was decoded can be computed.
        void this.#learnCapabilities(message.payload)
        return
      case 'error':
        this.counters.told(message.payload, this.#host.clock.now())
        this.#host.onChange(this)
        return
      case 'session_close':
        return
      default:
        this.#host.onWork(this, message)
    }
  }

  #update({ name = this.#name, load }: { readonly name?: string; readonly load: number }): void {
    if (name === this.#name && load === this.#load) return
    this.#name = name
    this.#load = load
    this.#host.onChange(this)
  }

  #askCapabilities(digest: Bytes): void {
    const known = this.#askedForDigest ?? this.#capabilitiesDigest
    if (known !== undefined && equalBytes(known, digest)) return
    this.#askedForDigest = digest
    // Where it cannot be sent the session is over, and the next one begins with a status_report.
    this.#session?.send('capability_query', {}).catch(() => undefined)
  }

  /** One answer at a time: queries are small and answers are not. */
  #answerCapabilities(): void {
    if (this.#answering) return
    this.#answering = true
    const answered = () => {
      this.#answering = false
    }
    this.#session?.send('capability_response', this.#host.capabilities()).then(answered, answered)
  }

  async #learnCapabilities({ capabilities, digest }: SessionPayload<'capability_response'>): Promise<void> {
    const session = this.#session
    const actual = await this.#host.crypto.sha256(capabilityDigestInput(capabilities))
    if (session !== this.#session) return
    if (!equalBytes(actual, digest)) {
      const error = new TsunagiError('INVALID_FORMAT', 'The digest of the peer’s capabilities is not theirs.')
      this.counters.frameRejected(error, this.#host.clock.now())
      return
    }
    this.#askedForDigest = undefined
    this.#capabilitiesDigest = digest
    this.#capabilities = capabilities
    this.#host.onChange(this)
  }
}
