/** Connections made ahead (SPEC R40): to make one holds the page up for longer than all that a handshake signs and seals. */
import type SimplePeer from '@thaunknown/simple-peer/lite.js'
import type { IceServer } from '../messages.ts'

/** Milliseconds after which the next one is made: the one that was taken is mostly open by then. */
const RENEW_AFTER = 100

/** Milliseconds after which an offer that nobody took is given up: who joined has begun with those it found by then. */
const OFFER_LIFE = 10_000

/** None of them knows an ICE server. */
export class SpareConnections {
  readonly #Peer: typeof SimplePeer
  /** Negotiates when it is told to. */
  readonly #plain = new Slot()
  /** Has its offer, with the addresses of this machine. */
  readonly #offering = new Slot()
  #isWanted = false

  constructor(Peer: typeof SimplePeer) {
    this.#Peer = Peer
  }

  /** A plain one is there from now on, soon also after it was taken; and for a while one that offers, since who joins begins. */
  prepare(): void {
    this.#isWanted = true
    this.#offering.keep(this.#make(true))
    setTimeout(() => this.#offering.drop(), OFFER_LIFE)
    this.#plain.keep(this.#make(false))
  }

  /** One that is its initiator negotiates already. */
  take(offers: boolean, iceServers: readonly IceServer[]): SimplePeer {
    const offering = offers && iceServers.length === 0 ? this.#offering.take() : undefined
    const peer = offering ?? this.#plain.take() ?? this.#make(offers)
    setTimeout(() => this.#renew(), RENEW_AFTER)
    return peer
  }

  close(): void {
    this.#isWanted = false
    this.#offering.drop()
    this.#plain.drop()
  }

  #renew(): void {
    // Whoever joined has used it for the first that it found.
    this.#offering.drop()
    if (this.#isWanted && !this.#plain.isFull) this.#plain.keep(this.#make(false))
  }

  #make(initiator: boolean): SimplePeer {
    return new this.#Peer({
      initiator,
      config: { iceServers: [] },
      // Agreed beforehand: saves the message that would announce it, and a peer can add no channel of its own.
      channelConfig: { negotiated: true, id: 0 },
      // Unused with trickling, but its timer would hold a closed connection in memory for five seconds.
      iceCompleteTimeout: 1,
    })
  }
}

/** Room for one connection. */
class Slot {
  #peer: SimplePeer | undefined

  get isFull(): boolean {
    return this.#peer !== undefined
  }

  /** In place of the one before. */
  keep(peer: SimplePeer): void {
    this.drop()
    this.#peer = peer
    // Where the browser makes no more of them, the next attempt finds out.
    peer.on('error', () => {
      if (this.#peer === peer) this.#peer = undefined
    })
  }

  /** Undefined where there is none, or something closed it that nobody used. */
  take(): SimplePeer | undefined {
    const peer = this.#peer
    this.#peer = undefined
    if (peer?._pc && peer._pc.signalingState !== 'closed') {
      peer.removeAllListeners('error')
      return peer
    }
    peer?.destroy()
    return undefined
  }

  drop(): void {
    this.#peer?.destroy()
    this.#peer = undefined
  }
}
