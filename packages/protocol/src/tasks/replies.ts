/** What the callers of tasks here are told of them (SPEC R44, R45, R60). */
import type { PeerId, TaskInfo } from '../api.ts'
import { type ErrorCode, type TsunagiError, toTsunagiError } from '../errors.ts'
import type { SessionPayload, SessionType } from '../messages.ts'
import type { Bytes } from '../wire/bytes.ts'
import type { TaskRefusal } from './admission.ts'
import type { IncomingTask } from './incoming-task.ts'
import { isGone, type SendMessage, type SendResult, shortened } from './payload.ts'
import type { Workplaces } from './workplaces.ts'

export interface ReplyOptions {
  readonly send: SendMessage
  readonly sendResult: SendResult
  /** A message could not be sent although its receiver is there. Must not throw. */
  readonly onError: (error: TsunagiError) => void
}

export class TaskReplies {
  readonly #options: ReplyOptions
  readonly #workplaces: Workplaces
  #closed = false

  constructor(options: ReplyOptions, workplaces: Workplaces) {
    this.#options = options
    this.#workplaces = workplaces
  }

  /** From now on nobody hears of what could not be sent. */
  close(): void {
    this.#closed = true
  }

  /** It is here, and runs or waits. */
  accept(task: IncomingTask): void {
    this.tell(task.info.peer, 'task_accept', { task_id: task.id, queue_position: this.#workplaces.positionOf(task) })
  }

  /** It is not taken. */
  reject(caller: PeerId, task_id: Bytes, { reason, message, retryAfter }: TaskRefusal): void {
    const wait = Math.ceil(retryAfter ?? this.#workplaces.nextFree)
    this.tell(caller, 'task_reject', {
      task_id,
      reason,
      message: shortened(message),
      ...((reason === 'full' || retryAfter !== undefined) && { retry_after: wait }),
    })
  }

  /** It has ended here without an output. */
  ended({ info, id }: IncomingTask, event: 'fail' | 'cancel', code: ErrorCode, message: string): void {
    const state = event === 'fail' ? 'failed' : 'canceled'
    const payload = { task_id: id, state, code, message: shortened(message) } as const
    this.#options.sendResult(info.peer, payload).delivered.catch((cause: unknown) => this.#notSent(cause))
  }

  /** It ended before. A result is kept only until it was acknowledged, so that ended tasks cost no memory to speak of. */
  endedBefore(task: TaskInfo, task_id: Bytes): void {
    const state = task.state === 'canceled' ? 'canceled' : 'failed'
    const error = task.error ?? {
      code: 'INVALID_STATE',
      message: 'The task is done and its output was delivered; it is not kept.',
    }
    this.tell(task.peer, 'task_result', { task_id, state, code: error.code as ErrorCode, message: error.message })
  }

  /**
   * Answers a question, also where the task is not known: its caller then need not wait.
   * @param info undefined where nothing is known of it
   * @param task undefined where it is not under way
   */
  state(caller: PeerId, task_id: Bytes, info: TaskInfo | undefined, task: IncomingTask | undefined): void {
    const { state, progress = 0, note = '', error } = info ?? { state: 'unknown' as const }
    this.tell(caller, 'task_state', {
      task_id,
      // What was refused is as if it had never come.
      state: state === 'rejected' || state === 'lost' ? 'unknown' : state,
      queue_position: task === undefined ? 0 : this.#workplaces.positionOf(task),
      progress,
      note,
      partials: task?.partials.sent ?? 0,
      ...(error !== undefined && { code: error.code as ErrorCode, message: error.message }),
    })
  }

  /** Sends a message that nobody waits for. */
  tell<T extends SessionType>(peer: PeerId, type: T, payload: SessionPayload<T>): void {
    this.#options.send(peer, type, payload).catch((cause: unknown) => this.#notSent(cause))
  }

  #notSent(cause: unknown): void {
    const error = toTsunagiError(cause, 'LINK_FAILED', 'A message about a task could not be sent.')
    // Who is gone needs no answer; peerLost() ends its tasks.
    if (!this.#closed && !isGone(error)) this.#options.onError(error)
  }
}
