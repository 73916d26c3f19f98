/** How many of those in use are passed over in search of one to forget, so that a new account costs little. */
const SEARCH = 16

/**
 * What is remembered of each of many strangers. Beyond `most` the one unused longest is forgotten; those in use stay, and
 * what uses them has its own bound.
 */
export class Accounts<T> {
  readonly #accounts = new Map<string, T>()
  readonly #most: number
  readonly #open: () => T
  readonly #isInUse: (account: T) => boolean

  constructor(most: number, open: () => T, isInUse: (account: T) => boolean = () => false) {
    this.#most = most
    this.#open = open
    this.#isInUse = isInUse
  }

  /** The account of that name, a new one where there is none. */
  get(name: string): T {
    const account = this.#accounts.get(name) ?? this.#open()
    // Last in the order of the map is who was asked for last.
    this.#accounts.delete(name)
    this.#accounts.set(name, account)
    if (this.#accounts.size > this.#most) this.#forgetOne()
    return account
  }

  get size(): number {
    return this.#accounts.size
  }

  #forgetOne(): void {
    let passed = 0
    for (const [name, account] of this.#accounts) {
      if (!this.#isInUse(account)) {
        this.#accounts.delete(name)
        return
      }
      // Out of the way of the next search.
      this.#accounts.delete(name)
      this.#accounts.set(name, account)
      if (++passed === SEARCH) return
    }
  }
}
