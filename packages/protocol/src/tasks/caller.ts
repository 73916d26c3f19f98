/** Our work at other peers (SPEC §8): hands tasks over and settles each exactly once. */
import type { AbortSignal, DelegateOptions, PeerId, Task, TaskInfo } from '../api.ts'
import { type ErrorCode, TsunagiError, toTsunagiError } from '../errors.ts'
import { LIMITS, PROTOCOL } from '../limits.ts'
import { PRIORITIES, type SessionPayload, type TaskRejectReason } from '../messages.ts'
import type { Clock } from '../ports.ts'
import type { Bytes } from '../wire/bytes.ts'
import { uuidText, uuidV4 } from '../wire/uuid.ts'
import { TaskLedger } from './ledger.ts'
import { asItArrives, type SendMessage } from './payload.ts'
import { isTerminal, type TaskEvent } from './states.ts'

export interface TaskCallerOptions {
  readonly clock: Clock
  readonly randomBytes: (length: number) => Bytes
  readonly send: SendMessage
  /** A new snapshot, for each change of a task. Must not throw. */
  readonly onChange: (task: TaskInfo) => void
  /** A cancellation could not be sent although the executor is there, or an onProgress listener threw. Must not throw. */
  readonly onError: (error: TsunagiError) => void
}

/** What a refusal means to the caller. */
const REJECTIONS: Record<TaskRejectReason, ErrorCode> = {
  full: 'TASK_REJECTED',
  refused: 'TASK_REJECTED',
  unsupported: 'UNKNOWN_CAPABILITY',
  expired: 'TASK_DEADLINE',
  too_large: 'MESSAGE_TOO_LARGE',
  invalid_input: 'TASK_INPUT_INVALID',
}

interface OutgoingTask {
  info: TaskInfo
  /** The id as text. */
  readonly key: string
  readonly id: Bytes
  onProgress: DelegateOptions['onProgress']
  readonly fulfil: (output: unknown) => void
  readonly reject: (error: TsunagiError) => void
  /** Whether the executor has taken it. */
  accepted: boolean
  /** Undo timers and listeners; called when the task has ended. */
  readonly release: (() => void)[]
}

/**
 * A task ends once, and only by the peer it was given to, by its own caller, or by the clock. What anyone else reports
 * about it is ignored and counted; so is what comes after its end, uncounted, since that crosses on the way.
 */
export class TaskCaller {
  readonly #clock: Clock
  readonly #randomBytes: (length: number) => Bytes
  readonly #send: SendMessage
  readonly #onError: (error: TsunagiError) => void
  readonly #ledger: TaskLedger<OutgoingTask>
  #ignored = 0
  #closed = false

  constructor(options: TaskCallerOptions) {
    this.#clock = options.clock
    this.#randomBytes = options.randomBytes
    this.#send = options.send
    this.#onError = options.onError
    this.#ledger = new TaskLedger(options.clock, options.onChange)
  }

  /** Newest first. */
  get tasks(): readonly TaskInfo[] {
    return this.#ledger.infos
  }

  /** Reports about tasks that their sender was not given. */
  get ignored(): number {
    return this.#ignored
  }

  /**
   * Hands a task over. Never throws: what `choosePeer` throws, and a wrong argument, reject `result`. Nobody has to
   * await `result`: its rejection is never unhandled.
   * The input is checked by the executor, whose schema may hold patterns that would stop this page if it ran them.
   * @param choosePeer who is asked; called once, after the other arguments were checked
   */
  delegate<Output>(
    choosePeer: () => PeerId,
    capability: string,
    input: unknown,
    options: DelegateOptions = {},
  ): Task<Output> {
    const id = uuidV4(this.#randomBytes(16))
    const now = this.#clock.now()
    let fulfil!: OutgoingTask['fulfil']
    let reject!: OutgoingTask['reject']
    const result = new Promise<unknown>((resolve, fail) => {
      fulfil = resolve
      reject = fail
    })
    result.catch(() => undefined)
    const task: OutgoingTask = {
      info: {
        id: uuidText(id),
        direction: 'out',
        capability: isName(capability) ? capability : '',
        peer: '',
        state: 'submitted',
        priority: 'normal',
        progress: 0,
        note: '',
        createdAt: now,
        endedAt: undefined,
        deadlineAt: now + LIMITS.defaultDeadline,
        error: undefined,
      },
      key: uuidText(id),
      id,
      onProgress: undefined,
      fulfil,
      reject,
      accepted: false,
      release: [],
    }
    try {
      this.#submit(task, choosePeer, capability, input, options)
    } catch (cause) {
      this.#settle(task, 'fail', toTsunagiError(cause, 'INVALID_ARGUMENT', UNREADABLE))
    }
    return {
      id: task.key,
      get info() {
        return task.info
      },
      result: result as Promise<Output>,
      cancel: () => this.#abandon(task, 'cancel', canceled()),
    }
  }

  handleAccept(peer: PeerId, payload: SessionPayload<'task_accept'>): void {
    const task = this.#given(peer, payload.task_id)
    if (task === undefined) return
    task.accepted = true
    if (payload.queue_position === 0) this.#ledger.apply(task, 'start')
  }

  handleReject(peer: PeerId, payload: SessionPayload<'task_reject'>): void {
    const task = this.#given(peer, payload.task_id)
    if (task === undefined) return
    const retry = payload.retry_after === undefined ? {} : { retryAfter: payload.retry_after }
    this.#settle(
      task,
      'reject',
      new TsunagiError(REJECTIONS[payload.reason], `The other peer refused the task: ${payload.message}`, {
        peer,
        ...retry,
      }),
    )
  }

  /** Progress never goes back: a report that says less leaves it where it was. */
  handleProgress(peer: PeerId, payload: SessionPayload<'task_progress'>): void {
    const task = this.#given(peer, payload.task_id)
    if (task === undefined) return
    task.accepted = true
    this.#ledger.apply(task, 'start')
    const progress = Math.max(task.info.progress, payload.progress)
    const note = payload.note ?? task.info.note
    this.#ledger.report(task, progress, note)
    try {
      task.onProgress?.({ progress, note })
    } catch (cause) {
      this.#onError(new TsunagiError('LISTENER_FAILED', 'An onProgress listener threw an error.', { cause, peer }))
    }
  }

  handleResult(peer: PeerId, payload: SessionPayload<'task_result'>): void {
    const task = this.#given(peer, payload.task_id)
    if (task === undefined) return
    if (payload.state === 'completed') {
      this.#end(task, 'complete')
      task.fulfil(payload.output)
      return
    }
    const event = payload.state === 'failed' ? 'fail' : 'cancel'
    this.#settle(task, event, new TsunagiError(payload.code, payload.message, { peer }))
  }

  /** What `peer` was doing for us is lost: whether it was done is unknown. */
  peerLost(peer: PeerId): void {
    for (const task of this.#ledger.live) {
      if (task.info.peer === peer) this.#settle(task, 'lose', lost(peer, 'The peer that had the task is gone.'))
    }
  }

  /** Rejects all tasks under way with PEER_CLOSED and takes no more. Idempotent. */
  close(): void {
    this.#closed = true
    for (const task of this.#ledger.live) this.#settle(task, 'cancel', closed())
  }

  #submit(
    task: OutgoingTask,
    choosePeer: () => PeerId,
    capability: string,
    input: unknown,
    options: DelegateOptions,
  ): void {
    if (this.#closed) throw closed()
    const { deadline, priority, signal, onProgress } = checkArguments(capability, options)
    if (this.#ledger.size >= LIMITS.maxDelegatedTasks) {
      throw new TsunagiError(
        'QUEUE_FULL',
        `${LIMITS.maxDelegatedTasks} tasks are under way; wait until some have ended.`,
      )
    }
    const peer = choosePeer()
    const payload = asItArrives(
      { task_id: task.id, capability, input: input ?? null, deadline, priority },
      `The input for ${capability}`,
      'INVALID_ARGUMENT',
    )
    task.info = { ...task.info, peer, priority, deadlineAt: task.info.createdAt + deadline }
    task.onProgress = onProgress
    if (signal?.aborted) {
      this.#settle(task, 'cancel', canceled())
      return
    }
    this.#ledger.add(task)
    // A listener may have closed this peer at that snapshot.
    if (isTerminal(task.info.state)) return
    task.release.push(
      this.#clock.after(deadline, () =>
        this.#abandon(
          task,
          'fail',
          new TsunagiError('TASK_DEADLINE', `The task was not done within ${deadline} ms; allow more, or less work.`, {
            peer,
          }),
        ),
      ),
    )
    if (signal !== undefined) this.#follow(task, signal)
    // What is no host's own signal may abort while it takes a listener.
    if (isTerminal(task.info.state)) return
    this.#send(peer, 'task_delegate', payload).then(
      () => this.#awaitAnswer(task),
      (cause: unknown) => {
        const error = toTsunagiError(cause, 'LINK_FAILED', 'The task could not be sent.')
        if (error.code === 'LINK_LOST') this.#settle(task, 'lose', lost(peer, error.message))
        else this.#settle(task, 'fail', error)
      },
    )
  }

  #follow(task: OutgoingTask, signal: AbortSignal): void {
    const abort = () => this.#abandon(task, 'cancel', canceled())
    task.release.push(() => {
      try {
        signal.removeEventListener('abort', abort)
      } catch (cause) {
        // Not the host's own signal; the task ends all the same.
        this.#onError(new TsunagiError('LISTENER_FAILED', 'A signal of delegate() threw an error.', { cause }))
      }
    })
    signal.addEventListener('abort', abort)
  }

  /** The time runs from the acknowledgement of the task: a large input may need longer than an answer. */
  #awaitAnswer(task: OutgoingTask): void {
    if (task.accepted || isTerminal(task.info.state)) return
    const stop = this.#clock.after(LIMITS.taskAnswerTimeout, () => {
      if (!task.accepted) this.#abandon(task, 'lose', lost(task.info.peer, 'The peer got the task and did not answer.'))
    })
    task.release.push(stop)
  }

  /** The task with that id, where it was given to `peer` and is under way. */
  #given(peer: PeerId, id: Uint8Array): OutgoingTask | undefined {
    const key = uuidText(id)
    const task = this.#ledger.find(key)
    if ((task?.info ?? this.#ledger.findEnded(key))?.peer !== peer) {
      this.#ignored++
      return undefined
    }
    return task
  }

  /** Ends a task on our side, then tells its executor to stop. */
  #abandon(task: OutgoingTask, event: TaskEvent, error: TsunagiError): void {
    if (!this.#settle(task, event, error)) return
    this.#send(task.info.peer, 'task_cancel', { task_id: task.id }).catch((cause: unknown) => {
      const failure = toTsunagiError(cause, 'LINK_FAILED', 'A task_cancel could not be sent.')
      // An executor that is gone has lost us too, and stops by itself.
      if (!this.#closed && failure.code !== 'LINK_LOST') this.#onError(failure)
    })
  }

  #settle(task: OutgoingTask, event: TaskEvent, error: TsunagiError): boolean {
    if (!this.#end(task, event, { code: error.code, message: error.message })) return false
    task.reject(error)
    return true
  }

  #end(task: OutgoingTask, event: TaskEvent, error?: TaskInfo['error']): boolean {
    if (!this.#ledger.apply(task, event, error)) return false
    for (const release of task.release) release()
    return true
  }
}

const UNREADABLE = 'The task cannot be handed over: what was given to delegate() cannot be read.'

function isName(capability: unknown): capability is string {
  return typeof capability === 'string' && capability !== '' && capability.length <= PROTOCOL.maxCapabilityName
}

/** The options with their defaults, each read once. */
function checkArguments(capability: unknown, options: DelegateOptions) {
  const wrong = (message: string) => new TsunagiError('INVALID_ARGUMENT', message)
  if (!isName(capability)) {
    throw wrong(`delegate() takes the name of a capability, a text of 1 to ${PROTOCOL.maxCapabilityName} characters.`)
  }
  if (typeof options !== 'object' || options === null) {
    throw wrong('The options of delegate() are an object, such as { deadline: 5000 }.')
  }
  const { deadline = LIMITS.defaultDeadline, priority = 'normal', signal, onProgress } = options
  if (!Number.isInteger(deadline) || deadline < 1 || deadline > LIMITS.maxDeadline) {
    throw wrong(`The deadline is a whole number of milliseconds, 1 to ${LIMITS.maxDeadline}.`)
  }
  if (!PRIORITIES.includes(priority)) throw wrong(`The priority is one of ${PRIORITIES.join(', ')}.`)
  if (
    signal !== undefined &&
    (typeof signal?.addEventListener !== 'function' || typeof signal.removeEventListener !== 'function')
  ) {
    throw wrong('The signal is an AbortSignal, taken from an AbortController.')
  }
  if (onProgress !== undefined && typeof onProgress !== 'function') throw wrong('The option onProgress is a function.')
  return { deadline, priority, signal, onProgress }
}

function canceled(): TsunagiError {
  return new TsunagiError('TASK_CANCELED', 'The task was cancelled.')
}

function closed(): TsunagiError {
  return new TsunagiError('PEER_CLOSED', 'This peer was closed; make a new one with createPeer().')
}

function lost(peer: PeerId, why: string): TsunagiError {
  return new TsunagiError('TASK_LOST', `${why} Whether the work was done is unknown.`, { peer })
}
