/** Durable messages of others on their way to listeners (SPEC §5.4): stored until they are handled, also over pages. */
import type { PeerEvents } from '../api.ts'
import { type TsunagiError, toTsunagiError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { SessionStore, StoredMessage } from '../session/store.ts'
import { decodeCbor } from '../wire/cbor.ts'

export interface MessageInboxOptions {
  readonly store: SessionStore | undefined
  readonly hasListener: () => boolean
  /** Fulfils when the listeners have handled the message; never rejects. */
  readonly deliver: (message: PeerEvents['message']) => Promise<void>
  /** There is room again. */
  readonly onRoom: () => void
  readonly onError: (error: TsunagiError) => void
}

export class MessageInbox {
  readonly #options: MessageInboxOptions
  readonly #waiting: StoredMessage[] = []
  #messages = 0
  #bytes = 0
  #flushDue = false

  constructor(options: MessageInboxOptions) {
    this.#options = options
  }

  /** Whether more may be taken before some is handled. */
  get hasRoom(): boolean {
    return this.#messages < LIMITS.maxInboxMessages && this.#bytes < LIMITS.maxInboxBytes
  }

  add(message: StoredMessage): void {
    this.#messages++
    this.#bytes += message.payload.length
    this.#waiting.push(message)
    this.flush()
  }

  /** Delivers what waits, in its order, where there is a listener; soon, so that a page can add all of its listeners first. */
  flush(): void {
    if (this.#flushDue) return
    this.#flushDue = true
    void Promise.resolve().then(() => {
      this.#flushDue = false
      if (!this.#options.hasListener()) return
      for (const message of this.#waiting.splice(0)) void this.#handle(message)
    })
  }

  /** Never rejects. */
  async #handle(message: StoredMessage): Promise<void> {
    const { store, deliver, onError, onRoom } = this.#options
    try {
      const data: unknown = message.raw ? message.payload : decodeCbor(message.payload)
      await deliver({ from: message.peer, data, id: message.id })
    } catch (cause) {
      onError(toTsunagiError(cause, 'INVALID_FORMAT', 'A durable message of a peer could not be read.'))
    }
    try {
      await store?.handled(message)
    } catch (cause) {
      onError(toTsunagiError(cause, 'STORAGE_FAILED', 'A handled message could not be removed; it may come again.'))
    }
    const wasFull = !this.hasRoom
    this.#messages--
    this.#bytes -= message.payload.length
    if (wasFull && this.hasRoom) onRoom()
  }
}
