/** A peer (SPEC §1): ties signaling, handshakes, sessions, liveness and tasks together into what createPeer() gives. */
import type {
  Capability,
  CapabilityPolicy,
  Contacts,
  DelegateOptions,
  Delivery,
  DeliveryInfo,
  MapOptions,
  MapRun,
  Peer,
  PeerEvents,
  PeerId,
  PeerInfo,
  PeerStatus,
  Reachability,
  SendOptions,
  Task,
  TaskHandler,
  TaskInfo,
  Transfer,
  TransferOptions,
  TransferSource,
  WakePolicy,
  WakeUpCounts,
  WakeUpOptions,
  WakeUpResult,
} from './api.ts'
import type { TransferPlace } from './bulk/ports.ts'
import { TsunagiError, toTsunagiError } from './errors.ts'
import type { OpenFrameTrace } from './handshake/host.ts'
import { peerIdOf, publicKeyOf } from './identity/peer-id.ts'
import { LIMITS } from './limits.ts'
import type { LinkTransport } from './links/link.ts'
import type { SessionPayload, SessionType } from './messages.ts'
import { CapabilitySearch } from './peers/capability-search.ts'
import { Connector } from './peers/connector.ts'
import {
  asDelivery,
  deliveryInfo,
  isApplicationData,
  publicError,
  refusedDelivery,
  volatileDelivery,
} from './peers/delivery.ts'
import { Emitter } from './peers/emitter.ts'
import { KnownPeers } from './peers/known-peers.ts'
import { MessageInbox } from './peers/message-inbox.ts'
import { checkListener, checkSend } from './peers/options.ts'
import { PeerTasks } from './peers/peer-tasks.ts'
import { failedTransfer, PeerTransfers } from './peers/peer-transfers.ts'
import type { RemotePeer, RemotePeerHost, WorkMessage } from './peers/remote-peer.ts'
import { Remotes } from './peers/remotes.ts'
import { openFrameEntry, sessionEntry } from './peers/trace.ts'
import type { Clock, CryptoProvider, OpenSocket, SigningKey } from './ports.ts'
import type { SessionTrace } from './session/host.ts'
import { SessionManager } from './session/session-manager.ts'
import type { SessionStore } from './session/store.ts'
import { settleable } from './settleable.ts'
import { SignalingClient } from './signaling/client.ts'
import { Complaints } from './signaling/complaints.ts'
import type { IntroductionKeys } from './signaling/introductions.ts'
import type { MeshKeys } from './signaling/messages.ts'
import type { SendResult } from './tasks/payload.ts'
import type { TaskStore } from './tasks/store.ts'
import { WakeUpsForWork } from './wake-up/for-work.ts'
import { checkWakePolicy, checkWakeUp } from './wake-up/options.ts'
import { type PushSignaling, UNREACHABLE } from './wake-up/reachability.ts'
import { WakeUpManager } from './wake-up/wake-up-manager.ts'
import type { Bytes } from './wire/bytes.ts'

export interface PeerServiceOptions {
  readonly clock: Clock
  readonly crypto: CryptoProvider
  readonly key: SigningKey
  readonly introductionKeys: () => Promise<IntroductionKeys>
  readonly meshName: string
  readonly mesh: MeshKeys
  readonly name: string
  /** Milliseconds after which a link that nobody used is closed; default LIMITS.linkIdle. */
  readonly linkIdle?: number | undefined
  /** ws: or wss: address of the signaling server. */
  readonly signaling: string
  readonly openSocket: OpenSocket
  readonly transport: LinkTransport
  /** Undefined where the host keeps nothing: sessions and messages then last as long as the page. */
  readonly store: SessionStore | undefined
  /** Undefined where the host keeps nothing: tasks and contacts then last as long as the page. */
  readonly taskStore: TaskStore | undefined
  /** Undefined where the host keeps no files: then bytes alone are sent, and what is received goes to sinks. */
  readonly transfers?: TransferPlace | undefined
  /** Who may wake this peer until the user decides otherwise; default `mesh`. */
  readonly wakePolicy?: WakePolicy | undefined
  /** The user decided who may wake this peer. Must not throw. */
  readonly onWakePolicy?: (policy: WakePolicy) => void
  /** Makes what lets this peer be woken without a page; undefined where the host has no such thing. `changed` tells its state. */
  readonly reachability?: (push: PushSignaling, changed: () => void) => Reachability
  /** Called once when the peer has closed: gives back what was taken for it. Must not throw. */
  readonly onClosed: () => void
}

/** Of use from start() to close(). */
export class PeerService implements Peer {
  readonly id: PeerId
  readonly name: string
  readonly mesh: string
  readonly #clock: Clock
  readonly #onClosed: () => void
  readonly #events = new Emitter<PeerEvents>((cause, event) => this.#listenerFailed(cause, event))
  readonly #sessions: SessionManager
  readonly #inbox: MessageInbox
  readonly #store: SessionStore | undefined
  readonly #signaling: SignalingClient
  readonly #remotes: Remotes
  readonly #connector: Connector
  readonly #search: CapabilitySearch
  readonly contacts: Contacts
  readonly #taskStore: TaskStore | undefined
  readonly #work: PeerTasks
  readonly #transfers: PeerTransfers
  readonly #known: KnownPeers
  readonly #wakeUps: WakeUpManager
  readonly #wakeUpsForWork: WakeUpsForWork
  readonly reachability: Reachability
  readonly #onWakePolicy: (policy: WakePolicy) => void
  #wakePolicy: WakePolicy
  #isHidden = false
  /** Where storage fails, each of the many calls to it does. */
  readonly #complaints: Complaints
  /** Reported before the caller of start() had time to listen; undefined from then on. */
  #early: TsunagiError[] | undefined = []
  #stopEarly: () => void = () => undefined
  #closing: Promise<void> | undefined

  constructor(options: PeerServiceOptions) {
    const { clock, crypto, key, mesh } = options
    this.id = peerIdOf(key.publicKey)
    this.name = options.name
    this.mesh = options.meshName
    this.#clock = clock
    this.#onClosed = options.onClosed
    this.#complaints = new Complaints(clock, (error) => this.#events.emit('error', error))
    this.#store = options.store
    this.#known = new KnownPeers(clock, options.store, (error) => this.report(error))
    this.#inbox = new MessageInbox({
      store: options.store,
      hasListener: () => this.#events.has('message'),
      deliver: (message) => this.#events.settle('message', message),
      takeResult: (from, result) => this.#work.handleResult(from, result),
      onRoom: () => {
        for (const session of this.#sessions.sessions) session.inboxHasRoom()
      },
      onError: (error) => this.report(error),
    })
    this.#sessions = new SessionManager({
      clock,
      store: options.store,
      hostOf: (peer) => this.#remotes.of(peer).sessionHost,
      onStorageFailure: (error) => this.report(error),
    })
    this.#remotes = new Remotes(this.#remoteHost(options), this.#known, this.#events)
    this.#signaling = new SignalingClient({
      clock,
      crypto,
      key,
      mesh,
      introductionKeys: options.introductionKeys,
      url: options.signaling,
      openSocket: options.openSocket,
      onStatus: (status) => this.#signalingChanged(status),
      onMember: (peer, how) => this.#met(peer, how),
      onLeft: (peer) => this.#left(peer),
      onUnknownPeer: (peer) => {
        this.#left(peer)
        this.#wakeUps.notAtSocket(peerIdOf(peer))
      },
      onFrame: (frame, claimedSender, how) => this.#connector.receive(frame, claimedSender, how),
      onError: (error) => this.#events.emit('error', error),
    })
    this.#search = new CapabilitySearch({
      clock,
      crypto,
      mesh,
      announce: (tags) => this.#signaling.announce(tags),
      discover: (tag) => this.#signaling.discover(tag),
      onFound: (peer) => this.#connector.wanted(this.#remotes.of(peer)),
    })
    this.#connector = new Connector({
      clock,
      crypto,
      key,
      meshSecret: mesh.meshSecret,
      direct: options.transport,
      linkIdle: options.linkIdle ?? LIMITS.linkIdle,
      signaling: this.#signaling,
      sessions: this.#sessions,
      remotes: this.#remotes,
      onLinked: (remote) => this.#linked(remote),
      onFailed: (remote, error) => this.#linkFailed(remote, error),
      onWakeUp: ({ envelope, payload }, how) => {
        const { sender_id, nonce, timestamp } = envelope
        const via = how === 'mail' ? 'mailbox' : 'socket'
        this.#wakeUps.handleWakeUp(sender_id.slice(), { nonce: nonce.slice(), timestamp, ...payload }, via)
      },
      onWakeUpAck: ({ envelope, payload }) => this.#wakeUps.handleWakeUpAck(envelope.sender_id, payload),
      onOpenFrame: (trace) => this.#openFramePassed(trace),
    })
    this.#wakePolicy = options.wakePolicy ?? 'mesh'
    this.#onWakePolicy = options.onWakePolicy ?? (() => undefined)
    this.#wakeUps = new WakeUpManager({
      clock,
      crypto,
      key,
      serverNow: () => this.#signaling.serverNow(),
      isLinked: (peer) => this.#remotes.get(peer)?.answers === true,
      sendInSession: async (peer, type, payload) => this.#find(peer).session.send(type, payload),
      relay: (peer, frame) => this.#signaling.relay(peer, frame),
      leave: async (peer, frame, wakeUp) => {
        const presence = this.#signaling.presenceOf(peer)
        const introductionKey = this.#known.introductionKeyOf(peerIdOf(peer), presence, this.#signaling.serverNow())
        return this.#signaling.leaveWakeUp({ publicKey: peer, introductionKey }, frame, wakeUp)
      },
      mayWake: (peer) => this.#wakePolicy === 'mesh' || (this.#wakePolicy === 'contacts' && this.contacts.has(peer)),
      newestFrom: (peer) => this.#known.find(peer)?.wokeAt ?? 0,
      keepNewest: (peer, timestamp) => this.#known.woke(peer, timestamp),
      onWokenUp: (wakeUp) => {
        this.#events.emit('wakeup', wakeUp)
        this.#connector.wanted(this.#remotes.of(publicKeyOf(wakeUp.from)))
      },
      onAwake: (peer) => this.#connector.awaited(this.#remotes.of(publicKeyOf(peer))),
    })
    this.#wakeUpsForWork = new WakeUpsForWork({
      clock,
      needsWaking: (peer) => !this.#remotes.get(peer)?.answers && this.#hasWorkFor(peer),
      wakeUp: (peer) => this.wakeUp(peer, { reason: 'Something is waiting for you.' }),
    })
    const reachabilityChanged = () => this.#events.emit('reachability', this.reachability.state)
    this.reachability = options.reachability?.(this.#signaling, reachabilityChanged) ?? UNREACHABLE
    this.#taskStore = options.taskStore
    this.#work = new PeerTasks({
      clock,
      crypto,
      store: options.taskStore,
      send: (peer, type, payload) => this.#send(peer, type, payload),
      sendResult: (peer, payload) => this.#sendResult(peer, payload),
      files: {
        keepsFiles: options.transfers !== undefined,
        offer: (id, peer, source, options) => this.#transfers.offerOfTask(id, peer, source, options),
        received: (peer, id) => this.#transfers.received(peer, id),
      },
      search: this.#search,
      isPartlyKnown: () => this.#signaling.isPartlyKnown,
      peers: () => this.peers,
      checkPresent: (peer) => void this.#find(peer),
      offersOf: (peer) => this.#remotes.get(peer)?.info.capabilities ?? [],
      mayWake: (peer) => this.#wakeUpsForWork.mayWake(peer),
      onTask: (task) => this.#events.emit('task', task),
      onStatus: () => this.#remotes.tellStatus(),
      onError: (error) => this.report(error),
    })
    this.contacts = this.#work.contacts
    this.#transfers = new PeerTransfers({
      clock,
      crypto,
      place: options.transfers,
      hasSession: (peer) => this.#sessions.find(peer) !== undefined,
      send: (peer, type, payload) => this.#sendTo(() => this.#findKept(peer), type, payload),
      onOffer: (offer) => this.#events.settle('transfer', offer),
      onTaskOffer: (offer) => this.#work.takeOffer(offer),
      onChange: (transfer) => this.#events.emit('transferprogress', transfer),
      onError: (error) => this.report(error),
    })
  }

  get status(): PeerStatus {
    return this.#closing === undefined ? this.#signaling.status : 'closed'
  }

  /** Those who are there: named by signaling, or connected. */
  get peers(): readonly PeerInfo[] {
    return this.#remotes.present.map((remote) => remote.info)
  }

  get outbox(): readonly DeliveryInfo[] {
    return this.#sessions.sessions.flatMap((session) =>
      session.durable.filter(isApplicationData).map((message) => deliveryInfo(message, 'accepted', undefined)),
    )
  }

  get tasks(): readonly TaskInfo[] {
    return this.#work.tasks
  }

  get transfers(): Peer['transfers'] {
    return this.#transfers.transfers
  }

  /** Call once. */
  async start(): Promise<void> {
    const [{ inbox, pinned }] = await Promise.all([this.#sessions.load(), this.#work.announce()])
    this.#known.load(pinned)
    await Promise.all([this.#transfers.restore(), this.#work.restore()])
    for (const message of inbox) this.#inbox.add(message)
    this.#signaling.start()
    // What this makes ahead holds the page up, while the server answers anyway.
    this.#connector.start()
    for (const session of this.#sessions.sessions) {
      this.#wakeUpsForWork.watch(this.#remotes.of(session.peer).id)
    }
    this.#stopEarly = this.#clock.after(0, () => {
      const early = this.#early ?? []
      this.#early = undefined
      for (const error of early) this.report(error)
    })
  }

  /** Has all of the library loaded that would else be when it is first needed. Rejects with LOAD_FAILED. */
  async load(): Promise<void> {
    await Promise.all([this.#transfers.load(), this.#work.load()])
  }

  /** The page woke or the network came back. */
  reconnectNow(): void {
    this.#signaling.reconnectNow()
    this.#connector.retryNow()
  }

  /** The page goes: a wake-up that comes now would be answered by one that nobody sees again. */
  pageGoes(): void {
    this.#known.flush()
    this.#signaling.leave()
  }

  /** Others are told that the page is hidden, so that its silence after that is known for sleep. */
  hidden(isHidden: boolean): void {
    this.#isHidden = isHidden
    this.#remotes.tellStatus()
  }

  async wakeUp(id: PeerId, options: WakeUpOptions = {}): Promise<WakeUpResult> {
    if (this.#closing !== undefined) throw closed()
    return this.#wakeUps.sendWakeUp(this.#remotes.keyOf(id), checkWakeUp(options))
  }

  get wakePolicy(): WakePolicy {
    return this.#wakePolicy
  }

  set wakePolicy(policy: WakePolicy) {
    this.#wakePolicy = checkWakePolicy(policy)
    this.#onWakePolicy(policy)
  }

  get wakeUps(): WakeUpCounts {
    return this.#wakeUps.counts
  }

  /** Tells the listeners for errors of one that its host or its store came upon; the same at most once a minute. */
  report(error: TsunagiError): void {
    if (this.#early === undefined) this.#complaints.make(`${error.code}: ${error.message}`, error)
    else this.#early.push(error)
  }

  provide(capability: Capability, handler: TaskHandler): () => void {
    if (this.#closing !== undefined) throw closed()
    return this.#work.provide(capability, handler)
  }

  delegate<Output = unknown>(capability: string, input: unknown, options?: DelegateOptions): Task<Output> {
    return this.#work.delegate(capability, input, options)
  }

  task<Output = unknown>(id: string): Task<Output> | undefined {
    return this.#work.task(id)
  }

  map<Output = unknown>(
    capability: string,
    inputs: Iterable<unknown> | AsyncIterable<unknown>,
    options: MapOptions = {},
  ): MapRun<Output> {
    return this.#work.map(capability, inputs, options)
  }

  async discover(capability: string): Promise<readonly PeerId[]> {
    if (this.#closing !== undefined) throw closed()
    return this.#work.discover(capability)
  }

  stopTask(task: Pick<TaskInfo, 'peer' | 'id'>, reason = 'The user of the other peer ended the task.'): boolean {
    return this.#work.stop(task, reason)
  }

  policy(capability: string, policy: CapabilityPolicy): void {
    this.#work.policy(capability, policy)
  }

  send(to: PeerId, data: unknown, options: SendOptions = {}): Delivery {
    try {
      checkSend(data, options)
      if (options.durable !== true) {
        return volatileDelivery(this.#enqueue(this.#find(to), 'message', data))
      }
      const remote = this.#findKept(to)
      const { id, accepted, delivered } = remote.session.sendDurable('message', data)
      this.#wanted(remote)
      return asDelivery(id, accepted, delivered)
    } catch (cause) {
      return refusedDelivery(cause)
    }
  }

  transfer(to: PeerId, source: TransferSource, options: TransferOptions = {}): Transfer {
    try {
      return this.#transfers.offer(this.#find(to).id, source, options)
    } catch (cause) {
      return failedTransfer(to, this.#clock.now(), publicError(cause))
    }
  }

  resumeTransfer(id: string, source: TransferSource, options: TransferOptions = {}): Transfer {
    try {
      if (this.#closing !== undefined) throw closed()
      return this.#transfers.resume(id, source, options)
    } catch (cause) {
      return failedTransfer('', this.#clock.now(), publicError(cause))
    }
  }

  async ping(to: PeerId): Promise<number> {
    return this.#find(to).ping()
  }

  on<E extends keyof PeerEvents>(event: E, listener: (detail: PeerEvents[E]) => void): () => void {
    checkListener(event, listener)
    const remove = this.#events.on(event, listener)
    if (event === 'message') this.#inbox.flush()
    return remove
  }

  close(): Promise<void> {
    // Noted before anything is ended: a listener that is told of an end may close as well.
    this.#closing ??= Promise.resolve().then(() => this.#close())
    return this.#closing
  }

  async #close(): Promise<void> {
    const error = closed()
    this.#stopEarly()
    this.#connector.close()
    this.#wakeUpsForWork.close()
    this.#wakeUps.close(error)
    this.#work.close(error)
    this.#transfers.close(error)
    await this.#sessions.close(error)
    this.#known.flush()
    this.#signaling.close()
    this.#remotes.clear()
    this.#onClosed()
  }

  /** One that is here. @throws TsunagiError PEER_CLOSED, and as Remotes.find() */
  #find(id: PeerId): RemotePeer {
    if (this.#closing !== undefined) throw closed()
    return this.#remotes.find(id)
  }

  /** As #find(), also where the peer is not here and its session goes on. */
  #findKept(id: PeerId): RemotePeer {
    if (this.#closing !== undefined) throw closed()
    return this.#remotes.findKept(id)
  }

  /** Whether something that is to outlast a lost link waits here for that peer, or there for us. */
  #hasWorkFor(peer: PeerId): boolean {
    return (
      (this.#sessions.find(peer)?.durable.length ?? 0) > 0 ||
      this.#work.hasGiven(peer) ||
      this.#transfers.isUnderWay(peer)
    )
  }

  async #send<T extends SessionType>(to: PeerId, type: T, payload: SessionPayload<T>): Promise<void> {
    return this.#sendTo(() => this.#find(to), type, payload)
  }

  async #sendTo<T extends SessionType>(find: () => RemotePeer, type: T, payload: SessionPayload<T>): Promise<void> {
    return this.#enqueue(find(), type, payload)
  }

  /** Fulfils when the other side has acknowledged. Rejects as Session.send() does, in the words of RemotePeer.rejected. */
  #enqueue<T extends SessionType>(remote: RemotePeer, type: T, payload: SessionPayload<T>): Promise<void> {
    const { promise, settle } = settleable(remote.rejected)
    this.#wanted(remote)
    try {
      remote.session.enqueue(type, payload, settle)
    } catch (cause) {
      settle(publicError(cause))
    }
    return promise
  }

  /** With a store a result is as durable as a message; without one it lasts as long as the page, as everything does. */
  #sendResult(...[to, payload]: Parameters<SendResult>): ReturnType<SendResult> {
    if (this.#store === undefined || this.#taskStore === undefined) {
      const delivered = this.#send(to, 'task_result', payload)
      return { accepted: delivered, delivered }
    }
    try {
      const remote = this.#findKept(to)
      const sent = remote.session.sendDurable('task_result', payload)
      this.#wanted(remote)
      // Whoever cares hears the same of `delivered`.
      sent.accepted.catch(() => undefined)
      return sent
    } catch (cause) {
      const refused: Promise<void> = Promise.reject(publicError(cause))
      return { accepted: refused, delivered: refused }
    }
  }

  /** Something is to be said to it: a link is opened, and where none comes about it is woken. */
  #wanted(remote: RemotePeer): void {
    this.#connector.wanted(remote)
    if (!remote.isConnected) this.#wakeUpsForWork.watch(remote.id)
  }

  #met(key: Bytes, how: 'present' | 'joined'): void {
    if (this.#closing !== undefined) return
    const remote = this.#remotes.of(key)
    remote.isMember = true
    const presence = this.#signaling.presenceOf(key)
    if (presence !== undefined) this.#known.introduced(remote.id, presence)
    this.#connector.met(remote, how)
  }

  #left(key: Bytes): void {
    const remote = this.#remotes.get(peerIdOf(key))
    if (remote === undefined) return
    remote.isMember = false
    this.#connector.left(remote)
    this.#remotes.checkPresence(remote)
  }

  #linked({ id }: RemotePeer): void {
    this.#transfers.linked(id)
    this.#wakeUpsForWork.awake(id)
    this.#wakeUps.linked(id)
    this.#work.peerBack(id)
  }

  #linkFailed(remote: RemotePeer, error: TsunagiError): void {
    if (this.#closing !== undefined) return
    this.#events.emit('error', error)
    this.#remotes.changed(remote)
  }

  #remoteHost({ clock, crypto, key, store }: PeerServiceOptions): RemotePeerHost {
    const events = this.#events
    const startedAt = clock.now()
    return {
      clock,
      crypto,
      key,
      store,
      sessions: this.#sessions,
      canTake: ({ id }) => this.#inbox.hasRoom(id),
      onTaken: (message) => this.#inbox.add(message),
      onDurable: (message, state, error) => {
        if (isApplicationData(message)) this.#events.emit('delivery', deliveryInfo(message, state, error))
      },
      onStorageFailure: (error) => this.report(error),
      onMet: (peer) => this.#known.met(peer, this.#signaling.presenceOf(publicKeyOf(peer.peer))),
      onSilence: (remote) => this.#wakeUpsForWork.silent(remote.id),
      onGivenUp: (remote) => {
        this.#work.peerAway(remote.id)
        this.#transfers.givenUp(remote.id)
      },
      status: () => ({
        name: this.name,
        uptime: Math.max(0, clock.now() - startedAt),
        ...this.#work.status,
        ...(this.#isHidden && { hidden: true as const }),
      }),
      capabilities: () => this.#work.announced,
      onChange: (remote) => this.#remotes.changed(remote),
      onWork: (remote, message, size) => this.#handleWork(remote, message, size),
      onSuspended: (remote) => {
        this.#connector.suspended(remote)
        this.#wakeUpsForWork.watch(remote.id)
        this.#remotes.checkPresence(remote)
      },
      onOver: (remote, error) => {
        this.#work.peerLost(remote.id)
        this.#transfers.peerLost(remote.id, error)
        if (this.#closing !== undefined) return
        this.#connector.sessionOver(remote, error)
        this.#remotes.checkPresence(remote)
      },
      get onTrace() {
        if (!events.has('trace')) return undefined
        return (remote: RemotePeer, trace: SessionTrace) =>
          events.emit('trace', sessionEntry(clock.now(), remote, trace))
      },
    }
  }

  #openFramePassed(frame: OpenFrameTrace): void {
    const { peer, type, refused } = frame
    if (refused !== undefined) {
      this.#remotes.get(peerIdOf(peer))?.counters.frameRejected(refused, this.#clock.now())
      if (type === 'wake_up' || type === 'wake_up_ack') this.#wakeUps.refused()
    }
    if (this.#events.has('trace')) this.#events.emit('trace', openFrameEntry(this.#clock.now(), frame))
  }

  #handleWork(remote: RemotePeer, message: WorkMessage, size: number): void {
    switch (message.type) {
      case 'message':
        this.#events.emit('message', { from: remote.id, data: message.payload, id: undefined })
        return
      case 'wake_up':
      case 'wake_up_ack':
        this.#handleWaking(remote, message)
        return
      case 'chunk_init':
      case 'chunk':
      case 'chunk_ack':
      case 'chunk_resend':
      case 'chunk_complete':
        this.#transfers.handle(remote.id, message, size)
        return
      default:
        this.#work.handle(remote.id, message, size)
    }
  }

  #handleWaking(remote: RemotePeer, message: Extract<WorkMessage, { type: 'wake_up' | 'wake_up_ack' }>): void {
    try {
      if (message.type === 'wake_up_ack') this.#wakeUps.handleWakeUpAck(remote.key, message.payload)
      else this.#wakeUps.handleWakeUp(remote.key, { ...message.payload, timestamp: undefined }, 'session')
    } catch (cause) {
      const error = toTsunagiError(cause, 'INVALID_STATE', 'A wake-up could not be handled.')
      remote.counters.frameRejected(error, this.#clock.now())
      this.#wakeUps.refused()
    }
  }

  #signalingChanged(status: PeerStatus): void {
    if (status !== 'online') this.#connector.serverLost()
    this.#events.emit('status', status)
    // The server sent us away for good: what made it do so must change before there is a peer again.
    if (status === 'closed') void this.close()
  }

  #listenerFailed(cause: unknown, event: keyof PeerEvents): void {
    const error = new TsunagiError('LISTENER_FAILED', `A listener for ${event} threw an error.`, { cause })
    // A listener for errors that throws has nobody left to be told.
    if (event !== 'error') this.#events.emit('error', error)
  }
}

function closed(): TsunagiError {
  return new TsunagiError('PEER_CLOSED', 'This peer was closed; make a new one with createPeer().')
}
