/** What it says that the server closes a socket: come back, and when, or give up (SPEC §10). */
import { TsunagiError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import { SIGNALING_CLOSE } from '../messages.ts'

/** Why a give-up close code came and what helps. */
const REFUSALS = new Map<number, string>([
  [SIGNALING_CLOSE.invalidMessage, 'The signaling server could not read what this page sent. Reload the page.'],
  [
    SIGNALING_CLOSE.notProven,
    'The signaling server did not accept the proof of this identity. Reload the page; if that does not help, the ' +
      'server does not know the address it is reached by, which its operator can add to TSUNAGI_ORIGINS.',
  ],
  [SIGNALING_CLOSE.replaced, 'This identity joined from another tab or window, so it is no longer connected here.'],
  [SIGNALING_CLOSE.wrongVersion, 'The signaling server speaks another version of the protocol. Reload the page.'],
])
const FIRST_GIVE_UP = 4100
const LAST_GIVE_UP = 4199

/**
 * The reason of a code from 4000 to 4099: `retry after 1500 ms: words for people`.
 * @param delay whole milliseconds; with 0 only the words are left
 */
export function closeReason(words: string, delay: number): string {
  return delay > 0 ? `retry after ${delay} ms: ${words}` : words
}

/** Milliseconds to stay away before the back-off begins, 0 where the reason names none. */
export function comeBackDelay(reason: string): number {
  const [, delay] = /^retry after (\d{1,9}) ms: /.exec(reason) ?? []
  return Math.min(Number(delay ?? 0), LIMITS.longestComeBack)
}

/** The error that a code from 4100 to 4199 stands for: the server sent this peer away for good. Undefined for all others. */
export function refusalOf(code: number | undefined): TsunagiError | undefined {
  if (code === undefined || code < FIRST_GIVE_UP || code > LAST_GIVE_UP) return undefined
  const why = REFUSALS.get(code) ?? `The signaling server refused this peer (code ${code}).`
  return new TsunagiError('SIGNALING_REFUSED', why)
}
