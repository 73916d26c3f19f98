/**
 * Tasks as a page has them from its begin (SPEC §8): who is a contact, what is offered and who may use it. What does the work is
 * loaded with the first task, ours or another's, or the first capability.
 */
import type {
  Capability,
  CapabilityPolicy,
  DelegateOptions,
  MapOptions,
  MapRun,
  PeerId,
  Task,
  TaskHandler,
  TaskInfo,
  TransferOffer,
} from '../api.ts'
import { TsunagiError, toTsunagiError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { CapabilityDescription, SessionPayload } from '../messages.ts'
import { attachTo, detachBlobs } from '../tasks/blobs.ts'
import {
  CapabilityRegistry,
  capabilityDigestInput,
  isCapabilityName,
  type OfferedCapability,
} from '../tasks/capabilities.ts'
import { KeptContacts } from '../tasks/contacts.ts'
import { UsePolicies } from '../tasks/policy.ts'
import type { TaskMessage, TaskWork, TaskWorkHost } from '../tasks/work.ts'
import { decodeCbor, encodeCbor } from '../wire/cbor.ts'
import { uuidText, uuidV4 } from '../wire/uuid.ts'
import type { CapabilitySearch } from './capability-search.ts'
import { Part } from './part.ts'
import { WaitingMap, WaitingTask } from './waiting.ts'

export interface PeerTasksHost extends Omit<TaskWorkHost, 'capabilities' | 'policies' | 'seek'> {
  readonly search: CapabilitySearch
  /** Whether there are members of the mesh that are not known here. */
  readonly isPartlyKnown: () => boolean
}

const IDLE = { load: 0, running: 0, queue_depth: 0 }

export class PeerTasks {
  readonly contacts: KeptContacts
  readonly #host: PeerTasksHost
  readonly #capabilities = new CapabilityRegistry((offered) => this.#provided(offered))
  readonly #policies: UsePolicies
  readonly #part: Part<TaskWork>
  /** Given away before the part was here, by their ids. */
  readonly #waiting = new Map<string, { readonly task: WaitingTask; readonly key: string | undefined }>()
  /** What others are told of our capabilities; follows the registry as soon as the hash is known. */
  #announced: SessionPayload<'capability_response'> = { capabilities: [], digest: new Uint8Array(32) }
  #offered: readonly CapabilityDescription[] = []

  constructor(host: PeerTasksHost) {
    this.#host = host
    this.contacts = new KeptContacts(host.store)
    this.#policies = new UsePolicies((peer) => this.contacts.has(peer))
    this.#part = new Part({
      clock: host.clock,
      load: async () => {
        const { TaskWork } = await import('../tasks/work.ts')
        const work = new TaskWork({
          ...host,
          capabilities: this.#capabilities,
          policies: this.#policies,
          seek: (capability) => host.isPartlyKnown() && host.search.seek(capability),
        })
        await work.restore()
        return work
      },
      close: (work) => work.close(),
      onError: host.onError,
    })
  }

  /** Under way and the latest that ended, newest first. */
  get tasks(): readonly TaskInfo[] {
    return this.#part.here?.tasks ?? Array.from(this.#waiting.values(), ({ task }) => task.info).reverse()
  }

  /** What others are told of our capabilities. */
  get announced(): SessionPayload<'capability_response'> {
    return this.#announced
  }

  /** What others are told of how busy this peer is. */
  get status(): Pick<SessionPayload<'status_report'>, 'load' | 'running' | 'queue_depth' | 'capabilities_digest'> {
    return { ...(this.#part.here?.status ?? IDLE), capabilities_digest: this.#announced.digest }
  }

  /** Whether that peer has a task of ours. */
  hasGiven(peer: PeerId): boolean {
    return this.#part.here?.hasGiven(peer) ?? false
  }

  /** Has the part loaded. Rejects with LOAD_FAILED. */
  async load(): Promise<void> {
    await this.#part.get()
  }

  /** Goes on with what a page before this one had under way. Never rejects. */
  async restore(): Promise<void> {
    const { store, onError } = this.#host
    try {
      const [tasks] = await Promise.all([store?.load() ?? [], this.contacts.load()])
      // Where it cannot be loaded, the next page goes on with them; the error tells it.
      if (tasks.length > 0) await this.load().catch(() => undefined)
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
    const { here } = this.#part
    if (here !== undefined) return here.delegate(capability, input, options)
    const key = keyIn(options)
    for (const waiting of this.#waiting.values()) {
      if (key !== undefined && waiting.key === key) return waiting.task as Task<Output>
    }
    const { clock, crypto } = this.#host
    const id = uuidText(uuidV4(crypto.randomBytes(16)))
    const taken = asItIsNow(input)
    const given = this.#part.get().then((work) => work.delegate<Output>(capability, taken, options, id))
    const task = new WaitingTask(newInfo(id, capability, clock.now()), given, () => clock.now())
    this.#waiting.set(id, { task, key })
    const settled = () => this.#waiting.delete(id)
    given.then(settled, settled)
    return task
  }

  task<Output>(id: string): Task<Output> | undefined {
    const { here } = this.#part
    return here === undefined ? (this.#waiting.get(id)?.task as Task<Output> | undefined) : here.task<Output>(id)
  }

  map<Output>(
    capability: string,
    inputs: Iterable<unknown> | AsyncIterable<unknown>,
    options: MapOptions,
  ): MapRun<Output> {
    const { here } = this.#part
    if (here !== undefined) return here.map(capability, inputs, options)
    return new WaitingMap(this.#part.get().then((work) => work.map<Output>(capability, inputs, options)))
  }

  stop(task: Pick<TaskInfo, 'peer' | 'id'>, reason: string): boolean {
    if (typeof task?.id !== 'string' || typeof task.peer !== 'string' || typeof reason !== 'string') {
      throw new TsunagiError('INVALID_ARGUMENT', 'stopTask() takes one of the tasks of others, and maybe a sentence.')
    }
    return this.#part.here?.stop(task, reason) ?? false
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

  /** @param size bytes of the message */
  handle(peer: PeerId, message: TaskMessage, size: number): void {
    const { here } = this.#part
    if (here !== undefined) {
      here.handle(peer, message)
      return
    }
    this.#part.take(
      peer,
      size,
      (work) => work.handle(peer, message),
      () => this.#refuse(peer, message),
    )
  }

  /** Fulfils when what the result says is kept. Rejects with LOAD_FAILED, PEER_CLOSED. */
  async handleResult(peer: PeerId, result: SessionPayload<'task_result'>): Promise<void> {
    const work = this.#part.here ?? (await this.#part.get())
    await work.handleResult(peer, result)
  }

  /** Fulfils when it was decided, or is no file of a task. Never rejects. */
  async takeOffer(offer: TransferOffer): Promise<void> {
    // What it belongs to may wait for the part itself. Where that does not come, nobody takes it.
    const work = this.#part.here ?? (await this.#part.get().catch(() => undefined))
    await work?.takeOffer(offer)
  }

  /** There is a link to it again. */
  peerBack(peer: PeerId): void {
    this.#part.tell((work) => work.peerBack(peer))
  }

  /** There was no link to it for long. */
  peerAway(peer: PeerId): void {
    this.#part.tell((work) => work.peerAway(peer))
  }

  /** The session with it is over. */
  peerLost(peer: PeerId): void {
    this.#part.tell((work) => work.peerLost(peer))
  }

  close(error: TsunagiError): void {
    this.#part.close(error)
  }

  /** The caller asks again, here or elsewhere. What is said of tasks that are not here says nothing. */
  #refuse(peer: PeerId, message: TaskMessage): void {
    if (message.type !== 'task_delegate') return
    const { task_id } = message.payload
    const why = 'This peer cannot do tasks at present.'
    this.#host
      .send(peer, 'task_reject', { task_id, reason: 'full', message: why, retry_after: LIMITS.partPatience })
      .catch(() => undefined)
  }

  #provided({ description: { name }, policy }: OfferedCapability): void {
    this.#policies.setDefault(name, policy)
    this.#part.use(
      (work) => work.provided(name),
      // The first task for it tries again.
      () => undefined,
    )
  }
}

/** A copy, but for its Blobs, as other tasks take of theirs; what cannot be sent is told of by who tries. */
function asItIsNow(input: unknown): unknown {
  try {
    const { value, blobs } = detachBlobs(input ?? null)
    return attachTo(
      decodeCbor(encodeCbor(value)),
      blobs,
      blobs.map(({ blob }) => blob),
    )
  } catch {
    return input
  }
}

/** Undefined as well where the options cannot be read, which is told of later. */
function keyIn(options: DelegateOptions | undefined): string | undefined {
  try {
    return options?.idempotencyKey
  } catch {
    return undefined
  }
}

function newInfo(id: string, capability: string, now: number): TaskInfo {
  return {
    id,
    direction: 'out',
    capability: isCapabilityName(capability) ? capability : '',
    peer: '',
    state: 'submitted',
    priority: 'normal',
    progress: 0,
    note: '',
    createdAt: now,
    endedAt: undefined,
    deadlineAt: now + LIMITS.defaultDeadline,
    tries: 0,
    error: undefined,
  }
}
