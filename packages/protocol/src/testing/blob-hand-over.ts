/** Blobs of tasks that go from one side of a trial to the other as they are. */
import type { IncomingTransfer, PeerId, Transfer, TransferInfo, TransferOffer } from '../api.ts'
import { TsunagiError } from '../errors.ts'
import type { Clock } from '../ports.ts'
import { TaskFileTransfers } from '../tasks/file-transfers.ts'

export class BlobHandOver {
  /** By the side that sent them, and the id. */
  readonly #received = new Map<string, IncomingTransfer>()

  /** @param offerTo what the other side does with an offer */
  side(clock: Clock, self: PeerId, offerTo: (offer: TransferOffer) => Promise<void> | undefined): TaskFileTransfers {
    return new TaskFileTransfers(clock, {
      keepsFiles: true,
      offer: (id, peer, blob) => ({
        id,
        info: infoOf(id, peer, 'out', blob),
        done: this.#handOver(id, self, blob, clock, offerTo),
        cancel: () => undefined,
      }),
      received: (peer, id) => this.#received.get(`${peer} ${id}`),
    })
  }

  async #handOver(
    id: string,
    from: PeerId,
    blob: Blob,
    clock: Clock,
    offerTo: (offer: TransferOffer) => Promise<void> | undefined,
  ): Promise<void> {
    // The message of the task goes first.
    await new Promise<void>((later) => clock.after(0, later))
    const { name, type, size } = infoOf(id, from, 'in', blob)
    const key = `${from} ${id}`
    await offerTo({
      id,
      from,
      name,
      type,
      size,
      accept: () => {
        const transfer: IncomingTransfer = {
          id,
          info: infoOf(id, from, 'in', blob),
          done: Promise.resolve(),
          blob: async () => blob,
          discard: () => void this.#received.delete(key),
          cancel: () => undefined,
        }
        this.#received.set(key, transfer)
        return transfer
      },
      reject: () => undefined,
    })
    if (!this.#received.has(key)) throw new TsunagiError('TRANSFER_REJECTED', 'The other side did not take the Blob.')
  }
}

function infoOf(id: string, peer: PeerId, direction: Transfer['info']['direction'], blob: Blob): TransferInfo {
  return {
    id,
    direction,
    peer,
    name: blob instanceof File ? blob.name : '',
    type: blob.type,
    size: blob.size,
    ofTask: true,
    state: 'completed',
    bytes: blob.size,
    createdAt: 0,
    endedAt: 0,
    error: undefined,
  }
}
