/**
 * Every code a public call or a peer may answer with (SPEC §11). Codes are stable: programs branch on them,
 * people read the message. The first block keeps the names of protocol v1.0 and v1.1.
 */
export const ERROR_CODES = [
  'INVALID_VERSION',
  'INVALID_SIGNATURE',
  'REPLAY_DETECTED',
  'UNKNOWN_SENDER',
  'SESSION_EXPIRED',
  'SESSION_NOT_FOUND',
  'SEQUENCE_ERROR',
  'DECRYPTION_FAILED',
  'CHALLENGE_EXPIRED',
  'CHALLENGE_INVALID',
  'HANDSHAKE_IN_PROGRESS',
  'HANDSHAKE_TIMEOUT',
  'ENCRYPTION_REQUIRED',
  'ENCRYPTION_NOT_READY',
  'INVALID_STATE',
  'RATE_LIMITED',
  'CHUNK_ERROR',
  'INVALID_FORMAT',
  'MISSING_FIELDS',
  'MESSAGE_TOO_LARGE',

  'INVALID_ARGUMENT',
  'BINDING_MISMATCH',
  'CLOCK_SKEW',
  'CREDIT_EXCEEDED',
  'LINK_FAILED',
  'LINK_LOST',
  'LISTENER_FAILED',
  'LOAD_FAILED',
  'MESH_SECRET_MISMATCH',
  'NOT_SUPPORTED',
  'PEER_CLOSED',
  'QUEUE_FULL',
  'SIGNALING_REFUSED',
  'SIGNALING_UNREACHABLE',
  'SLOT_UNAVAILABLE',
  'STORAGE_FAILED',
  'TASK_CANCELED',
  'TASK_DEADLINE',
  'TASK_FAILED',
  'TASK_INPUT_INVALID',
  'TASK_LOST',
  'TASK_OUTPUT_INVALID',
  'TASK_REJECTED',
  'TRANSFER_CANCELED',
  'TRANSFER_REJECTED',
  'UNKNOWN_CAPABILITY',
  'UNKNOWN_PEER',
  'WAKE_UP_CANCELED',
] as const

export type ErrorCode = (typeof ERROR_CODES)[number]

export interface ErrorDetails {
  /** What lower-level failure led here; stays on this side, never sent. */
  cause?: unknown
  /** The peer the error is about. */
  peer?: string
  /** Milliseconds after which trying again makes sense. */
  retryAfter?: number
}

/** The one error class of this library. `message` is a sentence a person can act on. */
export class TsunagiError extends Error {
  override readonly name = 'TsunagiError'
  readonly code: ErrorCode
  readonly peer: string | undefined
  readonly retryAfter: number | undefined

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, 'cause' in details ? { cause: details.cause } : undefined)
    this.code = code
    this.peer = details.peer
    this.retryAfter = details.retryAfter
  }
}

/** Narrows `value` to a {@link TsunagiError}, and to one code where one is given. */
export function isTsunagiError(value: unknown, code?: ErrorCode): value is TsunagiError {
  return value instanceof TsunagiError && (code === undefined || value.code === code)
}

/** Turns anything thrown into a {@link TsunagiError}; one that already is comes back unchanged. */
export function toTsunagiError(value: unknown, code: ErrorCode, message: string): TsunagiError {
  return isTsunagiError(value) ? value : new TsunagiError(code, message, { cause: value })
}
