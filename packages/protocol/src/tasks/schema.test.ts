import { expect, test } from 'vitest'
import { compileSchema } from './schema-check.ts'

const BYTES = { type: 'string', contentEncoding: 'binary' }
const bytes = new Uint8Array([1, 2, 3])
const fits = (schema: unknown, value: unknown) => compileSchema(schema, 'The schema')(value) === undefined

test('the form of bytes takes bytes and nothing else', () => {
  expect(fits(BYTES, bytes)).toBe(true)
  for (const other of ['abc', '', 3, null, true, [1, 2, 3], {}, { 0: 1 }, { bytes: 3 }])
    expect(fits(BYTES, other)).toBe(false)
})

test.each(['null', 'boolean', 'object', 'array', 'number', 'string', 'integer'])(
  'the type %s takes no bytes',
  (type) => {
    expect(fits({ type }, bytes)).toBe(false)
    expect(fits({ type: [type, 'null'] }, bytes)).toBe(false)
    expect(fits({ type: 'object', properties: { x: { type } } }, { x: bytes })).toBe(false)
  },
)

test('bytes are found inside objects and arrays, behind $ref and among alternatives', () => {
  const schema = {
    type: 'object',
    properties: {
      image: { $ref: '#/$defs/bytes' },
      parts: { type: 'array', items: BYTES },
      text: { anyOf: [{ type: 'string' }, BYTES] },
    },
    required: ['image'],
    additionalProperties: false,
    $defs: { bytes: BYTES },
  }
  expect(fits(schema, { image: bytes })).toBe(true)
  expect(fits(schema, { image: bytes, parts: [bytes, bytes], text: bytes })).toBe(true)
  expect(fits(schema, { image: bytes, text: 'word' })).toBe(true)
  expect(fits(schema, { image: 'word' })).toBe(false)
  expect(fits(schema, { image: bytes, parts: [bytes, 'word'] })).toBe(false)
  expect(fits(schema, { image: bytes, text: 5 })).toBe(false)
  expect(fits(schema, { image: bytes, more: 1 })).toBe(false)
  expect(fits(schema, bytes)).toBe(false)
})

test('minLength and maxLength of the form count bytes', () => {
  const schema = { ...BYTES, minLength: 2, maxLength: 3 }
  expect(fits(schema, new Uint8Array(1))).toBe(false)
  expect(fits(schema, new Uint8Array(2))).toBe(true)
  expect(fits(schema, new Uint8Array(4))).toBe(false)
})

test('no object passes for bytes, whatever its keys are', () => {
  for (const key of ['\0bytes', '\0\0bytes', 'bytes']) {
    expect(fits(BYTES, { [key]: 3 })).toBe(false)
    expect(fits({ type: 'object' }, { [key]: 3 })).toBe(true)
  }
})

test('what does not fit is told by place and reason', () => {
  const schema = { type: 'object', properties: { size: { type: 'integer' }, image: BYTES, name: { type: 'object' } } }
  const check = compileSchema(schema, 'The schema')
  expect(check({ size: 'big' })).toBe('At /size: Instance type "string" is invalid. Expected "integer".')
  expect(check({ image: 'text' })).toBe('At /image: Instance type "string" is invalid. Expected "bytes".')
  expect(check({ name: bytes })).toBe('At /name: Instance type "object" is invalid. Expected "object, not bytes".')
  expect(compileSchema({ ...BYTES, maxLength: 2 }, 'The schema')(bytes)).toBe('3 is greater than 2.')
})

test.each([
  ['a type that does not exist', { type: 'strng' }, /type/],
  ['a pattern that is none', { properties: { a: { pattern: '(' } } }, /properties\.a\.pattern/],
  ['a $ref that leads nowhere', { $ref: '#/$defs/missing' }, /names nothing/],
  ['a $ref to another document', { $ref: 'https://example.org/schema' }, /not fetched/],
  ['an $id that is no address', { $id: 'http://[' }, /\$id/],
  ['a subschema that is none', { items: 5 }, /items/],
  ['required that is no list', { required: 'a' }, /required/],
  ['another draft', { $schema: 'http://json-schema.org/draft-07/schema#' }, /2020-12/],
  ['a keyword that would be skipped in silence', { $dynamicRef: '#a' }, /\$dynamicRef/],
  ['a keyword whose cost a stranger chooses', { type: 'array', uniqueItems: true }, /square/],
  ['bytes among several types', { type: ['string', 'null'], contentEncoding: 'binary' }, /anyOf/],
  ['text', 'string', /schema/],
  ['nothing', null, /schema/],
])('%s is refused before it is used', (_, schema, sentence) => {
  expect(() => compileSchema(schema, 'The schema')).toThrow(
    expect.objectContaining({ code: 'INVALID_ARGUMENT', message: expect.stringMatching(sentence) }),
  )
})

test('a schema that refers to itself without end fits nothing and ends nothing', () => {
  expect(fits({ $ref: '#' }, 1)).toBe(false)
})

test('names of JavaScript itself are names like others', () => {
  const schema = { type: 'object', properties: { constructor: BYTES }, required: ['constructor'] }
  expect(fits(schema, { constructor: bytes })).toBe(true)
  expect(fits(schema, { constructor: 'text' })).toBe(false)
  expect(fits(schema, {})).toBe(false)
})
