/** SHA-256 (FIPS 180-4) over bytes that come in pieces: WebCrypto takes them only as a whole. */

/** First 32 bits of the fractional parts of the square (`power` 2) or cube (3) roots of the first primes. */
function roots(amount: number, power: 2 | 3): Uint32Array {
  const found: number[] = []
  for (let n = 2; found.length < amount; n++) if (isPrime(n)) found.push((n ** (1 / power) % 1) * 2 ** 32)
  return Uint32Array.from(found)
}

function isPrime(n: number): boolean {
  for (let d = 2; d * d <= n; d++) if (n % d === 0) return false
  return true
}

const BLOCK = 64
const K = roots(64, 3)

export class Sha256 {
  readonly #state = roots(8, 2)
  readonly #schedule = new Uint32Array(64)
  readonly #block = new Uint8Array(BLOCK)
  #filled = 0
  #length = 0

  update(bytes: Uint8Array): void {
    this.#length += bytes.length
    let at = 0
    if (this.#filled > 0) {
      at = Math.min(BLOCK - this.#filled, bytes.length)
      this.#block.set(bytes.subarray(0, at), this.#filled)
      this.#filled += at
      if (this.#filled < BLOCK) return
      this.#compress(this.#block, 0)
    }
    for (; at + BLOCK <= bytes.length; at += BLOCK) this.#compress(bytes, at)
    this.#block.set(bytes.subarray(at))
    this.#filled = bytes.length - at
  }

  /** 64 hexadecimal digits. Call once, last. */
  digest(): string {
    const bits = this.#length * 8
    const padding = new Uint8Array((this.#filled < 56 ? 56 : 120) - this.#filled + 8)
    padding[0] = 0x80
    const view = new DataView(padding.buffer)
    view.setUint32(padding.length - 8, Math.floor(bits / 2 ** 32))
    view.setUint32(padding.length - 4, bits % 2 ** 32)
    this.update(padding)
    return Array.from(this.#state, (word) => word.toString(16).padStart(8, '0')).join('')
  }

  #compress(bytes: Uint8Array, from: number): void {
    const w = this.#schedule
    const state = this.#state
    for (let t = 0; t < 16; t++) {
      const i = from + t * 4
      w[t] = (at(bytes, i) << 24) | (at(bytes, i + 1) << 16) | (at(bytes, i + 2) << 8) | at(bytes, i + 3)
    }
    for (let t = 16; t < 64; t++) {
      const [x, y] = [at(w, t - 15), at(w, t - 2)]
      const s0 = turned(x, 7) ^ turned(x, 18) ^ (x >>> 3)
      const s1 = turned(y, 17) ^ turned(y, 19) ^ (y >>> 10)
      w[t] = at(w, t - 16) + s0 + at(w, t - 7) + s1
    }
    let [a, b, c, d] = [at(state, 0), at(state, 1), at(state, 2), at(state, 3)]
    let [e, f, g, h] = [at(state, 4), at(state, 5), at(state, 6), at(state, 7)]
    for (let t = 0; t < 64; t++) {
      const s1 = turned(e, 6) ^ turned(e, 11) ^ turned(e, 25)
      const t1 = (h + s1 + ((e & f) ^ (~e & g)) + at(K, t) + at(w, t)) | 0
      const s0 = turned(a, 2) ^ turned(a, 13) ^ turned(a, 22)
      const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0
      h = g
      g = f
      f = e
      e = (d + t1) | 0
      d = c
      c = b
      b = a
      a = (t1 + t2) | 0
    }
    for (const [i, word] of [a, b, c, d, e, f, g, h].entries()) state[i] = at(state, i) + word
  }
}

/** An index that is known to be inside. */
function at(list: Uint8Array | Uint32Array, index: number): number {
  return list[index] as number
}

function turned(word: number, by: number): number {
  return (word >>> by) | (word << (32 - by))
}
