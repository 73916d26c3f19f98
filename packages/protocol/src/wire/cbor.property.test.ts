/** The codec against another one, cborg in its strict form, with what the rules ask beyond that. */
import { decode, encode, rfc8949EncodeOptions } from 'cborg'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { equalBytes } from './bytes.ts'
import { decodeCbor, encodeCbor } from './cbor.ts'

/** Undefined where it is refused. */
function attempt<T>(action: () => T): { readonly value: T } | undefined {
  try {
    return { value: action() }
  } catch {
    return undefined
  }
}

const options = {
  strict: true,
  allowIndefinite: false,
  allowUndefined: false,
  allowInfinity: false,
  allowNaN: false,
  allowBigInt: false,
  rejectDuplicateMapKeys: true,
} as const

/** What cborg reads and writes again as the same bytes. */
const other = (bytes: Uint8Array) =>
  attempt(() => {
    const value: unknown = decode(bytes, options)
    if (!equalBytes(encode(value, rfc8949EncodeOptions), bytes)) throw new Error('another form')
    return value
  })

const number = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.float({ noNaN: true, noDefaultInfinity: true }),
  fc.maxSafeInteger(),
  fc.integer({ min: -300, max: 300 }),
  // What has, or almost has, a shorter form.
  fc.tuple(fc.integer({ min: -2_100, max: 2_100 }), fc.integer({ min: -30, max: 70 })).map(([n, e]) => n * 2 ** e),
  fc.constantFrom(2 ** 53, -(2 ** 53), 2 ** 32, 2 ** 32 - 1, 65_504, 65_505.5, 65_520.5, 2 ** -24, 2 ** -25, 5e-324),
)
const text = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.constant('\ufeffmark'))
const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom(null, true, false),
    number,
    text,
    fc.uint8Array({ maxLength: 300 }),
    fc.array(tie('value'), { maxLength: 30 }),
    fc.dictionary(text, tie('value'), { maxKeys: 30 }),
  ),
}))

/** Where the other is not as strict as the rules: it keeps the smallest halves longer than need be, and drops a byte order mark. */
function differs(given: unknown): boolean {
  if (typeof given === 'number') return given !== 0 && Math.abs(given) < 2 ** -14
  if (typeof given === 'string') return given.startsWith('\ufeff')
  if (given instanceof Uint8Array || typeof given !== 'object' || given === null) return false
  return Object.entries(given).flat().some(differs)
}

/** -0 has no form of its own, and comes back as 0. */
const plain = (given: unknown): unknown => {
  if (given === 0) return 0
  if (given instanceof Uint8Array || typeof given !== 'object' || given === null) return given
  if (Array.isArray(given)) return given.map(plain)
  return Object.fromEntries(Object.entries(given).map(([key, inner]) => [key, plain(inner)]))
}

test('values are written as by the other, and come back', () => {
  fc.assert(
    fc.property(value, (given) => {
      const bytes = encodeCbor(given)
      if (!differs(given)) expect(bytes).toEqual(new Uint8Array(encode(given, rfc8949EncodeOptions)))
      expect(plain(decodeCbor(bytes))).toEqual(plain(given))
    }),
    { numRuns: 3_000 },
  )
})

test('bytes are read as by the other, and in no other form', () => {
  const altered = fc
    .tuple(value, fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { maxLength: 3 }), fc.nat(), fc.boolean())
    .map(([given, changes, end, cut]) => {
      const bytes = encodeCbor(given).slice()
      for (const [at, byte] of changes) bytes[at % bytes.length] = byte
      return cut ? bytes.slice(0, end % (bytes.length + 1)) : bytes
    })
  const head = fc.tuple(fc.nat({ max: 255 }), fc.uint8Array({ maxLength: 12 })).map(([a, b]) => Uint8Array.of(a, ...b))
  fc.assert(
    fc.property(fc.oneof(altered, head, fc.uint8Array({ maxLength: 40 })), (bytes) => {
      const read = attempt(() => decodeCbor(bytes))
      const expected = other(bytes)
      if (!differs(read?.value) && !differs(expected?.value)) expect(read).toEqual(expected)
      if (read !== undefined) expect(encodeCbor(read.value)).toEqual(new Uint8Array(bytes))
    }),
    { numRuns: 20_000 },
  )
})
