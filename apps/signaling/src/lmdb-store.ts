/** For one node: LMDB in a directory, which belongs to one process. */
import { mkdirSync } from 'node:fs'
import { TsunagiError } from '@tsunagi/protocol/signaling'
import { type Database, open, type RootDatabase } from 'lmdb'
import { type Room, type Shelf, type Store, type Stored, SWEPT_AT_ONCE } from './store.ts'

/** When, and the name of a record: LMDB keeps keys in order, so those due first come first. */
type DueKey = [due: number, name: string]

/** @throws TsunagiError INVALID_ARGUMENT where nothing can be written there */
export function openLmdbStore(directory: string): Store {
  let environment: RootDatabase
  try {
    // It holds the key by which push services know this server.
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    // Each commit is on the disk when it is done: none is still being synced by a thread of its own when the environment closes.
    environment = open({ path: directory, noSubdir: false, overlappingSync: false })
  } catch (cause) {
    throw new TsunagiError(
      'INVALID_ARGUMENT',
      `The server cannot keep its data in ${directory}: name another directory in TSUNAGI_DATA, or "memory".`,
      { cause },
    )
  }
  return {
    isLasting: true,
    shelf: (name, room) => new LmdbShelf(environment, name, room),
    close: () => environment.close(),
  }
}

class LmdbShelf implements Shelf {
  readonly #records: Database<Stored, string>
  readonly #due: Database<string, DueKey>
  readonly #room: Room
  /** What was written and is not on disk yet: LMDB reads show only what is. */
  readonly #writing = new Map<string, { readonly stored: Stored | undefined }>()
  #size: number

  constructor(environment: RootDatabase, name: string, room: Room) {
    this.#records = environment.openDB({ name })
    this.#due = environment.openDB({ name: `${name}-due`, encoding: 'string' })
    this.#room = room
    this.#size = this.#records.getKeysCount({})
  }

  async read(name: string): Promise<Stored | undefined> {
    return this.#current(name)
  }

  async replace(
    name: string,
    held: Stored | undefined,
    next: Stored | undefined,
  ): Promise<'done' | 'changed' | 'full'> {
    const current = this.#current(name)
    if (current?.text !== held?.text) return 'changed'
    if (current === undefined && next !== undefined && this.#size >= this.#room.records) {
      if (this.#room.whenFull === 'refuse') return 'full'
      this.#forget(this.#size + 1 - this.#room.records)
    }
    await this.#write(name, next)
    return 'done'
  }

  async sweep(now: number): Promise<string[]> {
    const due = [...this.#due.getKeys({ end: [now + 1, ''], limit: SWEPT_AT_ONCE })]
    // What takes the place of one that is due may still be on its way to the disk.
    const names = due.flatMap(([at, name]) => (this.#current(name)?.due === at ? name : []))
    const gone = names.flatMap((name) => this.#current(name)?.text ?? [])
    await Promise.all(names.map((name) => this.#write(name, undefined)))
    return gone
  }

  /** Those due first. */
  #forget(count: number): void {
    let left = count
    for (const [due, name] of this.#due.getKeys()) {
      if (left-- <= 0) return
      // Where it cannot be written, the record that takes its place cannot either, and that is told.
      if (this.#current(name)?.due === due) this.#write(name, undefined).catch(() => undefined)
      // It was forgotten or changed a moment ago.
      else left++
    }
  }

  #current(name: string): Stored | undefined {
    const writing = this.#writing.get(name)
    return writing === undefined ? this.#records.get(name) : writing.stored
  }

  /** What is put in one turn of the event loop is one transaction. */
  async #write(name: string, stored: Stored | undefined): Promise<void> {
    const current = this.#current(name)
    const writing = { stored }
    this.#writing.set(name, writing)
    this.#size += Number(stored !== undefined) - Number(current !== undefined)
    try {
      await Promise.all([
        current && this.#due.remove([current.due, name]),
        stored && this.#due.put([stored.due, name], ''),
        stored === undefined ? this.#records.remove(name) : this.#records.put(name, stored),
      ])
    } finally {
      if (this.#writing.get(name) === writing) this.#writing.delete(name)
    }
  }
}
