/** Where handlers run (SPEC §8): as many at once as there are places, while other tasks wait for one. */
import type { PeerId } from '../api.ts'
import type { ErrorCode } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { Clock } from '../ports.ts'
import type { CapabilityRegistry, OfferedCapability } from './capabilities.ts'
import { type IncomingTask, messageOf } from './incoming-task.ts'
import type { PolicyUses } from './policy-uses.ts'
import { TaskQueue } from './queue.ts'
import { isTerminal } from './states.ts'

export interface WorkplaceOptions {
  readonly clock: Clock
  readonly capabilities: CapabilityRegistry
}

/** None of them may throw. */
export interface WorkplaceEvents {
  /** Its handler is about to begin. False where it must not. */
  readonly onStart: (task: IncomingTask) => boolean
  /** Its handler gave that, and the task had not ended before. */
  readonly onOutput: (task: IncomingTask, offered: OfferedCapability, output: unknown) => void
  /** Its handler failed, or took more time than its caller may have. */
  readonly onFailed: (task: IncomingTask, code: ErrorCode, message: string) => void
  /** Its handler has returned, whatever became of the task. */
  readonly onReturned: (task: IncomingTask) => void
}

export class Workplaces {
  readonly #options: WorkplaceOptions
  readonly #uses: PolicyUses
  readonly #events: WorkplaceEvents
  readonly #queue = new TaskQueue<IncomingTask>()
  /** Tasks whose handler has not returned, also where the task itself has ended. */
  readonly #running = new Set<IncomingTask>()
  #meanDuration: number = LIMITS.firstTaskDuration

  constructor(options: WorkplaceOptions, uses: PolicyUses, events: WorkplaceEvents) {
    this.#options = options
    this.#uses = uses
    this.#events = events
  }

  /** Handlers that have not returned. */
  get running(): number {
    return this.#running.size
  }

  get waiting(): number {
    return this.#queue.length
  }

  /** Milliseconds, as far as one can know, until a place comes free: one does each time one of the running tasks ends. */
  get nextFree(): number {
    return this.#meanDuration / this.#options.capabilities.places
  }

  isRunning(task: IncomingTask): boolean {
    return this.#running.has(task)
  }

  /** Whether one more task, whose message has `size` bytes, may run or wait. @param held others that will wait as well */
  hasRoom(offered: OfferedCapability, size: number, held: readonly IncomingTask[]): boolean {
    return this.#hasPlace(offered) || this.mayWait(size, held)
  }

  /** As hasRoom(), of one that cannot run at once. */
  mayWait(size: number, held: readonly IncomingTask[]): boolean {
    return this.#queue.hasRoom(
      held.reduce((sum, task) => sum + task.size, size),
      held.length,
    )
  }

  /** Handlers of a task of `caller` that has ended, and which have not returned. */
  lingering(caller: PeerId, capability: string): number {
    let count = 0
    for (const { info } of this.#running) {
      if (isTerminal(info.state) && info.peer === caller && info.capability === capability) count++
    }
    return count
  }

  /** 0 for one that runs. One that nobody can start yet comes after all that wait. */
  positionOf(task: IncomingTask): number {
    return this.#queue.position(task) || (task.isHeld ? this.#queue.length + 1 : 0)
  }

  /** True where it waits from now on; false where run() may be called. Call only after hasRoom(). */
  waits(task: IncomingTask, offered: OfferedCapability): boolean {
    if (this.#hasPlace(offered)) return false
    this.#queue.add(task, task.info.priority, task.size, this.#options.clock.now())
    return true
  }

  /** It waits no longer. Nothing happens where it does not wait. */
  remove(task: IncomingTask): void {
    this.#queue.remove(task)
  }

  /** Runs the handler, then those that waited for the place. Never rejects. */
  async run(task: IncomingTask, offered: OfferedCapability): Promise<void> {
    const { clock } = this.#options
    const { capability, peer } = task.info
    this.#running.add(task)
    if (!this.#events.onStart(task)) {
      this.#running.delete(task)
      return
    }
    const startedAt = clock.now()
    const stopLimit = this.#limitTime(task)
    let finish: () => void
    try {
      const output: unknown = await offered.handler(
        task.input,
        task.context(() => this.#running.has(task)),
      )
      finish = () => this.#events.onOutput(task, offered, output)
    } catch (error) {
      finish = () => this.#events.onFailed(task, 'TASK_FAILED', messageOf(error))
    }
    stopLimit()
    this.#running.delete(task)
    const duration = Math.max(0, clock.now() - startedAt)
    this.#uses.count(capability, peer, { milliseconds: duration }, clock.now())
    this.#meanDuration += (duration - this.#meanDuration) / 8
    if (!isTerminal(task.info.state)) {
      task.progress.finish()
      finish()
    }
    this.#events.onReturned(task)
    this.#startWaiting()
  }

  #hasPlace(offered: OfferedCapability): boolean {
    let same = 0
    for (const task of this.#running) if (task.offered === offered) same++
    return same < offered.concurrency && this.#running.size < this.#options.capabilities.places
  }

  /** Ends the task when its caller has used up the time that the policy allows. @returns stops that */
  #limitTime(task: IncomingTask): () => void {
    const { clock } = this.#options
    const left = this.#uses.timeLeft(task.info.capability, task.info.peer, clock.now())
    if (left > LIMITS.maxDeadline) return () => undefined
    const message = 'The time that this peer allows you of that capability is used up.'
    const stop = clock.after(Math.max(0, left), () => this.#events.onFailed(task, 'TASK_REJECTED', message))
    task.release.push(stop)
    return stop
  }

  #startWaiting(): void {
    for (;;) {
      const task = this.#queue.take(({ offered }) => offered !== undefined && this.#hasPlace(offered))
      if (task?.offered === undefined) return
      // Its caller was told that it waits; the first progress says that it no longer does.
      task.progress.update(0, '')
      void this.run(task, task.offered)
    }
  }
}
