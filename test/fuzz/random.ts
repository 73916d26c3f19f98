import type { Bytes } from '../../packages/protocol/src/wire/bytes.ts'

/** What is likely to be off by one somewhere. */
const NUMBERS = [0, 1, -1, 23, 24, 255, 256, 65_535, 65_536, 2 ** 31, 2 ** 32, 2 ** 53 - 1, -(2 ** 53) + 1, 0.5, 1e300]
const TEXTS = ['', 'a', '__proto__', 'constructor', '\0', 'zwölf', '😀', 'x'.repeat(300)]

/** Everything a run does follows from one seed (xorshift128 by Marsaglia). */
export class Random {
  readonly #state: Uint32Array

  /** @param seed 32 bits */
  constructor(seed: number) {
    this.#state = Uint32Array.of(seed, 0x9e3779b9, 0x243f6a88, 0xb7e15162)
    for (let i = 0; i < 16; i++) this.#next()
  }

  /** A whole number from 0 to `bound` − 1. */
  below(bound: number): number {
    return Math.floor((this.#next() / 2 ** 32) * bound)
  }

  chance(share: number): boolean {
    return this.#next() / 2 ** 32 < share
  }

  /** @throws Error where there is nothing to choose from */
  of<T>(list: readonly T[]): T {
    if (list.length === 0) throw new Error('There is nothing to choose from.')
    return list[this.below(list.length)] as T
  }

  bytes(length: number): Bytes {
    const bytes = new Uint8Array(length)
    for (let i = 0; i < length; i++) bytes[i] = this.#next()
    return bytes
  }

  /** Anything CBOR carries. */
  value(depth = 4): unknown {
    switch (this.below(depth > 0 ? 8 : 6)) {
      case 0:
        return this.of([null, true, false])
      case 1:
        return this.of(NUMBERS)
      case 2:
        return this.below(1_000)
      case 3:
        return this.of(TEXTS)
      case 4:
        return this.bytes(this.of([0, 1, 16, 32, 64, 300]))
      case 5:
        return [] as unknown
      case 6:
        return Array.from({ length: this.below(4) }, () => this.value(depth - 1))
      default:
        return Object.fromEntries(
          Array.from({ length: this.below(4) }, () => [this.of(TEXTS), this.value(depth - 1)] as const),
        )
    }
  }

  #next(): number {
    const [x = 0, y = 0, z = 0, w = 0] = this.#state
    const t = x ^ (x << 11)
    const next = (w ^ (w >>> 19) ^ (t ^ (t >>> 8))) >>> 0
    this.#state.set([y, z, w, next])
    return next
  }
}
