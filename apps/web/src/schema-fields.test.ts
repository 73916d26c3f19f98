import { LIMITS } from '@tsunagi/protocol'
import { describe, expect, test } from 'vitest'
import { type Field, fieldsOf, MAX_INPUT_BYTES, numberWords, parse } from './schema-fields.ts'

const object = (properties: Record<string, unknown>, more = {}) => ({ type: 'object', properties, ...more })
const only = (schema: unknown): Field => {
  const [field] = fieldsOf(object({ it: schema })) ?? []
  if (field === undefined) throw new Error('No field was made.')
  return field
}
const typed = (schema: unknown, text: string) => {
  const { kind, title } = only(schema)
  if (kind.type === 'file' || kind.type === 'flag') throw new Error('Nothing is typed there.')
  return parse(text, kind, title)
}

describe('a form is made', () => {
  test('of each kind of value, what is required first, with its words', () => {
    const fields = fieldsOf(
      object(
        {
          grams: { type: 'number', minimum: 0 },
          name: { type: 'string', title: 'Name', description: 'As on the door', maxLength: 40, default: 'Ada' },
          exact: { type: 'boolean', default: true },
          unit: { enum: ['g', 'kg', null] },
          photo: { type: 'string', contentEncoding: 'binary', maxLength: 500 },
          tags: { type: 'array', items: { type: 'string' }, maxItems: 3 },
        },
        { required: ['name'] },
      ),
    )
    expect(fields?.map(({ name, kind, list, required }) => [name, kind.type, list !== undefined, required])).toEqual([
      ['name', 'text', false, true],
      ['grams', 'number', false, false],
      ['exact', 'flag', false, false],
      ['unit', 'choice', false, false],
      ['photo', 'file', false, false],
      ['tags', 'text', true, false],
    ])
    expect(fields?.[0]).toMatchObject({ title: 'Name', description: 'As on the door', initial: 'Ada' })
    expect(fields?.[1]?.title).toBe('grams')
    expect(fields?.[5]?.list).toEqual({ least: 0, most: 3 })
  })

  test('that takes no file larger than a task can carry, whatever the schema says', () => {
    expect(only({ type: 'string', contentEncoding: 'binary' }).kind).toMatchObject({ most: MAX_INPUT_BYTES })
    expect(only({ type: 'string', contentEncoding: 'binary', maxLength: 9 }).kind).toMatchObject({ most: 9 })
    expect(only({ type: 'string', contentEncoding: 'blob', maxLength: 9e15 }).kind).toMatchObject({
      most: LIMITS.maxTaskFileBytes,
      as: 'blob',
    })
  })

  test.each<[string, unknown]>([
    ['no schema', undefined],
    ['true', true],
    ['a list', { type: 'array', items: { type: 'number' } }],
    ['alternatives', object({ a: { anyOf: [{ type: 'string' }, { type: 'number' }] } })],
    ['several types', object({ a: { type: ['string', 'null'] } })],
    ['an object in it', object({ a: object({ b: { type: 'string' } }) })],
    ['lists in a list', object({ a: { type: 'array', items: { type: 'array', items: { type: 'string' } } } })],
    ['a reference', object({ a: { $ref: '#/$defs/a' } })],
    ['a required property that it does not describe', object({}, { required: ['a'] })],
    ['any further properties of a kind', object({}, { additionalProperties: { type: 'string' } })],
    ['a pattern', object({ a: { type: 'string', pattern: '^a$' } })],
    ['choices that are objects', object({ a: { enum: [{}] } })],
    ['more than anybody fills in', object(Object.fromEntries(Array.from({ length: 99 }, (_, i) => [i, true])))],
  ])('not of %s', (_, schema) => {
    expect(fieldsOf(schema)).toBeUndefined()
  })
})

describe('what is typed', () => {
  test.each<[unknown, string, unknown]>([
    [{ type: 'number' }, ' 2.5 ', 2.5],
    [{ type: 'integer', minimum: 1, maximum: 64 }, '64', 64],
    [{ enum: [1, '2', false] }, '1', 1],
    [{ enum: [1, '2', false] }, 'false', false],
    [{ type: 'string', maxLength: 2 }, '👋👋', '👋👋'],
  ])('as %j: %s', (schema, text, value) => {
    expect(typed(schema, text)).toEqual(value)
  })

  test.each<[unknown, string, string]>([
    [{ type: 'integer', minimum: 1, maximum: 64 }, '1.5', '“it” takes a whole number from 1 to 64.'],
    [{ type: 'number', exclusiveMinimum: 0, exclusiveMaximum: 1 }, '1', '“it” takes a number above 0 below 1.'],
    [{ type: 'number', minimum: 0, exclusiveMinimum: 0 }, '0', '“it” takes a number above 0.'],
    [{ type: 'number' }, '', '“it” takes a number.'],
    [{ type: 'number' }, 'Infinity', '“it” takes a number.'],
    [{ enum: ['g', 'kg'] }, 'lb', '“it” is one of g, kg.'],
    [{ type: 'string', minLength: 2, maxLength: 3 }, 'abcd', '“it” takes 2 to 3 characters; this has 4.'],
  ])('as %j, not %s', (schema, text, sentence) => {
    expect(() => typed(schema, text)).toThrow(sentence)
  })
})

test('the words of a number name the bounds it has', () => {
  const { kind } = only({ type: 'number', maximum: 5 })
  if (kind.type === 'number') expect(numberWords(kind)).toBe('a number up to 5')
})
