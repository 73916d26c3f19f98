/**
 * Session frames (SPEC §3.3): `type(1) ‖ session_id(16) ‖ epoch(4) ‖ counter(8) ‖ AES-256-GCM(body ‖ signature(64))`, where body is
 * `flags(1) ‖ ack(8) ‖ window(4) ‖ first_sequence(8) ‖ records` and a record is `type(1) ‖ flags(1) ‖ length(4) ‖ payload`.
 */
import { TsunagiError } from '../errors.ts'
import { LIMITS, PROTOCOL } from '../limits.ts'
import { SESSION_FRAME } from '../messages.ts'
import type { CryptoProvider } from '../ports.ts'
import { type Bytes, concat, utf8 } from '../wire/bytes.ts'

export const HEADER_LENGTH = 29
const SIGNATURE_LENGTH = 64
const TAG_LENGTH = 16
const BODY_HEAD = 21
export const RECORD_HEAD = 6
/** What a frame has beside its records. */
export const FRAME_OVERHEAD = HEADER_LENGTH + BODY_HEAD + SIGNATURE_LENGTH + TAG_LENGTH

/** Flags of a frame. `prompt`: the sender has nothing more to say and may be waiting for the acknowledgement. */
export const FRAME_FLAGS = { prompt: 1, resend: 2, provisional: 4 } as const
const MOST_FRAME_FLAGS = FRAME_FLAGS.prompt | FRAME_FLAGS.resend | FRAME_FLAGS.provisional

/** Flags of a record; the lane stands in the two bits between. */
export const RECORD_FLAGS = { raw: 1, more: 2, durable: 16 } as const
const LANE_SHIFT = 2
const LANE_MASK = 3
const LANES = 3

/** What stands before the payload of a durable message: its number(8) and id(16). */
export const DURABLE_PREFIX = 24

const MOST_FLAGS = RECORD_FLAGS.raw | RECORD_FLAGS.more | (LANE_MASK << LANE_SHIFT) | RECORD_FLAGS.durable

/** A message, or a part of one that needs several. */
export interface Record {
  /** Number of the message's type; 0 for a place in the sequence whose message is not sent any more. */
  readonly type: number
  /** The payload is application bytes, not CBOR. */
  readonly raw: boolean
  /** The message goes on in the next record of the same lane. */
  readonly more: boolean
  /** The message is kept by both sides until it is handled. */
  readonly durable: boolean
  /** 0 to 2. */
  readonly lane: number
  readonly payload: Bytes
}

export interface FrameBody {
  readonly prompt: boolean
  /** The receiver of this frame is asked to send again from `ack`. */
  readonly resend: boolean
  /** The sender's store does not have the session yet: its next page may not know of it (SPEC R38). */
  readonly provisional: boolean
  /** The next sequence number expected: all below it have arrived. */
  readonly ack: number
  /** Bytes of records that may be on their way beyond `ack`. */
  readonly window: number
  /** Sequence number of the first record; the next one's where there is none. */
  readonly first: number
  readonly records: readonly Record[]
}

/** Who sends to whom: what a frame's signature covers first. */
export function frameContext(sender: Bytes, recipient: Bytes): Bytes {
  return concat(utf8(`tsunagi/${PROTOCOL.version}/session-frame\0`), sender, recipient)
}

/** What stands between header and body in what is signed. */
const SIGNED_FORMS = { whole: new Uint8Array([0]), digest: new Uint8Array([1]) }

/**
 * What a frame's signature covers: a large body by its SHA-256, which takes a third of the time Ed25519 needs for all of it; a
 * small one as it is, since another call to the host's crypto costs more than its bytes.
 */
export async function signedBytes(
  { sha256 }: Pick<CryptoProvider, 'sha256'>,
  context: Bytes,
  header: Bytes,
  body: Bytes,
): Promise<Bytes> {
  if (body.length <= PROTOCOL.signedWhole) return concat(context, header, SIGNED_FORMS.whole, body)
  return concat(context, header, SIGNED_FORMS.digest, await sha256(body))
}

/** A frame before it is encrypted, in one buffer, so that nothing is copied between hashing and sealing. */
export interface PlainFrame {
  readonly header: Bytes
  readonly body: Bytes
  /** Body and the place for its signature: what is encrypted. */
  readonly plaintext: Bytes
  readonly signature: Bytes
  /** All of these are views into it. */
  readonly buffer: Bytes
}

/**
 * @param counter number of this frame under its key, from 0
 * @param spare of a frame that has been sealed: written over where it is large enough, since fresh memory costs more than the writing
 */
export function writeFrame(
  sessionId: Bytes,
  epoch: number,
  counter: number,
  body: FrameBody,
  spare: Bytes = new Uint8Array(),
): PlainFrame {
  let bodyLength = BODY_HEAD
  for (const { payload } of body.records) bodyLength += RECORD_HEAD + payload.length
  const signatureAt = HEADER_LENGTH + bodyLength
  const size = signatureAt + SIGNATURE_LENGTH
  const buffer = spare.length < size ? new Uint8Array(size) : spare
  const bytes = buffer.subarray(0, size)
  const view = new DataView(bytes.buffer)
  bytes[0] = SESSION_FRAME
  bytes.set(sessionId, 1)
  view.setUint32(17, epoch)
  writeCount(view, 21, counter)
  bytes[HEADER_LENGTH] =
    (body.prompt ? FRAME_FLAGS.prompt : 0) |
    (body.resend ? FRAME_FLAGS.resend : 0) |
    (body.provisional ? FRAME_FLAGS.provisional : 0)
  writeCount(view, HEADER_LENGTH + 1, body.ack)
  view.setUint32(HEADER_LENGTH + 9, body.window)
  writeCount(view, HEADER_LENGTH + 13, body.first)
  let at = HEADER_LENGTH + BODY_HEAD
  for (const record of body.records) {
    const { type, payload } = record
    bytes[at] = type
    bytes[at + 1] = flagsOf(record)
    view.setUint32(at + 2, payload.length)
    bytes.set(payload, at + RECORD_HEAD)
    at += RECORD_HEAD + payload.length
  }
  return {
    header: bytes.subarray(0, HEADER_LENGTH),
    body: bytes.subarray(HEADER_LENGTH, signatureAt),
    plaintext: bytes.subarray(HEADER_LENGTH),
    signature: bytes.subarray(signatureAt),
    buffer,
  }
}

export interface FrameHeader {
  readonly bytes: Bytes
  readonly sessionId: Bytes
  readonly epoch: number
  readonly counter: number
}

/** Reads what stands outside the encryption. @throws TsunagiError INVALID_FORMAT, MESSAGE_TOO_LARGE */
export function readHeader(frame: Bytes): FrameHeader {
  if (frame.length > PROTOCOL.maxFrame) {
    throw new TsunagiError('MESSAGE_TOO_LARGE', `A frame has ${frame.length} bytes, more than ${PROTOCOL.maxFrame}.`)
  }
  if (frame.length < FRAME_OVERHEAD || frame[0] !== SESSION_FRAME) throw malformed('is no session frame')
  const view = viewOf(frame)
  return {
    bytes: frame.subarray(0, HEADER_LENGTH),
    sessionId: frame.subarray(1, 17),
    epoch: view.getUint32(17),
    counter: readCount(view, 21),
  }
}

/** Splits what was decrypted into the body and its signature. */
export function splitSignature(plaintext: Bytes): { readonly body: Bytes; readonly signature: Bytes } {
  const end = plaintext.length - SIGNATURE_LENGTH
  return { body: plaintext.subarray(0, end), signature: plaintext.subarray(end) }
}

/** Reads the body of a frame whose signature was verified; payloads are views into `plaintext`. @throws TsunagiError INVALID_FORMAT */
export function readBody(plaintext: Bytes): FrameBody {
  const end = plaintext.length - SIGNATURE_LENGTH
  const view = viewOf(plaintext)
  const { buffer, byteOffset } = plaintext
  const flags = plaintext[0] as number
  if (flags > MOST_FRAME_FLAGS) throw malformed('has unknown flags')
  const records: Record[] = []
  let at = BODY_HEAD
  while (at < end) {
    if (records.length === LIMITS.maxRecordsPerFrame) throw malformed('has too many records')
    if (at + RECORD_HEAD > end) throw malformed('ends within a record')
    const length = view.getUint32(at + 2)
    const flagsOfRecord = plaintext[at + 1] as number
    const lane = (flagsOfRecord >> LANE_SHIFT) & LANE_MASK
    if (lane >= LANES || flagsOfRecord > MOST_FLAGS) throw malformed('has a record in no lane, or with unknown flags')
    if (length > end - at - RECORD_HEAD) throw malformed('ends within a record')
    records.push({
      type: plaintext[at] as number,
      raw: (flagsOfRecord & RECORD_FLAGS.raw) !== 0,
      more: (flagsOfRecord & RECORD_FLAGS.more) !== 0,
      durable: (flagsOfRecord & RECORD_FLAGS.durable) !== 0,
      lane,
      // Takes half as long as subarray().
      payload: new Uint8Array(buffer, byteOffset + at + RECORD_HEAD, length),
    })
    at += RECORD_HEAD + length
  }
  return {
    prompt: (flags & FRAME_FLAGS.prompt) !== 0,
    resend: (flags & FRAME_FLAGS.resend) !== 0,
    provisional: (flags & FRAME_FLAGS.provisional) !== 0,
    ack: readCount(view, 1),
    window: view.getUint32(9),
    first: readCount(view, 13),
    records,
  }
}

/** The 12-byte AES-GCM nonce of a frame: the counter, since each epoch and direction has a key of its own. */
export function nonceOf(counter: number): Bytes {
  const nonce = new Uint8Array(12)
  writeCount(new DataView(nonce.buffer), 4, counter)
  return nonce
}

function flagsOf({ raw, more, durable, lane }: Record): number {
  return (
    (raw ? RECORD_FLAGS.raw : 0) |
    (more ? RECORD_FLAGS.more : 0) |
    (durable ? RECORD_FLAGS.durable : 0) |
    (lane << LANE_SHIFT)
  )
}

function viewOf(bytes: Bytes): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
}

function writeCount(view: DataView, at: number, value: number): void {
  view.setUint32(at, Math.floor(value / 2 ** 32))
  view.setUint32(at + 4, value >>> 0)
}

function readCount(view: DataView, at: number): number {
  const value = view.getUint32(at) * 2 ** 32 + view.getUint32(at + 4)
  if (!Number.isSafeInteger(value)) throw malformed('counts beyond 2^53')
  return value
}

function malformed(why: string): TsunagiError {
  return new TsunagiError('INVALID_FORMAT', `A frame of the peer ${why}.`)
}
