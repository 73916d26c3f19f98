/** The peers this identity has met (SPEC R7): known to later pages by their keys, with what it takes to wake them. */
import type { PeerId } from '../api.ts'
import { TsunagiError, toTsunagiError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { Clock } from '../ports.ts'
import type { PinnedPeer, SessionStore } from '../session/store.ts'
import type { Presence } from '../signaling/presence.ts'
import type { Bytes } from '../wire/bytes.ts'

export class KnownPeers {
  readonly #clock: Clock
  readonly #store: SessionStore | undefined
  readonly #onStorageFailure: (error: TsunagiError) => void
  readonly #peers = new Map<PeerId, PinnedPeer>()

  /** Of these the store has not been told the newest. */
  readonly #unwritten = new Set<PeerId>()
  #stopTimer: (() => void) | undefined

  /** @param store undefined where the host keeps nothing: they are then known as long as the page lasts */
  constructor(clock: Clock, store: SessionStore | undefined, onStorageFailure: (error: TsunagiError) => void) {
    this.#clock = clock
    this.#store = store
    this.#onStorageFailure = onStorageFailure
  }

  /** Those that pages before this one met. */
  load(peers: readonly PinnedPeer[]): void {
    for (const peer of peers) this.#peers.set(peer.peer, peer)
  }

  find(peer: PeerId): PinnedPeer | undefined {
    return this.#peers.get(peer)
  }

  /** @param presence the peer's newest record, where there is one */
  met(peer: PinnedPeer, presence: Presence | undefined): void {
    this.#keep(withRecord({ ...this.#peers.get(peer.peer), ...peer }, presence))
  }

  /** A peer signed a record. */
  introduced(peer: PeerId, presence: Presence): void {
    const known = this.#peers.get(peer)
    const introduced = known && withRecord(known, presence)
    if (introduced !== undefined && introduced !== known) this.#keep(introduced)
  }

  /**
   * What can be sealed to a peer that need not be here.
   * @param presence as for met()
   * @param now milliseconds since 1970 by the server's clock
   * @throws TsunagiError UNKNOWN_PEER
   */
  introductionKeyOf(peer: PeerId, presence: Presence | undefined, now: number): Bytes {
    const known = this.#peers.get(peer)
    if (presence !== undefined && presence.notAfter > now) return presence.introductionKey
    if (known?.introductionKey !== undefined && (known.introductionNotAfter ?? 0) > now) return known.introductionKey
    throw new TsunagiError('UNKNOWN_PEER', 'Nothing is known by which that peer could be written to.')
  }

  /** A wake-up of that time was taken from it. */
  woke(peer: PeerId, timestamp: number): void {
    const known = this.#peers.get(peer)
    if (known === undefined) return
    this.#keep({ ...known, wokeAt: timestamp })
    // The same wake-up must not count again for the next page, however this one ends.
    this.flush()
  }

  /** Writes down at once what waits for that. */
  flush(): void {
    this.#stopTimer?.()
    this.#stopTimer = undefined
    for (const id of this.#unwritten) {
      const peer = this.#peers.get(id)
      if (peer !== undefined) this.#pin(peer)
    }
    this.#unwritten.clear()
  }

  #pin(peer: PinnedPeer): void {
    this.#store?.pin(peer).catch((cause: unknown) => {
      this.#onStorageFailure(toTsunagiError(cause, 'STORAGE_FAILED', 'A peer could not be remembered.'))
    })
  }

  #keep(peer: PinnedPeer): void {
    this.#peers.delete(peer.peer)
    this.#peers.set(peer.peer, peer)
    const [oldest] = this.#peers.keys()
    // The store is tidied up by the next page.
    if (oldest !== undefined && this.#peers.size > LIMITS.maxPinned) this.#peers.delete(oldest)
    this.#unwritten.add(peer.peer)
    this.#stopTimer ??= this.#clock.after(LIMITS.pinDelay, () => this.flush())
  }
}

/** Of two records, the one that lasts longer is the newer: a server that brings an old one changes nothing. */
function withRecord(peer: PinnedPeer, presence: Presence | undefined): PinnedPeer {
  if (presence === undefined || (peer.introductionNotAfter ?? 0) >= presence.notAfter) return peer
  return { ...peer, introductionKey: presence.introductionKey, introductionNotAfter: presence.notAfter }
}
