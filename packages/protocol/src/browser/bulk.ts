/** What a browser gives transfers (SPEC §9): Blobs and streams to read, files in its private file system, notes in IndexedDB. */
import * as v from 'valibot'
import type { ChunkSource, StoredTransfer, TransferFile, TransferHost } from '../bulk/ports.ts'
import { notASource } from '../bulk/source.ts'
import { type TsunagiError, toTsunagiError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { Bytes } from '../wire/bytes.ts'
import { type Database, storageFailure } from './database.ts'
import type { FileAction, FileAnswer, FileRequest } from './file.worker.ts'

/** The folder of all received files, in the root of the private file system. */
const FOLDER = 'tsunagi-transfers'

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0))
const storedTransfer = v.object({
  direction: v.picklist(['in', 'out']),
  id: v.pipe(v.string(), v.uuid()),
  peer: v.pipe(v.string(), v.startsWith('did:key:')),
  name: v.string(),
  type: v.string(),
  size: v.union([count, v.undefined()]),
  chunkSize: v.pipe(count, v.minValue(1)),
  // Older versions of this library stored none.
  ofTask: v.optional(v.boolean(), false),
  maxBytes: count,
  createdAt: count,
  chunks: count,
  bytes: count,
  digest: v.custom<Bytes>((value) => value instanceof Uint8Array && value.length === 32),
  endedAt: v.union([count, v.undefined()]),
})

export interface BrowserTransferHost extends TransferHost {
  /** Ends its worker. */
  close(): void
}

/**
 * @param database undefined where nothing is kept over pages: then received bytes are Blobs, which the browser holds
 * @param slot held by this tab: see takeIdentitySlot()
 * @param onProblem told where files of a page before this one could not be looked over
 */
export async function createTransferHost(
  database: Database | undefined,
  slot: number,
  onProblem: (error: TsunagiError) => void,
): Promise<BrowserTransferHost> {
  const folder = database && (await openFolder())
  if (database === undefined || folder === undefined) return memoryHost()
  const worker = new FileWorker()
  const nameOf = ({ peer, id }: StoredTransfer) => `${slot} ${peer.slice('did:key:'.length)} ${id}`
  const keyOf = ({ direction, peer, id }: StoredTransfer) => [slot, direction, peer, id]

  async function load(): Promise<StoredTransfer[]> {
    const found = await database?.getAll('transfers', IDBKeyRange.bound([slot], [slot, []]))
    const notes = (found ?? []).flatMap((value) => {
      const result = v.safeParse(storedTransfer, value)
      return result.success ? [result.output] : []
    })
    const oldest = Date.now() - LIMITS.receivedFileLife
    const current = notes.filter(({ createdAt, endedAt }) => (endedAt ?? createdAt) >= oldest)
    await Promise.all(
      notes.filter((note) => !current.includes(note)).map((note) => database?.delete('transfers', keyOf(note))),
    )
    await removeOthers(new Set(current.map(nameOf)))
    return current
  }

  async function removeOthers(known: ReadonlySet<string>): Promise<void> {
    if (folder === undefined) return
    for await (const name of (folder as unknown as { keys(): AsyncIterable<string> }).keys()) {
      if (!name.startsWith(`${slot} `) || known.has(name)) continue
      // One that cannot be removed now is tried again by the next page.
      folder.removeEntry(name).catch((cause: unknown) => onProblem(storageFailure(cause)))
    }
  }

  async function open(name: string, size: number): Promise<void> {
    const handle = await folder?.getFileHandle(name, { create: true }).catch(refuse)
    if (handle !== undefined) await worker.ask(name, { do: 'open', handle, size })
  }

  async function remove(transfer: StoredTransfer): Promise<void> {
    await database?.delete('transfers', keyOf(transfer)).catch(refuse)
    if (transfer.direction === 'out') return
    await worker.ask(nameOf(transfer), { do: 'close' })
    await folder?.removeEntry(nameOf(transfer)).catch(ignoreMissing)
  }

  /** One after the other: a file that is about to be opened cannot be removed. */
  let last: Promise<unknown> = Promise.resolve()
  function inTurn(action: () => Promise<void>): Promise<void> {
    const acted = last.then(action)
    last = acted.catch(() => undefined)
    return acted
  }

  return {
    source: openSource,
    load: () => load().catch(refuse),
    async store(transfer) {
      await database.put('transfers', { slot, ...transfer }).catch(refuse)
    },
    remove: (transfer) => inTurn(() => remove(transfer)),
    async open(transfer) {
      const name = nameOf(transfer)
      if (transfer.endedAt === undefined) await inTurn(() => open(name, transfer.bytes))
      return {
        // A copy, which is handed over: of a view the whole buffer would be copied.
        write: (bytes) => worker.ask(name, { do: 'write', bytes: bytes.slice() }),
        flush: () => worker.ask(name, { do: 'flush' }),
        close: () => worker.ask(name, { do: 'close' }),
        async blob(type) {
          const file = await folder.getFileHandle(name).then((handle) => handle.getFile(), refuse)
          return file.slice(0, file.size, type)
        },
      }
    },
    close: () => worker.close(),
  }
}

async function openFolder(): Promise<FileSystemDirectoryHandle | undefined> {
  try {
    return await (await navigator.storage.getDirectory()).getDirectoryHandle(FOLDER, { create: true })
  } catch {
    // Older browsers and private windows have none.
    return undefined
  }
}

/** The worker that writes; started with the first file. */
class FileWorker {
  readonly #waiting = new Map<number, { fulfil(): void; reject(error: TsunagiError): void }>()
  #worker: Worker | undefined
  #lastId = 0

  /** Rejects with STORAGE_FAILED. Requests take effect in their order. */
  ask(file: string, action: FileAction): Promise<void> {
    this.#worker ??= this.#start()
    const id = ++this.#lastId
    this.#worker.postMessage(
      { id, file, action } satisfies FileRequest,
      action.do === 'write' ? [action.bytes.buffer] : [],
    )
    return new Promise((fulfil, reject) => this.#waiting.set(id, { fulfil, reject }))
  }

  close(): void {
    this.#worker?.terminate()
    this.#failAll('The peer was closed.')
  }

  #start(): Worker {
    const worker = new Worker(new URL('./file.worker.js', import.meta.url), { type: 'module' })
    worker.onmessage = ({ data: { id, error } }: MessageEvent<FileAnswer>) => {
      const waiting = this.#waiting.get(id)
      this.#waiting.delete(id)
      if (error === undefined) waiting?.fulfil()
      else waiting?.reject(failed(error))
    }
    worker.onerror = ({ message }) => {
      this.#worker = undefined
      this.#failAll(message)
    }
    return worker
  }

  #failAll(reason: string): void {
    for (const { reject } of this.#waiting.values()) reject(failed(reason))
    this.#waiting.clear()
  }
}

/** A browser that keeps nothing for this page: each chunk becomes a Blob, which is not in the page's heap. */
function memoryHost(): BrowserTransferHost {
  const files = new Map<string, Blob[]>()
  const keyOf = ({ peer, id }: StoredTransfer) => `${peer} ${id}`
  return {
    source: openSource,
    load: async () => [],
    store: async () => undefined,
    async remove(transfer) {
      files.delete(keyOf(transfer))
    },
    async open(transfer): Promise<TransferFile> {
      const parts = files.get(keyOf(transfer)) ?? []
      files.set(keyOf(transfer), parts)
      return {
        async write(bytes) {
          parts.push(new Blob([bytes]))
        },
        flush: async () => undefined,
        close: async () => undefined,
        blob: async (type) => new Blob(parts, { type }),
      }
    },
    close: () => files.clear(),
  }
}

/** @throws TsunagiError INVALID_ARGUMENT */
function openSource(given: unknown): ChunkSource {
  if (given instanceof Blob) return blobSource(given)
  if (given instanceof ReadableStream && !given.locked) return streamSource(given)
  throw notASource()
}

function blobSource(blob: Blob): ChunkSource {
  let at = 0
  return {
    size: blob.size,
    name: blob instanceof File ? blob.name : '',
    type: blob.type,
    async read(length) {
      const part = blob.slice(at, at + length)
      at += part.size
      return new Uint8Array(await part.arrayBuffer())
    },
    close: () => undefined,
  }
}

function streamSource(stream: ReadableStream<Uint8Array>): ChunkSource {
  const reader = stream.getReader()
  let rest: Uint8Array = new Uint8Array()
  return {
    size: undefined,
    name: '',
    type: '',
    async read(length) {
      const bytes = new Uint8Array(length)
      let filled = 0
      while (filled < length) {
        if (rest.length === 0) {
          const { done, value } = await reader.read()
          if (done) break
          if (!(value instanceof Uint8Array)) throw notASource()
          rest = value
        }
        const part = rest.subarray(0, length - filled)
        bytes.set(part, filled)
        filled += part.length
        rest = rest.subarray(part.length)
      }
      return bytes.subarray(0, filled)
    },
    close() {
      // A stream that has failed says so here as well.
      reader.cancel().catch(() => undefined)
    },
  }
}

function refuse(cause: unknown): never {
  throw storageFailure(cause)
}

function ignoreMissing(cause: unknown): void {
  if (!(cause instanceof DOMException && cause.name === 'NotFoundError')) refuse(cause)
}

function failed(reason: string): TsunagiError {
  return toTsunagiError(
    new Error(reason),
    'STORAGE_FAILED',
    'The browser could not keep what was received: free some disk space, then have it sent again.',
  )
}
