/** Whether a peer that was given a task still has it (SPEC R60): silence is asked about, and what is not answered is gone. */
import { LIMITS, PROTOCOL } from '../limits.ts'
import type { Clock } from '../ports.ts'

export interface LeaseEvents {
  /** Nothing was heard of the task for a whole lease: ask. */
  ask(): void
  /** The peer does not answer for the task. `why` is a sentence. Nothing is called after it, unless the lease is extended. */
  gone(why: string): void
}

/** One timer, which no report has to set anew: thousands of tasks report at once. */
export class Lease {
  readonly #clock: Clock
  readonly #events: LeaseEvents
  /** `sent`: on its way. `waiting`: the peer has it and has not answered. */
  #state: 'sent' | 'waiting' | 'held' | 'asked' | 'over' = 'sent'
  #heardAt = 0
  #stopTimer: () => void

  /** @param size bytes of the input, which take their time */
  constructor(clock: Clock, size: number, events: LeaseEvents) {
    this.#clock = clock
    this.#events = events
    const most = PROTOCOL.taskLease + LIMITS.taskQueryPatience + size / LIMITS.slowestTaskBytes
    this.#stopTimer = clock.after(most, () => this.#end('The peer did not take the task in time.'))
  }

  /** The peer has the message. The time for an answer runs from now: a large input may need longer than an answer. */
  delivered(): void {
    if (this.#state !== 'sent') return
    this.#state = 'waiting'
    this.#wait(LIMITS.taskAnswerTimeout, () => this.#end('The peer got the task and did not answer.'))
  }

  /** The peer has said something about the task. */
  heard(): void {
    if (this.#state === 'over') return
    this.#heardAt = this.#clock.now()
    if (this.#state === 'held') return
    this.#state = 'held'
    this.#wait(PROTOCOL.taskLease, () => this.#check())
  }

  /** Asks now, and gives the peer no longer than after a lapsed lease. */
  ask(): void {
    if (this.#state === 'over' || this.#state === 'asked') return
    this.#state = 'asked'
    this.#wait(LIMITS.taskQueryPatience, () => this.#end('The peer did not say what became of the task.'))
    this.#events.ask()
  }

  /** The peer sleeps and may be woken: it gets another lease, also where it was gone. */
  extend(): void {
    this.#heardAt = this.#clock.now()
    this.#state = 'held'
    this.#wait(PROTOCOL.taskLease, () => this.#check())
  }

  stop(): void {
    this.#state = 'over'
    this.#stopTimer()
  }

  #check(): void {
    // A time of day that was set back says nothing.
    const silent = Math.max(0, this.#clock.now() - this.#heardAt)
    if (silent < PROTOCOL.taskLease) this.#wait(PROTOCOL.taskLease - silent, () => this.#check())
    else this.ask()
  }

  #wait(delay: number, then: () => void): void {
    this.#stopTimer()
    this.#stopTimer = this.#clock.after(delay, then)
  }

  #end(why: string): void {
    this.stop()
    this.#events.gone(why)
  }
}
