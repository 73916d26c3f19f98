/** Moves the Blobs of tasks as transfers (SPEC R92): sends few at once, and finds those that came. */
import type { AbortSignal, IncomingTransfer, PeerId, Transfer, TransferOptions } from '../api.ts'
import { type ErrorCode, isTsunagiError, TsunagiError } from '../errors.ts'
import { LIMITS, PROTOCOL } from '../limits.ts'
import type { Clock } from '../ports.ts'
import { uuidText } from '../wire/uuid.ts'
import { detachBlobs } from './blobs.ts'
import { type FileSide, transferIdOf } from './files.ts'

/** What the transfers of a peer do for its tasks. */
export interface TransferPort {
  /** Whether this host has a place for files; without one a task carries no Blobs. */
  readonly keepsFiles: boolean
  /** Goes on with one of that id that a page before this one began. @throws TsunagiError QUEUE_FULL, INVALID_ARGUMENT, PEER_CLOSED */
  offer(id: string, peer: PeerId, source: Blob, options: TransferOptions): Transfer
  /** Under way or completed. */
  received(peer: PeerId, id: string): IncomingTransfer | undefined
}

export class TaskFileTransfers {
  readonly #clock: Clock
  readonly #port: TransferPort
  readonly #turns = new Map<PeerId, Turns>()

  constructor(clock: Clock, port: TransferPort) {
    this.#clock = clock
    this.#port = port
  }

  /** @throws TsunagiError with `code` where it holds Blobs that this host cannot send, or too many, or cannot be read */
  detach(value: unknown, what: string, code: ErrorCode): ReturnType<typeof detachBlobs> {
    let found: ReturnType<typeof detachBlobs>
    try {
      found = detachBlobs(value)
    } catch (cause) {
      throw new TsunagiError(code, `${what} cannot be read; give plain values.`, { cause })
    }
    const { length } = found.blobs
    if (length === 0 || (this.#port.keepsFiles && length <= PROTOCOL.maxTaskFiles)) return found
    const most = this.#port.keepsFiles ? PROTOCOL.maxTaskFiles : 0
    throw new TsunagiError(code, `${what} holds ${length} Blobs; here a task carries at most ${most} each way.`)
  }

  /** Fulfils when `peer` has it and its digest is right. Rejects as Transfer.done, and with what `signal` aborts with. */
  async send(peer: PeerId, taskId: Uint8Array, side: FileSide, index: number, blob: Blob, signal: AbortSignal) {
    const id = uuidText(transferIdOf(taskId, side, index))
    const turns = this.#turns.get(peer) ?? new Turns(LIMITS.taskTransfersPerPeer)
    this.#turns.set(peer, turns)
    await turns.take()
    try {
      while (!(await this.#isSent(id, peer, blob, signal))) await this.#wait()
    } finally {
      if (turns.giveBack()) this.#turns.delete(peer)
    }
  }

  /** False where there was no room for it, here or there. */
  async #isSent(id: string, peer: PeerId, blob: Blob, signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) throw signal.reason
    try {
      await this.#port.offer(id, peer, blob, { signal }).done
      return true
    } catch (cause) {
      if (isTsunagiError(cause, 'QUEUE_FULL')) return false
      throw cause
    }
  }

  #wait(): Promise<void> {
    return new Promise((again) => this.#clock.after(LIMITS.taskTransferRetry, again))
  }

  /** One that was received, by the id of its transfer. */
  find(peer: PeerId, id: string): IncomingTransfer | undefined {
    return this.#port.received(peer, id)
  }

  /** All that was received of a task, by index. */
  received(peer: PeerId, taskId: Uint8Array, side: FileSide): readonly (IncomingTransfer | undefined)[] {
    return Array.from({ length: PROTOCOL.maxTaskFiles }, (_, n) =>
      this.#port.received(peer, uuidText(transferIdOf(taskId, side, n))),
    )
  }

  /** The first `count` files; undefined where one has not come yet, or not whole. */
  async blobs(peer: PeerId, taskId: Uint8Array, side: FileSide, count: number): Promise<readonly Blob[] | undefined> {
    const all = this.received(peer, taskId, side).slice(0, count)
    const whole = all.filter((transfer) => transfer?.info.state === 'completed')
    if (whole.length < count) return undefined
    return Promise.all(whole.map((transfer) => transfer?.blob() ?? Promise.reject(new Error('unreachable'))))
  }

  /** Removes what was received, cancels what is coming. */
  discard(peer: PeerId, taskId: Uint8Array, side: FileSide): void {
    for (const transfer of this.received(peer, taskId, side)) transfer?.discard()
  }
}

/** So many at once, the others in their order. */
class Turns {
  #left: number
  readonly #waiting: (() => void)[] = []
  readonly #most: number

  constructor(most: number) {
    this.#most = most
    this.#left = most
  }

  take(): Promise<void> {
    if (this.#left > 0) {
      this.#left--
      return Promise.resolve()
    }
    return new Promise((turn) => this.#waiting.push(turn))
  }

  /** True where nobody has or waits for one any more. */
  giveBack(): boolean {
    const next = this.#waiting.shift()
    if (next === undefined) this.#left++
    else next()
    return this.#left === this.#most
  }
}
