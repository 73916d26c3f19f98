/** What tasks put into messages: values as the other side will see them, and sentences that fit. */
import type { PeerId } from '../api.ts'
import { type ErrorCode, TsunagiError } from '../errors.ts'
import { PROTOCOL } from '../limits.ts'
import type { SessionPayload, SessionType } from '../messages.ts'
import { decodeCbor, encodeCbor } from '../wire/cbor.ts'

/** Fulfils when `peer` has acknowledged the message. Rejects with a TsunagiError: LINK_LOST, QUEUE_FULL, UNKNOWN_PEER, PEER_CLOSED. */
export type SendMessage = <T extends SessionType>(peer: PeerId, type: T, payload: SessionPayload<T>) => Promise<void>

/** Sends a task_result so that it outlives the page where the host keeps anything. */
export type SendResult = (
  peer: PeerId,
  payload: SessionPayload<'task_result'>,
) => {
  /** It will arrive as far as it depends on this side. Rejects as `delivered` does. */
  readonly accepted: Promise<void>
  /** As of SendMessage. */
  readonly delivered: Promise<void>
}

const GONE: ReadonlySet<ErrorCode> = new Set([
  'LINK_LOST',
  'PEER_CLOSED',
  'SESSION_EXPIRED',
  'SESSION_NOT_FOUND',
  'UNKNOWN_PEER',
])

/** Whether a message could not be sent because its receiver is gone, which then needs none. */
export function isGone({ code }: TsunagiError): boolean {
  return GONE.has(code)
}

const VALUES = `It must be made of null, true, false, finite numbers, text, bytes, arrays and plain objects, at most ${PROTOCOL.maxDepth - 1} levels deep.`

/**
 * A copy of `payload` as it comes out at the other side, so that what is checked is what is sent, whatever its owner
 * does with it meanwhile.
 * @throws TsunagiError with `code` and a sentence about `what`, or MESSAGE_TOO_LARGE
 */
export function asItArrives<P>(payload: P, what: string, code: ErrorCode, most: number = PROTOCOL.maxMessage): P {
  let size: number
  try {
    const bytes = encodeCbor(payload)
    if (bytes.length <= most) return decodeCbor(bytes) as P
    size = bytes.length
  } catch (cause) {
    throw new TsunagiError(code, `${what} cannot be sent. ${VALUES}`, { cause })
  }
  throw new TsunagiError(
    'MESSAGE_TOO_LARGE',
    `${what} has ${size} bytes; a message carries at most ${most}. Hand it over in parts.`,
  )
}

/** At most 256 UTF-16 units, the most a message's sentence may have, and never half a surrogate pair. */
export function shortened(text: string): string {
  return text.length <= 256 ? text : `${text.slice(0, 255).replace(/[\ud800-\udbff]$/, '')}…`
}
