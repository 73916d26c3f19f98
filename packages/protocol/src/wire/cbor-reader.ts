/** Reads the one form that a value has, and throws an Error with a reason for any other. */
import { compareBytes } from './bytes.ts'
import {
  ARRAY,
  BYTES,
  checkDepth,
  DOUBLE,
  FALSE,
  HALF,
  halfBits,
  halfOf,
  MAP,
  NEGATIVE,
  NULL,
  OTHER,
  refuse,
  SINGLE,
  TEXT,
  TRUE,
  UINT,
} from './cbor-form.ts'

// A text may begin with a byte order mark, which else would be left out.
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Of use once. */
export class CborReader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  /** The one value that the bytes are. */
  only(): unknown {
    const value = this.#value(1)
    if (this.#at < this.#bytes.length) throw new Error('bytes follow the value')
    return value
  }

  #value(depth: number): unknown {
    const first = this.#bytes[this.#skip(1)] as number
    const major = first >> 5
    const info = first & 31
    if (major === OTHER) return this.#other(info)
    const number = this.#number(info)
    switch (major) {
      case UINT:
        return number
      case NEGATIVE:
        return safe(-1 - number)
      case BYTES:
        return this.#take(number).slice()
      case TEXT:
        return decoder.decode(this.#take(number))
      case ARRAY:
        return this.#array(number, depth)
      case MAP:
        return this.#map(number, depth)
    }
    throw new Error('a tag has no meaning here')
  }

  #array(length: number, depth: number): unknown[] {
    checkDepth(length, depth)
    const items: unknown[] = []
    for (let i = 0; i < length; i++) items.push(this.#value(depth + 1))
    return items
  }

  #map(size: number, depth: number): Record<string, unknown> {
    checkDepth(size, depth)
    const entries: [string, unknown][] = []
    let last: Uint8Array | undefined
    for (let i = 0; i < size; i++) {
      const start = this.#at
      const key = this.#value(depth + 1)
      if (typeof key !== 'string') throw new Error('a key is no text')
      const bytes = this.#bytes.subarray(start, this.#at)
      if (last !== undefined && compareBytes(last, bytes) >= 0) throw new Error('keys are repeated or out of order')
      last = bytes
      entries.push([key, this.#value(depth + 1)])
    }
    // Gives a key of any name, also `__proto__`, as a property of the object itself.
    return Object.fromEntries(entries)
  }

  #other(info: number): unknown {
    switch (info) {
      case FALSE:
        return false
      case TRUE:
        return true
      case NULL:
        return null
      case HALF:
        return float(halfOf(this.#view.getUint16(this.#skip(2))))
      case SINGLE: {
        const value = float(this.#view.getFloat32(this.#skip(4)))
        if (halfBits(value) !== undefined) throw longer()
        return value
      }
      case DOUBLE: {
        const value = float(this.#view.getFloat64(this.#skip(8)))
        if (Math.fround(value) === value) throw longer()
        return value
      }
    }
    throw new Error('a simple value has no meaning here')
  }

  #number(info: number): number {
    if (info < 24) return info
    switch (info) {
      case 24:
        return above(23, this.#bytes[this.#skip(1)] as number)
      case 25:
        return above(0xff, this.#view.getUint16(this.#skip(2)))
      case 26:
        return above(0xffff, this.#view.getUint32(this.#skip(4)))
      case 27:
        return safe(above(0xffff_ffff, Number(this.#view.getBigUint64(this.#skip(8)))))
    }
    throw new Error('a length is not said')
  }

  #take(length: number): Uint8Array {
    const at = this.#skip(length)
    return this.#bytes.subarray(at, at + length)
  }

  /** @returns where the bytes passed over begin */
  #skip(length: number): number {
    const at = this.#at
    if (length > this.#bytes.length - at) throw new Error('they end too early')
    this.#at += length
    return at
  }
}

function longer(): Error {
  return new Error('a number is longer than it need be')
}

function above(least: number, number: number): number {
  if (number <= least) throw longer()
  return number
}

function safe(number: number): number {
  if (!Number.isSafeInteger(number)) throw new Error('an integer is beyond 2^53')
  return number
}

/** A number that has no shorter form as an integer. */
function float(value: number): number {
  if (!Number.isFinite(value)) refuse(String(value))
  if (Number.isSafeInteger(value)) throw longer()
  return value
}
