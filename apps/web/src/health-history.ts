import type { Health, HealthChange } from '@tsunagi/protocol'

/** A time in which a peer's health was the same, in milliseconds since 1970. */
export interface Stretch {
  readonly health: Health
  readonly from: number
  readonly to: number
}

/** The health from `from` to `now`, without a gap since the peer is known. */
export function stretchesOf(changes: readonly HealthChange[], from: number, now: number): Stretch[] {
  return changes.flatMap(({ health, at }, i) => {
    const stretch = { health, from: Math.max(at, from), to: Math.min(changes[i + 1]?.at ?? now, now) }
    return stretch.to > stretch.from ? [stretch] : []
  })
}

/** How long each health lasted, in milliseconds, the longest first. */
export function lastingOf(stretches: readonly Stretch[]): [Health, number][] {
  const lasting = new Map<Health, number>()
  for (const { health, from, to } of stretches) lasting.set(health, (lasting.get(health) ?? 0) + to - from)
  return [...lasting].sort(([, a], [, b]) => b - a)
}
