/** For a server that need not remember anything after its end, such as a test's. */
import { type Room, type Shelf, type Store, type Stored, SWEPT_AT_ONCE } from './store.ts'

export class MemoryStore implements Store {
  readonly isLasting = false

  shelf(_name: string, room: Room): Shelf {
    return new MemoryShelf(room)
  }

  async close(): Promise<void> {
    // Goes with the process.
  }
}

class MemoryShelf implements Shelf {
  readonly #room: Room
  readonly #records = new Map<string, Stored>()

  constructor(room: Room) {
    this.#room = room
  }

  async read(name: string): Promise<Stored | undefined> {
    return this.#records.get(name)
  }

  async replace(
    name: string,
    held: Stored | undefined,
    next: Stored | undefined,
  ): Promise<'done' | 'changed' | 'full'> {
    const current = this.#records.get(name)
    if (current?.text !== held?.text) return 'changed'
    if (next === undefined) {
      this.#records.delete(name)
      return 'done'
    }
    if (current === undefined && this.#records.size >= this.#room.records) {
      if (this.#room.whenFull === 'refuse') return 'full'
      this.#forgetOne()
    }
    this.#records.set(name, next)
    return 'done'
  }

  async sweep(now: number): Promise<string[]> {
    const due = [...this.#records].filter(([, stored]) => stored.due <= now).slice(0, SWEPT_AT_ONCE)
    for (const [name] of due) this.#records.delete(name)
    return due.map(([, { text }]) => text)
  }

  #forgetOne(): void {
    let first: [string, Stored] | undefined
    for (const entry of this.#records) if (first === undefined || entry[1].due < first[1].due) first = entry
    if (first !== undefined) this.#records.delete(first[0])
  }
}
