/** One wake-up of ours on its way up the ladder (SPEC §7.1): three tries, each by the lowest way that there is and that was not silent. */
import type { AbortSignal, WakeFailure, WakeOutcome, WakeStep, WakeUpResult } from '../api.ts'
import { isTsunagiError, TsunagiError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { SessionPayload, SignalingPayload, WakeState } from '../messages.ts'
import type { Clock } from '../ports.ts'
import type { Bytes } from '../wire/bytes.ts'
import { LADDER, patience, type Rung } from './ladder.ts'

/** How far the server says that a wake-up came. */
export type ServerStep = SignalingPayload<'wake_step'>['step']

/** The ways to the one peer. Each rejects with a TsunagiError where it does not exist. */
export interface WakeUpWays {
  readonly clock: Clock
  readonly randomBytes: (length: number) => Bytes
  /** Undefined without a link over which the peer answers. Rejects where that is lost before the peer has it. */
  bySession(wakeUp: SessionPayload<'wake_up'>): Promise<void> | undefined
  /** Fulfils when the server was handed it, not when it arrived. */
  bySocket(wakeUp: SessionPayload<'wake_up'>): Promise<void>
  byServer(wakeUp: SessionPayload<'wake_up'>): Promise<ServerStep>
}

const SENDING: Record<Rung, WakeStep> = { session: 'session', socket: 'socket', server: 'mailbox' }

export class OutgoingWakeUp {
  readonly wakeUp: SessionPayload<'wake_up'>
  /** Rejects with what fail() is given. */
  readonly result: Promise<WakeUpResult>
  readonly #ways: WakeUpWays
  readonly #startedAt: number
  #rung: Rung | 'over' = 'session'
  #attempt = 0
  #step: WakeStep = 'none'
  /** What a send that is under way would reach: its answer may come before the server's word. */
  #sending: WakeStep | undefined
  #why: WakeFailure = 'offline'
  #isKept = false
  #isOver = false
  #callers = 0
  #stopTimer: () => void = () => undefined
  #stopExpiry: () => void = () => undefined
  #fulfil!: (result: WakeUpResult) => void
  #reject!: (error: TsunagiError) => void

  constructor(ways: WakeUpWays, wakeUp: SessionPayload<'wake_up'>) {
    this.#ways = ways
    this.wakeUp = wakeUp
    this.#startedAt = ways.clock.now()
    this.result = new Promise((fulfil, reject) => {
      this.#fulfil = fulfil
      this.#reject = reject
    })
    // Where all callers have cancelled, nobody listens any more.
    this.result.catch(() => undefined)
  }

  /** Call once. @param life milliseconds until it expires */
  start(life: number): void {
    this.#stopExpiry = this.#ways.clock.after(life, () => this.#end('expired', 'silent'))
    void this.#take('session')
  }

  /** Its outcome for one more caller; when all have cancelled it is given up. Rejects with WAKE_UP_CANCELED, and as `result`. */
  join(signal: AbortSignal | undefined): Promise<WakeUpResult> {
    this.#callers++
    if (signal === undefined) return this.result
    return new Promise((fulfil, reject) => {
      const cancel = () => {
        reject(canceled())
        if (--this.#callers === 0) this.fail(canceled())
      }
      signal.addEventListener('abort', cancel, { once: true })
      this.result.then(fulfil, reject).finally(() => signal.removeEventListener('abort', cancel))
    })
  }

  answered(state: WakeState): void {
    this.#step = this.#sending ?? this.#step
    this.#end(state, undefined)
  }

  /** The server says that the peer has no socket there. */
  notAtSocket(): void {
    this.#missing('socket')
  }

  fail(error: TsunagiError): void {
    if (this.#over()) this.#reject(error)
  }

  async #take(rung: Rung): Promise<void> {
    this.#rung = rung
    this.#sending = SENDING[rung]
    const isSent = await this.#send(rung)
    if (this.#isOver || this.#rung !== rung) return
    this.#sending = undefined
    if (isSent) this.#wait()
    else this.#missing(rung)
  }

  /** @returns whether the way exists. Never rejects. */
  async #send(rung: Rung): Promise<boolean> {
    try {
      if (rung === 'session') {
        const sent = this.#ways.bySession(this.wakeUp)
        sent?.catch(() => this.#missing('session'))
        return sent !== undefined && this.#reached('session')
      }
      if (rung === 'socket') {
        await this.#ways.bySocket(this.wakeUp)
        return this.#reached('socket')
      }
      return this.#left(await this.#ways.byServer(this.wakeUp))
    } catch (cause) {
      this.#why = isTsunagiError(cause, 'UNKNOWN_PEER') ? 'unknown_peer' : 'offline'
      return false
    }
  }

  #left(step: ServerStep): boolean {
    switch (step) {
      case 'socket':
      case 'push':
      case 'mailbox':
        this.#isKept = true
        return this.#reached(step)
      case 'expired':
        this.#end('expired', 'silent')
        return false
      default:
        this.#why = step
        return false
    }
  }

  #reached(step: WakeStep): true {
    this.#step = step
    this.#why = 'silent'
    return true
  }

  #missing(rung: Rung): void {
    if (this.#isOver || this.#rung !== rung) return
    this.#stopTimer()
    const next = LADDER[rung].missing
    this.#rung = next
    if (next !== 'over') void this.#take(next)
    else if (this.#step === 'none' && this.#why === 'unknown_peer') this.#end('unanswered', this.#why)
    else this.#wait()
  }

  #wait(): void {
    const { clock, randomBytes } = this.#ways
    this.#stopTimer = clock.after(patience(this.#attempt, randomBytes), () => this.#silent())
  }

  #silent(): void {
    this.#attempt++
    // What waits in the mailbox is not more likely to be read for being put there again.
    const isLeft = this.#step === 'push' || this.#step === 'mailbox'
    if (isLeft || this.#attempt >= LIMITS.wakeTries) this.#end(this.#isKept ? 'kept' : 'unanswered', this.#why)
    else if (this.#rung === 'over') void this.#take('session')
    else void this.#take(this.#afterSilence(this.#rung))
  }

  #afterSilence(rung: Rung): Rung {
    const next = LADDER[rung].silent
    return next === 'over' ? 'session' : next
  }

  #end(outcome: WakeOutcome, why: WakeFailure | undefined): void {
    if (!this.#over()) return
    this.#fulfil({ outcome, step: this.#step, ms: Math.max(0, this.#ways.clock.now() - this.#startedAt), why })
  }

  #over(): boolean {
    if (this.#isOver) return false
    this.#isOver = true
    this.#stopTimer()
    this.#stopExpiry()
    return true
  }
}

export function canceled(): TsunagiError {
  return new TsunagiError('WAKE_UP_CANCELED', 'The wake-up was cancelled.')
}
