/** How well a peer answers, judged by when page code of it was last heard (SPEC §7). */
import type { Health } from '../api.ts'
import { LIMITS } from '../limits.ts'

/** Health while there is a link. */
export type SessionHealth = Exclude<Health, 'connecting'>

/**
 * `heard`: something came. `quiet`: nothing for the first threshold. `silent`: nothing for the second. `asleep`: the same, of a
 * peer whose last word was that its page is hidden: the browser has frozen it.
 */
export type HealthEvent = 'heard' | 'quiet' | 'silent' | 'asleep'

/** Every state × every event. */
export const HEALTH_STATES: Record<SessionHealth, Record<HealthEvent, SessionHealth>> = {
  healthy: { heard: 'healthy', quiet: 'degraded', silent: 'unreachable', asleep: 'idle' },
  degraded: { heard: 'healthy', quiet: 'degraded', silent: 'unreachable', asleep: 'idle' },
  unreachable: { heard: 'healthy', quiet: 'unreachable', silent: 'unreachable', asleep: 'unreachable' },
  idle: { heard: 'healthy', quiet: 'idle', silent: 'idle', asleep: 'idle' },
}

export interface HealthThresholds {
  /** Milliseconds of silence after which a peer counts as degraded, and as unreachable. */
  readonly degraded: number
  readonly unreachable: number
}

/**
 * A far peer's answer to a beat takes a round trip longer, so both thresholds grow by it; but nobody is waited for
 * longer than LIMITS.unreachableMost.
 * @param roundTrip 95th percentile in milliseconds, undefined before the first
 */
export function healthThresholds(roundTrip = 0): HealthThresholds {
  const unreachable = Math.min(LIMITS.unreachableAfter + roundTrip, LIMITS.unreachableMost)
  return { degraded: Math.min(LIMITS.degradedAfter + roundTrip, unreachable), unreachable }
}
