import { expect, test } from 'vitest'
import { PROTOCOL } from '../limits.ts'
import { decodeCbor, encodeCbor } from './cbor.ts'

const hex = (text: string) => new Uint8Array(Buffer.from(text, 'hex'))

test.each([
  ['a map with a repeated key', 'a2616101616102'],
  ['a map whose keys are not in order', 'a2616201616101'],
  ['an integer longer than needed', '1800'],
  ['a float longer than needed', 'fb3ff8000000000000'],
  ['an array of indefinite length', '9f01ff'],
  ['undefined', 'f7'],
  ['not a number', 'f97e00'],
  ['infinity', 'f97c00'],
  ['a tag', 'c001'],
  ['an integer beyond 2^53', '1b0020000000000001'],
  ['bytes after the value', '0101'],
  ['an array that ends early', '8201'],
  ['text that is not UTF-8', '61ff'],
  ['nothing', ''],
  ['nesting without end', '81'.repeat(50_000)],
])('%s is refused', (_, text) => {
  expect(() => decodeCbor(hex(text))).toThrow(expect.objectContaining({ code: 'INVALID_FORMAT' }))
})

test.each([
  [null],
  [true],
  [0],
  [-1],
  [1.5],
  [2 ** 53 - 1],
  ['zwölf'],
  [[1, [2]]],
  [{ b: 1, a: { c: [] } }],
  [new Uint8Array(300)],
  ['\ufeff'],
  ['\ufeff\ufefftext of a file'],
  [{ ['\ufeffkey']: [`\ufeff${'x'.repeat(70_000)}`, `\ufeff${'x'.repeat(253)}`] }],
])('%j comes back as it was', (value) => {
  expect(decodeCbor(encodeCbor(value))).toEqual(value)
})

const nested = (depth: number): unknown =>
  depth === 0 ? 1 : depth % 2 === 0 ? [nested(depth - 1)] : { a: nested(depth - 1) }

test.each([
  ['undefined', undefined],
  ['undefined in an array', [undefined]],
  ['an array with a hole', new Array(2)],
  ['not a number', { a: NaN }],
  ['infinity', [-Infinity]],
  ['a BigInt', 2n ** 60n],
  ['a Map', new Map([[1, 2]])],
  ['a date', new Date(0)],
  ['a function', () => 1],
  ['nesting deeper than the other side reads', nested(PROTOCOL.maxDepth + 1)],
])('%s is refused to its sender, as the other side would refuse it', (_, value) => {
  expect(() => encodeCbor(value)).toThrow(expect.objectContaining({ code: 'INVALID_FORMAT' }))
})

test('a value nested as deeply as allowed comes back', () => {
  expect(decodeCbor(encodeCbor(nested(PROTOCOL.maxDepth)))).toEqual(nested(PROTOCOL.maxDepth))
  expect(encodeCbor({ a: undefined })).toEqual(encodeCbor({}))
})

test('a key __proto__ stays data and gives no prototype', () => {
  const value = decodeCbor(hex('a1695f5f70726f746f5f5fa16161f5')) as Record<string, unknown>
  expect(Object.keys(value)).toEqual(['__proto__'])
  expect(value['a']).toBeUndefined()
})
