/** Files and streams (SPEC §9). */
import type { AbortSignal } from './abort-signal.ts'
import type { PeerId } from './remote-peers.ts'

/** A file, a stream, or bytes: whatever is to be moved, however large. A stream is read as it goes and is locked meanwhile. */
export type TransferSource = Uint8Array | Blob | ReadableStream<Uint8Array>

/** Where received bytes go, in their order; a writer of a WritableStream and a FileSystemWritableFileStream are such. */
export interface TransferSink {
  /** More is written when the promise is fulfilled, and more is asked of the sender. */
  write(bytes: Uint8Array<ArrayBuffer>): unknown
  /** All was written, and its digest is right. */
  close(): unknown
  /** No more will come. */
  abort(reason?: unknown): unknown
}

/** `interrupted`: the page that sent it was loaded anew, and resumeTransfer() goes on with it. */
export type TransferState = 'offered' | 'running' | 'interrupted' | 'completed' | 'failed'

/** A snapshot of one transfer, ours to another peer (`out`) or another peer's to us (`in`). */
export interface TransferInfo {
  /** UUIDv4 text, made by its sender. */
  readonly id: string
  readonly direction: 'out' | 'in'
  readonly peer: PeerId
  /** As its sender calls it: a text to show, never a path. */
  readonly name: string
  /** Media type that its sender claims, or ''. */
  readonly type: string
  /** Bytes; undefined while only the end of a stream will tell. */
  readonly size: number | undefined
  /** It is a file in the input or output of a task, and no app is asked about it. */
  readonly ofTask: boolean
  readonly state: TransferState
  /** Bytes that the receiver has kept. */
  readonly bytes: number
  /** Milliseconds since 1970. */
  readonly createdAt: number
  readonly endedAt: number | undefined
  readonly error: { readonly code: string; readonly message: string } | undefined
}

export interface Transfer {
  readonly id: string
  readonly info: TransferInfo
  /**
   * Fulfils when the receiver has all of it and its digest is right. Rejects with TRANSFER_REJECTED, TRANSFER_CANCELED,
   * CHUNK_ERROR where one side broke the rules or the source changed, STORAGE_FAILED, LINK_LOST where it was never
   * answered, and with what ended the session.
   */
  readonly done: Promise<void>
  /** Gives it up on both sides. */
  cancel(): void
}

export interface IncomingTransfer extends Transfer {
  /**
   * What was received, backed by a file where the browser has a place for it; there until discard(), also after a reload, for
   * LIMITS.receivedFileLife at most. Rejects as `done` does, and with INVALID_STATE where it went to a sink or was discarded.
   */
  blob(): Promise<Blob>
  /** Removes what was received; cancels what is still coming. */
  discard(): void
}

export interface TransferOptions {
  /** At most PROTOCOL.maxTransferName characters; default that of the File, or ''. */
  readonly name?: string
  /** Media type; default that of the Blob, or ''. */
  readonly type?: string
  readonly signal?: AbortSignal
  readonly onProgress?: (transfer: TransferInfo) => void
}

export interface AcceptOptions {
  /** Bytes; more than that fail the transfer. Default the size announced, or LIMITS.maxUnannouncedBytes. */
  readonly maxBytes?: number
  readonly signal?: AbortSignal
  readonly onProgress?: (transfer: TransferInfo) => void
}

/** Another peer would send something. It is rejected unless a listener accepts it before its promise is settled. */
export interface TransferOffer {
  readonly id: string
  readonly from: PeerId
  readonly name: string
  readonly type: string
  readonly size: number | undefined
  /**
   * Without a sink the bytes are kept for blob(), and only then does the transfer go on after a reload of this page.
   * @throws TsunagiError INVALID_STATE where it was decided already, NOT_SUPPORTED where the host keeps no files
   */
  accept(sink?: TransferSink, options?: AcceptOptions): IncomingTransfer
  reject(): void
}
