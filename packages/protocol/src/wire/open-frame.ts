/** Open frames: `type(1) ‖ signature(64) ‖ CBOR envelope`, before or outside a session (SPEC §3.2). */
import { TsunagiError } from '../errors.ts'
import { PROTOCOL } from '../limits.ts'
import {
  OPEN_TYPES,
  type OpenEnvelope,
  type OpenPayload,
  type OpenType,
  openEnvelope,
  openPayloads,
} from '../messages.ts'
import type { CryptoProvider, SigningKey } from '../ports.ts'
import { type Bytes, concat, utf8 } from './bytes.ts'
import { decodeAs, encodeCbor, parseAs } from './cbor.ts'

const SIGNATURE_END = 65

const typeNames = new Map<number, OpenType>(
  (Object.entries(OPEN_TYPES) as [OpenType, number][]).map(([name, number]) => [number, name]),
)

/** What the sender of an open frame decides; the rest of the envelope follows from the frame itself. */
export interface OpenMessage<T extends OpenType> {
  readonly type: T
  readonly recipient: Bytes
  readonly session: Bytes
  /** Milliseconds since 1970 by the sender's clock, corrected by the server's. */
  readonly timestamp: number
  /** 16 random bytes, where others have to know them; else they are made. */
  readonly nonce?: Bytes
  readonly payload: OpenPayload<T>
}

/** An open frame whose signature, form and addressee are checked; freshness is the caller's to check. */
export type VerifiedOpen = {
  [T in OpenType]: {
    readonly type: T
    readonly envelope: OpenEnvelope
    readonly payload: OpenPayload<T>
    /** The exact bytes, for the transcript. */
    readonly frame: Bytes
  }
}[OpenType]
export type Verified<T extends OpenType> = Extract<VerifiedOpen, { readonly type: T }>

function signedBytes(type: OpenType, envelope: Uint8Array): Bytes {
  return concat(utf8(`tsunagi/${PROTOCOL.version}/${type}\0`), envelope)
}

export async function sealOpenFrame<T extends OpenType>(
  crypto: CryptoProvider,
  key: SigningKey,
  message: OpenMessage<T>,
): Promise<Bytes> {
  const envelope = encodeCbor({
    version: PROTOCOL.version,
    msg_type: message.type,
    sender_id: key.publicKey,
    recipient_id: message.recipient,
    session_id: message.session,
    sequence_num: 0,
    timestamp: message.timestamp,
    nonce: message.nonce ?? crypto.randomBytes(16),
    payload: message.payload,
  })
  const signature = await key.sign(signedBytes(message.type, envelope))
  return concat(new Uint8Array([OPEN_TYPES[message.type]]), signature, envelope)
}

/** The type an open frame states, unverified, for cheap refusals; undefined where it is none. */
export function openFrameType(frame: Uint8Array): OpenType | undefined {
  return typeNames.get(frame[0] ?? 0)
}

/**
 * Verifies, then interprets. The sender's key is read from the envelope as bytes whose place the signature settles:
 * nothing else of it is used before verification (P4).
 * @param recipient the key this frame must be addressed to
 * @throws TsunagiError MESSAGE_TOO_LARGE, INVALID_FORMAT, MISSING_FIELDS, INVALID_VERSION, INVALID_SIGNATURE, UNKNOWN_SENDER
 */
export async function openOpenFrame(crypto: CryptoProvider, frame: Bytes, recipient: Bytes): Promise<VerifiedOpen> {
  if (frame.length > PROTOCOL.maxOpenFrame) {
    throw new TsunagiError(
      'MESSAGE_TOO_LARGE',
      `A frame before the session has ${frame.length} bytes, more than allowed.`,
    )
  }
  const type = openFrameType(frame)
  if (type === undefined || frame.length <= SIGNATURE_END) {
    throw new TsunagiError('INVALID_FORMAT', 'A frame before the session has an unknown type.')
  }
  const bytes = frame.subarray(SIGNATURE_END)
  const envelope = decodeAs(openEnvelope, bytes, `Envelope of ${type}`)
  if (!(await crypto.verify(envelope.sender_id, frame.subarray(1, SIGNATURE_END), signedBytes(type, bytes)))) {
    throw new TsunagiError('INVALID_SIGNATURE', `A ${type} is not signed by the peer it names.`)
  }
  if (envelope.version !== PROTOCOL.version) {
    throw new TsunagiError(
      'INVALID_VERSION',
      `A ${type} is of version ${envelope.version.slice(0, 8)}, this is ${PROTOCOL.version}.`,
    )
  }
  if (envelope.msg_type !== type)
    throw new TsunagiError('INVALID_FORMAT', `A ${type} names itself ${envelope.msg_type}.`)
  if (envelope.recipient_id.some((byte, i) => byte !== recipient[i])) {
    throw new TsunagiError('UNKNOWN_SENDER', `A ${type} is addressed to another peer.`)
  }
  const payload = parseAs(openPayloads[type], envelope.payload, type)
  return { type, envelope, payload, frame } as VerifiedOpen
}
