/** Which peer is asked where the caller named none (SPEC §8). */
import type { Health, PeerId, PeerInfo } from '../api.ts'
import { TsunagiError } from '../errors.ts'
import { LIMITS } from '../limits.ts'

/** Lower is asked first; undefined is not asked: it has no session, or has been silent too long to count on. */
const ORDER: Record<Health, number | undefined> = {
  healthy: 0,
  degraded: 1,
  idle: 2,
  connecting: undefined,
  unreachable: undefined,
}

/** What one task of ours adds to the load of a peer, which it tells of itself later. */
const LOAD_OF_ONE = 1 / 16
/** Weight of the latest end in what is remembered of those before it. */
const LATEST = 1 / 4

/** What became of our tasks at other peers. */
export class PastTasks {
  readonly #success = new Map<PeerId, number>()
  readonly #underWay = new Map<PeerId, number>()

  given(peer: PeerId): void {
    this.#underWay.set(peer, this.underWay(peer) + 1)
  }

  /** @param success undefined where the end says nothing about the peer */
  ended(peer: PeerId, success: boolean | undefined): void {
    const left = this.underWay(peer) - 1
    if (left > 0) this.#underWay.set(peer, left)
    else this.#underWay.delete(peer)
    if (success === undefined) return
    const before = this.#success.get(peer) ?? 1
    const after = before + (Number(success) - before) * LATEST
    // Who always succeeds is as one we know nothing of: only the others take memory.
    if (after > 0.99) this.#success.delete(peer)
    else this.#success.set(peer, after)
  }

  underWay(peer: PeerId): number {
    return this.#underWay.get(peer) ?? 0
  }

  /** Share of tasks that failed or were lost, the latest counting most: 0 to 1. */
  failures(peer: PeerId): number {
    return 1 - (this.#success.get(peer) ?? 1)
  }
}

/**
 * The peer for a task: healthy before degraded before idle, then the least loaded, then the nearest by round trip. What failed
 * there, and what it has of ours already, counts as load: one that failed is asked again when the others are busy.
 * @param without is not asked
 * @throws TsunagiError UNKNOWN_CAPABILITY where no peer that answers offers it; with `retryAfter` where one does not at present
 */
export function choosePeer(
  peers: readonly PeerInfo[],
  capability: string,
  past: PastTasks = new PastTasks(),
  without: ReadonlySet<PeerId> = new Set(),
): PeerId {
  const offering = peers.filter((peer) => !without.has(peer.id) && offers(peer, capability))
  const load = (peer: PeerInfo) => peer.load + past.failures(peer.id) + past.underWay(peer.id) * LOAD_OF_ONE
  const byPreference = (a: PeerInfo, b: PeerInfo) =>
    (ORDER[a.health] ?? 0) - (ORDER[b.health] ?? 0) ||
    load(a) - load(b) ||
    compare(a.roundTrip ?? Number.MAX_VALUE, b.roundTrip ?? Number.MAX_VALUE) ||
    compare(a.id, b.id)
  const [best] = offering.filter((peer) => ORDER[peer.health] !== undefined).sort(byPreference)
  if (best !== undefined) return best.id
  if (offering.length > 0) {
    const message = `No peer that offers ${capability} answers at present; wait until one is back, or open another.`
    throw new TsunagiError('UNKNOWN_CAPABILITY', message, { retryAfter: LIMITS.nobodyPoll })
  }
  throw new TsunagiError(
    'UNKNOWN_CAPABILITY',
    `No peer in the mesh offers ${capability}; open one that provides it, or check the name.`,
  )
}

/** How many peers would be asked for it at present. */
export function offerCount(peers: readonly PeerInfo[], capability: string): number {
  return peers.filter((peer) => ORDER[peer.health] !== undefined && offers(peer, capability)).length
}

function offers(peer: PeerInfo, capability: string): boolean {
  return peer.capabilities.some(({ name }) => name === capability)
}

function compare<T extends number | string>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0
}
