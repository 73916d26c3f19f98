/** The ladder that a wake-up climbs (SPEC §7.1). */
import { LIMITS } from '../limits.ts'
import type { Bytes } from '../wire/bytes.ts'

/** Ways to a sleeping peer: over its link, by the server to its socket, or left with the server for it. */
export type Rung = 'session' | 'socket' | 'server'

/** `missing`: there is no such way now. `silent`: it was taken, and nobody answered in time. */
export type RungEvent = 'missing' | 'silent'

/** Every rung × every event: which way is next. `over`: none for now, and a later try begins anew. */
export const LADDER: Record<Rung, Record<RungEvent, Rung | 'over'>> = {
  session: { missing: 'socket', silent: 'socket' },
  socket: { missing: 'server', silent: 'server' },
  // The server may have found out by now that the target's socket is dead.
  server: { missing: 'over', silent: 'server' },
}

/**
 * Milliseconds that the answer to a try is waited for, so that peers that lost the same one do not all call it at once.
 * @param attempt from 0
 */
export function patience(attempt: number, randomBytes: (length: number) => Bytes): number {
  const share = (randomBytes(1)[0] ?? 0) / 255
  return Math.round(LIMITS.wakePatience * 2 ** attempt * (1 - LIMITS.wakeJitter + 2 * LIMITS.wakeJitter * share))
}
