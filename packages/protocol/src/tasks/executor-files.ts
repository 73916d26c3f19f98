/** The Blobs of other peers' tasks (SPEC R92): those of an input are taken once the task is, those of its output sent back. */
import type { IncomingTransfer, TransferOffer } from '../api.ts'
import { uuidBytes } from '../wire/uuid.ts'
import { attachTo, type FoundBlob } from './blobs.ts'
import type { OfferedCapability } from './capabilities.ts'
import type { TaskFileTransfers } from './file-transfers.ts'
import { fileIndexOf } from './files.ts'
import type { IncomingTask } from './incoming-task.ts'
import { isTerminal } from './states.ts'

export interface ExecutorFileEvents {
  /** All of them are here, and in their places in the input. */
  readonly onWhole: (task: IncomingTask, offered: OfferedCapability) => void
  /** One did not come, or could not be kept. */
  readonly onFailed: (task: IncomingTask, cause: unknown) => void
}

export class ExecutorFiles {
  readonly #transfers: TaskFileTransfers
  readonly #events: ExecutorFileEvents

  constructor(transfers: TaskFileTransfers, events: ExecutorFileEvents) {
    this.#transfers = transfers
    this.#events = events
  }

  /** Takes a Blob of an input of `tasks` as soon as its task is taken; undefined where it is none. Never rejects. */
  takeOffer(tasks: readonly IncomingTask[], offer: TransferOffer): Promise<void> | undefined {
    const id = uuidBytes(offer.id)
    for (const task of tasks) {
      const index = task.info.peer === offer.from ? fileIndexOf(task.id, 'input', id) : undefined
      const file = index === undefined ? undefined : task.files[index]
      if (file !== undefined) return this.#take(task, offer, file.size)
    }
    return undefined
  }

  /** From now on the Blobs of its input are taken; those of a page before this one are here already, or coming. */
  await(task: IncomingTask): void {
    task.awaitsFiles = true
    task.openFiles()
    for (const transfer of this.#transfers.received(task.info.peer, task.id, 'input')) {
      if (transfer !== undefined && transfer.info.state !== 'offered') this.#follow(task, transfer)
    }
  }

  /** Those of the output. Fulfils when the caller has all of them. Rejects as TaskFileTransfers.send(). */
  async send(task: IncomingTask, blobs: readonly FoundBlob[]): Promise<void> {
    const { peer } = task.info
    const send = ({ blob }: FoundBlob, n: number) =>
      this.#transfers.send(peer, task.id, 'output', n, blob, task.abort.signal)
    task.isSendingFiles = true
    await Promise.all(blobs.map(send))
    task.isSendingFiles = false
  }

  /** Those of the input go. */
  discard(task: IncomingTask): void {
    if (task.files.length > 0) this.#transfers.discard(task.info.peer, task.id, 'input')
  }

  async #take(task: IncomingTask, offer: TransferOffer, size: number): Promise<void> {
    await task.filesOpen
    if (isTerminal(task.info.state) || offer.size !== size) return
    try {
      this.#follow(task, offer.accept(undefined, { maxBytes: size }))
    } catch (cause) {
      this.#events.onFailed(task, cause)
    }
  }

  #follow(task: IncomingTask, transfer: IncomingTransfer): void {
    transfer.done.then(
      () => this.#came(task),
      (cause: unknown) => this.#events.onFailed(task, cause),
    )
  }

  /** Never rejects. */
  async #came(task: IncomingTask): Promise<void> {
    const { offered, files, info } = task
    try {
      const blobs = await this.#transfers.blobs(info.peer, task.id, 'input', files.length)
      // One more that came last finds all of them.
      if (blobs === undefined || offered === undefined || !task.isHeld || isTerminal(task.info.state)) return
      task.input = attachTo(task.input, files, blobs)
      this.#events.onWhole(task, offered)
    } catch (cause) {
      this.#events.onFailed(task, cause)
    }
  }
}
