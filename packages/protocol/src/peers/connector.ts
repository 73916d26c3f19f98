/** Which links this peer opens and closes (SPEC §6): to those it meets, on demand, again after a loss; idle ones are closed. */
import { LIMITS } from '../limits.ts'
import type { Clock, CryptoProvider } from '../ports.ts'
import { Backoff } from '../signaling/backoff.ts'
import { type Bytes, compareBytes } from '../wire/bytes.ts'
import type { RemotePeer } from './remote-peer.ts'

export interface ConnectorOptions {
  readonly clock: Clock
  readonly crypto: CryptoProvider
  /** Our own key. */
  readonly key: Bytes
  /** Peers with a link at present. */
  readonly connected: () => readonly RemotePeer[]
  readonly startHandshake: (peer: Bytes) => void
}

interface Plan {
  readonly backoff: Backoff
  stopTimer: () => void
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
    this.#stopSweep = this.#options.clock.after(LIMITS.linkSweep, () => {
      this.start()
      this.#closeIdle()
    })
  }

  close(): void {
    this.#stopSweep()
    for (const { stopTimer } of this.#plans.values()) stopTimer()
    this.#plans.clear()
  }

  /** Signaling named a member. Who came later starts, so that two that meet do not both begin. */
  met(peer: RemotePeer, how: 'present' | 'joined'): void {
    if (!peer.isConnected) this.#plan(peer, how === 'present' ? 0 : LIMITS.newcomerPatience)
  }

  /** Something is to be said to it: a link is opened now, where none is and none is being tried for. */
  wanted(peer: RemotePeer): void {
    peer.usedAt = this.#options.clock.now()
    if (peer.isConnected || this.#plans.has(peer)) return
    peer.isWanted = true
    this.#plan(peer, 0)
  }

  /** Its link is gone. Both sides notice, so the one with the higher key leaves the other some time. */
  lost(peer: RemotePeer): void {
    const first = compareBytes(this.#options.key, peer.key) < 0
    this.#plan(peer, this.#planOf(peer).backoff.next() + (first ? 0 : LIMITS.backoffFirst))
  }

  /** It has a link. Where there are too many now, the one that is of least use is closed. */
  established(peer: RemotePeer): void {
    this.forget(peer)
    peer.usedAt = this.#options.clock.now()
    peer.isWanted = false
    const connected = this.#options.connected()
    if (connected.length > LIMITS.maxLinks) void this.#leastUsed(connected)?.session.leave('idle')
  }

  /** Tries for it no more. */
  forget(peer: RemotePeer): void {
    this.#plans.get(peer)?.stopTimer()
    this.#plans.delete(peer)
  }

  #planOf(peer: RemotePeer): Plan {
    let plan = this.#plans.get(peer)
    if (plan === undefined) {
      plan = { backoff: new Backoff(this.#options.crypto.randomBytes), stopTimer: () => undefined }
      this.#plans.set(peer, plan)
    }
    return plan
  }

  #plan(peer: RemotePeer, delay: number): void {
    const plan = this.#planOf(peer)
    plan.stopTimer()
    const begin = () => {
      plan.stopTimer = () => undefined
      if (this.#mayConnect(peer)) this.#options.startHandshake(peer.key)
      else this.forget(peer)
    }
    if (delay === 0) begin()
    else plan.stopTimer = this.#options.clock.after(delay, begin)
  }

  /** Unasked, links are opened to some; further ones when they are wanted. */
  #mayConnect(peer: RemotePeer): boolean {
    if (!peer.isMember || peer.isConnected) return false
    return peer.isWanted || peer.hasWork || this.#options.connected().length < LIMITS.neighbours
  }

  #closeIdle(): void {
    const now = this.#options.clock.now()
    for (const peer of this.#options.connected()) {
      if (!peer.hasWork && Math.abs(now - peer.usedAt) >= LIMITS.linkIdle) void peer.session.leave('idle')
    }
  }

  /** A link that is new has been used just now, so that strangers who open many close no more than each other's. */
  #leastUsed(connected: readonly RemotePeer[]): RemotePeer | undefined {
    return connected.filter((peer) => !peer.hasWork).sort((a, b) => a.usedAt - b.usedAt)[0]
  }
}
