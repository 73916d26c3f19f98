/** Which peer is asked where the caller named none (SPEC §8). */
import type { Health, PeerId, PeerInfo } from '../api.ts'
import { TsunagiError } from '../errors.ts'

/** Lower is asked first; undefined is not asked: it has no session, or has been silent too long to count on. */
const ORDER: Record<Health, number | undefined> = {
  healthy: 0,
  degraded: 1,
  idle: 2,
  connecting: undefined,
  unreachable: undefined,
}

/**
 * The peer for a task: healthy before degraded before idle, then the least loaded, then the nearest by round trip.
 * @throws TsunagiError UNKNOWN_CAPABILITY where no peer that answers offers it
 */
export function choosePeer(peers: readonly PeerInfo[], capability: string): PeerId {
  const offering = peers.filter((peer) => peer.capabilities.some(({ name }) => name === capability))
  const [best] = offering.filter((peer) => ORDER[peer.health] !== undefined).sort(byPreference)
  if (best !== undefined) return best.id
  throw new TsunagiError(
    'UNKNOWN_CAPABILITY',
    offering.length > 0
      ? `No peer that offers ${capability} answers at present; wait until one is back, or open another.`
      : `No peer in the mesh offers ${capability}; open one that provides it, or check the name.`,
  )
}

function byPreference(a: PeerInfo, b: PeerInfo): number {
  return (
    (ORDER[a.health] ?? 0) - (ORDER[b.health] ?? 0) ||
    a.load - b.load ||
    compare(a.roundTrip ?? Number.MAX_VALUE, b.roundTrip ?? Number.MAX_VALUE) ||
    compare(a.id, b.id)
  )
}

function compare<T extends number | string>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0
}
