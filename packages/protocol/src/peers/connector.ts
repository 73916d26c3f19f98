/**
 * Which links this peer opens and closes (SPEC §6): to those it meets, on demand, again after a loss; idle ones are closed.
 *
 * A direct link is tried for first. Where there is none after LIMITS.relayAfter, or the attempt came to nothing, one through
 * the signaling server is begun beside it. A relayed session tries for a direct link again, less and less often, and moves there
 * when one opens. The other way it moves only by a side that has no direct link any more. Both sides do so at once, and agree all
 * the same: their handshakes have one initiator, and what that one confirms first ends the others at both (R18).
 */
import type { TsunagiError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { LinkKind } from '../links/link.ts'
import type { Clock, CryptoProvider } from '../ports.ts'
import { Backoff } from '../signaling/backoff.ts'
import { type Bytes, compareBytes } from '../wire/bytes.ts'
import type { RemotePeer } from './remote-peer.ts'

/** What remains of failures after a relayed link was lost: the next attempt then comes two minutes after the next such link. */
const FAILURES_KEPT = 3

export interface ConnectorOptions {
  readonly clock: Clock
  readonly crypto: CryptoProvider
  /** Our own key. */
  readonly key: Bytes
  /** Kind of the links that are tried for first. */
  readonly direct: LinkKind
  /** Milliseconds after which a link that nobody used is closed. */
  readonly linkIdle: number
  /** Whether the signaling server can be reached, without which there is no handshake. */
  readonly isOnline: () => boolean
  /** Peers with a link at present. */
  readonly connected: () => readonly RemotePeer[]
  readonly isUnderWay: (peer: Bytes, kind: LinkKind) => boolean
  readonly startHandshake: (peer: Bytes, kind: LinkKind) => void
}

interface Plan {
  readonly backoff: Backoff
  /** Attempts at a direct link that came to nothing since there was one. */
  failures: number
  /** Until the next attempt. */
  stopTimer: () => void
  /** Until a relayed link is begun beside a direct one. */
  stopRelayTimer: () => void
}

/** Of use from start() to close(). */
export class Connector {
  readonly #options: ConnectorOptions
  readonly #plans = new Map<RemotePeer, Plan>()
  #stopSweep: () => void = () => undefined

  constructor(options: ConnectorOptions) {
    this.#options = options
  }

  start(): void {
    this.#stopSweep = this.#options.clock.after(Math.min(LIMITS.linkSweep, this.#options.linkIdle), () => {
      this.start()
      this.#closeIdle()
    })
  }

  close(): void {
    this.#stopSweep()
    for (const peer of [...this.#plans.keys()]) this.forget(peer)
  }

  /** Signaling named a member. Who came later starts, so that two that meet do not both begin. */
  met(peer: RemotePeer, how: 'present' | 'joined'): void {
    if (!peer.isConnected) this.#plan(peer, how === 'present' ? 0 : LIMITS.newcomerPatience)
  }

  /** The page woke or the network came back: what was to be tried later is tried now. */
  retryNow(): void {
    for (const peer of [...this.#plans.keys()]) if (!peer.isConnected) this.#plan(peer, 0)
  }

  /** Something is to be said to it: a link is opened now, where none is and none is being tried for. */
  wanted(peer: RemotePeer): void {
    peer.usedAt = this.#options.clock.now()
    if (peer.isConnected || this.#plans.has(peer)) return
    peer.isWanted = true
    this.#plan(peer, 0)
  }

  /** It was woken and opens a link; where it does not, this side does. */
  awaited(peer: RemotePeer): void {
    if (peer.isConnected || this.#plans.has(peer)) return
    peer.isWanted = true
    this.#plan(peer, LIMITS.newcomerPatience)
  }

  /** Its link is gone. Both sides notice, so the one with the higher key leaves the other some time. */
  lost(peer: RemotePeer): void {
    const plan = this.#planOf(peer)
    // The network may be another by now; but a socket that is lost again and again must not use up the page's connections.
    plan.failures = Math.min(plan.failures, FAILURES_KEPT)
    this.#plan(peer, plan.backoff.next() + this.#politeness(peer))
  }

  /** It has a link. Where there are too many now, the one that is of least use is closed. */
  established(peer: RemotePeer, kind: LinkKind): void {
    if (kind === 'relay') this.#planUpgrade(peer)
    else this.forget(peer)
    peer.usedAt = this.#options.clock.now()
    peer.isWanted = false
    const connected = this.#options.connected()
    if (connected.length > LIMITS.maxLinks) void this.#leastUsed(connected)?.session.leave('idle')
  }

  /** A handshake came to nothing. @returns whether it makes no difference, since there is a link or another is being tried for */
  failed(peer: RemotePeer, kind: LinkKind, error: TsunagiError): boolean {
    const plan = this.#planOf(peer)
    const noWay = kind !== 'relay' && (error.code === 'LINK_FAILED' || error.code === 'HANDSHAKE_TIMEOUT')
    if (noWay) plan.failures++
    if (peer.isConnected) {
      if (peer.isRelayed) this.#planUpgrade(peer)
      else this.forget(peer)
      return true
    }
    if (this.#options.isUnderWay(peer.key, kind === 'relay' ? this.#options.direct : 'relay')) return true
    if (noWay && this.#mayConnect(peer)) {
      this.#begin(peer)
      return true
    }
    if (kind === 'relay') plan.failures = 0
    this.#plan(peer, plan.backoff.next() + this.#politeness(peer))
    return false
  }

  /** Tries for it no more. */
  forget(peer: RemotePeer): void {
    const plan = this.#plans.get(peer)
    plan?.stopTimer()
    plan?.stopRelayTimer()
    this.#plans.delete(peer)
  }

  #politeness(peer: RemotePeer): number {
    return compareBytes(this.#options.key, peer.key) < 0 ? 0 : LIMITS.backoffFirst
  }

  #planOf(peer: RemotePeer): Plan {
    let plan = this.#plans.get(peer)
    if (plan === undefined) {
      const backoff = new Backoff(this.#options.crypto.randomBytes)
      plan = { backoff, failures: 0, stopTimer: () => undefined, stopRelayTimer: () => undefined }
      this.#plans.set(peer, plan)
    }
    return plan
  }

  #plan(peer: RemotePeer, delay: number): void {
    const plan = this.#planOf(peer)
    plan.stopTimer()
    plan.stopTimer = () => undefined
    if (delay === 0) this.#begin(peer)
    else plan.stopTimer = this.#options.clock.after(delay, () => this.#begin(peer))
  }

  #begin(peer: RemotePeer): void {
    const plan = this.#planOf(peer)
    const { clock, direct, isOnline, startHandshake } = this.#options
    plan.stopRelayTimer()
    if (!this.#mayConnect(peer)) this.forget(peer)
    else if (!isOnline()) this.#plan(peer, LIMITS.backoffFirst + plan.backoff.next())
    else if (plan.failures > 0) startHandshake(peer.key, 'relay')
    else {
      plan.stopRelayTimer = clock.after(LIMITS.relayAfter, () => {
        if (this.#mayConnect(peer) && isOnline()) startHandshake(peer.key, 'relay')
      })
      startHandshake(peer.key, direct)
    }
  }

  #planUpgrade(peer: RemotePeer): void {
    const plan = this.#planOf(peer)
    plan.stopTimer()
    plan.stopRelayTimer()
    const delay = Math.min(LIMITS.upgradeMost, LIMITS.upgradeFirst * 4 ** plan.failures)
    plan.stopTimer = this.#options.clock.after(delay + this.#politeness(peer), () => {
      if (peer.isConnected && peer.isRelayed) this.#options.startHandshake(peer.key, this.#options.direct)
      else this.forget(peer)
    })
  }

  /** Unasked, links are opened to some; further ones when they are wanted. */
  #mayConnect(peer: RemotePeer): boolean {
    if (!peer.isMember || peer.isConnected) return false
    return peer.isWanted || peer.hasWork || this.#options.connected().length < LIMITS.neighbours
  }

  #closeIdle(): void {
    const now = this.#options.clock.now()
    for (const peer of this.#options.connected()) {
      if (!peer.hasWork && Math.abs(now - peer.usedAt) >= this.#options.linkIdle) void peer.session.leave('idle')
    }
  }

  /** A link that is new has been used just now, so that strangers who open many close no more than each other's. */
  #leastUsed(connected: readonly RemotePeer[]): RemotePeer | undefined {
    return connected.filter((peer) => !peer.hasWork).sort((a, b) => a.usedAt - b.usedAt)[0]
  }
}
