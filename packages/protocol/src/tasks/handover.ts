/** Who has each task of ours (SPEC R61, R63): gives it to one peer after another, until it ends, once. */
import type { PeerId, TaskInfo } from '../api.ts'
import { TsunagiError, toTsunagiError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { SessionPayload, SessionType } from '../messages.ts'
import type { Clock } from '../ports.ts'
import type { Bytes } from '../wire/bytes.ts'
import { uuidBytes, uuidText, uuidV4 } from '../wire/uuid.ts'
import type { CallerArchive } from './caller-archive.ts'
import type { CallerFiles } from './caller-files.ts'
import { Lease } from './lease.ts'
import type { TaskLedger } from './ledger.ts'
import type { OutgoingTask, Try } from './outgoing-task.ts'
import { isGone, type SendMessage } from './payload.ts'
import { ENDS, nextTry, type TryEnd } from './retry.ts'
import { isTerminal, type TaskEvent } from './states.ts'
import { closed, lost, NO_INPUT, PEER_GONE, tooLate } from './task-errors.ts'
import type { Held, Tries } from './tries.ts'

export interface HandoverOptions {
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
  /** A peer was given a task, and a peer's try at one ended: well, badly, or (undefined) by no doing of that peer. */
  readonly onGiven: (peer: PeerId) => void
  readonly onTried: (peer: PeerId, success: boolean | undefined) => void
  /** What no call can report: a message that could not be sent, a listener that threw, a store that failed. Must not throw. */
  readonly onError: (error: TsunagiError) => void
}

/** What the caller knows of its tasks. */
export interface CallerRecords {
  readonly ledger: TaskLedger<OutgoingTask>
  readonly tries: Tries
  readonly archive: CallerArchive
  readonly files: CallerFiles
}

/** Every task ends here, whoever ends it: the app, the clock, the last peer that had it, or the page. */
export class Handover {
  readonly #options: HandoverOptions
  readonly #ledger: TaskLedger<OutgoingTask>
  readonly #tries: Tries
  readonly #archive: CallerArchive
  readonly #files: CallerFiles
  #bytes = 0
  #closed = false

  constructor(options: HandoverOptions, { ledger, tries, archive, files }: CallerRecords) {
    this.#options = options
    this.#ledger = ledger
    this.#tries = tries
    this.#archive = archive
    this.#files = files
  }

  /** Of the inputs of all tasks under way. */
  get bytes(): number {
    return this.#bytes
  }

  get isClosed(): boolean {
    return this.#closed
  }

  /** Every task under way ends with PEER_CLOSED, and no peer is told anything any more. Idempotent. */
  close(): void {
    this.#closed = true
    for (const task of this.#ledger.live) this.settle(task, 'cancel', closed())
  }

  /** Who is asked first, or why nobody can be at present. @throws TsunagiError where that will not change soon, or is not waited for */
  chooseFirst(task: OutgoingTask): PeerId | TsunagiError {
    try {
      return this.#choose(task)
    } catch (cause) {
      const error = toTsunagiError(cause, 'UNKNOWN_CAPABILITY', 'Nobody can be asked.')
      if (task.rules.retries === 0 || error.retryAfter === undefined) throw error
      return error
    }
  }

  /** It is under way from now on. */
  enter(task: OutgoingTask, size: number): void {
    task.size = size
    this.#bytes += size
    task.release.push(() => {
      this.#bytes -= size
    })
    const left = task.info.deadlineAt - this.#options.clock.now()
    task.release.push(this.#options.clock.after(Math.min(left, LIMITS.maxDeadline), () => this.overdue(task)))
    this.#ledger.add(task)
  }

  /** Its deadline has passed. */
  overdue(task: OutgoingTask): void {
    const { createdAt, deadlineAt, peer } = task.info
    this.abandon(task, 'fail', new TsunagiError('TASK_DEADLINE', tooLate(deadlineAt - createdAt), { peer }))
  }

  /** @param id of this try */
  give(task: OutgoingTask, peer: PeerId, id: Bytes): void {
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
        if (isGone(error)) this.tryEnded(found, 'lost', lost(peer, error.message))
        else this.settle(task, 'fail', error)
      },
    )
    this.#files.send(found)
  }

  /** Nobody has the task: it is given to somebody after a while, or ends with `error` where there is nobody. */
  giveLater(task: OutgoingTask, after: number, error: TsunagiError, end: TryEnd): void {
    const { clock } = this.#options
    let until: number | undefined
    const wait = (delay: number) => {
      const stop = clock.after(delay, () => void attempt())
      task.release.push(stop)
    }
    const attempt = async () => {
      let peer: PeerId
      try {
        task.input ??= await this.#archive.input(task.key, task.files.length)
        if (isTerminal(task.info.state)) return
        peer = this.#choose(task)
      } catch (cause) {
        until ??= clock.now() + LIMITS.nobodyPatience
        if (task.input === undefined) this.settle(task, 'fail', toTsunagiError(cause, 'STORAGE_FAILED', NO_INPUT))
        else if (end === 'refused' || clock.now() >= until) this.settle(task, ENDS[end], error)
        else wait(LIMITS.nobodyPoll)
        return
      }
      const id = task.info.tries === 0 ? uuidBytes(task.key) : uuidV4(this.#options.randomBytes(16))
      this.#ledger.given(task, peer)
      if (isTerminal(task.info.state)) return
      this.give(task, peer, id)
      void this.keep(task)
    }
    if (after === 0) void attempt()
    else wait(after)
  }

  /** A page before this one had given it to `peer`, or was about to: the peer says which, when it is there. */
  resume(task: OutgoingTask, peer: PeerId, id: Bytes): Held {
    this.#options.onGiven(peer)
    const tried = this.#newTry(task, peer, id, true)
    tried.lease.heard()
    return { task, tried }
  }

  /** There was no link to `peer` for long. */
  peerAway(peer: PeerId): void {
    for (const found of this.#tries.of(peer)) {
      if (this.#isWaitedFor(found)) found.tried.lease.extend()
      else this.#peerGone(found)
    }
  }

  /** What `peer` was doing for us is lost: whether it was done is unknown. */
  peerLost(peer: PeerId): void {
    for (const found of this.#tries.of(peer)) this.#peerGone(found)
  }

  /** The peer says that it has the task. */
  heard({ task, tried }: Held): void {
    tried.lease.heard()
    if (tried.accepted) return
    tried.accepted = true
    task.full = 0
    if (task.wantsPartials && task.partials.read > 0) {
      this.tell(tried.peer, 'task_credit', { task_id: tried.id, read: task.partials.read })
    }
  }

  /** The peer's try has ended without a result that counts: another may follow, else the task ends with `error`. */
  tryEnded(found: Held, end: TryEnd, error: TsunagiError): void {
    const { task, tried } = found
    const { capability } = task.info
    const idempotent = (end === 'failed' || end === 'stopped') && this.#options.isIdempotent(capability, tried.peer)
    this.#leave(found, end === 'full' || end === 'refused' || end === 'stopped' ? undefined : false)
    if (end === 'full') task.counted--
    const tries = { tries: task.counted, full: end === 'full' ? task.full++ : 0, idempotent }
    const random = (this.#options.randomBytes(1)[0] ?? 0) / 255
    const next = this.#closed ? undefined : nextTry(end, task.rules, tries, error.retryAfter ?? 0, random)
    if (next === undefined) {
      this.settle(task, ENDS[end], error)
      return
    }
    if (next.samePeer === 'never') task.unfit.add(tried.peer)
    else task.asked.add(tried.peer)
    this.#ledger.apply(task, 'again')
    void this.keep(task)
    this.giveLater(task, next.after, error, end)
  }

  /** The peer is told to stop, in case it still has the task. */
  dismiss(found: Held, end: TryEnd, error: TsunagiError): void {
    const { peer, id } = found.tried
    this.tryEnded(found, end, error)
    this.tell(peer, 'task_cancel', { task_id: id })
  }

  /** Ends a task on our side, then tells who has it to stop. */
  abandon(task: OutgoingTask, event: TaskEvent, error: TsunagiError): void {
    const { current } = task
    if (!this.settle(task, event, error) || current === undefined) return
    this.tell(current.peer, 'task_cancel', { task_id: current.id })
  }

  /** The peer has done the task. `output` is what the app gets, `kept` the bytes of it that are stored. Fulfils as keep(). */
  async complete(found: Held, output: unknown, kept: Bytes | undefined): Promise<void> {
    const { task, tried } = found
    this.#leave(found, true)
    if (!this.#end(task, 'complete', undefined, kept?.length)) return
    task.partials.end()
    task.fulfil(output)
    await this.keep(task, kept, [], tried)
  }

  /** Ends a task on our side without a word to who has it. False where it had ended. */
  settle(task: OutgoingTask, event: TaskEvent, error: TsunagiError): boolean {
    if (task.current !== undefined) this.#leave({ task, tried: task.current }, undefined)
    if (!this.#end(task, event, { code: error.code, message: error.message })) return false
    task.partials.end(error)
    task.reject(error)
    void this.keep(task)
    return true
  }

  /**
   * Stores what the next page needs of a task. Fulfils when it is stored, as far as anything is; never rejects.
   * @param value input or output; undefined leaves the input, which goes when the task has ended
   * @param blobs of the input
   * @param by whose output it is
   */
  async keep(task: OutgoingTask, value?: Bytes, blobs: readonly Blob[] = [], by?: Try): Promise<void> {
    const ended = isTerminal(task.info.state)
    if (ended && this.#ledger.findEnded(task.key) === undefined) return
    await this.#archive.keep(task, ended ? (value ?? null) : value, blobs, by)
  }

  /** Sends a message that nobody waits for. */
  tell<T extends SessionType>(peer: PeerId, type: T, payload: SessionPayload<T>): void {
    if (this.#closed) return
    this.#options.send(peer, type, payload).catch((cause: unknown) => {
      const failure = toTsunagiError(cause, 'LINK_FAILED', `A ${type} could not be sent.`)
      // An executor that is gone has lost us too, and stops by itself.
      if (!this.#closed && !isGone(failure)) this.#options.onError(failure)
    })
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

  #newTry(task: OutgoingTask, peer: PeerId, id: Bytes, isRestored: boolean): Try {
    const tried: Try = {
      peer,
      id,
      key: uuidText(id),
      isRestored,
      accepted: false,
      over: new AbortController(),
      lease: new Lease(this.#options.clock, task.size, {
        ask: () => this.tell(peer, 'task_query', { task_id: id }),
        gone: (why) => {
          if (this.#isWaitedFor({ task, tried })) tried.lease.extend()
          else this.dismiss({ task, tried }, 'lost', lost(peer, why))
        },
      }),
    }
    this.#tries.begin(task, tried)
    return tried
  }

  /** Where no other may do the task, a peer that has it and sleeps is waited for, until the deadline. */
  #isWaitedFor({ task, tried }: Held): boolean {
    return !task.rules.failover && (tried.accepted || tried.isRestored) && this.#options.mayWake(tried.peer)
  }

  #peerGone(found: Held): void {
    this.tryEnded(found, 'lost', lost(found.tried.peer, PEER_GONE))
  }

  /** The peer's try is over, whatever it still says. */
  #leave(held: Held, success: boolean | undefined): void {
    if (!this.#tries.end(held)) return
    held.task.partials.restart()
    if (success !== true) this.#files.discard(held)
    this.#options.onTried(held.tried.peer, success)
  }

  #end(task: OutgoingTask, event: TaskEvent, error?: TaskInfo['error'], size?: number): boolean {
    if (!this.#ledger.apply(task, event, error, size)) return false
    for (const release of task.release) release()
    task.input = undefined
    task.size = size ?? 0
    return true
  }
}
