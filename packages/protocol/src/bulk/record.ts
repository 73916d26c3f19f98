/** What both ends of a transfer have: its snapshot, how it ends, and how a message of it goes out. */
import type { AbortSignal, TransferInfo, TransferState } from '../api.ts'
import { isTsunagiError, TsunagiError, toTsunagiError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { SessionPayload } from '../messages.ts'
import type { Clock, CryptoProvider } from '../ports.ts'
import { shortened } from '../tasks/payload.ts'
import type { Bytes } from '../wire/bytes.ts'
import { uuidBytes } from '../wire/uuid.ts'
import type { StoredTransfer, TransferHost } from './ports.ts'
import { isEnded, TRANSFER_STATES, type TransferEvent } from './states.ts'

export type TransferMessage = 'chunk_init' | 'chunk' | 'chunk_ack' | 'chunk_resend' | 'chunk_complete'
export type SendTransferMessage = <T extends TransferMessage>(
  peer: string,
  type: T,
  payload: SessionPayload<T>,
) => Promise<void>

export interface RecordHost {
  readonly clock: Clock
  readonly crypto: CryptoProvider
  /** Undefined where the host keeps nothing. */
  readonly host: TransferHost | undefined
  readonly send: SendTransferMessage
  /** A new snapshot. Must not throw. */
  readonly onChange: (transfer: TransferInfo) => void
  /** Something could not be stored or removed that the transfer does not depend on. Must not throw. */
  readonly onError: (error: TsunagiError) => void
}

export interface RecordOptions {
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((transfer: TransferInfo) => void) | undefined
}

export class TransferRecord {
  readonly id: Bytes
  readonly done: Promise<void>
  readonly #host: RecordHost
  #stored: StoredTransfer
  #info: TransferInfo
  #options: RecordOptions = {}
  #fulfil: () => void = () => undefined
  #reject: (error: TsunagiError) => void = () => undefined
  readonly #retries = new Set<() => void>()
  readonly #onFail: (error: TsunagiError) => void
  readonly #abort = () => this.cancel()

  /** @param onFail it has failed: lets go of what belongs to it. Must not throw. */
  constructor(host: RecordHost, stored: StoredTransfer, state: TransferState, onFail: (error: TsunagiError) => void) {
    const { direction, peer, name, type, size, ofTask, bytes, createdAt, endedAt } = stored
    this.#host = host
    this.#stored = stored
    this.#onFail = onFail
    this.id = uuidBytes(stored.id)
    this.#info = {
      id: stored.id,
      direction,
      peer,
      name,
      type,
      size,
      ofTask,
      state,
      bytes,
      createdAt,
      endedAt,
      error: undefined,
    }
    this.done = new Promise((fulfil, reject) => {
      this.#fulfil = fulfil
      this.#reject = reject
    })
    // Nobody has to await it: the snapshots tell as well.
    this.done.catch(() => undefined)
    if (state === 'completed') this.#fulfil()
  }

  get info(): TransferInfo {
    return this.#info
  }

  get stored(): StoredTransfer {
    return this.#stored
  }

  get isEnded(): boolean {
    return isEnded(this.#info.state)
  }

  /** What its owner listens by, from now on. */
  listen(options: RecordOptions): void {
    this.#options = options
    if (options.signal?.aborted) this.cancel()
    else options.signal?.addEventListener('abort', this.#abort, { once: true })
  }

  /** The receiver has so much. */
  reached(chunks: number, bytes: number, digest: Bytes): void {
    this.#stored = { ...this.#stored, chunks, bytes, digest }
    if (bytes !== this.#info.bytes) this.#change({ bytes })
  }

  accept(maxBytes = this.#stored.maxBytes): void {
    this.#stored = { ...this.#stored, maxBytes }
    this.#move('accept')
  }

  attach(): void {
    this.#move('attach')
  }

  complete(): void {
    const endedAt = this.#host.clock.now()
    if (!this.#move('complete', { endedAt, size: this.#info.bytes })) return
    this.#stored = { ...this.#stored, endedAt, size: this.#info.bytes }
    this.#end()
    this.#fulfil()
  }

  cancel(): void {
    this.fail(new TsunagiError('TRANSFER_CANCELED', 'The transfer was cancelled.'))
  }

  /** Ends it, and tells the other side unless that knows. */
  fail(error: TsunagiError, isKnownThere = false): void {
    const endedAt = this.#host.clock.now()
    if (!this.#move('fail', { endedAt, error: { code: error.code, message: error.message } })) return
    this.#end()
    this.#reject(error)
    this.#onFail(error)
    if (isKnownThere) return
    const { code, message } = error
    // Where it cannot be told, the other side learns it when it next speaks of this transfer.
    this.#host
      .send(this.#info.peer, 'chunk_complete', {
        transfer_id: this.id,
        state: 'failed',
        code,
        message: shortened(message),
      })
      .catch(() => undefined)
  }

  /** `again` is called where there was no room for it; what was lost with a link is settled by the chunk_init on the next. */
  send<T extends TransferMessage>(type: T, payload: SessionPayload<T>, again: () => void): void {
    this.#host.send(this.#info.peer, type, payload).catch((cause: unknown) => {
      if (this.#info.state === 'failed' || isTsunagiError(cause, 'LINK_LOST')) return
      if (isTsunagiError(cause, 'QUEUE_FULL')) {
        const stop = this.#host.clock.after(LIMITS.transferRetry, () => {
          this.#retries.delete(stop)
          again()
        })
        this.#retries.add(stop)
      } else this.fail(toTsunagiError(cause, 'LINK_FAILED', 'A part of the transfer could not be sent.'), true)
    })
  }

  #end(): void {
    for (const stop of this.#retries) stop()
    this.#options.signal?.removeEventListener('abort', this.#abort)
  }

  /** False, and nothing happens, where the table says that the event has no effect. */
  #move(event: TransferEvent, change: Partial<TransferInfo> = {}): boolean {
    const state = TRANSFER_STATES[this.#info.state][event]
    if (state === this.#info.state) return false
    this.#change({ ...change, state })
    return true
  }

  #change(change: Partial<TransferInfo>): void {
    this.#info = { ...this.#info, ...change }
    try {
      this.#options.onProgress?.(this.#info)
    } catch (cause) {
      this.#host.onError(new TsunagiError('LISTENER_FAILED', 'A listener for progress threw an error.', { cause }))
    }
    this.#host.onChange(this.#info)
  }
}
