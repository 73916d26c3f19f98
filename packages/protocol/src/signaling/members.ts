import { LIMITS } from '../limits.ts'
import { type Bytes, equalBytes } from '../wire/bytes.ts'
import type { Presence } from './presence.ts'

interface Entry {
  presence: Presence
  /** False once it left: its record stays, so that the server cannot bring an older one back after a `left`. */
  present: boolean
}

/** Who is in the mesh, by records already verified: at most LIMITS.maxMembers, those longest not heard of go first. */
export class Members {
  readonly #entries = new Map<string, Entry>()

  /** Keys of those present. */
  get present(): Bytes[] {
    return [...this.#entries.values()].filter((entry) => entry.present).map((entry) => entry.presence.publicKey)
  }

  /** Keys of those present that are not among `named`. */
  presentExcept(named: readonly Bytes[]): Bytes[] {
    const names = new Set(named.map(mapKey))
    return this.present.filter((publicKey) => !names.has(mapKey(publicKey)))
  }

  /** The record of a member that is present. */
  find(publicKey: Uint8Array): Presence | undefined {
    const entry = this.#entries.get(mapKey(publicKey))
    return entry?.present ? entry.presence : undefined
  }

  /** The newest record of a peer, also of one that left. */
  known(publicKey: Uint8Array): Presence | undefined {
    return this.#entries.get(mapKey(publicKey))?.presence
  }

  /**
   * Notes a member as present, with the newest of its records. Answers false, and changes nothing, for a record that is no
   * newer than the known one and would bring another introduction key back. An older one with the same key is only a
   * server whose clock went back.
   */
  join(presence: Presence): boolean {
    const name = mapKey(presence.publicKey)
    const known = this.#entries.get(name)?.presence
    const newer = known === undefined || presence.timestamp > known.timestamp
    if (!newer && !equalBytes(presence.introductionKey, known.introductionKey)) return false
    this.#entries.delete(name)
    this.#entries.set(name, { presence: newer ? presence : known, present: true })
    return true
  }

  /** Answers whether it was present. */
  leave(publicKey: Uint8Array): boolean {
    const entry = this.#entries.get(mapKey(publicKey))
    const wasPresent = entry?.present === true
    if (entry !== undefined) entry.present = false
    return wasPresent
  }

  /** Forgets the one longest not heard of where there are too many. Answers its key where it counted as present. */
  evict(): Bytes | undefined {
    if (this.#entries.size <= LIMITS.maxMembers) return undefined
    for (const [name, { presence, present }] of this.#entries) {
      this.#entries.delete(name)
      return present ? presence.publicKey : undefined
    }
    return undefined
  }
}

/** 32 bytes as text, since a Map compares arrays by identity. */
function mapKey(publicKey: Uint8Array): string {
  return String.fromCharCode(...publicKey)
}
