/** A host of transfers that keeps what comes in memory, as Blobs. */
import type { StoredTransfer, TransferFile, TransferHost } from './ports.ts'
import { notASource } from './source.ts'

export class MemoryTransferHost implements TransferHost {
  /** Files there are, by transfer id. */
  readonly files = new Map<string, Uint8Array<ArrayBuffer>[]>()

  source(given: unknown) {
    if (!(given instanceof Blob)) throw notASource()
    let at = 0
    return {
      size: given.size,
      name: given instanceof File ? given.name : '',
      type: given.type,
      async read(length: number) {
        const part = given.slice(at, at + length)
        at += part.size
        return new Uint8Array(await part.arrayBuffer())
      },
      close: () => undefined,
    }
  }

  async load() {
    return []
  }

  async store() {
    // There is no next page.
  }

  async remove({ id }: StoredTransfer) {
    this.files.delete(id)
  }

  async open({ id }: StoredTransfer): Promise<TransferFile> {
    const parts = this.files.get(id) ?? []
    this.files.set(id, parts)
    return {
      async write(bytes) {
        parts.push(bytes.slice())
      },
      flush: async () => undefined,
      close: async () => undefined,
      blob: async (type) => new Blob(parts, { type }),
    }
  }
}
