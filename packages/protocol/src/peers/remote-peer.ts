/** Another peer as this one knows it: its session, how well it answers, what it says of itself (SPEC §5, §7, §8). */
import type { Health, HealthChange, PeerId, PeerInfo } from '../api.ts'
import { TsunagiError } from '../errors.ts'
import type { Channel } from '../handshake/channel.ts'
import { peerIdOf } from '../identity/peer-id.ts'
import { LIMITS } from '../limits.ts'
import type { LinkEvents } from '../links/link.ts'
import { HeartbeatManager } from '../liveness/heartbeat.ts'
import { PeerCounters } from '../liveness/statistics.ts'
import type { CapabilityDescription, SessionPayload } from '../messages.ts'
import type { Clock, CryptoProvider, SigningKey } from '../ports.ts'
import type { DurableState, SessionHost, SessionTrace } from '../session/host.ts'
import type { Session } from '../session/session.ts'
import type { SessionManager } from '../session/session-manager.ts'
import type { SessionMessage } from '../session/session-messages.ts'
import { isOver, type SessionState } from '../session/states.ts'
import type { PinnedPeer, SessionStore, StoredMessage } from '../session/store.ts'
import { capabilityDigestInput } from '../tasks/capabilities.ts'
import { type Bytes, equalBytes } from '../wire/bytes.ts'
import { publicError } from './delivery.ts'

type LivenessMessage = Extract<SessionMessage, { type: 'ping' | 'pong' | 'heartbeat' | 'status_report' }>
type PresenceMessage = Extract<
  SessionMessage,
  { type: 'capability_query' | 'capability_response' | 'error' | 'session_close' | 'session_suspend' }
>
/** What the peer is not answered by itself: application data and tasks. */
export type WorkMessage = Exclude<SessionMessage, LivenessMessage | PresenceMessage>

export interface RemotePeerHost {
  readonly clock: Clock
  readonly crypto: CryptoProvider
  readonly key: SigningKey
  readonly store: SessionStore | undefined
  readonly sessions: SessionManager
  status(): SessionPayload<'status_report'>
  capabilities(): SessionPayload<'capability_response'>
  /** Something that its PeerInfo shows has changed. */
  onChange(peer: RemotePeer): void
  /** @param size bytes of the message */
  onWork(peer: RemotePeer, message: WorkMessage, size: number): void
  canTake(remote: RemotePeer): boolean
  /** A durable message was taken and is stored until the store is told that it was handled. */
  onTaken(message: StoredMessage): void
  onDurable(message: StoredMessage, state: DurableState, error: TsunagiError | undefined): void
  onStorageFailure(error: TsunagiError): void
  /** It has a session, or another name: it is to be known to the next page. */
  onMet(peer: PinnedPeer): void
  /** It is linked and does not answer; told again with each beat. */
  onSilence(peer: RemotePeer): void
  /** The link is gone; the session waits for another. */
  onSuspended(peer: RemotePeer): void
  /** There was no link for so long that what is not durable was given up. */
  onGivenUp(peer: RemotePeer): void
  /** The session is over, and what waited in it was rejected with `error`. */
  onOver(peer: RemotePeer, error: TsunagiError): void
  readonly onTrace: ((peer: RemotePeer, trace: SessionTrace) => void) | undefined
}

export class RemotePeer {
  readonly key: Bytes
  readonly id: PeerId
  readonly counters = new PeerCounters()
  /** Milliseconds since 1970 at which the first session with it began, on this page or one before. */
  metAt: number | undefined
  /** Whether signaling says that it is there: a hint, which nobody signed. */
  isMember = false
  /** Whether listeners were told that it is there, and not yet that it has left. */
  isShown = false
  /** Milliseconds since 1970 at which something other than liveness last went either way. */
  usedAt = 0
  /** A link was asked for and has not come about. */
  isWanted = false
  readonly #host: RemotePeerHost
  #heartbeat: HeartbeatManager | undefined
  #name = ''
  #load = 0
  #capabilities: readonly CapabilityDescription[] = []
  #capabilitiesDigest: Bytes | undefined
  #askedForDigest: Bytes | undefined
  #answering = false
  readonly #healthChanges: HealthChange[] = []

  constructor(host: RemotePeerHost, key: Bytes) {
    this.#host = host
    this.key = key
    this.id = peerIdOf(key)
  }

  /** A new one where the last one is over. */
  get session(): Session {
    return this.#host.sessions.of(this)
  }

  /** Whether something waits to be sent to it. */
  get hasWork(): boolean {
    return (this.#host.sessions.find(this.id)?.info.waiting ?? 0) > 0
  }

  get isConnected(): boolean {
    return this.#host.sessions.find(this.id)?.state === 'established'
  }

  /** Whether it is there: named by signaling, or connected. */
  get isPresent(): boolean {
    return this.isMember || this.isConnected
  }

  /** Whether it is linked and its page code answers. */
  get answers(): boolean {
    const { health } = this
    return health === 'healthy' || health === 'degraded'
  }

  /** Whether its messages pass the signaling server. */
  get isRelayed(): boolean {
    return this.#host.sessions.find(this.id)?.link?.kind === 'relay'
  }

  get health(): Health {
    if (this.#heartbeat !== undefined) return this.#heartbeat.health
    const session = this.#host.sessions.find(this.id)
    if (session?.rest === 'idle') return 'idle'
    return session?.state === 'suspended' ? 'unreachable' : 'connecting'
  }

  get info(): PeerInfo {
    const session = this.#host.sessions.find(this.id)
    return {
      id: this.id,
      name: this.#name,
      health: this.health,
      healthChanges: [...this.#healthChanges],
      roundTrip: this.counters.roundTrips.median,
      link: session?.link?.kind,
      route: session?.link?.route,
      metAt: this.metAt,
      load: this.#load,
      capabilities: this.#capabilities,
      session: session?.info,
      statistics: this.counters.snapshot(),
    }
  }

  /** The peer has proven itself over `channel`: its session goes on there, or a new one begins. */
  attach(channel: Channel): LinkEvents {
    // The page that was asked may be gone, and its answer with it.
    this.#askedForDigest = undefined
    const { session } = this
    if (session.answersTo(channel.sessionId)) return session.attach(channel)
    void session.close(
      new TsunagiError('SESSION_NOT_FOUND', 'The peer does not know the session any more.', { peer: this.id }),
    )
    return this.session.attach(channel)
  }

  /** Rejects with LINK_LOST, QUEUE_FULL, and what ended the session. */
  ping(): Promise<number> {
    return (
      this.#heartbeat?.ping() ??
      Promise.reject(new TsunagiError('LINK_LOST', 'There is no link to that peer at present.', { peer: this.id }))
    )
  }

  /** A message to it was rejected. @returns the error as an app is told of it */
  readonly rejected = (cause: unknown): TsunagiError => {
    const error = publicError(cause)
    this.counters.failed(error, this.#host.clock.now())
    return error
  }

  /** This peer's own status or capabilities changed. */
  tellStatus(): void {
    this.#heartbeat?.statusChanged()
  }

  /** What a session with this peer tells. One that is over tells nothing any more. */
  get sessionHost(): SessionHost {
    const { clock, crypto, key, store } = this.#host
    const remote = this
    return {
      clock,
      crypto,
      key,
      store,
      onHeard: () => this.#heartbeat?.heard(clock.now()),
      onMessage: (message, size) => {
        this.counters.received(size, clock.now())
        this.#take(message, size)
      },
      onSent: (type, size) => {
        this.counters.sent(size)
        if (type !== 'ping' && type !== 'pong') this.#heartbeat?.sent()
      },
      onDelivered: (messages) => this.counters.delivered(messages),
      onRefused: (error) => this.counters.frameRejected(error, clock.now()),
      canTake: () => this.#host.canTake(this),
      onTaken: (message, size) => {
        this.usedAt = clock.now()
        this.counters.received(size, clock.now())
        this.#host.onTaken(message)
      },
      onDurable: (message, state, error) => this.#host.onDurable(message, state, error),
      onStorageFailure: (error) => this.#host.onStorageFailure(error),
      onState: (state, error) => this.#stateChanged(state, error),
      onGivenUp: () => this.#host.onGivenUp(this),
      get onTrace() {
        const tell = remote.#host.onTrace
        return tell && ((trace: SessionTrace) => tell(remote, trace))
      },
    }
  }

  /** What a page before this one knew of it. */
  recall({ name, metAt }: PinnedPeer): void {
    this.#name = name
    this.metAt = metAt
  }

  #stateChanged(state: SessionState, error: TsunagiError | undefined): void {
    const reason = error ?? new TsunagiError('INVALID_STATE', 'The session is over.')
    if (state === 'established') {
      this.#watch()
      this.#pin()
    } else {
      this.#heartbeat?.stop(reason)
      this.#heartbeat = undefined
    }
    if (state === 'suspended') this.#host.onSuspended(this)
    if (isOver(state)) {
      this.#load = 0
      this.#host.onOver(this, reason)
    }
    this.#changed()
  }

  #pin(): void {
    const now = this.#host.clock.now()
    this.metAt ??= now
    this.#host.onMet({ peer: this.id, name: this.#name, metAt: this.metAt, seenAt: now })
  }

  #changed(): void {
    const { health } = this
    if (health !== this.#healthChanges.at(-1)?.health) {
      this.#healthChanges.push({ health, at: this.#host.clock.now() })
      if (this.#healthChanges.length > LIMITS.healthChanges) this.#healthChanges.shift()
    }
    this.#host.onChange(this)
  }

  #watch(): void {
    const { clock, crypto } = this.#host
    const { session } = this
    this.#heartbeat = new HeartbeatManager({
      clock,
      randomBytes: crypto.randomBytes,
      send: (type, payload) => session.send(type, payload),
      heartbeat: () => {
        const { load, queue_depth } = this.#host.status()
        return { load, queue_depth, last_sequence: session.info.sent }
      },
      status: () => this.#host.status(),
      roundTrips: this.counters.roundTrips,
      onHealth: () => this.#changed(),
      onSilence: () => this.#host.onSilence(this),
    })
    this.#heartbeat.start()
  }

  #take(message: SessionMessage, size: number): void {
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
        if (this.#heartbeat !== undefined) this.#heartbeat.isHidden = message.payload.hidden === true
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
        this.counters.trouble(message.payload, this.#host.clock.now())
        this.#host.onChange(this)
        return
      case 'session_close':
      case 'session_suspend':
        return
      default:
        this.usedAt = this.#host.clock.now()
        this.#host.onWork(this, message, size)
    }
  }

  #update({ name = this.#name, load }: { readonly name?: string; readonly load: number }): void {
    if (name === this.#name && load === this.#load) return
    if (name !== this.#name) {
      this.#name = name
      this.#pin()
    }
    this.#load = load
    this.#host.onChange(this)
  }

  #askCapabilities(digest: Bytes): void {
    const known = this.#askedForDigest ?? this.#capabilitiesDigest
    if (known !== undefined && equalBytes(known, digest)) return
    this.#askedForDigest = digest
    // Where it cannot be sent the session is over, and the next one begins with a status_report.
    this.session.send('capability_query', {}).catch(() => undefined)
  }

  /** One answer at a time: queries are small and answers are not. */
  #answerCapabilities(): void {
    if (this.#answering) return
    this.#answering = true
    const answered = () => {
      this.#answering = false
    }
    this.session.send('capability_response', this.#host.capabilities()).then(answered, answered)
  }

  async #learnCapabilities({ capabilities, digest }: SessionPayload<'capability_response'>): Promise<void> {
    const actual = await this.#host.crypto.sha256(capabilityDigestInput(capabilities))
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
