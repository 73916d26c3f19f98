import type { Bytes } from './bytes.ts'

/** Bytes taken at once, from which small copies are cut. */
const SIZE = 16 * 1024
/** Larger ones get memory of their own, which then costs less than the copying. */
const MOST_SHARED = 1024

/**
 * Copies small byte strings side by side: memory of its own for each would cost several times the copying. A copy keeps its
 * neighbours' memory alive, so one slab serves what is let go of together and in order.
 */
export class Slab {
  #buffer = new ArrayBuffer()
  #used = 0

  copy(bytes: Uint8Array): Bytes {
    const { length } = bytes
    if (length > MOST_SHARED) return new Uint8Array(bytes)
    if (this.#used + length > this.#buffer.byteLength) {
      this.#buffer = new ArrayBuffer(SIZE)
      this.#used = 0
    }
    const copy = new Uint8Array(this.#buffer, this.#used, length)
    copy.set(bytes)
    this.#used += length
    return copy
  }
}
