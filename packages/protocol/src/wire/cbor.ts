/** Deterministic CBOR (RFC 8949 §4.2.1), decoded strictly: one value has one encoding, and only that is accepted (SPEC §3). */
import { type DecodeOptions, decode, type EncodeOptions, encode, rfc8949EncodeOptions, Tokenizer } from 'cborg'
import * as v from 'valibot'
import { TsunagiError } from '../errors.ts'
import { PROTOCOL } from '../limits.ts'
import { type Bytes, equalBytes, isWellFormed, utf8 } from './bytes.ts'

type TypeEncoder = NonNullable<EncodeOptions['typeEncoders']>[string]

/** Each refuses what decodeCbor() would refuse at the other side, and leaves the rest to the encoder. */
const refusing: Record<'undefined' | 'bigint' | 'Map' | 'string' | 'number' | 'Array' | 'Object', TypeEncoder> = {
  undefined: () => refuse('an array with an empty place'),
  bigint: () => refuse('a BigInt'),
  Map: () => refuse('a Map'),
  number: (value: number) => (Number.isFinite(value) ? null : refuse(String(value))),
  string: (value: string) => (isWellFormed(value) ? null : refuse('half a surrogate pair')),
  Array: refuseDeep,
  // What is no plain object keeps what it holds elsewhere (a Blob, a Promise), and would arrive empty.
  Object: (value: object, ...rest) => (isPlain(value) ? refuseDeep(value, ...rest) : refuse('an object of a class')),
}

const encodeOptions: EncodeOptions = {
  ...rfc8949EncodeOptions,
  ignoreUndefinedProperties: true,
  typeEncoders: refusing,
}

const decodeOptions: DecodeOptions = {
  strict: true,
  allowIndefinite: false,
  allowUndefined: false,
  allowInfinity: false,
  allowNaN: false,
  allowBigInt: false,
  rejectDuplicateMapKeys: true,
}

/**
 * @throws TsunagiError INVALID_FORMAT where `value` holds what CBOR here cannot carry (functions, symbols, cycles,
 * NaN, infinities, BigInts, Maps, objects of a class, half surrogate pairs, undefined in an array), or nests deeper than PROTOCOL.maxDepth
 */
export function encodeCbor(value: unknown): Bytes {
  let encoded: Bytes
  try {
    encoded = encode(value, encodeOptions) as Bytes
  } catch (cause) {
    throw new TsunagiError('INVALID_FORMAT', `This value cannot be sent: ${reason(cause)}.`, { cause })
  }
  return encoded
}

/** @throws TsunagiError INVALID_FORMAT where `bytes` are not the one encoding of one value within the limits */
export function decodeCbor(bytes: Uint8Array): unknown {
  try {
    const value: unknown = decode(bytes, { ...decodeOptions, tokenizer: new BoundedTokenizer(bytes) })
    // Catches what the decoder lets pass: unsorted maps and long floats.
    if (!equalBytes(encode(value, encodeOptions), bytes)) throw new Error('not in deterministic form')
    return value
  } catch (cause) {
    throw new TsunagiError('INVALID_FORMAT', `Bytes are not valid CBOR: ${reason(cause)}.`, { cause })
  }
}

/** @throws TsunagiError INVALID_FORMAT as decodeCbor(), and where the value does not fit the schema */
export function decodeAs<S extends v.GenericSchema>(schema: S, bytes: Uint8Array, what: string): v.InferOutput<S> {
  return parseAs(schema, decodeCbor(bytes), what)
}

/** @throws TsunagiError INVALID_FORMAT, or MISSING_FIELDS where a required field is absent */
export function parseAs<S extends v.GenericSchema>(schema: S, value: unknown, what: string): v.InferOutput<S> {
  const result = v.safeParse(schema, value, { abortEarly: true })
  if (result.success) return result.output
  const issue = result.issues[0]
  const field = v.getDotPath(issue) ?? 'value'
  const missing = issue.received === 'undefined'
  throw new TsunagiError(
    missing ? 'MISSING_FIELDS' : 'INVALID_FORMAT',
    `${what}: ${field} ${missing ? 'is missing' : `is not valid (${issue.message})`}.`,
  )
}

function refuse(what: string): never {
  throw new Error(`${what} has no form here`)
}

function refuseDeep(
  value: object,
  _type: string,
  _options: EncodeOptions,
  ancestors?: Parameters<TypeEncoder>[3],
): null {
  let depth = 1
  for (let ancestor = ancestors; ancestor !== undefined; ancestor = ancestor.parent) depth++
  // As for a decoder, an empty one opens nothing.
  if (depth > PROTOCOL.maxDepth && Object.keys(value).length > 0) throw new Error('nested too deeply')
  return null
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  // Also the Object of another frame or worker.
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

/** A getter or proxy inside the value may throw anything, also what cannot be read itself. */
function reason(cause: unknown): string {
  try {
    if (cause instanceof Error) return String(cause.message)
  } catch {
    // Then it has nothing to say.
  }
  return 'reading it failed'
}

/** U+FEFF at the begin of a text, which the decoder of UTF-8 takes for a sign that it is one, and leaves out. */
const MARK = utf8('\ufeff')

/** Counts how deep the arrays and maps under way are nested, before anything recurses into them; gives texts their first character. */
class BoundedTokenizer extends Tokenizer {
  readonly #open: number[] = []

  constructor(data: Uint8Array) {
    super(data, decodeOptions)
  }

  override next() {
    const at = this.pos()
    const token = super.next()
    if (token.type.name === 'string' && this.#isMarked(at)) token.value = `\ufeff${token.value}`
    while (this.#open.length > 0 && this.#open.at(-1) === 0) this.#open.pop()
    const last = this.#open.length - 1
    if (last >= 0) this.#open[last] = (this.#open[last] as number) - 1
    const items = token.type.name === 'array' ? token.value : token.type.name === 'map' ? token.value * 2 : 0
    if (items > 0) {
      this.#open.push(items)
      if (this.#open.length > PROTOCOL.maxDepth) throw new Error('nested too deeply')
    }
    return token
  }

  /** Whether the text whose item begins there begins with the mark. */
  #isMarked(at: number): boolean {
    const info = (this.data[at] ?? 0) & 31
    const text = at + (info < 24 ? 1 : 1 + 2 ** (info - 24))
    return MARK.every((byte, n) => this.data[text + n] === byte)
  }
}
