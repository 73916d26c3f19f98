/** The Blobs of our tasks (SPEC R92): those of an input are sent to the peer that has the task, those of its output taken from it. */
import type { TransferOffer } from '../api.ts'
import { TsunagiError, toTsunagiError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { TaskFilePlace } from '../messages.ts'
import { uuidBytes } from '../wire/uuid.ts'
import type { CallerArchive } from './caller-archive.ts'
import type { TaskFileTransfers } from './file-transfers.ts'
import { fileIndexOf } from './files.ts'
import { isGone } from './payload.ts'
import { NO_INPUT } from './task-errors.ts'
import type { Held } from './tries.ts'

/** Called only for the try under way. What becomes of the task of a peer that is gone, its lease says. */
export interface CallerFileEvents {
  /** The peer did not take, or did not send, what belongs to the task. */
  readonly onFaulty: (found: Held, error: TsunagiError) => void
  /** This host could not keep a file of the output, or has not kept those of the input. */
  readonly onNotKept: (found: Held, error: TsunagiError) => void
}

export class CallerFiles {
  readonly #transfers: TaskFileTransfers
  readonly #archive: CallerArchive
  readonly #events: CallerFileEvents

  constructor(transfers: TaskFileTransfers, archive: CallerArchive, events: CallerFileEvents) {
    this.#transfers = transfers
    this.#archive = archive
    this.#events = events
  }

  /** The Blobs of the input, which the peer takes when it takes the task. */
  send(found: Held): void {
    const { task, tried } = found
    for (const [n, blob] of (task.input?.blobs ?? []).entries()) {
      this.#transfers.send(tried.peer, tried.id, 'input', n, blob, tried.over.signal).catch((cause: unknown) => {
        const error = toTsunagiError(cause, 'CHUNK_ERROR', 'A file of the input could not be sent.')
        // Who has not taken the task takes no file of it, and says why by itself, or is asked: its page may have been loaded anew.
        const isNotTaken = error.code === 'TRANSFER_REJECTED' && !tried.accepted
        if (task.current === tried && !isNotTaken && !isGone(error)) this.#events.onFaulty(found, error)
      })
    }
  }

  /** Takes a Blob of an output of `held`, what the peer that offers it has of ours; undefined where it is none. Never rejects. */
  takeOffer(held: readonly Held[], offer: TransferOffer): Promise<void> | undefined {
    const id = uuidBytes(offer.id)
    const found = held.find(({ tried }) => fileIndexOf(tried.id, 'output', id) !== undefined)
    return found && this.#take(found, offer)
  }

  /** What a page before this one had not sent or taken all of, or may not have. */
  goOn(found: Held): void {
    if (found.task.files.length > 0) void this.#goOnSending(found)
    for (const transfer of this.#transfers.received(found.tried.peer, found.tried.id, 'output')) {
      transfer?.done.catch((cause: unknown) => this.#failed(found, cause))
    }
  }

  /** All Blobs of the output. Rejects with TASK_OUTPUT_INVALID where they are not what the message says, STORAGE_FAILED. */
  async ofOutput({ tried }: Held, files: readonly TaskFilePlace[]): Promise<readonly Blob[]> {
    const blobs = await this.#transfers.blobs(tried.peer, tried.id, 'output', files.length)
    if (blobs?.every(({ size }, n) => size === files[n]?.size)) return blobs
    throw new TsunagiError('TASK_OUTPUT_INVALID', 'The output names files that the peer did not send.')
  }

  /** Nobody wants the output of that try. */
  discard({ tried }: Held): void {
    this.#transfers.discard(tried.peer, tried.id, 'output')
  }

  /** Never rejects. */
  async #goOnSending(found: Held): Promise<void> {
    const { task, tried } = found
    try {
      task.input ??= await this.#archive.input(task.key, task.files.length)
      if (task.current === tried) this.send(found)
    } catch (cause) {
      if (task.current !== tried) return
      this.#events.onNotKept(found, toTsunagiError(cause, 'STORAGE_FAILED', NO_INPUT))
    }
  }

  async #take(found: Held, offer: TransferOffer): Promise<void> {
    const { tried } = found
    const received = this.#transfers.received(tried.peer, tried.id, 'output')
    const bytes = received.reduce((sum, transfer) => sum + (transfer?.info.size ?? 0), 0)
    // Rejected, and with it the output that it belongs to. A Blob has a size, and one that grew would be counted too late.
    if (offer.size === undefined || bytes > LIMITS.maxTaskFileBytes) return
    try {
      const transfer = offer.accept(undefined, { maxBytes: offer.size })
      transfer.done.catch((cause: unknown) => this.#failed(found, cause))
    } catch (cause) {
      this.#failed(found, cause)
    }
  }

  #failed(found: Held, cause: unknown): void {
    if (found.task.current !== found.tried) return
    const error = toTsunagiError(cause, 'STORAGE_FAILED', 'A file of the output could not be kept.')
    if (error.code === 'STORAGE_FAILED' || error.code === 'NOT_SUPPORTED') this.#events.onNotKept(found, error)
    else if (!isGone(error)) this.#events.onFaulty(found, error)
  }
}
