/** Work for other peers (SPEC §8): hears their callers, has the tasks done, and tells each caller what became of its own. */
import type { PeerId, TaskInfo, TransferOffer } from '../api.ts'
import { type ErrorCode, TsunagiError, toTsunagiError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { SessionPayload } from '../messages.ts'
import { encodeCbor } from '../wire/cbor.ts'
import type { OfferedCapability } from './capabilities.ts'
import { ExecutorArchive } from './executor-archive.ts'
import { ExecutorFiles } from './executor-files.ts'
import type { TaskFileTransfers } from './file-transfers.ts'
import { placesOf, sizeOf } from './files.ts'
import { checkedResult, type Delegated, type IncomingTask, keyOf } from './incoming-task.ts'
import { Intake, type IntakeOptions } from './intake.ts'
import { TaskLedger } from './ledger.ts'
import { type SendResult, shortened } from './payload.ts'
import { PolicyUses } from './policy-uses.ts'
import { Renewal } from './renewal.ts'
import { TaskReplies } from './replies.ts'
import { isTerminal } from './states.ts'
import type { StoredTask, TaskStore } from './store.ts'
import { Workplaces } from './workplaces.ts'

export interface TaskExecutorOptions extends IntakeOptions {
  readonly sendResult: SendResult
  readonly files: TaskFileTransfers
  /** Undefined where the host keeps nothing. */
  readonly store: TaskStore | undefined
  /** A new snapshot, for each change of a task; running, queueDepth and load have followed already. Must not throw. */
  readonly onChange: (task: TaskInfo) => void
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
  readonly #renewal: Renewal
  readonly #archive: ExecutorArchive
  readonly #uses: PolicyUses
  readonly #workplaces: Workplaces
  readonly #replies: TaskReplies
  readonly #files: ExecutorFiles
  readonly #intake: Intake
  #ignored = 0
  #closed = false

  constructor(options: TaskExecutorOptions) {
    const { clock } = options
    this.#options = options
    this.#ledger = new TaskLedger({
      clock,
      onChange: (info) => {
        if (this.#ledger.size === 0) this.#renewal.stop()
        options.onChange(info)
      },
      onForgotten: (key) => this.#archive.forget(key),
    })
    this.#renewal = new Renewal(
      clock,
      () => this.#ledger.live,
      (caller, task_ids) => this.#replies.tell(caller, 'task_renew', { task_ids }),
    )
    this.#archive = new ExecutorArchive(options.store, options.onError)
    this.#uses = new PolicyUses(options.policies)
    this.#workplaces = new Workplaces(options, this.#uses, {
      onStart: (task) => this.#start(task),
      onOutput: (task, offered, output) => void this.#deliver(task, offered, output),
      onFailed: (task, code, message) => this.#end(task, 'fail', code, message),
      onReturned: (task) => this.#discardFiles(task),
    })
    this.#replies = new TaskReplies(options, this.#workplaces)
    this.#files = new ExecutorFiles(options.files, {
      onWhole: (task, offered) => this.#intake.place(task, offered),
      onFailed: (task, cause) => this.#fileFailed(task, cause),
    })
    this.#intake = new Intake(options, {
      ledger: this.#ledger,
      renewal: this.#renewal,
      archive: this.#archive,
      uses: this.#uses,
      workplaces: this.#workplaces,
      replies: this.#replies,
      files: this.#files,
      onFailed: (task, code, message) => this.#end(task, 'fail', code, message),
    })
  }

  /** Handlers that have not returned. */
  get running(): number {
    return this.#workplaces.running
  }

  get queueDepth(): number {
    return this.#workplaces.waiting
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
      else await this.#intake.goOn(record)
    }
  }

  /** A capability is provided from now on. */
  provided(capability: string): void {
    const offered = this.#options.capabilities.find(capability)
    if (offered === undefined) return
    for (const task of this.#ledger.live) {
      if (task.offered === undefined && task.info.capability === capability) this.#intake.resume(task, offered)
    }
  }

  /** A transfer is offered: where it is a Blob of a task here, it is taken as soon as the task is. Undefined where it is none. */
  takeOffer(offer: TransferOffer): Promise<void> | undefined {
    return this.#files.takeOffer(this.#ledger.live, offer)
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
    if (known !== undefined) this.#replies.accept(known)
    else if (ended !== undefined) this.#replies.endedBefore(ended, payload.task_id)
    else this.#intake.consider(key, caller, payload)
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
      const refusal = { reason: 'refused', message: reason } as const
      if (this.#stop(task, 'cancel', 'TASK_CANCELED', reason)) this.#replies.reject(caller, task.id, refusal)
    } else this.#end(task, 'cancel', 'TASK_CANCELED', reason)
    return true
  }

  handleQuery(caller: PeerId, { task_id }: SessionPayload<'task_query'>): void {
    const key = keyOf(caller, task_id)
    const task = this.#ledger.find(key)
    const info = task?.info ?? this.#ledger.findEnded(key)
    if (info === undefined) this.#ignored++
    this.#replies.state(caller, task_id, info, task)
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
    this.#replies.close()
    for (const task of this.#ledger.live) this.#stop(task, 'cancel', 'PEER_CLOSED', 'This peer was closed.')
    this.#renewal.stop()
  }

  #fileFailed(task: IncomingTask, cause: unknown): void {
    const { code, message } = toTsunagiError(cause, 'STORAGE_FAILED', 'A file of the input could not be kept.')
    this.#end(task, 'fail', code, `A file of the input did not come. ${message}`)
  }

  /** False where a listener has closed this peer at an earlier snapshot. */
  #start(task: IncomingTask): boolean {
    if (!this.#ledger.apply(task, 'start')) return false
    // Before the handler begins: one that may run once only must not be found waiting by the next page.
    this.#archive.keep(task)
    return true
  }

  /**
   * The task is completed when its caller has acknowledged the output; until then cancelling and losing the caller still count.
   * The Blobs go ahead of it: who has the output has all of it. Never rejects.
   */
  async #deliver(task: IncomingTask, offered: OfferedCapability, output: unknown): Promise<void> {
    const { policies, clock, sendResult } = this.#options
    const { capability, peer } = task.info
    let payload: SessionPayload<'task_result'>
    try {
      const { value, blobs } = this.#options.files.detach(output, 'The output', 'TASK_OUTPUT_INVALID')
      const files = placesOf(blobs)
      payload = checkedResult(task, offered, value, files)
      if (policies.of(capability).bytes !== undefined) {
        this.#uses.count(capability, peer, { bytes: encodeCbor(payload).length + sizeOf(files) }, clock.now())
      }
      if (blobs.length > 0) await this.#files.send(task, blobs)
    } catch (cause) {
      const { code, message } = toTsunagiError(cause, 'TASK_OUTPUT_INVALID', 'The output cannot be sent.')
      this.#end(task, 'fail', code, message)
      return
    }
    if (isTerminal(task.info.state)) return
    // The deadline counted until now: a caller that takes no Blob of its output would have the task stay for ever.
    task.releaseTimers()
    const { accepted, delivered } = sendResult(peer, payload)
    accepted.then(
      () => {
        if (!isTerminal(task.info.state)) this.#archive.keepAsDone(task, clock.now())
      },
      // Told by `delivered`.
      () => undefined,
    )
    delivered.then(
      () => {
        if (this.#ledger.apply(task, 'complete')) this.#archive.keep(task, null)
        this.#discardFiles(task)
      },
      (cause: unknown) => {
        const { code, message } = toTsunagiError(cause, 'LINK_FAILED', 'The output could not be sent.')
        this.#end(task, 'fail', code, message)
      },
    )
  }

  /** Once it has ended and its handler, which may still read them, has returned. */
  #discardFiles(task: IncomingTask): void {
    if (!this.#workplaces.isRunning(task) && isTerminal(task.info.state)) this.#files.discard(task)
  }

  /** Ends a task and tells its caller. */
  #end(task: IncomingTask, event: 'fail' | 'cancel', code: ErrorCode, message: string): void {
    if (!this.#stop(task, event, code, message)) return
    this.#replies.ended(task, event, code, message)
  }

  /** Ends a task on this side. False where it had ended. */
  #stop(task: IncomingTask, event: 'fail' | 'cancel', code: ErrorCode, message: string): boolean {
    this.#workplaces.remove(task)
    if (!this.#ledger.apply(task, event, { code, message: shortened(message) })) return false
    task.end(new TsunagiError(code, message))
    this.#archive.keep(task, null)
    this.#discardFiles(task)
    return true
  }
}
