/** Hosts refuse most of this by themselves today; isStrict() refuses it on every host. */
import { expect, test } from 'vitest'
import { wrongLengths } from '../conformance/crypto-implementation.ts'
import { ED25519, SMALL_ORDER_POINTS } from '../conformance/crypto-vectors.ts'
import { concat } from '../wire/bytes.ts'
import { isStrict } from './strict-signature.ts'

const [{ publicKey, signature }] = ED25519
const [R, S] = [signature.subarray(0, 32), signature.subarray(32)]
/** The first numbers that are no coordinate and no scalar, little-endian: p and L. */
const P = Uint8Array.from({ length: 32 }, (_, i) => (i === 0 ? 0xed : i === 31 ? 0x7f : 0xff))
const L = new Uint8Array(Buffer.from('edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010', 'hex'))
/** The number before and after one whose lowest byte does not overflow. */
const plus = (number: Uint8Array, difference: number) => number.with(0, (number[0] as number) + difference)

test('signatures of RFC 8032 are strict', () => {
  for (const good of ED25519) expect(isStrict(good.publicKey, good.signature)).toBe(true)
})

test('keys and signatures of a wrong length are not', () => {
  for (const bad of wrongLengths(publicKey)) expect(isStrict(bad, signature)).toBe(false)
  for (const bad of wrongLengths(signature)) expect(isStrict(publicKey, bad)).toBe(false)
})

test('a point of small order is neither key nor R, in none of its encodings', () => {
  for (const point of SMALL_ORDER_POINTS) {
    expect(isStrict(point, signature)).toBe(false)
    expect(isStrict(publicKey, concat(point, S))).toBe(false)
  }
})

test('coordinates end before p, whatever the sign of x', () => {
  for (const sign of [0, 0x80]) {
    const signed = (y: Uint8Array) => y.with(31, (y[31] as number) | sign)
    expect(isStrict(signed(plus(P, -2)), signature)).toBe(true)
    expect(isStrict(signed(plus(P, 3)), signature)).toBe(false)
    expect(isStrict(publicKey, concat(signed(plus(P, -2)), S))).toBe(true)
    expect(isStrict(publicKey, concat(signed(plus(P, 3)), S))).toBe(false)
  }
})

test('S ends before the order of the group', () => {
  expect(isStrict(publicKey, concat(R, plus(L, -1)))).toBe(true)
  expect(isStrict(publicKey, concat(R, L))).toBe(false)
  expect(isStrict(publicKey, concat(R, plus(L, 1)))).toBe(false)
  expect(isStrict(publicKey, concat(R, S.with(31, (S[31] as number) | 0x80)))).toBe(false)
})
