/** The forms of CBOR items that are in use here, and what both who writes and who reads them hold to (SPEC R8). */
import { PROTOCOL } from '../limits.ts'

/** Major types, in the upper three bits of the first byte of an item. */
export const UINT = 0
export const NEGATIVE = 1
export const BYTES = 2
export const TEXT = 3
export const ARRAY = 4
export const MAP = 5
export const OTHER = 7
/** What the lower five bits of an OTHER say. */
export const FALSE = 20
export const TRUE = 21
export const NULL = 22
export const HALF = 25
export const SINGLE = 26
export const DOUBLE = 27

/** An empty one opens nothing. */
export function checkDepth(size: number, depth: number): void {
  if (size > 0 && depth > PROTOCOL.maxDepth) throw new Error('nested too deeply')
}

export function refuse(what: string): never {
  throw new Error(`${what} has no form here`)
}

/** The number as a half-precision float (IEEE 754 binary16); undefined where it is none. */
export function halfBits(value: number): number | undefined {
  const size = Math.abs(value)
  const exponent = Math.max(Math.floor(Math.log2(size)), -14)
  const significand = size / 2 ** (exponent - 10)
  if (exponent > 15 || !Number.isInteger(significand)) return undefined
  return (value < 0 ? 0x8000 : 0) | (((exponent + 14) << 10) + significand)
}

export function halfOf(bits: number): number {
  const exponent = (bits >> 10) & 31
  const fraction = bits & 0x3ff
  const sign = bits >= 0x8000 ? -1 : 1
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1_024 + fraction) * 2 ** (exponent - 25))
}
