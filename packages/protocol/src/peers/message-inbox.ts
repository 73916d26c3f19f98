/** Durable messages of others on their way to listeners (SPEC §5.4): stored until they are handled, also over pages. */
import type { PeerEvents, PeerId } from '../api.ts'
import { isTsunagiError, type TsunagiError, toTsunagiError } from '../errors.ts'
import { SESSION_TYPES, type SessionPayload } from '../messages.ts'
import { readMessage } from '../session/session-messages.ts'
import type { SessionStore, StoredMessage } from '../session/store.ts'
import { decodeCbor } from '../wire/cbor.ts'
import { PeerShares } from './peer-shares.ts'

export interface MessageInboxOptions {
  readonly store: SessionStore | undefined
  readonly hasListener: () => boolean
  /** Fulfils when the listeners have handled the message; never rejects. */
  readonly deliver: (message: PeerEvents['message']) => Promise<void>
  /** Fulfils when what the result says is kept. Needs no listener. Rejects where it cannot be taken on this page. */
  readonly takeResult: (from: PeerId, result: SessionPayload<'task_result'>) => Promise<void>
  /** There is room again. */
  readonly onRoom: () => void
  readonly onError: (error: TsunagiError) => void
}

export class MessageInbox {
  readonly #options: MessageInboxOptions
  readonly #shares = new PeerShares()
  #waiting: StoredMessage[] = []
  #flushDue = false

  constructor(options: MessageInboxOptions) {
    this.#options = options
  }

  /** Whether more of that peer may be taken before some is handled. */
  hasRoom(peer: PeerId): boolean {
    return this.#shares.hasRoom(peer)
  }

  add(message: StoredMessage): void {
    this.#shares.add(message.peer, message.payload.length)
    this.#waiting.push(message)
    this.flush()
  }

  /** Delivers what waits, in its order, where there is a listener; soon, so that a page can add all of its listeners first. */
  flush(): void {
    if (this.#flushDue) return
    this.#flushDue = true
    void Promise.resolve().then(() => {
      this.#flushDue = false
      const hasListener = this.#options.hasListener()
      const isDue = ({ type }: StoredMessage) => hasListener || type === SESSION_TYPES.task_result
      const due = this.#waiting.filter(isDue)
      this.#waiting = this.#waiting.filter((message) => !isDue(message))
      for (const message of due) void this.#handle(message)
    })
  }

  /** Rejects with INVALID_FORMAT where the peer sent what cannot be read. */
  async #deliver({ type, raw, payload, peer, id }: StoredMessage): Promise<void> {
    if (type === SESSION_TYPES.task_result) {
      const read = readMessage('task_result', raw, payload)
      if (read.type === 'task_result') await this.#options.takeResult(peer, read.payload)
      return
    }
    const data: unknown = raw ? payload : decodeCbor(payload)
    await this.#options.deliver({ from: peer, data, id })
  }

  /** Never rejects. */
  async #handle(message: StoredMessage): Promise<void> {
    const { store, onError, onRoom } = this.#options
    try {
      if (await this.#isHandled(message)) await store?.handled(message)
    } catch (cause) {
      onError(toTsunagiError(cause, 'STORAGE_FAILED', 'A handled message could not be removed; it may come again.'))
    }
    const hadRoom = this.hasRoom(message.peer)
    this.#shares.remove(message.peer, message.payload.length)
    if (!hadRoom) onRoom()
  }

  /** False where the next page is to handle it, since this one cannot load what does. Never rejects. */
  async #isHandled(message: StoredMessage): Promise<boolean> {
    try {
      await this.#deliver(message)
      return true
    } catch (cause) {
      if (isTsunagiError(cause, 'LOAD_FAILED') || isTsunagiError(cause, 'PEER_CLOSED')) return false
      this.#options.onError(toTsunagiError(cause, 'INVALID_FORMAT', 'A durable message of a peer could not be read.'))
      return true
    }
  }
}
