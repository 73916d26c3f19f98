/**
 * What a signature and its key must be before any curve operation (RFC 8032 §5.1.7). Libraries differ in how much of
 * this they check themselves; checking it here first makes every provider give the same answer to every input.
 */

const fromHex = (hex: string) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))

/** p = 2^255 − 19, little-endian as everything in Ed25519. */
const FIELD_PRIME = fromHex(`ed${'ff'.repeat(30)}7f`)
/** L, the order of the base point: a signature with S + L in place of S would be a second one for the same message. */
const GROUP_ORDER = fromHex('edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010')
/**
 * y-coordinates of the eight points whose order divides 8, that is 0, 1, −1 and the two of order 8; the sign of x makes
 * eight of five. Under such a key anybody can make signatures, and one signature fits many messages.
 */
const SMALL_ORDER = [
  fromHex('00'.repeat(32)),
  fromHex(`01${'00'.repeat(31)}`),
  fromHex(`ec${'ff'.repeat(30)}7f`),
  fromHex('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05'),
  fromHex('c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a'),
] as const

/** The byte of an encoded point, without the sign of x in the highest bit. */
const coordinateByte = (bytes: Uint8Array, offset: number, i: number) =>
  (bytes[offset + i] as number) & (i === 31 ? 0x7f : 0xff)

/** Public inputs only: this takes as long as it takes. */
function isPoint(bytes: Uint8Array, offset: number): boolean {
  for (const point of SMALL_ORDER) {
    let i = 0
    while (i < 32 && coordinateByte(bytes, offset, i) === point[i]) i++
    if (i === 32) return false
  }
  for (let i = 31; i >= 0; i--) {
    const difference = coordinateByte(bytes, offset, i) - (FIELD_PRIME[i] as number)
    if (difference !== 0) return difference < 0
  }
  return false
}

function isScalar(bytes: Uint8Array, offset: number): boolean {
  for (let i = 31; i >= 0; i--) {
    const difference = (bytes[offset + i] as number) - (GROUP_ORDER[i] as number)
    if (difference !== 0) return difference < 0
  }
  return false
}

/** False where lengths are wrong, a coordinate or S is not in its one shortest form, or key or R has small order. */
export function isStrict(publicKey: Uint8Array, signature: Uint8Array): boolean {
  return (
    publicKey.length === 32 &&
    signature.length === 64 &&
    isPoint(publicKey, 0) &&
    isPoint(signature, 0) &&
    isScalar(signature, 32)
  )
}
