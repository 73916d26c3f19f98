/** The work of a peer (SPEC §8): what it hands to others, and what it does for them. Loaded by a page that has any. */
import type { DelegateOptions, MapOptions, MapRun, PeerId, PeerInfo, Task, TaskInfo, TransferOffer } from '../api.ts'
import { TsunagiError, toTsunagiError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { CapabilityDescription, SessionPayload } from '../messages.ts'
import type { Clock, CryptoProvider } from '../ports.ts'
import type { SessionMessage } from '../session/session-messages.ts'
import { TaskCaller } from './caller.ts'
import type { CapabilityRegistry } from './capabilities.ts'
import { choosePeer, offerCount, PastTasks } from './choice.ts'
import { TaskExecutor } from './executor.ts'
import { TaskFileTransfers } from './file-transfers.ts'
import { MappedTasks } from './map.ts'
import { type SendMessage, type SendResult, shortened } from './payload.ts'
import type { UsePolicies } from './policy.ts'
import { type SchemaCheck, schemaCheck } from './schema-check.ts'
import type { TaskStore } from './store.ts'

/** Messages about tasks. */
export type TaskMessage = Extract<SessionMessage, { readonly type: `task_${string}` }>

export interface TaskWorkHost {
  readonly clock: Clock
  readonly crypto: CryptoProvider
  readonly store: TaskStore | undefined
  readonly capabilities: CapabilityRegistry
  readonly policies: UsePolicies
  readonly send: SendMessage
  readonly sendResult: SendResult
  /** Files in inputs and outputs travel as transfers. */
  readonly files: ConstructorParameters<typeof TaskFileTransfers>[1]
  /** Asks others of the mesh for a capability. False where that cannot find more than is known here. */
  readonly seek: (capability: string) => boolean
  readonly peers: () => readonly PeerInfo[]
  /** @throws TsunagiError where it is no peer that is here */
  readonly checkPresent: (peer: PeerId) => void
  /** What that peer offers, as far as it told. */
  readonly offersOf: (peer: PeerId) => readonly CapabilityDescription[]
  /** Of a peer that does not answer: whether it sleeps, and may come back for what waits here. */
  readonly mayWake: (peer: PeerId) => boolean
  /** A task of ours, or of another, changed. */
  readonly onTask: (task: TaskInfo) => void
  /** What others are told of load changed. */
  readonly onStatus: () => void
  readonly onError: (error: TsunagiError) => void
}

export class TaskWork {
  readonly #host: TaskWorkHost
  readonly #past = new PastTasks()
  readonly #caller: TaskCaller
  readonly #executor: TaskExecutor

  constructor(host: TaskWorkHost) {
    const { clock, crypto, store, send, onError, capabilities } = host
    this.#host = host
    const shared = { clock, store, send, onError, files: new TaskFileTransfers(clock, host.files) }
    this.#caller = new TaskCaller({
      ...shared,
      randomBytes: crypto.randomBytes,
      choose: (capability, to, without) => this.#choose(capability, to, without),
      mayWake: host.mayWake,
      isIdempotent: (capability, peer) => this.#offerOf(peer, capability)?.idempotent === true,
      outputCheck: (capability, peer) => this.#outputCheck(capability, peer),
      onGiven: (peer) => this.#past.given(peer),
      onTried: (peer, success) => this.#past.ended(peer, success),
      onChange: (task) => host.onTask(task),
    })
    this.#executor = new TaskExecutor({
      ...shared,
      capabilities,
      policies: host.policies,
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

  /** What others are told of how busy this peer is. */
  get status(): Pick<SessionPayload<'status_report'>, 'load' | 'running' | 'queue_depth'> {
    const { load, running, queueDepth } = this.#executor
    return { load, running, queue_depth: queueDepth }
  }

  /** Whether that peer has a task of ours. */
  hasGiven(peer: PeerId): boolean {
    return this.#caller.tasks.some((task) => task.peer === peer && task.endedAt === undefined)
  }

  /** Goes on with what a page before this one had under way. Call before anything else. Never rejects. */
  async restore(): Promise<void> {
    const { store, onError } = this.#host
    try {
      const tasks = (await store?.load()) ?? []
      await this.#executor.restore(tasks)
      this.#caller.restore(tasks)
    } catch (cause) {
      onError(toTsunagiError(cause, 'STORAGE_FAILED', 'The tasks of the page before this one could not be read.'))
    }
  }

  /** A capability is offered from now on. */
  provided(capability: string): void {
    this.#executor.provided(capability)
  }

  /** @param id UUIDv4 text, where it was named already */
  delegate<Output>(capability: string, input: unknown, options?: DelegateOptions, id?: string): Task<Output> {
    return this.#caller.delegate<Output>(capability, input, options, [], id)
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

  stop({ peer, id }: Pick<TaskInfo, 'peer' | 'id'>, reason: string): boolean {
    return this.#executor.stop(peer, id, shortened(reason))
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
    const { peers, checkPresent, seek } = this.#host
    if (to !== undefined) {
      checkPresent(to)
      return to
    }
    try {
      return choosePeer(peers(), capability, this.#past, without)
    } catch (cause) {
      if (!seek(capability)) throw cause
      const message = `None of the peers known here offers ${capability}; others of the mesh are asked for.`
      throw new TsunagiError('UNKNOWN_CAPABILITY', message, { cause, retryAfter: LIMITS.nobodyPoll })
    }
  }

  #outputCheck(capability: string, peer: PeerId): SchemaCheck | undefined {
    const own = this.#host.capabilities.find(capability)
    if (own === undefined || own.description.version !== this.#offerOf(peer, capability)?.version) return undefined
    return schemaCheck(own.output)
  }

  #offerOf(peer: PeerId, capability: string): CapabilityDescription | undefined {
    return this.#host.offersOf(peer).find(({ name }) => name === capability)
  }
}
