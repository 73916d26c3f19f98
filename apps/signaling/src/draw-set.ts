/** A set from which some are drawn at random, each as likely as any other, in time that only their number counts in. */
export class DrawSet<T> {
  readonly #list: T[] = []
  readonly #places = new Map<T, number>()

  get size(): number {
    return this.#list.length
  }

  add(item: T): void {
    if (this.#places.has(item)) return
    this.#places.set(item, this.#list.length)
    this.#list.push(item)
  }

  delete(item: T): void {
    const place = this.#places.get(item)
    if (place === undefined) return
    this.#places.delete(item)
    const last = this.#list.pop() as T
    if (last === item) return
    this.#list[place] = last
    this.#places.set(last, place)
  }

  [Symbol.iterator](): IterableIterator<T> {
    return this.#list[Symbol.iterator]()
  }

  /** Up to `count` others than `except`, none twice: Floyd's choice without repetition. */
  draw(count: number, except: T): T[] {
    const own = this.#places.get(except)
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
