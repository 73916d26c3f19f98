/** Work for other peers (SPEC §8): takes tasks, queues and runs them, and tells each caller what became of its own. */
import type { CapabilityPolicy, IncomingTransfer, PeerId, TaskContext, TaskInfo, TransferOffer } from '../api.ts'
import { type ErrorCode, TsunagiError, toTsunagiError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { SessionPayload, SessionType, TaskFilePlace, TaskRejectReason } from '../messages.ts'
import type { Clock } from '../ports.ts'
import type { Bytes } from '../wire/bytes.ts'
import { decodeCbor, encodeCbor } from '../wire/cbor.ts'
import { uuidBytes } from '../wire/uuid.ts'
import type { CapabilityRegistry, OfferedCapability } from './capabilities.ts'
import { ConsentDesk } from './consent.ts'
import type { TaskFileTransfers } from './file-transfers.ts'
import { attachTo, type FoundBlob, fileIndexOf, placesOf, sizeOf, withMarks } from './files.ts'
import {
  checkedResult,
  type Delegated,
  type IncomingTask,
  keyOf,
  MOST_PARTIAL,
  messageOf,
  newInfo,
} from './incoming-task.ts'
import { TaskLedger } from './ledger.ts'
import { PartialSender } from './partials.ts'
import { asItArrives, isGone, type SendMessage, type SendResult, shortened } from './payload.ts'
import type { UsePolicies } from './policy.ts'
import { ProgressMerger } from './progress.ts'
import { TaskQueue } from './queue.ts'
import { Renewal } from './renewal.ts'
import { isTerminal } from './states.ts'
import type { StoredTask, TaskStore } from './store.ts'

export interface TaskExecutorOptions {
  readonly clock: Clock
  readonly capabilities: CapabilityRegistry
  readonly policies: UsePolicies
  readonly send: SendMessage
  readonly sendResult: SendResult
  readonly files: TaskFileTransfers
  /** Undefined where the host keeps nothing. */
  readonly store: TaskStore | undefined
  /** A new snapshot, for each change of a task; running, queueDepth and load have followed already. Must not throw. */
  readonly onChange: (task: TaskInfo) => void
  /** What no call can report: a message that could not be sent although its receiver is there, a store that failed. Must not throw. */
  readonly onError: (error: TsunagiError) => void
}

/**
 * Keeps these bounds whatever callers and handlers do:
 * - At most LIMITS.maxQueuedTasks tasks wait, of LIMITS.maxQueuedTaskBytes together; one more is rejected as `full`.
 * - At most `capabilities.places` handlers run, and of each capability as many as it allows. A cancelled or overdue task
 *   is answered at once, but keeps its place until its handler has returned: a handler that ignores its signal keeps
 *   no caller waiting, and it takes from the capacity instead of piling up beyond it.
 * - LIMITS.maxEndedTasks tasks are remembered after their end, without input and output. One that was rejected is not:
 *   a flood of refusals pushes nothing out, and the same task may be offered again.
 */
export class TaskExecutor {
  readonly #options: TaskExecutorOptions
  readonly #ledger: TaskLedger<IncomingTask>
  readonly #queue = new TaskQueue<IncomingTask>()
  readonly #consents: ConsentDesk
  /** Tasks whose handler has not returned, also where the task itself has ended. */
  readonly #running = new Set<IncomingTask>()
  #meanDuration: number = LIMITS.firstTaskDuration
  readonly #renewal: Renewal
  #ignored = 0
  #closed = false

  constructor(options: TaskExecutorOptions) {
    this.#options = options
    this.#consents = new ConsentDesk(options.clock)
    this.#renewal = new Renewal(
      options.clock,
      () => this.#ledger.live,
      (caller, task_ids) => this.#tell(caller, 'task_renew', { task_ids }),
    )
    this.#ledger = new TaskLedger({
      clock: options.clock,
      onChange: (info) => {
        if (this.#ledger.size === 0) this.#renewal.stop()
        options.onChange(info)
      },
      onForgotten: (key) => this.#guarded(options.store?.remove('in', key)),
    })
  }

  /** Handlers that have not returned. */
  get running(): number {
    return this.#running.size
  }

  get queueDepth(): number {
    return this.#queue.length
  }

  /** Share of all places, to run and to wait, that are taken: 0 to 1. */
  get load(): number {
    const places = this.#options.capabilities.places + LIMITS.maxQueuedTasks
    return Math.min(1, (this.running + this.queueDepth) / places)
  }

  /** Newest first. */
  get tasks(): readonly TaskInfo[] {
    return this.#ledger.infos
  }

  /** Cancellations and questions of tasks that their sender has not given us. */
  get ignored(): number {
    return this.#ignored
  }

  /** Goes on with what a page before this one left, as its capabilities are provided. Call before any message is handled. */
  async restore(stored: readonly StoredTask[]): Promise<void> {
    for (const record of stored) {
      if (record.info.direction !== 'in') continue
      if (isTerminal(record.info.state)) this.#ledger.addEnded(record.key, record.info, 0)
      else await this.#goOn(record)
    }
  }

  /** A capability is provided from now on. */
  provided(capability: string): void {
    const offered = this.#options.capabilities.find(capability)
    if (offered === undefined) return
    for (const task of this.#ledger.live) {
      if (task.offered === undefined && task.info.capability === capability) this.#resume(task, offered)
    }
  }

  /** A transfer is offered: where it is a Blob of a task here, it is taken as soon as the task is. Undefined where it is none. */
  takeOffer(offer: TransferOffer): Promise<void> | undefined {
    const id = uuidBytes(offer.id)
    for (const task of this.#ledger.live) {
      const index = task.info.peer === offer.from ? fileIndexOf(task.id, 'input', id) : undefined
      const file = index === undefined ? undefined : task.files[index]
      if (file !== undefined) return this.#takeFile(task, offer, file.size)
    }
    return undefined
  }

  /** A peer has a link: what it has given us is still here. */
  peerBack(peer: PeerId): void {
    this.#renewal.renew(peer)
  }

  /** Idempotent by (caller, task_id): a task known already is answered with its state and does not run again. */
  handleDelegate(caller: PeerId, payload: Delegated): void {
    if (this.#closed) return
    const key = keyOf(caller, payload.task_id)
    const known = this.#ledger.find(key)
    const ended = this.#ledger.findEnded(key)
    if (known !== undefined) this.#accept(known)
    else if (ended !== undefined) this.#answerAgain(ended, payload.task_id)
    else this.#consider(key, caller, payload)
  }

  /** A task is found by who gave it to us, so nobody else can cancel it. Idempotent. */
  handleCancel(caller: PeerId, payload: SessionPayload<'task_cancel'>): void {
    const key = keyOf(caller, payload.task_id)
    const task = this.#ledger.find(key)
    if (task !== undefined) this.#end(task, 'cancel', 'TASK_CANCELED', 'The caller cancelled the task.')
    else if (this.#ledger.findEnded(key) === undefined) this.#ignored++
  }

  /** The user of this peer ends a task of `caller`. False where it has ended, or was never there. */
  stop(caller: PeerId, id: string, reason: string): boolean {
    const task = this.#ledger.find(`${caller} ${id}`)
    if (task === undefined) return false
    if (task.info.state === 'submitted') {
      // Nothing of it was done: another peer may do it.
      if (this.#stop(task, 'cancel', 'TASK_CANCELED', reason)) this.#reject(caller, task.id, 'refused', reason)
    } else this.#end(task, 'cancel', 'TASK_CANCELED', reason)
    return true
  }

  /** Answered also where the task is not known: its caller then need not wait. */
  handleQuery(caller: PeerId, { task_id }: SessionPayload<'task_query'>): void {
    const key = keyOf(caller, task_id)
    const task = this.#ledger.find(key)
    const info = task?.info ?? this.#ledger.findEnded(key)
    if (info === undefined) this.#ignored++
    const { state, progress = 0, note = '', error } = info ?? { state: 'unknown' as const }
    this.#tell(caller, 'task_state', {
      task_id,
      // What was refused is as if it had never come.
      state: state === 'rejected' || state === 'lost' ? 'unknown' : state,
      queue_position: task === undefined ? 0 : this.#positionOf(task),
      progress,
      note,
      partials: task?.partials.sent ?? 0,
      ...(error !== undefined && { code: error.code as ErrorCode, message: error.message }),
    })
  }

  handleCredit(caller: PeerId, { task_id, read }: SessionPayload<'task_credit'>): void {
    this.#ledger.find(keyOf(caller, task_id))?.partials.credit(read)
  }

  /** Aborts what `caller` has given us: nobody waits for it any more. */
  peerLost(caller: PeerId): void {
    for (const task of this.#ledger.live) {
      if (task.info.peer === caller) this.#stop(task, 'cancel', 'LINK_LOST', 'The caller of the task is gone.')
    }
  }

  /** Aborts all tasks and takes no more. Idempotent. */
  close(): void {
    this.#closed = true
    for (const task of this.#ledger.live) this.#stop(task, 'cancel', 'PEER_CLOSED', 'This peer was closed.')
    this.#renewal.stop()
  }

  #consider(key: string, caller: PeerId, payload: Delegated): void {
    const { capabilities, policies, clock } = this.#options
    const { capability } = payload
    const offered = capabilities.find(capability)
    if (offered === undefined) {
      this.#reject(caller, payload.task_id, 'unsupported', 'This peer does not offer that capability.')
      return
    }
    const { files = [] } = payload
    const bytes = encodeCbor(payload.input)
    const size = bytes.length + sizeOf(files)
    const underWay = this.#ledger.live.filter(({ info }) => info.peer === caller && info.capability === capability)
    const refusal = policies.refusal(capability, caller, underWay.length, size, clock.now())
    if (refusal !== undefined) {
      this.#reject(caller, payload.task_id, refusal.reason, refusal.message, refusal.retryAfter)
      return
    }
    const policy = policies.of(capability)
    const asks = policy.who === 'ask'
    if (asks ? !this.#consents.hasRoom(caller) : !this.#hasPlace(offered) && !this.#queue.hasRoom(bytes.length)) {
      this.#reject(caller, payload.task_id, 'full', 'All places of this peer are taken.')
      return
    }
    if (size > LIMITS.maxTaskFileBytes) {
      this.#reject(caller, payload.task_id, 'too_large', `This peer takes ${LIMITS.maxTaskFileBytes} bytes for a task.`)
      return
    }
    if (files.length > 0 && !this.#hasRoomForFiles(caller, size)) {
      this.#reject(caller, payload.task_id, 'full', 'This peer has no room for more files at present.')
      return
    }
    const problem = inputProblem(offered, payload.input, files)
    if (problem !== undefined) {
      this.#reject(caller, payload.task_id, 'invalid_input', `The input does not fit its schema. ${problem}`)
      return
    }
    const task = this.#newTask(key, payload, bytes.length, newInfo(caller, payload, clock.now()))
    task.offered = offered
    policies.count(capability, caller, { bytes: size }, clock.now())
    if (asks) void this.#ask(task, offered, policy, bytes)
    else this.#admit(task, offered, bytes)
  }

  /** Waits for the user, who may never answer. Never rejects. */
  async #ask(task: IncomingTask, offered: OfferedCapability, policy: CapabilityPolicy, bytes: Bytes): Promise<void> {
    const { peer: caller, capability } = task.info
    const input = withMarks(task.input, task.files)
    const asked = { taskId: task.info.id, caller, capability, input, size: task.size + sizeOf(task.files) }
    const consent = this.#consents.ask(policy, asked, task.abort.signal)
    task.isHeld = true
    this.#ledger.add(task)
    this.#accept(task)
    this.#renewal.schedule()
    const agreed = await consent
    if (isTerminal(task.info.state)) return
    if (agreed && (this.#hasPlace(offered) || this.#queue.hasRoom(task.size))) {
      if (task.files.length === 0) this.#place(task, offered, bytes)
      else {
        this.#keep(task, bytes)
        this.#awaitFiles(task)
      }
      return
    }
    this.#release(task)
    task.openFiles()
    this.#ledger.apply(task, 'reject', { code: 'TASK_REJECTED', message: 'The task was refused.' })
    if (agreed) this.#reject(caller, task.id, 'full', 'All places of this peer are taken.')
    else this.#reject(caller, task.id, 'refused', 'The user of this peer did not agree.')
  }

  #admit(task: IncomingTask, offered: OfferedCapability, bytes: Bytes): void {
    if (task.files.length > 0) {
      task.isHeld = true
      this.#ledger.add(task)
      this.#keep(task, bytes)
      this.#accept(task)
      this.#renewal.schedule()
      this.#awaitFiles(task)
      return
    }
    const waits = !this.#hasPlace(offered)
    if (waits) this.#queue.add(task, task.info.priority, task.size, this.#options.clock.now())
    this.#ledger.add(task)
    this.#keep(task, bytes)
    this.#accept(task)
    this.#renewal.schedule()
    if (!waits) void this.#run(task, offered)
  }

  #hasRoomForFiles(caller: PeerId, size: number): boolean {
    const withFiles = this.#ledger.live.filter(({ files }) => files.length > 0)
    const awaited = withFiles.filter(({ info, isHeld }) => isHeld && info.peer === caller)
    const held = withFiles.reduce((sum, { files }) => sum + sizeOf(files), 0)
    return awaited.length < LIMITS.maxFilesAwaited && held + size <= LIMITS.maxHeldFileBytes
  }

  /** From now on the Blobs of its input are taken; those of a page before this one are here already, or coming. */
  #awaitFiles(task: IncomingTask): void {
    task.openFiles()
    for (const transfer of this.#options.files.received(task.info.peer, task.id, 'input')) {
      if (transfer !== undefined && transfer.info.state !== 'offered') this.#followFile(task, transfer)
    }
  }

  async #takeFile(task: IncomingTask, offer: TransferOffer, size: number): Promise<void> {
    await task.filesOpen
    if (isTerminal(task.info.state) || offer.size !== size) return
    try {
      this.#followFile(task, offer.accept(undefined, { maxBytes: size }))
    } catch (cause) {
      this.#fileFailed(task, cause)
    }
  }

  #followFile(task: IncomingTask, transfer: IncomingTransfer): void {
    transfer.done.then(
      () => this.#fileCame(task),
      (cause: unknown) => this.#fileFailed(task, cause),
    )
  }

  /** Never rejects. */
  async #fileCame(task: IncomingTask): Promise<void> {
    const { offered, files, info } = task
    try {
      const blobs = await this.#options.files.blobs(info.peer, task.id, 'input', files.length)
      // One more that came last finds all of them.
      if (blobs === undefined || offered === undefined || !task.isHeld || isTerminal(task.info.state)) return
      task.input = attachTo(task.input, files, blobs)
      this.#place(task, offered)
    } catch (cause) {
      this.#fileFailed(task, cause)
    }
  }

  #fileFailed(task: IncomingTask, cause: unknown): void {
    const { code, message } = toTsunagiError(cause, 'STORAGE_FAILED', 'A file of the input could not be kept.')
    this.#end(task, 'fail', code, `A file of the input did not come. ${message}`)
  }

  /** The task, known to its caller already, runs or waits for a place. */
  #place(task: IncomingTask, offered: OfferedCapability, bytes?: Bytes): void {
    task.isHeld = false
    const waits = !this.#hasPlace(offered)
    if (waits) this.#queue.add(task, task.info.priority, task.size, this.#options.clock.now())
    this.#keep(task, bytes)
    if (waits) return
    task.progress.update(0, '')
    void this.#run(task, offered)
  }

  #newTask(
    key: string,
    { task_id, input, partials, files = [] }: Pick<Delegated, 'task_id' | 'input' | 'partials' | 'files'>,
    size: number,
    info: TaskInfo,
  ): IncomingTask {
    const { clock } = this.#options
    const { peer } = info
    let openFiles: () => void = () => undefined
    const filesOpen = new Promise<void>((open) => {
      openFiles = open
    })
    const task: IncomingTask = {
      info,
      key,
      id: task_id,
      offered: undefined,
      isHeld: false,
      input,
      files,
      filesOpen,
      openFiles,
      size,
      wantsPartials: partials === true,
      abort: new AbortController(),
      progress: new ProgressMerger(clock, (progress, note) => {
        this.#ledger.report(task, progress, note)
        this.#tell(peer, 'task_progress', { task_id, progress, note })
      }),
      partials: new PartialSender((index, output) =>
        this.#options.send(peer, 'task_partial', { task_id, index, output }),
      ),
      release: [],
    }
    const left = Math.max(0, info.deadlineAt - clock.now())
    task.release.push(
      clock.after(left, () => this.#end(task, 'fail', 'TASK_DEADLINE', 'The task was not done by its deadline.')),
    )
    return task
  }

  async #goOn(record: StoredTask): Promise<void> {
    const { store, clock, onError } = this.#options
    try {
      const bytes = await store?.value(record)
      const task_id = uuidBytes(record.info.id)
      const input = bytes && decodeCbor(bytes)
      const files = record.files.map(({ transfer: _, ...place }) => place)
      const given = { task_id, input, files, ...(record.partials && { partials: true as const }) }
      const task = this.#newTask(record.key, given, record.size, record.info)
      task.isHeld = true
      this.#ledger.add(task)
      this.#renewal.schedule()
      if (bytes === undefined) {
        this.#end(task, 'fail', 'TASK_LOST', 'The input of the task was lost.')
        return
      }
      const stop = clock.after(LIMITS.restorePatience, () => {
        if (task.offered === undefined) this.#end(task, 'fail', 'TASK_LOST', 'The capability is not offered any more.')
      })
      task.release.push(stop)
    } catch (cause) {
      onError(toTsunagiError(cause, 'STORAGE_FAILED', 'A task of a page before this one could not be read.'))
    }
  }

  /** A task of a page before this one goes on, as its capability says. */
  #resume(task: IncomingTask, offered: OfferedCapability): void {
    task.offered = offered
    const problem = inputProblem(offered, task.input, task.files)
    if (task.info.state === 'working' && offered.onReload === 'lost') {
      this.#end(task, 'fail', 'TASK_LOST', 'The page that ran the task was loaded anew.')
    } else if (problem !== undefined) {
      this.#end(task, 'fail', 'TASK_INPUT_INVALID', `The input does not fit its schema. ${problem}`)
    } else if (this.#hasPlace(offered) || this.#queue.hasRoom(task.size)) {
      this.#ledger.apply(task, 'again')
      if (task.files.length === 0) this.#place(task, offered)
      else this.#awaitFiles(task)
    } else {
      this.#end(task, 'fail', 'TASK_LOST', 'All places of this peer are taken.')
    }
  }

  #hasPlace(offered: OfferedCapability): boolean {
    let same = 0
    for (const task of this.#running) if (task.offered === offered) same++
    return same < offered.concurrency && this.#running.size < this.#options.capabilities.places
  }

  /** 0 for one that runs. One that nobody can start yet comes after all that wait. */
  #positionOf(task: IncomingTask): number {
    return this.#queue.position(task) || (task.isHeld ? this.#queue.length + 1 : 0)
  }

  #startWaiting(): void {
    for (;;) {
      const task = this.#queue.take(({ offered }) => offered !== undefined && this.#hasPlace(offered))
      if (task?.offered === undefined) return
      // Its caller was told that it waits; the first progress says that it no longer does.
      task.progress.update(0, '')
      void this.#run(task, task.offered)
    }
  }

  /** Never rejects. */
  async #run(task: IncomingTask, offered: OfferedCapability): Promise<void> {
    const { clock, policies } = this.#options
    const { capability, peer } = task.info
    this.#running.add(task)
    if (!this.#ledger.apply(task, 'start')) {
      // A listener has closed this peer at an earlier snapshot.
      this.#running.delete(task)
      return
    }
    // Before the handler begins: one that may run once only must not be found waiting by the next page.
    this.#keep(task)
    const startedAt = clock.now()
    this.#limitTime(task)
    let finish: () => void
    try {
      const output: unknown = await offered.handler(task.input, this.#contextOf(task))
      finish = () => void this.#deliver(task, offered, output)
    } catch (error) {
      finish = () => this.#end(task, 'fail', 'TASK_FAILED', messageOf(error))
    }
    this.#running.delete(task)
    const duration = Math.max(0, clock.now() - startedAt)
    policies.count(capability, peer, { milliseconds: duration }, clock.now())
    this.#meanDuration += (duration - this.#meanDuration) / 8
    if (!isTerminal(task.info.state)) {
      this.#release(task)
      task.progress.finish()
      finish()
    }
    this.#discardFiles(task)
    this.#startWaiting()
  }

  /** Ends the task when its caller has used up the time that the policy allows. */
  #limitTime(task: IncomingTask): void {
    const { clock, policies } = this.#options
    const left = policies.timeLeft(task.info.capability, task.info.peer, clock.now())
    if (left > LIMITS.maxDeadline) return
    const message = 'The time that this peer allows you of that capability is used up.'
    task.release.push(clock.after(Math.max(0, left), () => this.#end(task, 'fail', 'TASK_REJECTED', message)))
  }

  #contextOf(task: IncomingTask): TaskContext {
    const isOver = () => !this.#running.has(task) || isTerminal(task.info.state)
    return {
      taskId: task.info.id,
      caller: task.info.peer,
      signal: task.abort.signal,
      deadlineAt: task.info.deadlineAt,
      progress: (progress, note = '') => {
        if (!(progress >= 0 && progress <= 1) || typeof note !== 'string') {
          throw new TsunagiError('INVALID_ARGUMENT', 'progress() takes a number from 0 to 1 and, if you like, a text.')
        }
        if (!isOver()) task.progress.update(progress, shortened(note))
      },
      partial: async (output) => {
        const carried = asItArrives({ output }, 'The partial result', 'INVALID_ARGUMENT', MOST_PARTIAL)
        if (isOver()) throw new TsunagiError('INVALID_STATE', 'The task is over.')
        if (task.wantsPartials) await task.partials.add(carried.output)
      },
    }
  }

  /**
   * The task is completed when its caller has acknowledged the output; until then cancelling and losing the caller still count.
   * The Blobs go ahead of it: who has the output has all of it. Never rejects.
   */
  async #deliver(task: IncomingTask, offered: OfferedCapability, output: unknown): Promise<void> {
    const { policies, clock, sendResult, store } = this.#options
    const { capability, peer } = task.info
    let payload: SessionPayload<'task_result'>
    try {
      const { value, blobs } = this.#options.files.detach(output, 'The output', 'TASK_OUTPUT_INVALID')
      const files = placesOf(blobs)
      payload = checkedResult(task, offered, value, files)
      if (policies.of(capability).bytes !== undefined) {
        policies.count(capability, peer, { bytes: encodeCbor(payload).length + sizeOf(files) }, clock.now())
      }
      if (blobs.length > 0) await this.#sendFiles(task, blobs)
    } catch (cause) {
      const { code, message } = toTsunagiError(cause, 'TASK_OUTPUT_INVALID', 'The output cannot be sent.')
      this.#end(task, 'fail', code, message)
      return
    }
    if (isTerminal(task.info.state)) return
    const { accepted, delivered } = sendResult(peer, payload)
    if (store !== undefined) {
      accepted.then(
        () => {
          // The result is the outbox's to deliver from now on, also after this page: the task must not run again.
          if (!isTerminal(task.info.state))
            this.#keepAs(task, { ...task.info, state: 'completed', endedAt: clock.now() }, null)
        },
        // Told by `delivered`.
        () => undefined,
      )
    }
    delivered.then(
      () => {
        if (this.#ledger.apply(task, 'complete')) this.#keep(task, null)
        this.#discardFiles(task)
      },
      (cause: unknown) => {
        const { code, message } = toTsunagiError(cause, 'LINK_FAILED', 'The output could not be sent.')
        this.#end(task, 'fail', code, message)
      },
    )
  }

  async #sendFiles(task: IncomingTask, blobs: readonly FoundBlob[]): Promise<void> {
    const { peer } = task.info
    const send = ({ blob }: FoundBlob, n: number) =>
      this.#options.files.send(peer, task.id, 'output', n, blob, task.abort.signal)
    await Promise.all(blobs.map(send))
  }

  /** Once it has ended and its handler, which may still read them, has returned. */
  #discardFiles(task: IncomingTask): void {
    if (task.files.length === 0 || this.#running.has(task) || !isTerminal(task.info.state)) return
    this.#options.files.discard(task.info.peer, task.id, 'input')
  }

  /** Ends a task and tells its caller. */
  #end(task: IncomingTask, event: 'fail' | 'cancel', code: ErrorCode, message: string): void {
    if (!this.#stop(task, event, code, message)) return
    const state = event === 'fail' ? 'failed' : 'canceled'
    const payload = { task_id: task.id, state, code, message: shortened(message) } as const
    this.#options.sendResult(task.info.peer, payload).delivered.catch((cause: unknown) => this.#notSent(cause))
  }

  /** Ends a task on this side. False where it had ended. */
  #stop(task: IncomingTask, event: 'fail' | 'cancel', code: ErrorCode, message: string): boolean {
    this.#queue.remove(task)
    if (!this.#ledger.apply(task, event, { code, message: shortened(message) })) return false
    this.#release(task)
    task.progress.stop()
    const error = new TsunagiError(code, message)
    task.partials.end(error)
    task.abort.abort(error)
    task.openFiles()
    this.#keep(task, null)
    this.#discardFiles(task)
    return true
  }

  #release(task: IncomingTask): void {
    for (const release of task.release.splice(0)) release()
  }

  #accept(task: IncomingTask): void {
    this.#tell(task.info.peer, 'task_accept', { task_id: task.id, queue_position: this.#positionOf(task) })
  }

  /** A result is kept only until it was acknowledged, so that ended tasks cost no memory to speak of. */
  #answerAgain(task: TaskInfo, task_id: Bytes): void {
    const state = task.state === 'canceled' ? 'canceled' : 'failed'
    const error = task.error ?? {
      code: 'INVALID_STATE',
      message: 'The task is done and its output was delivered; it is not kept.',
    }
    this.#tell(task.peer, 'task_result', { task_id, state, code: error.code as ErrorCode, message: error.message })
  }

  #reject(caller: PeerId, task_id: Bytes, reason: TaskRejectReason, message: string, retryAfter?: number): void {
    // A place comes free each time one of the running tasks ends.
    const wait = Math.ceil(retryAfter ?? this.#meanDuration / this.#options.capabilities.places)
    this.#tell(caller, 'task_reject', {
      task_id,
      reason,
      message: shortened(message),
      ...((reason === 'full' || retryAfter !== undefined) && { retry_after: wait }),
    })
  }

  #tell<T extends SessionType>(peer: PeerId, type: T, payload: SessionPayload<T>): void {
    this.#options.send(peer, type, payload).catch((cause: unknown) => this.#notSent(cause))
  }

  #notSent(cause: unknown): void {
    const error = toTsunagiError(cause, 'LINK_FAILED', 'A message about a task could not be sent.')
    // Who is gone needs no answer; peerLost() ends its tasks.
    if (!this.#closed && !isGone(error)) this.#options.onError(error)
  }

  /** @param value the input; null where it goes; undefined leaves it */
  #keep(task: IncomingTask, value?: Bytes | null): void {
    this.#keepAs(task, task.info, value)
  }

  #keepAs(task: IncomingTask, info: TaskInfo, value?: Bytes | null): void {
    const { key, wantsPartials: partials } = task
    const size = value === null ? 0 : task.size
    const files = isTerminal(info.state) ? [] : task.files.map((place) => ({ ...place, transfer: '' }))
    this.#guarded(this.#options.store?.put({ key, info, size, ours: undefined, partials, files }, value))
  }

  #guarded(written: Promise<void> | undefined): void {
    written?.catch((cause: unknown) => {
      this.#options.onError(toTsunagiError(cause, 'STORAGE_FAILED', 'A task of another peer could not be kept.'))
    })
  }
}

/** Also where a place for a Blob is none: such an input fits no schema. */
function inputProblem(offered: OfferedCapability, input: unknown, files: readonly TaskFilePlace[]): string | undefined {
  try {
    return offered.checkInput(withMarks(input, files))
  } catch (cause) {
    return toTsunagiError(cause, 'INVALID_FORMAT', 'It cannot be read.').message
  }
}
