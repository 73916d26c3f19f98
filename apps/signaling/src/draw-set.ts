/** A set from which some are drawn at random, each as likely as any other, in time that only their number counts in. */
export class DrawSet<T extends { readonly key: string }> {
  readonly #list: T[] = []
  readonly #places = new Map<string, number>()

  get size(): number {
    return this.#list.length
  }

  get(key: string): T | undefined {
    const place = this.#places.get(key)
    return place === undefined ? undefined : this.#list[place]
  }

  add(item: T): void {
    if (this.#places.has(item.key)) return
    this.#places.set(item.key, this.#list.length)
    this.#list.push(item)
  }

  delete(item: T): void {
    const place = this.#places.get(item.key)
    if (place === undefined) return
    this.#places.delete(item.key)
    const last = this.#list.pop() as T
    if (last === item) return
    this.#list[place] = last
    this.#places.set(last.key, place)
  }

  [Symbol.iterator](): IterableIterator<T> {
    return this.#list[Symbol.iterator]()
  }

  /** Up to `count` others than `except`, none twice: Floyd's choice without repetition. */
  draw(count: number, except: T): T[] {
    const own = this.#places.get(except.key)
    // The last place stands in for the own, so that the others are the places below it.
    const others = own === undefined ? this.size : this.size - 1
    const places = new Set<number>()
    for (let last = Math.max(0, others - count); last < others; last++) {
      const place = Math.floor(Math.random() * (last + 1))
      places.add(places.has(place) ? last : place)
    }
    return Array.from(places, (place) => this.#list[place === own ? others : place] as T)
  }
}
