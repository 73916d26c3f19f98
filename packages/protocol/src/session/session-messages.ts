/** The messages that go inside a session: which lane each type takes, what may be kept, and how payloads become bytes and back. */
import { TsunagiError } from '../errors.ts'
import { PROTOCOL } from '../limits.ts'
import { SESSION_TYPES, type SessionPayload, type SessionType, sessionPayloads } from '../messages.ts'
import type { Bytes } from '../wire/bytes.ts'
import { decodeAs, encodeCbor } from '../wire/cbor.ts'
import type { Lane } from './outgoing.ts'

/** One verified message. `message` payloads are bytes where their sender gave bytes; the others fit their schema. */
export type SessionMessage = {
  [T in SessionType]: { readonly type: T; readonly payload: SessionPayload<T> }
}[SessionType]

/** What is not named goes in the lane normal. */
const LANES_OF_TYPES: Partial<Record<SessionType, Lane>> = {
  ping: 'high',
  pong: 'high',
  wake_up: 'high',
  wake_up_ack: 'high',
  task_accept: 'high',
  task_reject: 'high',
  task_cancel: 'high',
  task_query: 'high',
  task_state: 'high',
  task_credit: 'high',
  task_renew: 'high',
  chunk_ack: 'high',
  chunk_resend: 'high',
  error: 'high',
  heartbeat: 'low',
  status_report: 'low',
  chunk_init: 'low',
  chunk: 'low',
  chunk_complete: 'low',
}

/** Sent once and never again: a late one says nothing. */
export const EPHEMERAL: ReadonlySet<SessionType> = new Set([
  'ping',
  'pong',
  'heartbeat',
  'task_renew',
  'wake_up',
  'wake_up_ack',
])

/** What may be kept over pages; by number. */
export const DURABLE: ReadonlySet<number> = new Set([SESSION_TYPES.message, SESSION_TYPES.task_result])
export type DurableType = 'message' | 'task_result'

/** Types whose payload may be as large as a message; the others keep to PROTOCOL.maxControl. */
const LARGE: ReadonlySet<SessionType> = new Set(['message', 'task_delegate', 'task_result', 'chunk'])

/** Types that may travel as raw bytes. */
const RAW: ReadonlySet<SessionType> = new Set(['message', 'chunk'])

/** The last message on a link, outside the order of the others; by number. */
export const GOODBYES: ReadonlySet<number> = new Set([SESSION_TYPES.session_close, SESSION_TYPES.session_suspend])

const TYPES = new Map<number, SessionType>(
  (Object.entries(SESSION_TYPES) as [SessionType, number][]).map(([name, number]) => [number, name]),
)

/** Undefined where that number is none of a type known here. */
export function typeOf(number: number): SessionType | undefined {
  return TYPES.get(number)
}

export function laneOf(type: SessionType): Lane {
  return LANES_OF_TYPES[type] ?? 'normal'
}

export interface EncodedPayload {
  /** The bytes are the application's, and no CBOR. */
  readonly raw: boolean
  readonly bytes: Bytes
}

/**
 * @param copy of the application's bytes, which it may write to again
 * @throws TsunagiError INVALID_FORMAT, MESSAGE_TOO_LARGE
 */
export function encodePayload<T extends SessionType>(
  type: T,
  payload: SessionPayload<T>,
  copy: (bytes: Uint8Array) => Bytes,
): EncodedPayload {
  const raw = RAW.has(type) && payload instanceof Uint8Array
  const bytes = raw ? rawBytes(type, payload, copy) : encodeCbor(payload)
  const most = LARGE.has(type) ? PROTOCOL.maxMessage : PROTOCOL.maxControl
  if (bytes.length <= most) return { raw, bytes }
  throw new TsunagiError('MESSAGE_TOO_LARGE', `The message has ${bytes.length} bytes; at most ${most} go in one.`)
}

/** A message is taken as it is now; a chunk was made to be sent, and nobody writes to it any more. */
function rawBytes(type: SessionType, payload: Uint8Array, copy: (bytes: Uint8Array) => Bytes): Bytes {
  return type === 'chunk' ? (payload as Bytes) : copy(payload)
}

/** @throws TsunagiError INVALID_FORMAT, MISSING_FIELDS, MESSAGE_TOO_LARGE */
export function readMessage(type: SessionType | undefined, raw: boolean, bytes: Bytes): SessionMessage {
  if (type === undefined) throw new TsunagiError('INVALID_FORMAT', 'The peer sent a message of a type unknown here.')
  if (raw) {
    // A chunk is not kept for long, and its bytes are its own where it came in several records.
    if (type === 'chunk') return { type, payload: bytes }
    if (type !== 'message') throw new TsunagiError('INVALID_FORMAT', `The peer sent a ${type} as raw bytes.`)
    // A copy where it is a part: a listener that keeps a small message would keep its whole frame alive.
    return { type, payload: bytes.length === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes) }
  }
  if (!LARGE.has(type) && bytes.length > PROTOCOL.maxControl) {
    throw new TsunagiError('MESSAGE_TOO_LARGE', `The peer sent a ${type} of ${bytes.length} bytes.`)
  }
  if (type === 'chunk') throw new TsunagiError('INVALID_FORMAT', 'The peer sent a chunk that is no raw bytes.')
  return { type, payload: decodeAs(sessionPayloads[type], bytes, type) } as SessionMessage
}
