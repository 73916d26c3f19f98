/** What a peer is told about a handshake that failed, and what such news means (SPEC §11): nothing that helps a stranger guess. */
import { type ErrorCode, TsunagiError } from '../errors.ts'
import type { OpenPayload } from '../messages.ts'

/** Codes that may be said as they are, with the sentence for the side that hears them. */
const SAID: Partial<Record<ErrorCode, string>> = {
  CLOCK_SKEW: 'The peer says that the clocks differ by more than a minute: check the clocks of both devices.',
  INVALID_VERSION: 'The peer speaks another version of the protocol: reload both pages.',
  LINK_FAILED: 'The peer could not open its end of the link.',
}

/** Not told: the other side knows, will know in time, or did nothing wrong; or the server repeats what it once said. */
const UNSAID: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'HANDSHAKE_IN_PROGRESS',
  'HANDSHAKE_TIMEOUT',
  'RATE_LIMITED',
  'REPLAY_DETECTED',
])

/** One code for all that has to do with proofs: which of them failed is not a stranger's business. */
const REFUSED: ErrorCode = 'CHALLENGE_INVALID'

/** @returns undefined where nothing is said */
export function told(error: TsunagiError): OpenPayload<'error'> | undefined {
  if (UNSAID.has(error.code)) return undefined
  return { code: error.code in SAID ? error.code : REFUSED, message: 'The handshake was refused.' }
}

/** A peer's words are not shown, and it cannot report what only this side can know. */
export function heard(payload: OpenPayload<'error'>): TsunagiError {
  const sentence = SAID[payload.code]
  if (sentence !== undefined) return new TsunagiError(payload.code, sentence)
  return new TsunagiError(REFUSED, 'The peer refused the handshake; perhaps the two have different mesh secrets.')
}
