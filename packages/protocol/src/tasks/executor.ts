/** Work for other peers (SPEC §8): takes tasks, queues and runs them, and tells each caller what became of its own. */
import type { PeerId, TaskContext, TaskInfo } from '../api.ts'
import { type ErrorCode, TsunagiError, toTsunagiError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { SessionPayload, SessionType, TaskRejectReason } from '../messages.ts'
import type { Clock } from '../ports.ts'
import type { Bytes } from '../wire/bytes.ts'
import { encodeCbor } from '../wire/cbor.ts'
import { uuidText } from '../wire/uuid.ts'
import type { CapabilityRegistry, OfferedCapability } from './capabilities.ts'
import { TaskLedger } from './ledger.ts'
import { asItArrives, type SendMessage, shortened } from './payload.ts'
import { ProgressMerger } from './progress.ts'
import { TaskQueue } from './queue.ts'
import { isTerminal } from './states.ts'

export interface TaskExecutorOptions {
  readonly clock: Clock
  readonly capabilities: CapabilityRegistry
  readonly send: SendMessage
  /** A new snapshot, for each change of a task; running, queueDepth and load have followed already. Must not throw. */
  readonly onChange: (task: TaskInfo) => void
  /** A message about a task could not be sent although its receiver is there. Must not throw. */
  readonly onError: (error: TsunagiError) => void
}

interface IncomingTask {
  info: TaskInfo
  readonly key: string
  readonly id: Bytes
  readonly offered: OfferedCapability
  readonly input: unknown
  readonly abort: AbortController
  readonly progress: ProgressMerger
  readonly stopDeadline: () => void
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
  readonly #clock: Clock
  readonly #capabilities: CapabilityRegistry
  readonly #send: SendMessage
  readonly #onError: (error: TsunagiError) => void
  readonly #ledger: TaskLedger<IncomingTask>
  readonly #queue = new TaskQueue<IncomingTask>()
  /** Tasks whose handler has not returned, also where the task itself has ended. */
  readonly #running = new Set<IncomingTask>()
  #meanDuration: number = LIMITS.firstTaskDuration
  #ignored = 0
  #closed = false

  constructor(options: TaskExecutorOptions) {
    this.#clock = options.clock
    this.#capabilities = options.capabilities
    this.#send = options.send
    this.#onError = options.onError
    this.#ledger = new TaskLedger(options.clock, options.onChange)
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
    return Math.min(1, (this.running + this.queueDepth) / (this.#capabilities.places + LIMITS.maxQueuedTasks))
  }

  /** Newest first. */
  get tasks(): readonly TaskInfo[] {
    return this.#ledger.infos
  }

  /** Cancellations of tasks that their sender has not given us. */
  get ignored(): number {
    return this.#ignored
  }

  /** Idempotent by (caller, task_id): a task known already is answered with its state and does not run again. */
  handleDelegate(caller: PeerId, payload: SessionPayload<'task_delegate'>): void {
    if (this.#closed) return
    const key = keyOf(caller, payload.task_id)
    const known = this.#ledger.find(key)
    const ended = this.#ledger.findEnded(key)
    if (known !== undefined) this.#accept(known)
    else if (ended !== undefined) this.#answerAgain(ended, payload.task_id)
    else this.#consider(key, caller, payload)
  }

  /** A task is found by who gave it to us, so nobody else can cancel it. */
  handleCancel(caller: PeerId, payload: SessionPayload<'task_cancel'>): void {
    const key = keyOf(caller, payload.task_id)
    const task = this.#ledger.find(key)
    if (task !== undefined) this.#end(task, 'cancel', 'TASK_CANCELED', 'The caller cancelled the task.')
    else if (this.#ledger.findEnded(key) === undefined) this.#ignored++
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
  }

  #consider(key: string, caller: PeerId, payload: SessionPayload<'task_delegate'>): void {
    const offered = this.#capabilities.find(payload.capability)
    if (offered === undefined) {
      this.#reject(caller, payload.task_id, 'unsupported', 'This peer does not offer that capability.')
      return
    }
    const waits = !this.#hasPlace(offered)
    const size = waits ? encodeCbor(payload.input).length : 0
    if (waits && !this.#queue.hasRoom(size)) {
      this.#reject(caller, payload.task_id, 'full', 'All places of this peer are taken.')
      return
    }
    const problem = offered.checkInput(payload.input)
    if (problem !== undefined) {
      this.#reject(caller, payload.task_id, 'invalid_input', `The input does not fit its schema. ${problem}`)
      return
    }
    const task = this.#newTask(key, caller, payload, offered)
    if (waits) this.#queue.add(task, payload.priority, size, this.#clock.now())
    this.#ledger.add(task)
    this.#accept(task)
    if (!waits) void this.#run(task)
  }

  #newTask(
    key: string,
    caller: PeerId,
    { task_id, capability, input, priority, deadline }: SessionPayload<'task_delegate'>,
    offered: OfferedCapability,
  ): IncomingTask {
    const now = this.#clock.now()
    const remaining = Math.min(deadline, LIMITS.maxDeadline)
    const task: IncomingTask = {
      info: {
        id: uuidText(task_id),
        direction: 'in',
        capability,
        peer: caller,
        state: 'submitted',
        priority,
        progress: 0,
        note: '',
        createdAt: now,
        endedAt: undefined,
        deadlineAt: now + remaining,
        error: undefined,
      },
      key,
      id: task_id,
      offered,
      input,
      abort: new AbortController(),
      progress: new ProgressMerger(this.#clock, (progress, note) => {
        this.#ledger.report(task, progress, note)
        this.#tell(caller, 'task_progress', { task_id, progress, note })
      }),
      stopDeadline: this.#clock.after(remaining, () =>
        this.#end(task, 'fail', 'TASK_DEADLINE', 'The task was not done by its deadline.'),
      ),
    }
    return task
  }

  #hasPlace(offered: OfferedCapability): boolean {
    let same = 0
    for (const task of this.#running) if (task.offered === offered) same++
    return same < offered.concurrency && this.#running.size < this.#capabilities.places
  }

  #startWaiting(): void {
    for (;;) {
      const task = this.#queue.take((waiting) => this.#hasPlace(waiting.offered))
      if (task === undefined) return
      // Its caller was told that it waits; the first progress says that it no longer does.
      task.progress.update(0, '')
      void this.#run(task)
    }
  }

  /** Never rejects. */
  async #run(task: IncomingTask): Promise<void> {
    this.#running.add(task)
    if (!this.#ledger.apply(task, 'start')) {
      // A listener has closed this peer at an earlier snapshot.
      this.#running.delete(task)
      return
    }
    const startedAt = this.#clock.now()
    let finish: () => void
    try {
      const output: unknown = await task.offered.handler(task.input, this.#contextOf(task))
      finish = () => this.#deliver(task, output)
    } catch (error) {
      finish = () => this.#end(task, 'fail', 'TASK_FAILED', messageOf(error))
    }
    this.#running.delete(task)
    this.#meanDuration += (this.#clock.now() - startedAt - this.#meanDuration) / 8
    if (!isTerminal(task.info.state)) {
      task.stopDeadline()
      task.progress.finish()
      finish()
    }
    this.#startWaiting()
  }

  #contextOf(task: IncomingTask): TaskContext {
    return {
      taskId: task.info.id,
      caller: task.info.peer,
      signal: task.abort.signal,
      deadlineAt: task.info.deadlineAt,
      progress: (progress, note = '') => {
        if (!(progress >= 0 && progress <= 1) || typeof note !== 'string') {
          throw new TsunagiError('INVALID_ARGUMENT', 'progress() takes a number from 0 to 1 and, if you like, a text.')
        }
        if (this.#running.has(task) && !isTerminal(task.info.state)) task.progress.update(progress, shortened(note))
      },
    }
  }

  /** The task is completed when its caller has acknowledged the output; until then cancelling and losing the caller still count. */
  #deliver(task: IncomingTask, output: unknown): void {
    let payload: SessionPayload<'task_result'>
    try {
      payload = checkedResult(task, output)
    } catch (cause) {
      const { code, message } = toTsunagiError(cause, 'TASK_OUTPUT_INVALID', 'The output cannot be sent.')
      this.#end(task, 'fail', code, message)
      return
    }
    this.#send(task.info.peer, 'task_result', payload).then(
      () => this.#ledger.apply(task, 'complete'),
      (cause: unknown) => {
        const { code, message } = toTsunagiError(cause, 'LINK_FAILED', 'The output could not be sent.')
        this.#end(task, 'fail', code, message)
      },
    )
  }

  /** Ends a task and tells its caller. */
  #end(task: IncomingTask, event: 'fail' | 'cancel', code: ErrorCode, message: string): void {
    if (!this.#stop(task, event, code, message)) return
    const state = event === 'fail' ? 'failed' : 'canceled'
    this.#tell(task.info.peer, 'task_result', { task_id: task.id, state, code, message: shortened(message) })
  }

  /** Ends a task on this side. False where it had ended. */
  #stop(task: IncomingTask, event: 'fail' | 'cancel', code: ErrorCode, message: string): boolean {
    this.#queue.remove(task)
    if (!this.#ledger.apply(task, event, { code, message: shortened(message) })) return false
    task.stopDeadline()
    task.progress.stop()
    task.abort.abort(new TsunagiError(code, message))
    return true
  }

  #accept(task: IncomingTask): void {
    this.#tell(task.info.peer, 'task_accept', { task_id: task.id, queue_position: this.#queue.position(task) })
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

  #reject(caller: PeerId, task_id: Bytes, reason: TaskRejectReason, message: string): void {
    // A place comes free each time one of the running tasks ends.
    const wait = Math.ceil(this.#meanDuration / this.#capabilities.places)
    this.#tell(caller, 'task_reject', {
      task_id,
      reason,
      message: shortened(message),
      ...(reason === 'full' && { retry_after: wait }),
    })
  }

  #tell<T extends SessionType>(peer: PeerId, type: T, payload: SessionPayload<T>): void {
    this.#send(peer, type, payload).catch((cause: unknown) => {
      const error = toTsunagiError(cause, 'LINK_FAILED', `A ${type} could not be sent.`)
      // Who is gone needs no answer; peerLost() ends its tasks.
      if (!this.#closed && error.code !== 'LINK_LOST') this.#onError(error)
    })
  }
}

function keyOf(caller: PeerId, taskId: Uint8Array): string {
  return `${caller} ${uuidText(taskId)}`
}

/** A handler may throw anything, also what cannot be read. */
function messageOf(error: unknown): string {
  try {
    if (error instanceof Error && typeof error.message === 'string' && error.message !== '') return error.message
  } catch {
    // Then it has nothing to say.
  }
  return 'The handler of the task failed.'
}

/** @throws TsunagiError TASK_OUTPUT_INVALID, MESSAGE_TOO_LARGE */
function checkedResult(task: IncomingTask, output: unknown): SessionPayload<'task_result'> {
  const result = { task_id: task.id, state: 'completed' as const, output: output ?? null }
  const payload = asItArrives(result, 'The output', 'TASK_OUTPUT_INVALID')
  const problem = task.offered.checkOutput(payload.output)
  if (problem === undefined) return payload
  throw new TsunagiError('TASK_OUTPUT_INVALID', `The output does not fit its schema. ${problem}`)
}
