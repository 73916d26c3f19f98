/** Finds peers by what they can do, in meshes of which a newcomer is shown only a part (SPEC §10, R50b). */
import type { PeerId } from '../api.ts'
import { peerIdOf } from '../identity/peer-id.ts'
import { LIMITS } from '../limits.ts'
import type { Clock, CryptoProvider } from '../ports.ts'
import { capabilityTag } from '../signaling/capability-tag.ts'
import type { MeshKeys } from '../signaling/messages.ts'
import type { Bytes } from '../wire/bytes.ts'

export interface CapabilitySearchOptions {
  readonly clock: Clock
  readonly crypto: CryptoProvider
  readonly mesh: MeshKeys
  readonly announce: (tags: readonly Bytes[]) => void
  /** Keys of some who announced it, each told of as a member by then. Rejects where the server cannot say. */
  readonly discover: (tag: Bytes) => Promise<readonly Bytes[]>
  /** A link to it is wanted: only a session tells what it really offers. */
  readonly onFound: (peer: Bytes) => void
}

export class CapabilitySearch {
  readonly #options: CapabilitySearchOptions
  readonly #tags = new Map<string, Promise<Bytes>>()
  /** When each was last sought, oldest first. */
  readonly #soughtAt = new Map<string, number>()
  #announced = 0

  constructor(options: CapabilitySearchOptions) {
    this.#options = options
  }

  /** Others find this peer by these from now on. */
  async announce(names: readonly string[]): Promise<void> {
    const turn = ++this.#announced
    const tags = await Promise.all(names.map((name) => this.#tag(name)))
    // A later announcement has overtaken this one.
    if (turn === this.#announced) this.#options.announce(tags)
  }

  /** Peers that say they offer it, at most LIMITS.maxSought of them. Rejects as `discover` does. */
  async find(capability: string): Promise<readonly PeerId[]> {
    const found = (await this.#options.discover(await this.#tag(capability))).slice(0, LIMITS.maxSought)
    for (const peer of found) this.#options.onFound(peer)
    return found.map(peerIdOf)
  }

  /** As find(), where it was not asked for within LIMITS.seekSpacing; nobody waits for the answer. @returns whether it is sought now */
  seek(capability: string): boolean {
    const now = this.#options.clock.now()
    for (const [name, at] of this.#soughtAt) if (Math.abs(now - at) >= LIMITS.seekSpacing) this.#soughtAt.delete(name)
    if (this.#soughtAt.has(capability)) return true
    if (this.#soughtAt.size >= LIMITS.maxDiscoveries) return false
    this.#soughtAt.set(capability, now)
    // Without the server nobody is found, as where nobody offers it.
    this.find(capability).catch(() => undefined)
    return true
  }

  #tag(name: string): Promise<Bytes> {
    const { crypto, mesh } = this.#options
    const known = this.#tags.get(name) ?? capabilityTag(crypto, mesh, name)
    this.#tags.delete(name)
    this.#tags.set(name, known)
    if (this.#tags.size > LIMITS.maxKnownTags) this.#tags.delete(this.#tags.keys().next().value as string)
    return known
  }
}
