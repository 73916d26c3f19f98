/** What waits of peers' messages before it is handled: of one no more than its share, so that it keeps no others out. */
import type { PeerId } from '../api.ts'
import { LIMITS } from '../limits.ts'

interface Fill {
  messages: number
  bytes: number
}

const EMPTY: Readonly<Fill> = { messages: 0, bytes: 0 }

export class PeerShares {
  readonly #all: Fill = { ...EMPTY }
  readonly #ofPeers = new Map<PeerId, Fill>()

  /** Whether more of that peer may wait. The last one that does may be as large as a message is. */
  hasRoom(peer: PeerId): boolean {
    const { messages, bytes } = this.#ofPeers.get(peer) ?? EMPTY
    return (
      this.#all.messages < LIMITS.maxInboxMessages &&
      this.#all.bytes < LIMITS.maxInboxBytes &&
      messages < LIMITS.maxInboxMessagesPerPeer &&
      bytes < LIMITS.maxInboxBytesPerPeer
    )
  }

  add(peer: PeerId, bytes: number): void {
    this.#count(peer, 1, bytes)
  }

  remove(peer: PeerId, bytes: number): void {
    this.#count(peer, -1, -bytes)
  }

  #count(peer: PeerId, messages: number, bytes: number): void {
    const ofPeer = this.#ofPeers.get(peer) ?? { ...EMPTY }
    for (const fill of [this.#all, ofPeer]) {
      fill.messages += messages
      fill.bytes += bytes
    }
    if (ofPeer.messages > 0) this.#ofPeers.set(peer, ofPeer)
    else this.#ofPeers.delete(peer)
  }
}
