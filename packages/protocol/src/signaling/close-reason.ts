/** How a close reason of the codes 4000 to 4099 says when to come back: `retry after 1500 ms: words for people` (SPEC §10). */
import { LIMITS } from '../limits.ts'

/** @param delay whole milliseconds; with 0 only the words are left */
export function closeReason(words: string, delay: number): string {
  return delay > 0 ? `retry after ${delay} ms: ${words}` : words
}

/** Milliseconds to stay away before the back-off begins, 0 where the reason names none. */
export function comeBackDelay(reason: string): number {
  const [, delay] = /^retry after (\d{1,9}) ms: /.exec(reason) ?? []
  return Math.min(Number(delay ?? 0), LIMITS.longestComeBack)
}
