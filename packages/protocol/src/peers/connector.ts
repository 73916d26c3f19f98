/** When this peer starts a handshake with another (SPEC §6): at once, later, or again, and never with two at a time. */
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
  readonly connected: () => number
  readonly startHandshake: (peer: Bytes) => void
}

interface Plan {
  readonly backoff: Backoff
  stopTimer: () => void
}

/** A peer is in touch when it has a session with a link, or is a member and will be tried for one. */
export class Connector {
  readonly #options: ConnectorOptions
  readonly #plans = new Map<RemotePeer, Plan>()

  constructor(options: ConnectorOptions) {
    this.#options = options
  }

  /** Signaling named a member. Who came later starts, so that two that meet do not both begin. */
  met(peer: RemotePeer, how: 'present' | 'joined'): void {
    if (!peer.isConnected) this.#plan(peer, how === 'present' ? 0 : LIMITS.newcomerPatience)
  }

  /** Something waits for it: where nothing is planned, a link is opened now. */
  wanted(peer: RemotePeer): void {
    if (!peer.isConnected && !this.#plans.has(peer)) this.#plan(peer, 0)
  }

  /** Its link is gone. Both sides notice, so the one with the higher key leaves the other some time. */
  lost(peer: RemotePeer): void {
    const first = compareBytes(this.#options.key, peer.key) < 0
    this.#plan(peer, this.#planOf(peer).backoff.next() + (first ? 0 : LIMITS.backoffFirst))
  }

  /** A handshake with it came to nothing. */
  failed(peer: RemotePeer): void {
    this.lost(peer)
  }

  established(peer: RemotePeer): void {
    this.forget(peer)
  }

  forget(peer: RemotePeer): void {
    this.#plans.get(peer)?.stopTimer()
    this.#plans.delete(peer)
  }

  close(): void {
    for (const { stopTimer } of this.#plans.values()) stopTimer()
    this.#plans.clear()
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
    const start = () => {
      plan.stopTimer = () => undefined
      if (!peer.isMember || peer.isConnected || this.#options.connected() >= LIMITS.maxSessions) return
      this.#options.startHandshake(peer.key)
    }
    if (delay === 0) start()
    else plan.stopTimer = this.#options.clock.after(delay, start)
  }
}
