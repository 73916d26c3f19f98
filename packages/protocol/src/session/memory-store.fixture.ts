/** A session store in memory whose writes a test can fail, delay, or end with the page. */
import type { PeerId } from '../api.ts'
import { toTsunagiError } from '../errors.ts'
import type { PinnedPeer, SessionStore, StoredMessage, StoredSession, StoredState } from './store.ts'

export type Write = Exclude<keyof SessionStore, 'load'>

interface Kept {
  readonly sessions: Map<PeerId, StoredSession>
  readonly outbox: Map<string, StoredMessage>
  /** When its session began keeps a message before those of the sessions after it. */
  readonly inbox: Map<string, StoredMessage & { readonly sessionAt: number }>
  readonly pinned: Map<PeerId, PinnedPeer>
}

export class MemoryStore implements SessionStore {
  /** Writes that took effect. */
  writes = 0
  /**
   * Called before write `number`, counted from 1, takes effect. A promise delays it, and all calls after it; a throw fails it;
   * where it calls crash(), the page ends just before that write.
   */
  beforeWrite: (number: number, write: Write) => void | Promise<void> = () => undefined
  #kept: Kept
  #calls = 0
  #last: Promise<void> = Promise.resolve()
  #crashed = false

  constructor(kept: Kept = { sessions: new Map(), outbox: new Map(), inbox: new Map(), pinned: new Map() }) {
    this.#kept = kept
  }

  /** The page is gone: no call under way or to come takes effect or settles. @returns what the next page finds */
  crash(): MemoryStore {
    this.#crashed = true
    return new MemoryStore(structuredClone(this.#kept))
  }

  async load(): Promise<StoredState> {
    await this.#inTurn(async () => undefined)
    const { sessions, outbox, inbox, pinned } = structuredClone(this.#kept)
    return {
      sessions: [...sessions.values()],
      outbox: [...outbox.values()].sort((a, b) => byText(a.peer, b.peer) || a.number - b.number),
      inbox: [...inbox.values()]
        .sort((a, b) => byText(a.peer, b.peer) || a.sessionAt - b.sessionAt || a.number - b.number)
        .map(({ sessionAt: _, ...message }) => message),
      pinned: [...pinned.values()],
    }
  }

  accept(session: StoredSession, messages: readonly StoredMessage[]): Promise<void> {
    return this.#write('accept', { session, messages }, ({ sessions, outbox }, { session, messages }) => {
      sessions.set(session.peer, session)
      for (const message of messages) outbox.set(`${message.peer} ${message.number}`, alone(message))
    })
  }

  delivered(peer: PeerId, number: number): Promise<void> {
    return this.#write('delivered', { peer, number }, ({ outbox }, below) => {
      for (const [key, message] of outbox) {
        if (message.peer === below.peer && message.number < below.number) outbox.delete(key)
      }
    })
  }

  take(session: StoredSession, messages: readonly StoredMessage[]): Promise<void> {
    return this.#write('take', { session, messages }, ({ sessions, inbox }, { session, messages }) => {
      sessions.set(session.peer, session)
      for (const message of messages) {
        inbox.set(`${message.peer} ${message.id}`, { ...alone(message), sessionAt: session.createdAt })
      }
    })
  }

  handled(message: StoredMessage): Promise<void> {
    return this.#write('handled', message, ({ inbox }, { peer, id }) => {
      inbox.delete(`${peer} ${id}`)
    })
  }

  unpin(peer: PeerId): Promise<void> {
    return this.#write('unpin', peer, (kept, peer) => {
      kept.pinned.delete(peer)
    })
  }

  pin(pinned: PinnedPeer): Promise<void> {
    return this.#write('pin', pinned, (kept, pinned) => {
      kept.pinned.set(pinned.peer, pinned)
    })
  }

  update(session: StoredSession): Promise<void> {
    return this.#write('update', session, ({ sessions }, session) => {
      sessions.set(session.peer, session)
    })
  }

  end(peer: PeerId): Promise<void> {
    return this.#write('end', peer, ({ sessions, outbox }, peer) => {
      sessions.delete(peer)
      for (const [key, message] of outbox) if (message.peer === peer) outbox.delete(key)
    })
  }

  /** @param given is copied at once: what its owner does to it later is not stored */
  async #write<T>(write: Write, given: T, change: (kept: Kept, given: T) => void): Promise<void> {
    const number = ++this.#calls
    try {
      const copy = structuredClone(given)
      await this.#inTurn(async () => {
        await this.beforeWrite(number, write)
        if (this.#crashed) return
        change(this.#kept, copy)
        this.writes++
      })
    } catch (cause) {
      throw toTsunagiError(cause, 'STORAGE_FAILED', 'The store failed, as the test wants it.')
    }
  }

  async #inTurn(action: () => Promise<void>): Promise<void> {
    const done = this.#last.then(action)
    // One that fails holds no other up.
    this.#last = done.catch(() => undefined)
    try {
      await done
    } finally {
      if (this.#crashed) await new Promise(() => undefined)
    }
  }
}

/** A clone of a view has all of the buffer that it is a part of. */
function alone(message: StoredMessage): StoredMessage {
  return { ...message, payload: message.payload.slice() }
}

function byText(a: string, b: string): number {
  return a < b ? -1 : Number(a > b)
}
