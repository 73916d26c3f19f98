/** Presence records: what a peer signs for its mesh, so that the others can seal to it whatever the server says (SPEC §10). */
import { TsunagiError } from '../errors.ts'
import { PROTOCOL } from '../limits.ts'
import { RELAYED_TYPES } from '../messages.ts'
import type { CryptoProvider, SigningKey } from '../ports.ts'
import { type Bytes, concat, equalBytes } from '../wire/bytes.ts'
import { openOpenFrame, sealOpenFrame } from '../wire/open-frame.ts'

/** A presence record's `recipient_id`: it is for everybody in the mesh. */
const EVERYBODY = new Uint8Array(32)
/** It belongs to no session. */
const NO_SESSION = new Uint8Array(16)

/** No record is valid longer from when it is seen: the introduction key in use and the one prepared to follow it. */
export const LONGEST_PRESENCE = 2 * PROTOCOL.introductionKeyLife

/** A verified record. Times are milliseconds since 1970 by the server's clock. */
export interface Presence {
  readonly publicKey: Bytes
  readonly introductionKey: Bytes
  readonly timestamp: number
  readonly notAfter: number
}

export function sealPresence(
  crypto: CryptoProvider,
  key: SigningKey,
  meshId: Bytes,
  presence: Omit<Presence, 'publicKey'>,
): Promise<Bytes> {
  return sealOpenFrame(crypto, key, {
    type: 'discovery',
    recipient: EVERYBODY,
    session: NO_SESSION,
    timestamp: presence.timestamp,
    payload: { mesh_id: meshId, introduction_key: presence.introductionKey, not_after: presence.notAfter },
  })
}

/**
 * @param now milliseconds since 1970 by the server's clock
 * @throws TsunagiError as openOpenFrame(), INVALID_FORMAT for another kind of frame or another mesh, CLOCK_SKEW for a
 * record that has expired, lasts too long, or is from the future: a server that once lied to a peer about the time holds
 * such records, and they would outrank each later one
 */
export async function openPresence(
  crypto: CryptoProvider,
  record: Bytes,
  meshId: Bytes,
  now: number,
): Promise<Presence> {
  const { type, envelope, payload } = await openOpenFrame(crypto, record, EVERYBODY)
  if (type !== 'discovery' || !equalBytes(payload.mesh_id, meshId)) {
    throw new TsunagiError('INVALID_FORMAT', 'A presence record is of another kind or another mesh.')
  }
  const { timestamp } = envelope
  const notAfter = payload.not_after
  if (
    notAfter <= now ||
    notAfter > now + LONGEST_PRESENCE + PROTOCOL.clockSkew ||
    timestamp > now + PROTOCOL.clockSkew
  ) {
    throw new TsunagiError('CLOCK_SKEW', 'A presence record is not of this time.')
  }
  // Copies: the originals are views that would keep the whole message alive.
  return {
    publicKey: envelope.sender_id.slice(),
    introductionKey: payload.introduction_key.slice(),
    timestamp,
    notAfter,
  }
}

const RECORD_AT = 3

/** A frame behind its sender's record: `type(1) ‖ length(2) ‖ record ‖ frame` (SPEC §10). */
export function introduce(record: Bytes, frame: Bytes): Bytes {
  const head = new Uint8Array(RECORD_AT)
  const view = new DataView(head.buffer)
  view.setUint8(0, RELAYED_TYPES.introduction)
  view.setUint16(1, record.length)
  return concat(head, record, frame)
}

/** Splits what introduce() put together, nothing of it verified; undefined where it is cut short. */
export function readIntroduction(bytes: Bytes): { readonly record: Bytes; readonly rest: Bytes } | undefined {
  if (bytes.length < RECORD_AT) return undefined
  const end = RECORD_AT + new DataView(bytes.buffer, bytes.byteOffset).getUint16(1)
  return end < bytes.length ? { record: bytes.subarray(RECORD_AT, end), rest: bytes.subarray(end) } : undefined
}
