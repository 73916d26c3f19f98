/** What a host gives transfers (SPEC §9): sources to read, files to keep what is received, and notes that outlive a page. */
import type { PeerId } from '../api.ts'
import type { Bytes } from '../wire/bytes.ts'

/** Read once, from its begin to its end. */
export interface ChunkSource {
  /** Bytes; undefined where only its end will tell. */
  readonly size: number | undefined
  /** What it is called where nobody says otherwise. */
  readonly name: string
  /** Its media type, or ''. */
  readonly type: string
  /** The next `length` bytes; fewer only at the end. Rejects where it cannot be read (a file that changed). */
  read(length: number): Promise<Bytes>
  /** Nothing more is read. Must not throw. */
  close(): void
}

/** A transfer as the next page finds it. */
export interface StoredTransfer {
  readonly direction: 'out' | 'in'
  /** UUIDv4 text. */
  readonly id: string
  readonly peer: PeerId
  readonly name: string
  readonly type: string
  readonly size: number | undefined
  readonly chunkSize: number
  /** It is a Blob of a task (SPEC R92). */
  readonly ofTask: boolean
  readonly maxBytes: number
  /** Milliseconds since 1970. */
  readonly createdAt: number
  /** Chunks kept, their bytes and their digest; what the file has beyond them was not checked. */
  readonly chunks: number
  readonly bytes: number
  readonly digest: Bytes
  /** Milliseconds since 1970; undefined where it has not been completed. */
  readonly endedAt: number | undefined
}

/** A file of the host's for what one transfer brings. Every method rejects with STORAGE_FAILED. */
export interface TransferFile {
  /** Appends. */
  write(bytes: Bytes): Promise<void>
  /** What was written so far outlives the page. */
  flush(): Promise<void>
  /** Nothing more is written. */
  close(): Promise<void>
  /** All of it, once it is closed. */
  blob(type: string): Promise<Blob>
}

/** Every promise rejects with STORAGE_FAILED where the host cannot keep its word. Calls for one transfer take effect in their order. */
export interface TransferHost {
  /** @throws TsunagiError INVALID_ARGUMENT where it is nothing to read from */
  source(given: unknown): ChunkSource
  /** Removes files that no note names, too. */
  load(): Promise<readonly StoredTransfer[]>
  store(transfer: StoredTransfer): Promise<void>
  /** Removes the note, and the file where there is one, also an open one. */
  remove(transfer: StoredTransfer): Promise<void>
  /** The file of a transfer, cut to the bytes of its note, or closed where that is completed. Rejects also where it has fewer. */
  open(transfer: StoredTransfer): Promise<TransferFile>
}

/** Where a host keeps transfers, before any is needed. */
export interface TransferPlace {
  /** Whether pages before this one left none. Rejects with STORAGE_FAILED. */
  isEmpty(): Promise<boolean>
  /** Rejects where what it needs cannot be loaded. */
  open(): Promise<TransferHost>
}
