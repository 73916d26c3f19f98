/** Reads a JSON Schema (draft 2020-12) over values that may hold bytes (SPEC §8); schema-check.ts checks values by it. */
import { dereference, type Schema, schemaArrayKeyword, schemaKeyword, schemaMapKeyword } from '@cfworker/json-schema'
import * as v from 'valibot'
import { TsunagiError } from '../errors.ts'
import { parseAs } from '../wire/cbor.ts'

const DRAFT = 'https://json-schema.org/draft/2020-12/schema'
const TYPES = ['null', 'boolean', 'object', 'array', 'number', 'string', 'integer'] as const

const isPattern = (text: string) => {
  try {
    return Boolean(new RegExp(text, 'u'))
  } catch {
    return false
  }
}
const count = v.optional(v.pipe(v.number(), v.safeInteger(), v.minValue(0)))
const number = v.optional(v.number())
const text = v.optional(v.string())
const pattern = v.pipe(v.string(), v.check(isPattern, 'is no regular expression'))
const names = v.array(v.string())
const unsupported = (why: string) => v.optional(v.never(why))
const subschema: v.GenericSchema = v.lazy((input) => {
  if (typeof input === 'boolean') return v.boolean()
  return Array.isArray(input) ? v.never('is a list; prefixItems takes one') : keywords
})
const subschemas = v.optional(v.pipe(v.array(subschema), v.minLength(1)))
const subschemaMap = v.optional(v.record(v.string(), subschema))

/** The keywords that are evaluated, and what they take. The validator trusts its schema, so this does not. */
const keywords: v.GenericSchema = v.pipe(
  v.looseObject({
    $schema: v.optional(v.literal(DRAFT, `only ${DRAFT} is understood`)),
    $id: text,
    $anchor: text,
    $ref: text,
    $defs: subschemaMap,
    definitions: subschemaMap,
    $dynamicRef: unsupported('is not supported; use $ref'),
    type: v.optional(
      v.union([v.picklist(TYPES), v.array(v.picklist(TYPES))], `is one or several of ${TYPES.join(', ')}`),
    ),
    enum: v.optional(v.array(v.unknown())),
    allOf: subschemas,
    anyOf: subschemas,
    oneOf: subschemas,
    not: v.optional(subschema),
    if: v.optional(subschema),
    // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
    then: v.optional(subschema),
    else: v.optional(subschema),
    properties: subschemaMap,
    patternProperties: v.optional(v.record(pattern, subschema)),
    additionalProperties: v.optional(subschema),
    unevaluatedProperties: v.optional(subschema),
    propertyNames: v.optional(subschema),
    required: v.optional(names),
    dependentRequired: v.optional(v.record(v.string(), names)),
    dependentSchemas: subschemaMap,
    minProperties: count,
    maxProperties: count,
    prefixItems: subschemas,
    items: v.optional(subschema),
    additionalItems: v.optional(subschema),
    unevaluatedItems: v.optional(subschema),
    contains: v.optional(subschema),
    minContains: count,
    maxContains: count,
    minItems: count,
    maxItems: count,
    // Compares each item with each other before any other keyword is looked at: a million items stop the page.
    uniqueItems: v.optional(v.literal(false, 'takes time with the square of the items; check that in the handler')),
    minimum: number,
    maximum: number,
    exclusiveMinimum: number,
    exclusiveMaximum: number,
    multipleOf: v.optional(v.pipe(v.number(), v.gtValue(0))),
    minLength: count,
    maxLength: count,
    pattern: v.optional(pattern),
    format: text,
    contentEncoding: text,
  }),
  v.check(
    (schema) => !isMarked(schema['contentEncoding']) || schema['type'] === 'string',
    'says contentEncoding binary or blob, which needs the type string alone; use anyOf for alternatives',
  ),
)

/**
 * What JSON Schema lacks, by the contentEncoding that stands for it, and the key under which the validator finds it: it knows
 * the types of JSON only, so bytes come to it as `{ [key]: length }`.
 */
export const MARKS = { binary: { key: '\0bytes', name: 'bytes' }, blob: { key: '\0blob', name: 'Blob' } } as const

function isMarked(encoding: unknown): encoding is keyof typeof MARKS {
  return encoding === 'binary' || encoding === 'blob'
}

/** A schema that is one, as the validator takes it. */
export interface ReadSchema {
  readonly schema: Schema | boolean
  /** Every schema inside by its address. */
  readonly known: Record<string, Schema | boolean>
}

/**
 * Reads `schema`, so that values can be checked against it.
 *
 * JSON Schema has no bytes. Here a `Uint8Array` is what `{ "type": "string", "contentEncoding": "binary" }` describes:
 * that form takes bytes and nothing else, `minLength` and `maxLength` then count bytes, and no other `type` takes them.
 * It works at the top, inside objects and arrays, and behind `$ref` and `anyOf`. With `"contentEncoding": "blob"` it is a Blob,
 * which comes to the check as a BlobMark.
 *
 * Not evaluated, so refused: `uniqueItems: true`, `$dynamicRef`, references to other documents.
 * Patterns run on what strangers send: one with nested repetition lets them stop this page.
 * @throws TsunagiError INVALID_ARGUMENT where `schema` is no JSON Schema
 */
export function readSchema(schema: unknown, what: string): ReadSchema {
  try {
    parseAs(subschema, schema, what)
  } catch (cause) {
    throw new TsunagiError('INVALID_ARGUMENT', (cause as TsunagiError).message, { cause })
  }
  const marked = withMarkedBytes(schema as Schema | boolean)
  return { schema: marked, known: resolved(marked, what) }
}

/** Every schema inside `schema` by its address. @throws TsunagiError INVALID_ARGUMENT where a $ref leads nowhere */
function resolved(schema: Schema | boolean, what: string): Record<string, Schema | boolean> {
  let known: Record<string, Schema | boolean>
  try {
    known = dereference(schema)
  } catch (cause) {
    throw new TsunagiError('INVALID_ARGUMENT', `${what}: an $id or $ref is no address, or names two schemas.`, {
      cause,
    })
  }
  for (const inner of Object.values(known)) {
    if (
      typeof inner === 'object' &&
      inner.$ref !== undefined &&
      known[inner.__absolute_ref__ ?? inner.$ref] === undefined
    ) {
      throw new TsunagiError(
        'INVALID_ARGUMENT',
        `${what}: $ref ${inner.$ref} names nothing in this schema; other documents are not fetched.`,
      )
    }
  }
  return known
}

/** `schema` for values that went through markBytes(). Positions stay, so that a $ref by position still leads there. */
function withMarkedBytes(schema: Schema | boolean): Schema | boolean {
  if (typeof schema !== 'object' || schema === null) return schema
  const marked: Schema = Object.fromEntries(
    Object.entries(schema).map(([key, inner]) => [key, markedInside(key, inner)]),
  )
  const encoding: unknown = marked['contentEncoding']
  if (isMarked(encoding)) {
    const { type: _, minLength, maxLength, ...rest } = marked
    return { ...rest, allOf: [...(rest.allOf ?? []), markOf(encoding, minLength, maxLength)] }
  }
  if (marked.type === 'object' || (Array.isArray(marked.type) && marked.type.includes('object'))) {
    return { ...marked, allOf: [...(marked.allOf ?? []), ...Object.values(MARKS).map(noMark)] }
  }
  return marked
}

function markedInside(keyword: string, inner: unknown): unknown {
  if (schemaMapKeyword[keyword] === true) {
    return Object.fromEntries(Object.entries(inner as object).map(([name, schema]) => [name, withMarkedBytes(schema)]))
  }
  if (schemaArrayKeyword[keyword] === true && Array.isArray(inner)) return inner.map(withMarkedBytes)
  if (schemaKeyword[keyword] === true) return withMarkedBytes(inner as Schema)
  return inner
}

// The validator reports a type it does not know as "Expected …": that is how its sentence comes to speak of bytes.
const noType = (name: string) => ({ type: name as 'object' })

function markOf(encoding: keyof typeof MARKS, minimum: number | undefined, maximum: number | undefined): Schema {
  const { key, name } = MARKS[encoding]
  return {
    anyOf: [{ type: 'object', required: [key] }, noType(name)],
    properties: { [key]: { ...(minimum !== undefined && { minimum }), ...(maximum !== undefined && { maximum }) } },
  }
}

function noMark({ key, name }: { key: string; name: string }): Schema {
  // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
  return { if: { type: 'object', required: [key] }, then: noType(`object, not ${name}`) }
}
