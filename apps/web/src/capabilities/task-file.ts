/**
 * Files that are too large for a task travel beside it: the task names a token, and when its handler is at work, its caller
 * offers the file under that name and the type TASK_FILE. So no byte moves before the executor has agreed to the task.
 */
import type { IncomingTransfer, Peer, PeerId, Task, TaskContext, Transfer, TransferOffer } from '@tsunagi/protocol'

export const TASK_FILE = 'application/x-tsunagi-task-file'
/** A caller whose offer does not come within this time holds a place for nothing. */
const OFFER_PATIENCE = 30_000

/** A file on its way to whoever has the task. */
export interface TaskFile {
  readonly token: string
  readonly file: Blob
}

/** Sends the file to each peer that begins the task, until the task ends. */
export function sendWith(peer: Peer, task: Task, { token, file }: TaskFile, onError: (error: unknown) => void): void {
  const sent = new Map<string, Transfer>()
  const stop = peer.on('task', ({ id, direction, state, peer: executor, tries, endedAt }) => {
    if (id !== task.id || direction !== 'out') return
    if (endedAt !== undefined) {
      stop()
      for (const transfer of sent.values()) transfer.cancel()
      return
    }
    const key = `${tries} ${executor}`
    if (state !== 'working' || sent.has(key)) return
    for (const transfer of sent.values()) transfer.cancel()
    const transfer = peer.transfer(executor, file, { name: token, type: TASK_FILE })
    sent.set(key, transfer)
    transfer.done.catch((error) => {
      // The task is told by its executor that its file did not come; why, only this side knows.
      if (task.info.endedAt === undefined && sent.get(key) === transfer && sent.size === 1) onError(error)
    })
  })
}

interface Expected {
  readonly from: PeerId
  take(offer: TransferOffer): IncomingTransfer
  given(transfer: IncomingTransfer): void
}

/** The files that tasks of others wait for here. */
export class TaskFiles {
  readonly #expected = new Map<string, Expected>()

  /** True where a task waits for what is offered, which then is accepted. */
  take(offer: TransferOffer): boolean {
    const expected = this.#expected.get(`${offer.from} ${offer.name}`)
    if (expected === undefined) return false
    this.#expected.delete(`${offer.from} ${offer.name}`)
    expected.given(expected.take(offer))
    return true
  }

  /**
   * What the caller sends beside its task. The file is gone when `use` has ended.
   * @param size bytes that were announced; more fail the transfer
   * @param share of the task's progress that this takes, 0 to 1
   * @throws Error where it does not come
   */
  async receive<T>(
    { caller, signal, progress }: TaskContext,
    token: string,
    size: number,
    share: number,
    use: (file: Blob) => Promise<T>,
  ): Promise<T> {
    const key = `${caller} ${token}`
    if (this.#expected.has(key)) throw new Error('Another task waits for that file already.')
    let transfer: IncomingTransfer | undefined
    try {
      transfer = await new Promise<IncomingTransfer>((given, reject) => {
        const patience = setTimeout(() => reject(new Error('The file of the task was not sent.')), OFFER_PATIENCE)
        signal.addEventListener('abort', () => reject(signal.reason), { once: true })
        this.#expected.set(key, {
          from: caller,
          take: (offer) =>
            offer.accept(undefined, {
              maxBytes: size,
              signal,
              onProgress: ({ bytes }) => progress((share * bytes) / Math.max(1, size), 'receiving the file'),
            }),
          given: (transfer) => {
            clearTimeout(patience)
            given(transfer)
          },
        })
      })
      return await use(await transfer.blob())
    } finally {
      this.#expected.delete(key)
      transfer?.discard()
    }
  }
}
