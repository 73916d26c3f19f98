/** Deterministic CBOR (RFC 8949 §4.2.1), decoded strictly: one value has one encoding, and only that is accepted (SPEC §3). */
import * as v from 'valibot'
import { TsunagiError } from '../errors.ts'
import type { Bytes } from './bytes.ts'
import { CborReader } from './cbor-reader.ts'
import { CborWriter } from './cbor-writer.ts'

/**
 * @throws TsunagiError INVALID_FORMAT where `value` holds what CBOR here cannot carry (functions, symbols, cycles,
 * NaN, infinities, BigInts, Maps, objects of a class, half surrogate pairs, undefined in an array), or nests deeper than PROTOCOL.maxDepth
 */
export function encodeCbor(value: unknown): Bytes {
  try {
    const writer = new CborWriter()
    writer.value(value, 1)
    return writer.bytes
  } catch (cause) {
    throw new TsunagiError('INVALID_FORMAT', `This value cannot be sent: ${reason(cause)}.`, { cause })
  }
}

/** @throws TsunagiError INVALID_FORMAT where `bytes` are not the one encoding of one value within the limits */
export function decodeCbor(bytes: Uint8Array): unknown {
  try {
    return new CborReader(bytes).only()
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

/** A getter or proxy inside the value may throw anything, also what cannot be read itself. */
function reason(cause: unknown): string {
  try {
    if (cause instanceof Error) return String(cause.message)
  } catch {
    // Then it has nothing to say.
  }
  return 'reading it failed'
}
