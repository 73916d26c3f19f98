/** Checks values against a JSON Schema that was read (SPEC §8). */
import { validate } from '@cfworker/json-schema'
import { BlobMark } from './files.ts'
import { MARKS, type ReadSchema, readSchema } from './schema.ts'

/** Undefined where the value fits, else where and why it does not. */
export type SchemaCheck = (value: unknown) => string | undefined

/** Makes ready to check values against `schema`. @throws as readSchema() */
export function compileSchema(schema: unknown, what: string): SchemaCheck {
  return schemaCheck(readSchema(schema, what))
}

export function schemaCheck({ schema, known }: ReadSchema): SchemaCheck {
  return (value) => {
    try {
      const { errors } = validate(markBytes(value), schema, '2020-12', known)
      // The last one is the innermost of the branch that was looked at last: the most telling one.
      const error = errors.at(-1)
      if (error === undefined) return undefined
      const place = error.instanceLocation.slice(1).replace(/\/%00(bytes|blob)/, '')
      return place === '' ? error.error : `At ${place}: ${error.error}`
    } catch {
      // A schema that refers to itself without end; the stack of the validator is the bound.
      return 'The schema cannot be evaluated for this value.'
    }
  }
}

function markBytes(value: unknown): unknown {
  if (value instanceof Uint8Array) return { [MARKS.binary.key]: value.length }
  if (value instanceof BlobMark) return { [MARKS.blob.key]: value.size }
  if (Array.isArray(value)) return value.map(markBytes)
  if (typeof value !== 'object' || value === null) return value
  // A key that begins as the mark does gets one more, so that no object can pass for bytes.
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key.startsWith('\0') ? `\0${key}` : key, markBytes(inner)]),
  )
}
