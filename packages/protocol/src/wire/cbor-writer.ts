/** Writes values as deterministic CBOR, and refuses what CborReader would refuse at the other side. */
import { type Bytes, compareBytes, isWellFormed, utf8 } from './bytes.ts'
import {
  ARRAY,
  BYTES,
  checkDepth,
  DOUBLE,
  FALSE,
  HALF,
  halfBits,
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

/** Of use once. */
export class CborWriter {
  #buffer = new Uint8Array(256)
  #view = new DataView(this.#buffer.buffer)
  #length = 0

  get bytes(): Bytes {
    return this.#buffer.slice(0, this.#length)
  }

  /** @param depth that of an array or object, from 1 */
  value(value: unknown, depth: number): void {
    switch (typeof value) {
      case 'boolean':
        this.#head(OTHER, value ? TRUE : FALSE)
        return
      case 'number':
        this.#number(value)
        return
      case 'string':
        this.#long(TEXT, encoded(value))
        return
      case 'object':
        this.#object(value, depth)
        return
      case 'undefined':
        refuse('an array with an empty place')
    }
    refuse(`a ${typeof value}`)
  }

  #object(value: object | null, depth: number): void {
    if (value === null) this.#head(OTHER, NULL)
    else if (value instanceof Uint8Array) this.#long(BYTES, value)
    else if (Array.isArray(value)) this.#array(value, depth)
    else if (ArrayBuffer.isView(value)) {
      this.#long(BYTES, new Uint8Array(value.buffer, value.byteOffset, value.byteLength))
    } else if (value instanceof ArrayBuffer) this.#long(BYTES, new Uint8Array(value))
    // What is no plain object keeps what it holds elsewhere (a Blob, a Promise), and would arrive empty.
    else if (isPlain(value)) this.#map(value as Record<string, unknown>, depth)
    else refuse('an object of a class')
  }

  #array(array: readonly unknown[], depth: number): void {
    const { length } = array
    checkDepth(length, depth)
    this.#head(ARRAY, length)
    for (let i = 0; i < length; i++) this.value(array[i], depth + 1)
  }

  #map(object: Record<string, unknown>, depth: number): void {
    const keys = Object.keys(object)
    checkDepth(keys.length, depth)
    const entries: { readonly key: Bytes; readonly value: unknown }[] = []
    for (const name of keys) {
      const value = object[name]
      if (value !== undefined) entries.push({ key: encoded(name), value })
    }
    // In the order of what is written: the head of a shorter one is the smaller byte.
    entries.sort((a, b) => a.key.length - b.key.length || compareBytes(a.key, b.key))
    this.#head(MAP, entries.length)
    for (const { key, value } of entries) {
      this.#long(TEXT, key)
      this.value(value, depth + 1)
    }
  }

  #number(value: number): void {
    if (Number.isSafeInteger(value)) {
      if (value >= 0) this.#head(UINT, value)
      else this.#head(NEGATIVE, -1 - value)
      return
    }
    if (!Number.isFinite(value)) refuse(String(value))
    const half = halfBits(value)
    if (half !== undefined) {
      const at = this.#more(3)
      this.#buffer[at] = (OTHER << 5) | HALF
      this.#view.setUint16(at + 1, half)
    } else if (Math.fround(value) === value) {
      const at = this.#more(5)
      this.#buffer[at] = (OTHER << 5) | SINGLE
      this.#view.setFloat32(at + 1, value)
    } else {
      const at = this.#more(9)
      this.#buffer[at] = (OTHER << 5) | DOUBLE
      this.#view.setFloat64(at + 1, value)
    }
  }

  #long(major: number, bytes: Uint8Array): void {
    this.#head(major, bytes.length)
    const at = this.#more(bytes.length)
    this.#buffer.set(bytes, at)
  }

  /** An item's first bytes: its type, and a number in as few bytes as there can be. */
  #head(major: number, number: number): void {
    const type = major << 5
    if (number < 24) {
      const at = this.#more(1)
      this.#buffer[at] = type | number
    } else if (number <= 0xff) {
      const at = this.#more(2)
      this.#buffer[at] = type | 24
      this.#buffer[at + 1] = number
    } else if (number <= 0xffff) {
      const at = this.#more(3)
      this.#buffer[at] = type | 25
      this.#view.setUint16(at + 1, number)
    } else if (number <= 0xffff_ffff) {
      const at = this.#more(5)
      this.#buffer[at] = type | 26
      this.#view.setUint32(at + 1, number)
    } else {
      const at = this.#more(9)
      this.#buffer[at] = type | 27
      this.#view.setBigUint64(at + 1, BigInt(number))
    }
  }

  /** Makes room. @returns where it begins */
  #more(length: number): number {
    const at = this.#length
    this.#length += length
    if (this.#length > this.#buffer.length) {
      const larger = new Uint8Array(Math.max(this.#length, 2 * this.#buffer.length))
      larger.set(this.#buffer)
      this.#buffer = larger
      this.#view = new DataView(larger.buffer)
    }
    return at
  }
}

function encoded(text: string): Bytes {
  const bytes = utf8(text)
  // Of as many bytes as it has units, a text is ASCII.
  if (bytes.length !== text.length && !isWellFormed(text)) refuse('half a surrogate pair')
  return bytes
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  // Also the Object of another frame or worker.
  return prototype === null || Object.getPrototypeOf(prototype) === null
}
