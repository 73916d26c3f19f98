/** Our work at other peers (SPEC §8): takes tasks from the app and from the page before, and what their peers report of them. */
import type { DelegateOptions, PeerId, Task, TaskInfo, TransferOffer } from '../api.ts'
import { TsunagiError, toTsunagiError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { SessionPayload, TaskFilePlace } from '../messages.ts'
import { encodeCbor } from '../wire/cbor.ts'
import { uuidBytes, uuidText, uuidV4 } from '../wire/uuid.ts'
import { attachTo } from './blobs.ts'
import { CallerArchive } from './caller-archive.ts'
import { CallerFiles } from './caller-files.ts'
import { isCapabilityName } from './capabilities.ts'
import { checkDelegate } from './delegate-options.ts'
import type { TaskFileTransfers } from './file-transfers.ts'
import { placesOf, withMarks } from './files.ts'
import { Handover, type HandoverOptions } from './handover.ts'
import { TaskLedger } from './ledger.ts'
import { OutgoingTask } from './outgoing-task.ts'
import { asItArrives } from './payload.ts'
import { LOST_CODES, OTHERS_MAY, REFUSALS } from './retry.ts'
import type { SchemaCheck } from './schema-check.ts'
import { isTerminal } from './states.ts'
import type { OwnTask, StoredTask, TaskStore } from './store.ts'
import { canceled, closed, lost, NO_PARTIALS, PEER_GONE, UNREADABLE } from './task-errors.ts'
import { type Held, Tries } from './tries.ts'

export interface TaskCallerOptions extends HandoverOptions {
  /** Checks outputs of `peer` by a schema of our own: one from a stranger could hold this page up. */
  readonly outputCheck: (capability: string, peer: PeerId) => SchemaCheck | undefined
  readonly files: TaskFileTransfers
  /** Undefined where the host keeps nothing. */
  readonly store: TaskStore | undefined
  /** A new snapshot, for each change of a task. Must not throw. */
  readonly onChange: (task: TaskInfo) => void
}

/** Of the task_cancels that answer one task_renew: the rest are told at the next one. */
const MOST_CANCELS = 16

/**
 * A task ends once: by the peer that has it at present, by its own caller, or by the clock. What anyone else reports about
 * it is ignored and counted; so is what comes after a try has ended, uncounted, since that crosses on the way.
 */
export class TaskCaller {
  readonly #options: TaskCallerOptions
  readonly #ledger: TaskLedger<OutgoingTask>
  readonly #tries = new Tries()
  readonly #archive: CallerArchive
  readonly #files: CallerFiles
  readonly #handover: Handover

  constructor(options: TaskCallerOptions) {
    this.#options = options
    this.#archive = new CallerArchive(options.store, options.files, options.onError)
    this.#ledger = new TaskLedger({
      clock: options.clock,
      onChange: options.onChange,
      onForgotten: (key) => this.#archive.forget(key),
    })
    this.#files = new CallerFiles(options.files, this.#archive, {
      onFaulty: (found, error) => this.#handover.dismiss(found, 'faulty', error),
      onNotKept: ({ task }, error) => this.#handover.abandon(task, 'fail', error),
    })
    this.#handover = new Handover(options, {
      ledger: this.#ledger,
      tries: this.#tries,
      archive: this.#archive,
      files: this.#files,
    })
  }

  /** Newest first. */
  get tasks(): readonly TaskInfo[] {
    return this.#ledger.infos
  }

  /** Reports about tasks that their sender was not given. */
  get ignored(): number {
    return this.#tries.ignored
  }

  /**
   * Hands a task over. Never throws: what is wrong rejects `result`. Nobody has to await `result`: its rejection is never
   * unhandled.
   * The input is checked by the executor, whose schema may hold patterns that would stop this page if it ran them.
   * @param without peers that are not asked
   * @param id UUIDv4 text, where it was named already
   */
  delegate<Output>(
    capability: string,
    input: unknown,
    options: DelegateOptions = {},
    without: readonly PeerId[] = [],
    id: string = uuidText(uuidV4(this.#options.randomBytes(16))),
  ): Task<Output> {
    const known = this.#byIdempotencyKey(options)
    if (known !== undefined) return known as Task<Output>
    const task = this.#newTask({
      id,
      capability: isCapabilityName(capability) ? capability : '',
      now: this.#options.clock.now(),
      deadline: LIMITS.defaultDeadline,
      priority: 'normal',
    })
    for (const peer of without) task.unfit.add(peer)
    try {
      this.#submit(task, capability, input, options)
    } catch (cause) {
      this.#handover.settle(task, 'fail', toTsunagiError(cause, 'INVALID_ARGUMENT', UNREADABLE))
    }
    return task.handle()
  }

  /** A task under way or remembered. */
  task(id: string): Task | undefined {
    const info = this.#ledger.findEnded(id)
    return this.#ledger.find(id)?.handle() ?? (info && this.#archive.handle(info))
  }

  /** Goes on with what a page before this one left. Call before any message is handled. */
  restore(stored: readonly StoredTask[]): void {
    for (const record of stored) {
      const { info, ours } = record
      if (info.direction !== 'out' || ours === undefined) continue
      this.#archive.recall(record)
      if (isTerminal(info.state)) this.#ledger.addEnded(record.key, info, record.size)
      else this.#goOn(record, ours)
    }
  }

  /** A peer has a link: it is asked about what it was given and has said nothing of on this page. */
  peerBack(peer: PeerId): void {
    for (const { tried } of this.#tries.of(peer)) if (tried.isRestored && !tried.accepted) tried.lease.ask()
  }

  /** A transfer is offered: where it is a Blob of the output of a task that the peer has, it is taken. Undefined where it is none. */
  takeOffer(offer: TransferOffer): Promise<void> | undefined {
    return this.#files.takeOffer(this.#tries.of(offer.from), offer)
  }

  handleAccept(peer: PeerId, payload: SessionPayload<'task_accept'>): void {
    const found = this.#tries.reported(peer, payload.task_id)
    if (found === undefined) return
    this.#handover.heard(found)
    if (payload.queue_position === 0) this.#ledger.apply(found.task, 'start')
  }

  handleReject(peer: PeerId, payload: SessionPayload<'task_reject'>): void {
    const found = this.#tries.reported(peer, payload.task_id)
    // Work that began cannot be refused any more.
    if (found === undefined || found.task.info.state === 'working') return
    const retryAfter = payload.retry_after
    const error = new TsunagiError(REFUSALS[payload.reason], `The other peer refused the task: ${payload.message}`, {
      peer,
      ...(retryAfter !== undefined && { retryAfter }),
    })
    const end = OTHERS_MAY[payload.reason]
    if (end !== undefined) this.#handover.tryEnded(found, end, error)
    else this.#handover.settle(found.task, 'reject', error)
  }

  /** Progress never goes back: a report that says less leaves it where it was. */
  handleProgress(peer: PeerId, payload: SessionPayload<'task_progress'>): void {
    const found = this.#tries.reported(peer, payload.task_id)
    if (found === undefined) return
    const { task } = found
    this.#handover.heard(found)
    this.#ledger.apply(task, 'start')
    const progress = Math.max(task.info.progress, payload.progress)
    const note = payload.note ?? task.info.note
    this.#ledger.report(task, progress, note)
    task.tellProgress({ progress, note })
  }

  handlePartial(peer: PeerId, payload: SessionPayload<'task_partial'>): void {
    const found = this.#tries.reported(peer, payload.task_id)
    if (found === undefined) return
    this.#handover.heard(found)
    if (found.task.wantsPartials && found.task.partials.take(payload.index, payload.output)) return
    const message = 'The peer sent partial results that were not asked for, or out of their order.'
    this.#handover.dismiss(found, 'faulty', new TsunagiError('TASK_OUTPUT_INVALID', message, { peer }))
  }

  /** Fulfils when what it ended is kept, as far as anything is; never rejects. */
  async handleResult(peer: PeerId, payload: SessionPayload<'task_result'>): Promise<void> {
    const found = this.#tries.reported(peer, payload.task_id)
    if (found === undefined) return
    const { task } = found
    if (payload.state === 'completed') {
      await this.#completed(found, payload.output, payload.files ?? [])
      return
    }
    const error = new TsunagiError(payload.code, payload.message, { peer })
    if (LOST_CODES.has(payload.code)) this.#handover.tryEnded(found, 'lost', lost(peer, payload.message))
    else if (payload.state === 'canceled') this.#handover.tryEnded(found, 'stopped', error)
    else if (payload.code === 'TASK_DEADLINE') this.#handover.settle(task, 'fail', error)
    else this.#handover.tryEnded(found, 'failed', error)
    await this.#handover.keep(task)
  }

  /** The whole answer to a query: it says as much as all that may have been missed. */
  async handleState(peer: PeerId, payload: SessionPayload<'task_state'>): Promise<void> {
    const { state, task_id, code, message = '' } = payload
    if (state === 'failed' || state === 'canceled') {
      return this.handleResult(peer, { task_id, state, code: code ?? 'TASK_FAILED', message })
    }
    const found = this.#tries.reported(peer, task_id)
    if (found === undefined) return
    const { task, tried } = found
    if (state === 'unknown' || state === 'completed') {
      const why = state === 'unknown' ? 'The peer knows nothing of the task.' : 'The peer does not keep its output.'
      this.#handover.tryEnded(found, 'lost', lost(peer, why))
      return
    }
    if (tried.isRestored && !tried.accepted) task.partials.resume(payload.partials)
    if (state === 'submitted') this.handleAccept(peer, { task_id, queue_position: payload.queue_position })
    else this.handleProgress(peer, { task_id, progress: payload.progress, note: payload.note })
  }

  /** Holds the leases of what it names. What is not its any more it is told to stop: the first telling may have been lost. */
  handleRenew(peer: PeerId, { task_ids }: SessionPayload<'task_renew'>): void {
    let told = 0
    for (const id of task_ids) {
      const found = this.#tries.find(peer, id)
      if (found !== undefined) this.#handover.heard(found)
      else if (told++ < MOST_CANCELS) this.#handover.tell(peer, 'task_cancel', { task_id: id })
    }
  }

  /** There was no link to `peer` for long. */
  peerAway(peer: PeerId): void {
    this.#handover.peerAway(peer)
  }

  /** What `peer` was doing for us is lost: whether it was done is unknown. */
  peerLost(peer: PeerId): void {
    this.#handover.peerLost(peer)
  }

  /** Rejects all tasks under way with PEER_CLOSED and takes no more. Idempotent. */
  close(): void {
    this.#handover.close()
  }

  #newTask(options: ConstructorParameters<typeof OutgoingTask>[0]): OutgoingTask {
    const task: OutgoingTask = new OutgoingTask(options, {
      onRead: (read) => {
        if (task.current !== undefined) {
          this.#handover.tell(task.current.peer, 'task_credit', { task_id: task.current.id, read })
        }
      },
      onCancel: () => this.#handover.abandon(task, 'cancel', canceled()),
      onError: (error) => this.#options.onError(error),
    })
    return task
  }

  #submit(task: OutgoingTask, capability: string, input: unknown, options: DelegateOptions): void {
    if (this.#handover.isClosed) throw closed()
    const checked = checkDelegate(capability, options)
    if (this.#ledger.size >= LIMITS.maxDelegatedTasks) {
      throw new TsunagiError(
        'QUEUE_FULL',
        `${LIMITS.maxDelegatedTasks} tasks are under way; wait until some have ended.`,
      )
    }
    task.ask(checked)
    const peer = this.#handover.chooseFirst(task)
    const what = `The input for ${capability}`
    const { value, blobs } = this.#options.files.detach(input ?? null, what, 'INVALID_ARGUMENT')
    // In the nesting of the message that carries it.
    const carried = asItArrives({ input: value }, what, 'INVALID_ARGUMENT')
    task.input = { value: carried.input, blobs: blobs.map(({ blob }) => blob) }
    task.files = placesOf(blobs)
    const bytes = encodeCbor(carried.input)
    if (this.#handover.bytes + bytes.length > LIMITS.maxDelegatedBytes) {
      const message = `The inputs of tasks under way have ${LIMITS.maxDelegatedBytes} bytes together; wait until some have ended.`
      throw new TsunagiError('QUEUE_FULL', message)
    }
    const { onProgress, signal } = checked
    if (onProgress !== undefined) task.onProgress(onProgress)
    if (!checked.partials) task.partials.end(new TsunagiError('INVALID_ARGUMENT', NO_PARTIALS))
    if (signal?.aborted) {
      this.#handover.settle(task, 'cancel', canceled())
      return
    }
    if (typeof peer === 'string') task.info = { ...task.info, peer, tries: 1 }
    this.#handover.enter(task, bytes.length)
    // A listener may have closed this peer at that snapshot.
    if (isTerminal(task.info.state)) return
    if (signal !== undefined) task.follow(signal)
    // What is no host's own signal may abort while it takes a listener.
    if (isTerminal(task.info.state)) return
    if (task.idempotencyKey !== undefined) this.#archive.bind(task.idempotencyKey, task.key)
    if (typeof peer === 'string') this.#handover.give(task, peer, uuidBytes(task.key))
    else this.#handover.giveLater(task, LIMITS.nobodyPoll, peer, 'failed')
    void this.#handover.keep(task, bytes, task.input?.blobs)
  }

  /** A page before this one gave it away, or was about to. */
  #goOn(record: StoredTask, ours: OwnTask): void {
    const { id, capability, peer, priority, createdAt, deadlineAt } = record.info
    const deadline = deadlineAt - createdAt
    const task = this.#newTask({ id, capability, priority, now: createdAt, deadline })
    task.recall(record, ours)
    this.#handover.enter(task, record.size)
    if (deadlineAt <= this.#options.clock.now()) {
      this.#handover.overdue(task)
    } else if (ours.attempt === '') {
      this.#handover.giveLater(task, 0, lost(peer, PEER_GONE), 'lost')
    } else {
      this.#files.goOn(this.#handover.resume(task, peer, uuidBytes(ours.attempt)))
    }
  }

  async #completed(found: Held, output: unknown, files: readonly TaskFilePlace[]): Promise<void> {
    const { task, tried } = found
    let whole: unknown
    const bytes = this.#archive.keepsValues ? encodeCbor(output) : undefined
    try {
      this.#checkOutput(found, output, files)
      if (files.length > 0) whole = attachTo(output, files, await this.#files.ofOutput(found, files))
      else whole = output
    } catch (cause) {
      if (task.current !== tried) return
      const { message } = toTsunagiError(cause, 'TASK_OUTPUT_INVALID', 'The output cannot be read.')
      this.#handover.tryEnded(found, 'faulty', new TsunagiError('TASK_OUTPUT_INVALID', message, { peer: tried.peer }))
      await this.#handover.keep(task)
      return
    }
    // It may have ended while its files were looked for.
    if (task.current !== tried) return
    task.files = files
    await this.#handover.complete(found, whole, bytes)
  }

  /** @throws TsunagiError TASK_OUTPUT_INVALID, and INVALID_FORMAT where a file has no place in it */
  #checkOutput({ task, tried }: Held, output: unknown, files: readonly TaskFilePlace[]): void {
    const check = task.checkOutput ?? this.#options.outputCheck(task.info.capability, tried.peer)
    const problem = check?.(withMarks(output, files))
    if (problem === undefined) return
    throw new TsunagiError('TASK_OUTPUT_INVALID', `The output does not fit its schema. ${problem}`)
  }

  #byIdempotencyKey(options: DelegateOptions): Task | undefined {
    try {
      const key = options?.idempotencyKey
      const id = key === undefined ? undefined : this.#archive.findByKey(key)
      return id === undefined ? undefined : this.task(id)
    } catch {
      // Options that cannot be read are told of by who checks them.
      return undefined
    }
  }
}
