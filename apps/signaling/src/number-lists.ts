/** A list has room for a multiple of so many numbers. */
const STEP = 16
/** Numbers for which memory is taken at once: a quarter of a MiB, or half of one. No list can have more. */
const PIECE = 131_072
/** Numbers below this take two bytes each, others four. */
const SHORT = 65_536

type Numbers = Uint16Array | Uint32Array

const NONE: Numbers = new Uint16Array(0)

/** One list, which its owner keeps. */
export interface NumberList {
  /** Where its first number is. Of no meaning in an empty list. */
  start: number
  size: number
}

/**
 * Thousands of short lists of numbers, in the order in which they were added. They are in memory that the garbage collector does
 * not look into: arrays would take twice as much, and each of their entries would be looked at again and again.
 */
export class NumberLists {
  readonly #pieces: Numbers[] = []
  readonly #most: number
  /** How much of the last piece is taken. */
  #taken = PIECE
  /** Where there is room that no list has, by how many steps it is. */
  readonly #free: number[][] = []

  /** @param most above all numbers */
  constructor(most: number) {
    this.#most = most
  }

  has(list: NumberList, number: number): boolean {
    return this.#placeOf(list, number) >= 0
  }

  /** A number that the list does not have. */
  add(list: NumberList, number: number): void {
    if (list.size % STEP === 0) this.#move(list, list.size / STEP, list.size / STEP + 1)
    this.#pieceOf(list)[(list.start % PIECE) + list.size] = number
    list.size++
  }

  /** Those after it move up. */
  remove(list: NumberList, number: number): void {
    const place = this.#placeOf(list, number)
    if (place < 0) return
    this.#pieceOf(list).copyWithin(place, place + 1, (list.start % PIECE) + list.size)
    list.size--
    if (list.size % STEP === 0) this.#move(list, list.size / STEP + 1, list.size / STEP)
  }

  clear(list: NumberList): void {
    const { size } = list
    list.size = 0
    this.#move(list, Math.ceil(size / STEP), 0)
  }

  /** A view, of what is there before the next change. */
  numbers(list: NumberList): Numbers {
    if (list.size === 0) return NONE
    const first = list.start % PIECE
    return this.#pieceOf(list).subarray(first, first + list.size)
  }

  #pieceOf({ start }: NumberList): Numbers {
    return this.#pieces[Math.floor(start / PIECE)] as Numbers
  }

  /** In its piece, or -1. */
  #placeOf(list: NumberList, number: number): number {
    if (list.size === 0) return -1
    const piece = this.#pieceOf(list)
    const first = list.start % PIECE
    for (let place = first; place < first + list.size; place++) if (piece[place] === number) return place
    return -1
  }

  /** From room of so many steps to room of so many others. */
  #move(list: NumberList, from: number, to: number): void {
    const numbers = this.numbers(list)
    const before = list.start
    if (to > 0) {
      list.start = this.#take(to)
      this.#pieceOf(list).set(numbers, list.start % PIECE)
    }
    if (from > 0) this.#release(before, from)
  }

  #take(steps: number): number {
    const freed = this.#free[steps]?.pop()
    if (freed !== undefined) return freed
    const length = steps * STEP
    if (this.#taken + length > PIECE) {
      const rest = (PIECE - this.#taken) / STEP
      if (rest > 0) this.#release((this.#pieces.length - 1) * PIECE + this.#taken, rest)
      this.#pieces.push(this.#most <= SHORT ? new Uint16Array(PIECE) : new Uint32Array(PIECE))
      this.#taken = 0
    }
    const start = (this.#pieces.length - 1) * PIECE + this.#taken
    this.#taken += length
    return start
  }

  #release(start: number, steps: number): void {
    const free = this.#free[steps]
    if (free === undefined) this.#free[steps] = [start]
    else free.push(start)
  }
}
