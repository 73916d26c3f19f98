/** Our work at other peers (SPEC §8): hands tasks over, follows them from peer to peer, and settles each exactly once. */
import type { DelegateOptions, IncomingTransfer, PeerId, Task, TaskInfo, TransferOffer } from '../api.ts'
import { TsunagiError, toTsunagiError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { SessionPayload, SessionType, TaskFilePlace } from '../messages.ts'
import type { Clock } from '../ports.ts'
import type { Bytes } from '../wire/bytes.ts'
import { encodeCbor } from '../wire/cbor.ts'
import { uuidBytes, uuidText, uuidV4 } from '../wire/uuid.ts'
import { TaskArchive } from './archive.ts'
import { checkDelegate, isCapabilityName } from './delegate-options.ts'
import type { TaskFileTransfers } from './file-transfers.ts'
import { attachTo, fileIndexOf, placesOf, transferIdOf, withMarks } from './files.ts'
import { Lease } from './lease.ts'
import { TaskLedger } from './ledger.ts'
import { OutgoingTask, type Try } from './outgoing-task.ts'
import { PartialStream } from './partials.ts'
import { asItArrives, isGone, type SendMessage } from './payload.ts'
import { ENDS, LOST_CODES, nextTry, OTHERS_MAY, REFUSALS, type TryEnd } from './retry.ts'
import type { SchemaCheck } from './schema.ts'
import { isTerminal, type TaskEvent } from './states.ts'
import type { StoredTask, TaskStore } from './store.ts'
import { canceled, closed, errorOf, lost, NO_INPUT, NO_PARTIALS, tooLate, UNREADABLE } from './task-errors.ts'
import { type Held, Tries } from './tries.ts'

export interface TaskCallerOptions {
  readonly clock: Clock
  readonly randomBytes: (length: number) => Bytes
  readonly send: SendMessage
  /**
   * Who is asked: `to` where there is one, else the best of those that offer the capability, but none of `without`.
   * @throws TsunagiError where there is none
   */
  readonly choose: (capability: string, to: PeerId | undefined, without: ReadonlySet<PeerId>) => PeerId
  /** Of a task that failed at `peer`: whether the peer says that it may run twice. */
  readonly isIdempotent: (capability: string, peer: PeerId) => boolean
  /** Of a peer that does not answer: whether it sleeps, and may come back for what waits here. */
  readonly mayWake: (peer: PeerId) => boolean
  /** Checks outputs of `peer` by a schema of our own: one from a stranger could hold this page up. */
  readonly outputCheck: (capability: string, peer: PeerId) => SchemaCheck | undefined
  /** A peer was given a task, and a peer's try at one ended: well, badly, or (undefined) by no doing of that peer. */
  readonly onGiven: (peer: PeerId) => void
  readonly onTried: (peer: PeerId, success: boolean | undefined) => void
  readonly files: TaskFileTransfers
  /** Undefined where the host keeps nothing. */
  readonly store: TaskStore | undefined
  /** A new snapshot, for each change of a task. Must not throw. */
  readonly onChange: (task: TaskInfo) => void
  /** What no call can report: a message that could not be sent, a listener that threw, a store that failed. Must not throw. */
  readonly onError: (error: TsunagiError) => void
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
  readonly #archive: TaskArchive
  #bytes = 0
  #closed = false

  constructor(options: TaskCallerOptions) {
    this.#options = options
    this.#archive = new TaskArchive(options.store, options.onError)
    this.#ledger = new TaskLedger({
      clock: options.clock,
      onChange: options.onChange,
      onForgotten: (key) => this.#forget(key),
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
   */
  delegate<Output>(
    capability: string,
    input: unknown,
    options: DelegateOptions = {},
    without: readonly PeerId[] = [],
  ): Task<Output> {
    const known = this.#byIdempotencyKey(options)
    if (known !== undefined) return known as Task<Output>
    const task = this.#newTask({
      id: uuidText(uuidV4(this.#options.randomBytes(16))),
      capability: isCapabilityName(capability) ? capability : '',
      now: this.#options.clock.now(),
      deadline: LIMITS.defaultDeadline,
      priority: 'normal',
    })
    for (const peer of without) task.unfit.add(peer)
    try {
      this.#submit(task, capability, input, options)
    } catch (cause) {
      this.#settle(task, 'fail', toTsunagiError(cause, 'INVALID_ARGUMENT', UNREADABLE))
    }
    return task.handle()
  }

  /** A task under way or remembered. */
  task(id: string): Task | undefined {
    const info = this.#ledger.findEnded(id)
    return this.#ledger.find(id)?.handle() ?? (info && this.#endedHandle(info))
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
    const id = uuidBytes(offer.id)
    const found = this.#tries.of(offer.from).find(({ tried }) => fileIndexOf(tried.id, 'output', id) !== undefined)
    return found && this.#takeFile(found, offer)
  }

  handleAccept(peer: PeerId, payload: SessionPayload<'task_accept'>): void {
    const found = this.#tries.reported(peer, payload.task_id)
    if (found === undefined) return
    this.#heard(found)
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
    if (end !== undefined) this.#tryEnded(found, end, error)
    else this.#settle(found.task, 'reject', error)
  }

  /** Progress never goes back: a report that says less leaves it where it was. */
  handleProgress(peer: PeerId, payload: SessionPayload<'task_progress'>): void {
    const found = this.#tries.reported(peer, payload.task_id)
    if (found === undefined) return
    const { task } = found
    this.#heard(found)
    this.#ledger.apply(task, 'start')
    const progress = Math.max(task.info.progress, payload.progress)
    const note = payload.note ?? task.info.note
    this.#ledger.report(task, progress, note)
    task.tellProgress({ progress, note })
  }

  handlePartial(peer: PeerId, payload: SessionPayload<'task_partial'>): void {
    const found = this.#tries.reported(peer, payload.task_id)
    if (found === undefined) return
    this.#heard(found)
    if (found.task.wantsPartials && found.task.partials.take(payload.index, payload.output)) return
    const message = 'The peer sent partial results that were not asked for, or out of their order.'
    this.#dismiss(found, 'faulty', new TsunagiError('TASK_OUTPUT_INVALID', message, { peer }))
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
    if (LOST_CODES.has(payload.code)) this.#tryEnded(found, 'lost', lost(peer, payload.message))
    else if (payload.state === 'canceled') this.#tryEnded(found, 'stopped', error)
    else if (payload.code === 'TASK_DEADLINE') this.#settle(task, 'fail', error)
    else this.#tryEnded(found, 'failed', error)
    await this.#keep(task)
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
      this.#tryEnded(found, 'lost', lost(peer, why))
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
      if (found !== undefined) this.#heard(found)
      else if (told++ < MOST_CANCELS) this.#tell(peer, 'task_cancel', { task_id: id })
    }
  }

  /** There was no link to `peer` for long. */
  peerAway(peer: PeerId): void {
    for (const found of this.#tries.of(peer)) {
      if (this.#isWaitedFor(found)) found.tried.lease.extend()
      else this.#tryEnded(found, 'lost', lost(peer, 'The peer that had the task is gone.'))
    }
  }

  /** What `peer` was doing for us is lost: whether it was done is unknown. */
  peerLost(peer: PeerId): void {
    for (const found of this.#tries.of(peer)) {
      this.#tryEnded(found, 'lost', lost(peer, 'The peer that had the task is gone.'))
    }
  }

  /** Rejects all tasks under way with PEER_CLOSED and takes no more. Idempotent. */
  close(): void {
    this.#closed = true
    for (const task of this.#ledger.live) this.#settle(task, 'cancel', closed())
  }

  #newTask(options: ConstructorParameters<typeof OutgoingTask>[0]): OutgoingTask {
    const task: OutgoingTask = new OutgoingTask(options, {
      onRead: (read) => {
        if (task.current !== undefined) {
          this.#tell(task.current.peer, 'task_credit', { task_id: task.current.id, read })
        }
      },
      onCancel: () => this.#abandon(task, 'cancel', canceled()),
      onError: (error) => this.#options.onError(error),
    })
    return task
  }

  #submit(task: OutgoingTask, capability: string, input: unknown, options: DelegateOptions): void {
    if (this.#closed) throw closed()
    const checked = checkDelegate(capability, options)
    if (this.#ledger.size >= LIMITS.maxDelegatedTasks) {
      throw new TsunagiError(
        'QUEUE_FULL',
        `${LIMITS.maxDelegatedTasks} tasks are under way; wait until some have ended.`,
      )
    }
    const { deadline, priority, retries, failover, to, signal, onProgress } = checked
    task.info = { ...task.info, priority, deadlineAt: task.info.createdAt + deadline }
    task.rules = { retries, failover, to }
    task.wantsPartials = checked.partials
    task.idempotencyKey = checked.idempotencyKey
    task.checkOutput = checked.checkOutput
    const peer = this.#chooseFirst(task)
    const what = `The input for ${capability}`
    const { value, blobs } = this.#options.files.detach(input ?? null, what, 'INVALID_ARGUMENT')
    // In the nesting of the message that carries it.
    const carried = asItArrives({ input: value }, what, 'INVALID_ARGUMENT')
    task.input = { value: carried.input, blobs: blobs.map(({ blob }) => blob) }
    task.files = placesOf(blobs)
    const bytes = encodeCbor(carried.input)
    if (this.#bytes + bytes.length > LIMITS.maxDelegatedBytes) {
      const message = `The inputs of tasks under way have ${LIMITS.maxDelegatedBytes} bytes together; wait until some have ended.`
      throw new TsunagiError('QUEUE_FULL', message)
    }
    if (onProgress !== undefined) task.onProgress(onProgress)
    if (!checked.partials) task.partials.end(new TsunagiError('INVALID_ARGUMENT', NO_PARTIALS))
    if (signal?.aborted) {
      this.#settle(task, 'cancel', canceled())
      return
    }
    if (typeof peer === 'string') task.info = { ...task.info, peer, tries: 1 }
    this.#enter(task, bytes.length)
    // A listener may have closed this peer at that snapshot.
    if (isTerminal(task.info.state)) return
    if (signal !== undefined) task.follow(signal)
    // What is no host's own signal may abort while it takes a listener.
    if (isTerminal(task.info.state)) return
    if (task.idempotencyKey !== undefined) this.#archive.bind(task.idempotencyKey, task.key)
    if (typeof peer === 'string') this.#give(task, peer, uuidBytes(task.key))
    else this.#giveLater(task, LIMITS.nobodyPoll, peer, 'failed')
    void this.#keep(task, bytes, task.input?.blobs)
  }

  /** Who is asked first, or why nobody can be at present. @throws TsunagiError where that will not change soon, or is not waited for */
  #chooseFirst(task: OutgoingTask): PeerId | TsunagiError {
    try {
      return this.#choose(task)
    } catch (cause) {
      const error = toTsunagiError(cause, 'UNKNOWN_CAPABILITY', 'Nobody can be asked.')
      if (task.rules.retries === 0 || error.retryAfter === undefined) throw error
      return error
    }
  }

  /** It is under way from now on. */
  #enter(task: OutgoingTask, size: number): void {
    task.size = size
    this.#bytes += size
    task.release.push(() => {
      this.#bytes -= size
    })
    const left = task.info.deadlineAt - this.#options.clock.now()
    const deadline = task.info.deadlineAt - task.info.createdAt
    task.release.push(
      this.#options.clock.after(Math.min(left, LIMITS.maxDeadline), () =>
        this.#abandon(task, 'fail', new TsunagiError('TASK_DEADLINE', tooLate(deadline), { peer: task.info.peer })),
      ),
    )
    this.#ledger.add(task)
  }

  /** @throws TsunagiError where nobody is left to ask */
  #choose(task: OutgoingTask): PeerId {
    const { capability } = task.info
    // One that was named comes first, and others only where it may run there and that one was tried.
    const to = task.counted === 0 || !task.rules.failover ? task.rules.to : undefined
    if (task.asked.size > 0 && to === undefined) {
      try {
        return this.#options.choose(capability, to, new Set([...task.unfit, ...task.asked]))
      } catch {
        // Then the same ones once more.
        task.asked.clear()
      }
    }
    return this.#options.choose(capability, to, task.unfit)
  }

  #give(task: OutgoingTask, peer: PeerId, id: Bytes): void {
    const { clock, send, onGiven } = this.#options
    const found = { task, tried: this.#newTry(task, peer, id, false) }
    task.counted++
    onGiven(peer)
    const { files } = task
    const payload = {
      task_id: id,
      capability: task.info.capability,
      input: task.input?.value,
      deadline: Math.max(1, Math.ceil(task.info.deadlineAt - clock.now())),
      priority: task.info.priority,
      ...(task.wantsPartials && { partials: true as const }),
      ...(files.length > 0 && { files: [...files] }),
    }
    send(peer, 'task_delegate', payload).then(
      () => found.tried.lease.delivered(),
      (cause: unknown) => {
        if (task.current !== found.tried) return
        const error = toTsunagiError(cause, 'LINK_FAILED', 'The task could not be sent.')
        if (isGone(error)) this.#tryEnded(found, 'lost', lost(peer, error.message))
        else this.#settle(task, 'fail', error)
      },
    )
    this.#sendFiles(found)
  }

  /** The Blobs of the input, which the peer takes when it takes the task. */
  #sendFiles(found: Held): void {
    const { task, tried } = found
    for (const [n, blob] of (task.input?.blobs ?? []).entries()) {
      this.#options.files.send(tried.peer, tried.id, 'input', n, blob, tried.over.signal).catch((cause: unknown) => {
        const error = toTsunagiError(cause, 'CHUNK_ERROR', 'A file of the input could not be sent.')
        // What becomes of the task of one that is gone, its lease says.
        if (task.current === tried && !isGone(error)) this.#dismiss(found, 'faulty', error)
      })
    }
  }

  /** Never rejects. */
  async #takeFile(found: Held, offer: TransferOffer): Promise<void> {
    const { tried } = found
    const received = this.#options.files.received(tried.peer, tried.id, 'output')
    const bytes = received.reduce((sum, transfer) => sum + (transfer?.info.size ?? 0), 0)
    // Rejected, and with it the output that it belongs to.
    if (bytes > LIMITS.maxTaskFileBytes) return
    try {
      const transfer = offer.accept(undefined, { maxBytes: LIMITS.maxTaskFileBytes - bytes + (offer.size ?? 0) })
      transfer.done.catch((cause: unknown) => this.#fileFailed(found, cause))
    } catch (cause) {
      this.#fileFailed(found, cause)
    }
  }

  #fileFailed(found: Held, cause: unknown): void {
    const { task, tried } = found
    if (task.current !== tried) return
    const error = toTsunagiError(cause, 'STORAGE_FAILED', 'A file of the output could not be kept.')
    if (error.code === 'STORAGE_FAILED' || error.code === 'NOT_SUPPORTED') this.#abandon(task, 'fail', error)
    else if (!isGone(error)) this.#dismiss(found, 'faulty', error)
  }

  #newTry(task: OutgoingTask, peer: PeerId, id: Bytes, isRestored: boolean): Try {
    const tried: Try = {
      peer,
      id,
      key: uuidText(id),
      isRestored,
      accepted: false,
      over: new AbortController(),
      lease: new Lease(this.#options.clock, task.size, {
        ask: () => this.#tell(peer, 'task_query', { task_id: id }),
        gone: (why) => {
          if (this.#isWaitedFor({ task, tried })) tried.lease.extend()
          else this.#dismiss({ task, tried }, 'lost', lost(peer, why))
        },
      }),
    }
    this.#tries.begin(task, tried)
    return tried
  }

  /** A page before this one gave it away, or was about to. */
  #goOn(record: StoredTask, ours: NonNullable<StoredTask['ours']>): void {
    const { info } = record
    const { id, capability, priority, createdAt, deadlineAt } = info
    const deadline = deadlineAt - createdAt
    const task = this.#newTask({ id, capability, priority, now: createdAt, deadline })
    task.info = info
    task.rules = ours
    task.counted = info.tries
    task.wantsPartials = record.partials
    task.files = record.files.map(({ transfer: _, ...place }) => place)
    task.idempotencyKey = ours.idempotencyKey
    if (!record.partials) task.partials.end(new TsunagiError('INVALID_ARGUMENT', NO_PARTIALS))
    this.#enter(task, record.size)
    if (deadlineAt <= this.#options.clock.now()) {
      this.#abandon(task, 'fail', new TsunagiError('TASK_DEADLINE', tooLate(deadline), { peer: info.peer }))
    } else if (ours.attempt === '') {
      this.#giveLater(task, 0, lost(info.peer, 'The peer that had the task is gone.'), 'lost')
    } else {
      this.#options.onGiven(info.peer)
      // The page before had sent it, or not: the peer says which, when it is there.
      const tried = this.#newTry(task, info.peer, uuidBytes(ours.attempt), true)
      tried.lease.heard()
      if (task.files.length > 0) void this.#goOnSending({ task, tried })
      for (const transfer of this.#options.files.received(tried.peer, tried.id, 'output')) {
        transfer?.done.catch((cause: unknown) => this.#fileFailed({ task, tried }, cause))
      }
    }
  }

  /** What the page before had not sent all of, or may not have. Never rejects. */
  async #goOnSending(found: Held): Promise<void> {
    const { task, tried } = found
    try {
      task.input ??= await this.#storedInput(task)
      if (task.current === tried) this.#sendFiles(found)
    } catch (cause) {
      if (task.current === tried) this.#abandon(task, 'fail', toTsunagiError(cause, 'STORAGE_FAILED', NO_INPUT))
    }
  }

  async #storedInput(task: OutgoingTask): Promise<NonNullable<OutgoingTask['input']>> {
    const value = await this.#archive.value(task.key)
    return { value, blobs: await this.#archive.blobs(task.key, task.files.length) }
  }

  async #completed(found: Held, output: unknown, files: readonly TaskFilePlace[]): Promise<void> {
    const { task, tried } = found
    let whole: unknown
    const bytes = this.#archive.keepsValues ? encodeCbor(output) : undefined
    try {
      this.#checkOutput(found, output, files)
      if (files.length > 0) whole = attachTo(output, files, await this.#filesOf(found, files))
      else whole = output
    } catch (cause) {
      if (task.current !== tried) return
      const { message } = toTsunagiError(cause, 'TASK_OUTPUT_INVALID', 'The output cannot be read.')
      this.#tryEnded(found, 'faulty', new TsunagiError('TASK_OUTPUT_INVALID', message, { peer: tried.peer }))
      await this.#keep(task)
      return
    }
    // It may have ended while its files were looked for.
    if (task.current !== tried) return
    task.files = files
    this.#leave(found, true)
    if (!this.#end(task, 'complete', undefined, bytes?.length)) return
    task.partials.end()
    task.fulfil(whole)
    await this.#keep(task, bytes, [], tried)
  }

  /** @throws TsunagiError TASK_OUTPUT_INVALID, and INVALID_FORMAT where a file has no place in it */
  #checkOutput({ task, tried }: Held, output: unknown, files: readonly TaskFilePlace[]): void {
    const check = task.checkOutput ?? this.#options.outputCheck(task.info.capability, tried.peer)
    const problem = check?.(withMarks(output, files))
    if (problem === undefined) return
    throw new TsunagiError('TASK_OUTPUT_INVALID', `The output does not fit its schema. ${problem}`)
  }

  /** @throws TsunagiError TASK_OUTPUT_INVALID where they are not what the message says */
  async #filesOf({ tried }: Held, files: readonly TaskFilePlace[]): Promise<readonly Blob[]> {
    const blobs = await this.#options.files.blobs(tried.peer, tried.id, 'output', files.length)
    if (blobs?.every(({ size }, n) => size === files[n]?.size)) return blobs
    throw new TsunagiError('TASK_OUTPUT_INVALID', 'The output names files that the peer did not send.')
  }

  #heard({ task, tried }: Held): void {
    tried.lease.heard()
    if (tried.accepted) return
    tried.accepted = true
    task.full = 0
    if (task.wantsPartials && task.partials.read > 0) {
      this.#tell(tried.peer, 'task_credit', { task_id: tried.id, read: task.partials.read })
    }
  }

  /** Where no other may do the task, a peer that has it and sleeps is waited for, until the deadline. */
  #isWaitedFor({ task, tried }: Held): boolean {
    return !task.rules.failover && (tried.accepted || tried.isRestored) && this.#options.mayWake(tried.peer)
  }

  /** The peer is told to stop, in case it still has the task. */
  #dismiss(found: Held, end: TryEnd, error: TsunagiError): void {
    const { peer, id } = found.tried
    this.#tryEnded(found, end, error)
    this.#tell(peer, 'task_cancel', { task_id: id })
  }

  #tryEnded(found: Held, end: TryEnd, error: TsunagiError): void {
    const { task, tried } = found
    const { capability } = task.info
    const idempotent = (end === 'failed' || end === 'stopped') && this.#options.isIdempotent(capability, tried.peer)
    this.#leave(found, end === 'full' || end === 'refused' || end === 'stopped' ? undefined : false)
    if (end === 'full') task.counted--
    const tries = { tries: task.counted, full: end === 'full' ? task.full++ : 0, idempotent }
    const random = (this.#options.randomBytes(1)[0] ?? 0) / 255
    const next = this.#closed ? undefined : nextTry(end, task.rules, tries, error.retryAfter ?? 0, random)
    if (next === undefined) {
      this.#settle(task, ENDS[end], error)
      return
    }
    if (next.samePeer === 'never') task.unfit.add(tried.peer)
    else task.asked.add(tried.peer)
    this.#ledger.apply(task, 'again')
    void this.#keep(task)
    this.#giveLater(task, next.after, error, end)
  }

  /** Nobody has the task: it is given to somebody after a while, or ends with `error` where there is nobody. */
  #giveLater(task: OutgoingTask, after: number, error: TsunagiError, end: TryEnd): void {
    const { clock } = this.#options
    let until: number | undefined
    const wait = (delay: number) => {
      const stop = clock.after(delay, () => void attempt())
      task.release.push(stop)
    }
    const attempt = async () => {
      let peer: PeerId
      try {
        task.input ??= await this.#storedInput(task)
        if (isTerminal(task.info.state)) return
        peer = this.#choose(task)
      } catch (cause) {
        until ??= clock.now() + LIMITS.nobodyPatience
        if (task.input === undefined) this.#settle(task, 'fail', toTsunagiError(cause, 'STORAGE_FAILED', NO_INPUT))
        else if (end === 'refused' || clock.now() >= until) this.#settle(task, ENDS[end], error)
        else wait(LIMITS.nobodyPoll)
        return
      }
      const id = task.info.tries === 0 ? uuidBytes(task.key) : uuidV4(this.#options.randomBytes(16))
      this.#ledger.given(task, peer)
      if (isTerminal(task.info.state)) return
      this.#give(task, peer, id)
      void this.#keep(task)
    }
    if (after === 0) void attempt()
    else wait(after)
  }

  /** The peer's try is over, whatever it still says. */
  #leave(held: Held, success: boolean | undefined): void {
    if (!this.#tries.end(held)) return
    held.task.partials.restart()
    if (success !== true) this.#options.files.discard(held.tried.peer, held.tried.id, 'output')
    this.#options.onTried(held.tried.peer, success)
  }

  /** Ends a task on our side, then tells who has it to stop. */
  #abandon(task: OutgoingTask, event: TaskEvent, error: TsunagiError): void {
    const { current } = task
    if (!this.#settle(task, event, error) || current === undefined) return
    this.#tell(current.peer, 'task_cancel', { task_id: current.id })
  }

  #settle(task: OutgoingTask, event: TaskEvent, error: TsunagiError): boolean {
    if (task.current !== undefined) this.#leave({ task, tried: task.current }, undefined)
    if (!this.#end(task, event, { code: error.code, message: error.message })) return false
    task.partials.end(error)
    task.reject(error)
    void this.#keep(task)
    return true
  }

  #end(task: OutgoingTask, event: TaskEvent, error?: TaskInfo['error'], size?: number): boolean {
    if (!this.#ledger.apply(task, event, error, size)) return false
    for (const release of task.release) release()
    task.input = undefined
    task.size = size ?? 0
    return true
  }

  #tell<T extends SessionType>(peer: PeerId, type: T, payload: SessionPayload<T>): void {
    if (this.#closed) return
    this.#options.send(peer, type, payload).catch((cause: unknown) => {
      const failure = toTsunagiError(cause, 'LINK_FAILED', `A ${type} could not be sent.`)
      // An executor that is gone has lost us too, and stops by itself.
      if (!this.#closed && !isGone(failure)) this.#options.onError(failure)
    })
  }

  /**
   * @param value input or output; undefined leaves the input, which goes when the task has ended
   * @param blobs of the input
   * @param by whose output it is
   */
  async #keep(task: OutgoingTask, value?: Bytes, blobs: readonly Blob[] = [], by?: Try): Promise<void> {
    const ended = isTerminal(task.info.state)
    if (ended && this.#ledger.findEnded(task.key) === undefined) return
    await this.#archive.keep(recordOf(task, by), ended ? (value ?? null) : value, blobs)
  }

  #forget(key: string): void {
    for (const transfer of this.#outputFiles(key)) transfer?.discard()
    this.#archive.forget(key)
  }

  /** What came with the output of a task that is remembered. */
  #outputFiles(key: string): readonly (IncomingTransfer | undefined)[] {
    const record = this.#archive.find(key)
    if (record?.info.state !== 'completed') return []
    return record.files.map(({ transfer }) => this.#options.files.find(record.info.peer, transfer))
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

  /** What is left of a task that ended: its output is with the store, if anywhere. */
  #endedHandle(info: TaskInfo): Task {
    const result = this.#endedResult(info)
    result.catch(() => undefined)
    const partials = new PartialStream(() => undefined)
    partials.end(info.error && errorOf(info))
    return { id: info.id, info, result, partials, onProgress: () => () => undefined, cancel: () => undefined }
  }

  async #endedResult(info: TaskInfo): Promise<unknown> {
    if (info.error !== undefined) throw errorOf(info)
    const output = await this.#archive.value(info.id)
    const files = this.#archive.find(info.id)?.files ?? []
    const blobs = this.#outputFiles(info.id).map((transfer) => transfer?.blob())
    if (blobs.includes(undefined))
      throw new TsunagiError('INVALID_STATE', 'The files of the output are not kept any more.')
    return attachTo(output, files, await Promise.all(blobs))
  }
}

function recordOf(task: OutgoingTask, by: Try | undefined): StoredTask {
  const files = isTerminal(task.info.state) && by === undefined ? [] : task.files
  return {
    key: task.key,
    info: task.info,
    size: task.size,
    ours: { ...task.rules, attempt: task.current?.key ?? '', idempotencyKey: task.idempotencyKey },
    partials: task.wantsPartials,
    files: files.map((place, n) => ({ ...place, transfer: by ? uuidText(transferIdOf(by.id, 'output', n)) : '' })),
  }
}
