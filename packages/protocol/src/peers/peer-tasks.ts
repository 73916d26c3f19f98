/** The work of a peer (SPEC §8): what it hands to others, what it does for them, and who may ask it to. */
import type {
  Capability,
  CapabilityPolicy,
  Contacts,
  DelegateOptions,
  MapOptions,
  MapRun,
  PeerId,
  PeerInfo,
  Task,
  TaskHandler,
  TaskInfo,
  TransferOffer,
} from '../api.ts'
import { TsunagiError, toTsunagiError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { CapabilityDescription, SessionPayload } from '../messages.ts'
import type { Clock, CryptoProvider } from '../ports.ts'
import { TaskCaller } from '../tasks/caller.ts'
import { CapabilityRegistry, capabilityDigestInput, type OfferedCapability } from '../tasks/capabilities.ts'
import { choosePeer, offerCount, PastTasks } from '../tasks/choice.ts'
import { KeptContacts } from '../tasks/contacts.ts'
import { isCapabilityName } from '../tasks/delegate-options.ts'
import { TaskExecutor } from '../tasks/executor.ts'
import { TaskFileTransfers } from '../tasks/file-transfers.ts'
import { MappedTasks } from '../tasks/map.ts'
import { type SendMessage, type SendResult, shortened } from '../tasks/payload.ts'
import { UsePolicies } from '../tasks/policy.ts'
import type { TaskStore } from '../tasks/store.ts'
import type { CapabilitySearch } from './capability-search.ts'
import type { WorkMessage } from './remote-peer.ts'

/** Messages about tasks. */
type TaskMessage = Extract<WorkMessage, { readonly type: `task_${string}` }>

export interface PeerTasksHost {
  readonly clock: Clock
  readonly crypto: CryptoProvider
  readonly store: TaskStore | undefined
  readonly send: SendMessage
  readonly sendResult: SendResult
  /** Files in inputs and outputs travel as transfers. */
  readonly files: ConstructorParameters<typeof TaskFileTransfers>[1]
  readonly search: CapabilitySearch
  /** Whether there are members of the mesh that are not known here. */
  readonly isPartlyKnown: () => boolean
  readonly peers: () => readonly PeerInfo[]
  /** @throws TsunagiError where it is no peer that is here */
  readonly checkPresent: (peer: PeerId) => void
  /** What that peer offers, as far as it told. */
  readonly offersOf: (peer: PeerId) => readonly CapabilityDescription[]
  /** Of a peer that does not answer: whether it sleeps, and may come back for what waits here. */
  readonly mayWake: (peer: PeerId) => boolean
  /** A task of ours, or of another, changed. */
  readonly onTask: (task: TaskInfo) => void
  /** What others are told of load and capabilities changed. */
  readonly onStatus: () => void
  readonly onError: (error: TsunagiError) => void
}

export class PeerTasks {
  readonly contacts: Contacts
  readonly #host: PeerTasksHost
  readonly #keptContacts: KeptContacts
  readonly #capabilities = new CapabilityRegistry((offered) => this.#provided(offered))
  readonly #policies: UsePolicies
  readonly #past = new PastTasks()
  readonly #caller: TaskCaller
  readonly #executor: TaskExecutor
  /** What others are told of our capabilities; follows the registry as soon as the hash is known. */
  #announced: SessionPayload<'capability_response'> = { capabilities: [], digest: new Uint8Array(32) }
  #offered: readonly CapabilityDescription[] = []

  constructor(host: PeerTasksHost) {
    const { clock, crypto, store, send, onError } = host
    this.#host = host
    this.#keptContacts = new KeptContacts(store)
    this.contacts = this.#keptContacts
    this.#policies = new UsePolicies((peer) => this.contacts.has(peer))
    const shared = { clock, store, send, onError, files: new TaskFileTransfers(clock, host.files) }
    this.#caller = new TaskCaller({
      ...shared,
      randomBytes: crypto.randomBytes,
      choose: (capability, to, without) => this.#choose(capability, to, without),
      mayWake: host.mayWake,
      isIdempotent: (capability, peer) => this.#offerOf(peer, capability)?.idempotent === true,
      outputCheck: (capability, peer) => {
        const own = this.#capabilities.find(capability)
        return own?.description.version === this.#offerOf(peer, capability)?.version ? own?.checkOutput : undefined
      },
      onGiven: (peer) => this.#past.given(peer),
      onTried: (peer, success) => this.#past.ended(peer, success),
      onChange: (task) => host.onTask(task),
    })
    this.#executor = new TaskExecutor({
      ...shared,
      capabilities: this.#capabilities,
      policies: this.#policies,
      sendResult: host.sendResult,
      onChange: (task) => {
        host.onStatus()
        host.onTask(task)
      },
    })
  }

  /** Under way and the latest that ended, newest first. */
  get tasks(): readonly TaskInfo[] {
    return [...this.#caller.tasks, ...this.#executor.tasks].sort((a, b) => b.createdAt - a.createdAt)
  }

  /** What others are told of our capabilities. */
  get announced(): SessionPayload<'capability_response'> {
    return this.#announced
  }

  /** What others are told of how busy this peer is. */
  get status(): Pick<SessionPayload<'status_report'>, 'load' | 'running' | 'queue_depth' | 'capabilities_digest'> {
    const { load, running, queueDepth } = this.#executor
    return { load, running, queue_depth: queueDepth, capabilities_digest: this.#announced.digest }
  }

  /** Whether that peer has a task of ours. */
  hasGiven(peer: PeerId): boolean {
    return this.#caller.tasks.some((task) => task.peer === peer && task.endedAt === undefined)
  }

  /** Goes on with what a page before this one had under way. Never rejects. */
  async restore(): Promise<void> {
    const { store, onError } = this.#host
    try {
      const [tasks] = await Promise.all([store?.load() ?? [], this.#keptContacts.load()])
      await this.#executor.restore(tasks)
      this.#caller.restore(tasks)
    } catch (cause) {
      onError(toTsunagiError(cause, 'STORAGE_FAILED', 'The tasks of the page before this one could not be read.'))
    }
  }

  provide(capability: Capability, handler: TaskHandler): () => void {
    const withdraw = this.#capabilities.provide(capability, handler)
    void this.announce()
    return () => {
      withdraw()
      void this.announce()
    }
  }

  delegate<Output>(capability: string, input: unknown, options?: DelegateOptions): Task<Output> {
    return this.#caller.delegate<Output>(capability, input, options)
  }

  task<Output>(id: string): Task<Output> | undefined {
    return this.#caller.task(id) as Task<Output> | undefined
  }

  map<Output>(
    capability: string,
    inputs: Iterable<unknown> | AsyncIterable<unknown>,
    options: MapOptions,
  ): MapRun<Output> {
    const host = {
      clock: this.#host.clock,
      offerCount: () => offerCount(this.#host.peers(), capability),
      delegate: (input: unknown, each: DelegateOptions, without: readonly PeerId[]) =>
        this.#caller.delegate(capability, input, each, without),
    }
    return new MappedTasks<Output>(host, inputs, options)
  }

  stop(task: Pick<TaskInfo, 'peer' | 'id'>, reason: string): boolean {
    if (typeof task?.id !== 'string' || typeof task.peer !== 'string' || typeof reason !== 'string') {
      throw new TsunagiError('INVALID_ARGUMENT', 'stopTask() takes one of the tasks of others, and maybe a sentence.')
    }
    return this.#executor.stop(task.peer, task.id, shortened(reason))
  }

  policy(capability: string, policy: CapabilityPolicy): void {
    if (!isCapabilityName(capability)) {
      throw new TsunagiError('INVALID_ARGUMENT', 'policy() takes the name of a capability, and who may use it.')
    }
    this.#policies.set(capability, policy)
  }

  async discover(capability: string): Promise<readonly PeerId[]> {
    if (!isCapabilityName(capability)) {
      throw new TsunagiError('INVALID_ARGUMENT', 'discover() takes the name of a capability.')
    }
    return this.#host.search.find(capability)
  }

  /** Tells others what is offered by now. */
  async announce(): Promise<void> {
    const { crypto, search, onStatus } = this.#host
    const capabilities = this.#capabilities.descriptions()
    this.#offered = capabilities
    void search.announce(capabilities.map(({ name }) => name))
    const digest = await crypto.sha256(capabilityDigestInput(capabilities))
    // A later change has overtaken this one.
    if (this.#offered !== capabilities) return
    this.#announced = { capabilities, digest }
    onStatus()
  }

  handle(peer: PeerId, { type, payload }: TaskMessage): void {
    switch (type) {
      case 'task_delegate':
        this.#executor.handleDelegate(peer, payload)
        return
      case 'task_cancel':
        this.#executor.handleCancel(peer, payload)
        return
      case 'task_query':
        this.#executor.handleQuery(peer, payload)
        return
      case 'task_credit':
        this.#executor.handleCredit(peer, payload)
        return
      case 'task_accept':
        this.#caller.handleAccept(peer, payload)
        return
      case 'task_reject':
        this.#caller.handleReject(peer, payload)
        return
      case 'task_progress':
        this.#caller.handleProgress(peer, payload)
        return
      case 'task_partial':
        this.#caller.handlePartial(peer, payload)
        return
      case 'task_renew':
        this.#caller.handleRenew(peer, payload)
        return
      case 'task_state':
        void this.#caller.handleState(peer, payload)
        return
      case 'task_result':
        void this.handleResult(peer, payload)
    }
  }

  /** Fulfils when what the result says is kept; never rejects. */
  handleResult(peer: PeerId, result: SessionPayload<'task_result'>): Promise<void> {
    return this.#caller.handleResult(peer, result)
  }

  /** Undefined where it is no file of a task. */
  takeOffer(offer: TransferOffer): Promise<void> | undefined {
    return this.#executor.takeOffer(offer) ?? this.#caller.takeOffer(offer)
  }

  /** There is a link to it again. */
  peerBack(peer: PeerId): void {
    this.#caller.peerBack(peer)
    this.#executor.peerBack(peer)
  }

  /** There was no link to it for long. */
  peerAway(peer: PeerId): void {
    this.#caller.peerAway(peer)
    // What is kept at both ends can still be finished for it and told when it comes back; the deadline bounds that.
    if (this.#host.store === undefined) this.#executor.peerLost(peer)
  }

  /** The session with it is over. */
  peerLost(peer: PeerId): void {
    this.#caller.peerLost(peer)
    this.#executor.peerLost(peer)
  }

  close(): void {
    this.#caller.close()
    this.#executor.close()
  }

  /** Where nobody known offers it, others of the mesh are asked for. @throws TsunagiError UNKNOWN_CAPABILITY, UNKNOWN_PEER */
  #choose(capability: string, to: PeerId | undefined, without: ReadonlySet<PeerId>): PeerId {
    const { peers, checkPresent, search, isPartlyKnown } = this.#host
    if (to !== undefined) {
      checkPresent(to)
      return to
    }
    try {
      return choosePeer(peers(), capability, this.#past, without)
    } catch (cause) {
      if (!isPartlyKnown() || !search.seek(capability)) throw cause
      const message = `None of the peers known here offers ${capability}; others of the mesh are asked for.`
      throw new TsunagiError('UNKNOWN_CAPABILITY', message, { cause, retryAfter: LIMITS.nobodyPoll })
    }
  }

  #offerOf(peer: PeerId, capability: string): CapabilityDescription | undefined {
    return this.#host.offersOf(peer).find(({ name }) => name === capability)
  }

  #provided({ description: { name }, policy }: OfferedCapability): void {
    this.#policies.setDefault(name, policy)
    this.#executor.provided(name)
  }
}
