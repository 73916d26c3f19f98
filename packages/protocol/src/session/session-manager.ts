/** The sessions of a peer (SPEC §5): one with each other peer, kept over pages, ended when their time is over. */
import type { PeerId } from '../api.ts'
import { type TsunagiError, toTsunagiError } from '../errors.ts'
import { peerIdOf, publicKeyOf } from '../identity/peer-id.ts'
import { LIMITS } from '../limits.ts'
import type { Clock } from '../ports.ts'
import type { Bytes } from '../wire/bytes.ts'
import type { KeptSession, SessionHost } from './host.ts'
import { Session } from './session.ts'
import { isOver } from './states.ts'
import type { PinnedPeer, SessionStore, StoredSession, StoredState } from './store.ts'

const NOTHING = { inbox: [], pinned: [] }

export interface SessionManagerOptions {
  readonly clock: Clock
  /** Undefined where the host keeps nothing. */
  readonly store: SessionStore | undefined
  /** What the session with that peer tells goes there. */
  readonly hostOf: (peer: Bytes) => SessionHost
  readonly onStorageFailure: (error: TsunagiError) => void
}

export class SessionManager {
  readonly #options: SessionManagerOptions
  readonly #sessions = new Map<PeerId, Session>()
  #stopSweep: () => void = () => undefined

  constructor(options: SessionManagerOptions) {
    this.#options = options
  }

  get sessions(): Session[] {
    return [...this.#sessions.values()]
  }

  /**
   * Takes up what a page before this one left, as far as it has not expired. Call once, first.
   * @returns durable messages of others that were not handled, by peer and number, and the peers once met
   */
  async load(): Promise<Pick<StoredState, 'inbox' | 'pinned'>> {
    const { store, clock, onStorageFailure } = this.#options
    this.#planSweep()
    if (store === undefined) return NOTHING
    try {
      const { sessions, outbox, inbox, pinned } = await store.load()
      const now = clock.now()
      for (const session of sessions) {
        const kept = { session, outbox: outbox.filter(({ peer }) => peer === session.peer) }
        const restored = this.#open(publicKeyOf(session.peer), kept)
        if (hasExpired(session, now)) restored.expire()
      }
      return { inbox, pinned: this.#forgetOldest(store, pinned) }
    } catch (cause) {
      onStorageFailure(toTsunagiError(cause, 'STORAGE_FAILED', 'What a page before this one left could not be read.'))
      return NOTHING
    }
  }

  /** Who makes up identities by the thousand would fill the store. */
  #forgetOldest(store: SessionStore, pinned: readonly PinnedPeer[]): readonly PinnedPeer[] {
    const newestFirst = pinned.toSorted((a, b) => b.seenAt - a.seenAt)
    for (const { peer } of newestFirst.slice(LIMITS.maxPinned)) {
      store.unpin(peer).catch((cause: unknown) => {
        this.#options.onStorageFailure(toTsunagiError(cause, 'STORAGE_FAILED', 'A peer could not be forgotten.'))
      })
    }
    return newestFirst.slice(0, LIMITS.maxPinned)
  }

  /** The session with a peer; a new one where there is none, or the last one is over. */
  of(peer: { readonly id: PeerId; readonly key: Bytes }): Session {
    const session = this.#sessions.get(peer.id)
    return session === undefined || isOver(session.state) ? this.#open(peer.key) : session
  }

  /** The session with a peer where there is one that is not over. */
  find(peer: PeerId): Session | undefined {
    const session = this.#sessions.get(peer)
    return session === undefined || isOver(session.state) ? undefined : session
  }

  /** Forgets a session that is not kept. */
  drop(peer: PeerId, error: TsunagiError): void {
    const session = this.#sessions.get(peer)
    this.#sessions.delete(peer)
    void session?.close(error)
  }

  /** Leaves all links: sessions that are kept go on with the next page, the others end. Fulfils when the links are gone. */
  async close(error: TsunagiError): Promise<void> {
    this.#stopSweep()
    const isKept = this.#options.store !== undefined
    await Promise.all(this.sessions.map((session) => (isKept ? session.leave('leaving') : session.close(error))))
    for (const session of this.sessions) session.abandon(error)
  }

  #open(peer: Bytes, kept?: KeptSession): Session {
    const session = new Session(this.#options.hostOf(peer), peer, kept)
    this.#sessions.set(peerIdOf(peer), session)
    return session
  }

  #planSweep(): void {
    this.#stopSweep = this.#options.clock.after(LIMITS.sessionSweep, () => {
      this.#planSweep()
      const now = this.#options.clock.now()
      for (const session of this.sessions) {
        if (!session.isKept) continue
        if (hasExpired(session, now)) session.expire()
        else if (session.state === 'established') void session.store()
      }
    })
  }
}

/** A time in the future, since the clock was set back, keeps a session no longer than one as far in the past. */
function hasExpired({ createdAt, activeAt }: Pick<StoredSession, 'createdAt' | 'activeAt'>, now: number): boolean {
  return Math.abs(now - activeAt) > LIMITS.sessionIdle || Math.abs(now - createdAt) > LIMITS.sessionAge
}
