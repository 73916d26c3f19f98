/** Durable messages of others on their way to listeners (SPEC §5.4): stored until they are handled, also over pages. */
import type { PeerEvents, PeerId } from '../api.ts'
import { type TsunagiError, toTsunagiError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import { SESSION_TYPES, type SessionPayload } from '../messages.ts'
import { readMessage } from '../session/session-messages.ts'
import type { SessionStore, StoredMessage } from '../session/store.ts'
import { decodeCbor } from '../wire/cbor.ts'

export interface MessageInboxOptions {
  readonly store: SessionStore | undefined
  readonly hasListener: () => boolean
  /** Fulfils when the listeners have handled the message; never rejects. */
  readonly deliver: (message: PeerEvents['message']) => Promise<void>
  /** Fulfils when what the result says is kept; never rejects. Needs no listener. */
  readonly takeResult: (from: PeerId, result: SessionPayload<'task_result'>) => Promise<void>
  /** There is room again. */
  readonly onRoom: () => void
  readonly onError: (error: TsunagiError) => void
}

const EMPTY = { messages: 0, bytes: 0 }

interface Fill {
  messages: number
  bytes: number
}

export class MessageInbox {
  readonly #options: MessageInboxOptions
  readonly #all: Fill = { messages: 0, bytes: 0 }
  readonly #ofPeers = new Map<PeerId, Fill>()
  #waiting: StoredMessage[] = []
  #flushDue = false

  constructor(options: MessageInboxOptions) {
    this.#options = options
  }

  /** Whether more of that peer may be taken before some is handled. */
  hasRoom(peer: PeerId): boolean {
    const { messages, bytes } = this.#ofPeers.get(peer) ?? EMPTY
    return (
      this.#all.messages < LIMITS.maxInboxMessages &&
      this.#all.bytes < LIMITS.maxInboxBytes &&
      messages < LIMITS.maxInboxMessagesPerPeer &&
      bytes < LIMITS.maxInboxBytesPerPeer
    )
  }

  add(message: StoredMessage): void {
    this.#count(message, 1)
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
      await this.#deliver(message)
    } catch (cause) {
      onError(toTsunagiError(cause, 'INVALID_FORMAT', 'A durable message of a peer could not be read.'))
    }
    try {
      await store?.handled(message)
    } catch (cause) {
      onError(toTsunagiError(cause, 'STORAGE_FAILED', 'A handled message could not be removed; it may come again.'))
    }
    const hadRoom = this.hasRoom(message.peer)
    this.#count(message, -1)
    if (!hadRoom) onRoom()
  }

  #count({ peer, payload }: StoredMessage, sign: 1 | -1): void {
    const ofPeer = this.#ofPeers.get(peer) ?? { messages: 0, bytes: 0 }
    for (const fill of [this.#all, ofPeer]) {
      fill.messages += sign
      fill.bytes += sign * payload.length
    }
    if (ofPeer.messages > 0) this.#ofPeers.set(peer, ofPeer)
    else this.#ofPeers.delete(peer)
  }
}
