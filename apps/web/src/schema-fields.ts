/** What a form asks for, made from a JSON Schema that another peer announced. */
import { LIMITS, PROTOCOL } from '@tsunagi/protocol'

type Schema = Readonly<Record<string, unknown>>

/** One value. `lines` are those of its field at first, 0 where it never has more than one. Numbers of `least` and `most` are characters of a text, bytes of a file, or the bounds of a number. */
export type Kind =
  | { readonly type: 'text'; readonly least: number; readonly most: number; readonly lines: number }
  | {
      readonly type: 'number'
      readonly whole: boolean
      readonly least: number
      readonly most: number
      /** Whether `least` and `most` themselves are outside. */
      readonly above: boolean
      readonly below: boolean
    }
  | { readonly type: 'flag' }
  | { readonly type: 'choice'; readonly options: readonly (string | number | boolean | null)[] }
  | { readonly type: 'file'; readonly least: number; readonly most: number; readonly as: 'bytes' | 'blob' }

export interface Field {
  /** The property it fills. */
  readonly name: string
  readonly title: string
  readonly description: string
  readonly required: boolean
  readonly kind: Kind
  /** Several of that kind, so many at least and at most; undefined for one. */
  readonly list: { readonly least: number; readonly most: number } | undefined
  readonly initial: unknown
}

/** A form of more is no form to fill in by hand. */
const MAX_FIELDS = 24
/** A task travels in one message: the largest one, less room for what surrounds a file in it. */
export const MAX_INPUT_BYTES = PROTOCOL.maxMessage - 64 * 1_024
/** A text that may be longer gets a field that grows with its lines. */
const ONE_LINE = 120

/** Keywords whose meaning no field shows: a value that ignores them would be refused for no visible reason. */
const BEYOND = new Set(
  '$ref $dynamicRef allOf anyOf oneOf not if then else const dependentRequired dependentSchemas patternProperties propertyNames minProperties prefixItems contains unevaluatedProperties unevaluatedItems multipleOf pattern format'.split(
    ' ',
  ),
)

/** Undefined where the schema asks for something that no field of ours can ask for; then its JSON is written by hand. */
export function fieldsOf(schema: unknown): readonly Field[] | undefined {
  if (!isSimple(schema) || schema['type'] !== 'object') return undefined
  const { properties = {}, required = [], additionalProperties } = schema
  // What else may be in the object is left out of it, unless a schema says that there is something to fill in.
  if (isSchema(additionalProperties)) return undefined
  if (!isSchema(properties) || !Array.isArray(required)) return undefined
  const names = Object.keys(properties)
  if (names.length > MAX_FIELDS || required.some((name) => !names.includes(name))) return undefined
  const fields = names.map((name) => fieldOf(name, properties[name], required.includes(name)))
  if (!fields.every((field) => field !== undefined)) return undefined
  // The order of the schema is lost on its way. What is needed comes first.
  return fields.toSorted((a, b) => Number(b.required) - Number(a.required))
}

function fieldOf(name: string, schema: unknown, required: boolean): Field | undefined {
  if (!isSimple(schema)) return undefined
  const isList = schema['type'] === 'array'
  if (isList && !isSimple(schema['items'])) return undefined
  const kind = kindOf(isList ? (schema['items'] as Schema) : schema)
  if (kind === undefined) return undefined
  const { title, description, default: initial } = schema
  return {
    name,
    title: typeof title === 'string' && title.trim() !== '' ? title : name,
    description: typeof description === 'string' ? description : '',
    required,
    kind,
    list: isList ? { least: numberIn(schema, 'minItems', 0), most: numberIn(schema, 'maxItems', 1_000) } : undefined,
    initial,
  }
}

function kindOf(schema: Schema): Kind | undefined {
  const { type } = schema
  if (Array.isArray(schema['enum'])) {
    const options = schema['enum'].filter(isPlain)
    return options.length === schema['enum'].length && options.length > 0 ? { type: 'choice', options } : undefined
  }
  switch (type) {
    case 'boolean':
      return { type: 'flag' }
    case 'number':
    case 'integer':
      return numberKind(schema, type === 'integer')
    case 'string':
      return textKind(schema)
    default:
      return undefined
  }
}

function numberKind(schema: Schema, whole: boolean): Kind {
  const [minimum, above] = [numberIn(schema, 'minimum', -Infinity), numberIn(schema, 'exclusiveMinimum', -Infinity)]
  const [maximum, below] = [numberIn(schema, 'maximum', Infinity), numberIn(schema, 'exclusiveMaximum', Infinity)]
  return {
    type: 'number',
    whole,
    least: Math.max(minimum, above),
    most: Math.min(maximum, below),
    above: above > -Infinity && above >= minimum,
    below: below < Infinity && below <= maximum,
  }
}

function textKind(schema: Schema): Kind | undefined {
  const least = numberIn(schema, 'minLength', 0)
  if (schema['contentEncoding'] === 'binary') {
    return {
      type: 'file',
      least,
      most: Math.min(numberIn(schema, 'maxLength', Infinity), MAX_INPUT_BYTES),
      as: 'bytes',
    }
  }
  if (schema['contentEncoding'] === 'blob') {
    return {
      type: 'file',
      least,
      most: Math.min(numberIn(schema, 'maxLength', Infinity), LIMITS.maxTaskFileBytes),
      as: 'blob',
    }
  }
  // Text in another encoding is nothing that people type.
  if (schema['contentEncoding'] !== undefined) return undefined
  const most = numberIn(schema, 'maxLength', Infinity)
  return { type: 'text', least, most, lines: most <= ONE_LINE ? 0 : most === Infinity ? 1 : 4 }
}

/** What a person typed, as the value of `kind`. @throws Error with a sentence for the person */
export function parse(text: string, kind: Exclude<Kind, { type: 'file' | 'flag' }>, title: string): unknown {
  switch (kind.type) {
    case 'choice':
      return parseChoice(text, kind.options, title)
    case 'number':
      return parseNumber(text, kind, title)
    case 'text': {
      const { length } = Array.from(text)
      if (length >= kind.least && length <= kind.most) return text
      throw new Error(`“${title}” takes ${range(kind.least, kind.most)} characters; this has ${length}.`)
    }
  }
}

function parseChoice(text: string, options: readonly unknown[], title: string): unknown {
  const at = options.findIndex((option) => String(option) === text)
  if (at >= 0) return options[at]
  throw new Error(`“${title}” is one of ${options.join(', ')}.`)
}

function parseNumber(text: string, kind: Extract<Kind, { type: 'number' }>, title: string): number {
  const value = Number(text.trim() || Number.NaN)
  const fits =
    Number.isFinite(value) &&
    (Number.isInteger(value) || !kind.whole) &&
    (kind.above ? value > kind.least : value >= kind.least) &&
    (kind.below ? value < kind.most : value <= kind.most)
  if (fits) return value
  throw new Error(`“${title}” takes ${numberWords(kind)}.`)
}

/** What a number must be, in words: a whole number from 1 to 64. */
export function numberWords({ whole, least, most, above, below }: Extract<Kind, { type: 'number' }>): string {
  const bounds = [
    least > -Infinity ? `${above ? 'above' : 'from'} ${least}` : '',
    most < Infinity ? `${below ? 'below' : least > -Infinity && !above ? 'to' : 'up to'} ${most}` : '',
  ]
  return [`a ${whole ? 'whole ' : ''}number`, ...bounds.filter((bound) => bound !== '')].join(' ')
}

/** 1 to 5, at most 5, at least 1. */
export function range(least: number, most: number): string {
  if (most === Infinity) return `at least ${least}`
  return least > 0 ? `${least} to ${most}` : `at most ${most}`
}

function isSchema(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isSimple(value: unknown): value is Schema {
  return isSchema(value) && !Object.keys(value).some((keyword) => BEYOND.has(keyword))
}

function isPlain(value: unknown): value is string | number | boolean | null {
  return value === null || ['string', 'number', 'boolean'].includes(typeof value)
}

function numberIn(schema: Schema, keyword: string, otherwise: number): number {
  const value = schema[keyword]
  return typeof value === 'number' ? value : otherwise
}
