/** The peers the user has marked (SPEC R67). */
import type { Contacts, PeerId } from '../api.ts'
import { TsunagiError } from '../errors.ts'
import { peerIdOf, publicKeyOf } from '../identity/peer-id.ts'
import { LIMITS } from '../limits.ts'
import type { TaskStore } from './store.ts'

export class KeptContacts implements Contacts {
  readonly #store: TaskStore | undefined
  readonly #peers = new Set<PeerId>()

  /** @param store undefined where the host keeps nothing: contacts then last as long as the page */
  constructor(store: TaskStore | undefined) {
    this.#store = store
  }

  /** Rejects with STORAGE_FAILED. */
  async load(): Promise<void> {
    for (const peer of (await this.#store?.contacts()) ?? []) this.#peers.add(peer)
  }

  get list(): readonly PeerId[] {
    return [...this.#peers]
  }

  has(peer: PeerId): boolean {
    return this.#peers.has(peer)
  }

  async add(peer: PeerId): Promise<void> {
    // Throws INVALID_ARGUMENT where it is no id, and gives the one text of a key.
    const id = peerIdOf(publicKeyOf(peer))
    if (!this.#peers.has(id) && this.#peers.size >= LIMITS.maxContacts) {
      throw new TsunagiError('QUEUE_FULL', `There are ${LIMITS.maxContacts} contacts already; remove some first.`)
    }
    this.#peers.add(id)
    await this.#store?.addContact(id)
  }

  async remove(peer: PeerId): Promise<void> {
    const id = peerIdOf(publicKeyOf(peer))
    this.#peers.delete(id)
    await this.#store?.removeContact(id)
  }
}
