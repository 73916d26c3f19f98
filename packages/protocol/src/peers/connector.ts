/**
 * Which links this peer opens and closes (SPEC §6): to those it meets, on demand, again after a loss; idle ones are closed.
 *
 * A direct link is tried for first. Where there is none after LIMITS.relayAfter, or the attempt came to nothing, one through
 * the signaling server is begun beside it. A relayed session tries for a direct link again, less and less often, and moves there
 * when one opens. The other way it moves only by a side that has no direct link any more. Both sides do so at once, and agree all
 * the same: their handshakes have one initiator, and what that one confirms first ends the others at both (R18).
 */
import { type TsunagiError, toTsunagiError } from '../errors.ts'
import type { Channel } from '../handshake/channel.ts'
import { HandshakeManager } from '../handshake/handshake-manager.ts'
import type { HandshakeHost } from '../handshake/host.ts'
import { peerIdOf } from '../identity/peer-id.ts'
import { LIMITS } from '../limits.ts'
import type { LinkEvents, LinkKind, LinkTransport } from '../links/link.ts'
import { isRelayLinkFrame, RelayLinks } from '../links/relay.ts'
import type { SessionManager } from '../session/session-manager.ts'
import { Backoff } from '../signaling/backoff.ts'
import type { SignalingClient } from '../signaling/client.ts'
import { type Bytes, compareBytes } from '../wire/bytes.ts'
import type { RemotePeer } from './remote-peer.ts'
import type { Remotes } from './remotes.ts'

/** What remains of failures after a relayed link was lost: the next attempt then comes two minutes after the next such link. */
const FAILURES_KEPT = 3

export interface ConnectorHost
  extends Pick<HandshakeHost, 'clock' | 'crypto' | 'key' | 'meshSecret' | 'onWakeUp' | 'onWakeUpAck' | 'onOpenFrame'> {
  /** Of the links that are tried for first. */
  readonly direct: LinkTransport
  /** Milliseconds after which a link that nobody used is closed. */
  readonly linkIdle: number
  readonly signaling: SignalingClient
  readonly sessions: SessionManager
  readonly remotes: Remotes
  /** A peer has a new link. */
  readonly onLinked: (peer: RemotePeer) => void
  /** A handshake came to nothing, and there is no link to the peer, nor another attempt at one. */
  readonly onFailed: (peer: RemotePeer, error: TsunagiError) => void
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
  readonly #host: ConnectorHost
  readonly #relayLinks: RelayLinks
  readonly #handshakes: HandshakeManager
  readonly #plans = new Map<RemotePeer, Plan>()
  #stopSweep: () => void = () => undefined

  constructor(host: ConnectorHost) {
    const { clock, crypto, key, direct, signaling, sessions } = host
    this.#host = host
    this.#relayLinks = new RelayLinks({
      clock,
      crypto,
      key: key.publicKey,
      maxFrame: () => signaling.maxFrame,
      send: (peer, frame) => signaling.relay(peer, frame, 'link'),
    })
    this.#handshakes = new HandshakeManager({
      ...host,
      transport: (kind, peer) => {
        if (kind === 'relay') return this.#relayLinks.to(peer)
        return kind === direct.kind ? direct : undefined
      },
      iceServers: () => signaling.iceServers,
      serverNow: () => signaling.serverNow(),
      sendOpen: (peer, frame) => {
        signaling.relay(peer, frame).catch((cause: unknown) => this.#notRelayed(peer, cause))
      },
      resumable: (peer) => sessions.find(peerIdOf(peer))?.resumption,
      onEstablished: (channel) => this.#established(channel),
      onFailed: (peer, kind, error) => this.#failed(peer, kind, error),
    })
  }

  start(): void {
    this.#host.direct.prepare?.()
    this.#planSweep()
  }

  close(): void {
    this.#stopSweep()
    for (const peer of [...this.#plans.keys()]) this.#forget(peer)
    this.#host.direct.close?.()
    this.#handshakes.close()
  }

  /** A frame came through signaling: of a relayed link, or from before there is a session. */
  receive(frame: Bytes, claimedSender: Bytes, how: 'relay' | 'mail'): void {
    if (how === 'relay' && isRelayLinkFrame(frame)) this.#relayLinks.receive(frame, claimedSender)
    else this.#handshakes.handleOpenFrame(frame, claimedSender, how)
  }

  /** Signaling named a member. Who came later starts, so that two that meet do not both begin. */
  met(peer: RemotePeer, how: 'present' | 'joined'): void {
    // It has come back over another socket, and its end of a link over the last one is gone.
    if (how === 'joined') this.#relayLinks.lose(peer.key)
    this.#handshakes.cameAnew(peer.key)
    this.#host.remotes.changed(peer)
    if (!peer.isConnected) this.#plan(peer, how === 'present' ? 0 : LIMITS.newcomerPatience)
  }

  /** Signaling says that a member left. */
  left(peer: RemotePeer): void {
    this.#relayLinks.lose(peer.key)
    this.#forget(peer)
  }

  /** The signaling server is out of reach. */
  serverLost(): void {
    this.#relayLinks.lose()
  }

  /** The page woke or the network came back: what was to be tried later is tried now. */
  retryNow(): void {
    for (const peer of [...this.#plans.keys()]) if (!peer.isConnected) this.#plan(peer, 0)
  }

  /** Something is to be said to it: a link is opened now, where none is and none is being tried for. */
  wanted(peer: RemotePeer): void {
    peer.usedAt = this.#host.clock.now()
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

  /** Its link is gone, and its session waits for another. */
  suspended(peer: RemotePeer): void {
    // Closed on purpose, the link opens when something is to be said.
    if (peer.session.rest === undefined) this.#lost(peer)
    else this.#forget(peer)
  }

  /** Its session is over, with its link. */
  sessionOver(peer: RemotePeer, { code }: TsunagiError): void {
    if (peer.isMember && code !== 'PEER_CLOSED') this.#lost(peer)
  }

  /** Both sides notice, so the one with the higher key leaves the other some time. */
  #lost(peer: RemotePeer): void {
    const plan = this.#planOf(peer)
    // The network may be another by now; but a socket that is lost again and again must not use up the page's connections.
    plan.failures = Math.min(plan.failures, FAILURES_KEPT)
    this.#plan(peer, plan.backoff.next() + this.#politeness(peer))
  }

  /** It has a link. Where there are too many now, the one that is of least use is closed. */
  #established(channel: Channel): LinkEvents {
    const { clock, remotes, onLinked } = this.#host
    const peer = remotes.of(channel.peer)
    const events = peer.attach(channel)
    onLinked(peer)
    if (channel.link.kind === 'relay') this.#planUpgrade(peer)
    else this.#forget(peer)
    peer.usedAt = clock.now()
    peer.isWanted = false
    const { connected } = remotes
    if (connected.length > LIMITS.maxLinks) void this.#leastUsed(connected)?.session.leave('idle')
    return events
  }

  #failed(key: Bytes, kind: LinkKind, error: TsunagiError): void {
    const { clock, remotes, sessions, onFailed } = this.#host
    const peer = remotes.get(peerIdOf(key))
    if (peer === undefined) return
    if (!this.#handshakes.isUnderWay(key)) sessions.find(peer.id)?.handshakeFailed()
    peer.counters.trouble(error, clock.now())
    if (!peer.isMember || !this.#goesOn(peer, kind, error)) onFailed(peer, error)
  }

  /** A handshake came to nothing. @returns whether it makes no difference, since there is a link or another is being tried for */
  #goesOn(peer: RemotePeer, kind: LinkKind, error: TsunagiError): boolean {
    const plan = this.#planOf(peer)
    const noWay = kind !== 'relay' && (error.code === 'LINK_FAILED' || error.code === 'HANDSHAKE_TIMEOUT')
    if (noWay) plan.failures++
    if (peer.isConnected) {
      if (peer.isRelayed) this.#planUpgrade(peer)
      else this.#forget(peer)
      return true
    }
    if (this.#handshakes.isUnderWay(peer.key, kind === 'relay' ? this.#host.direct.kind : 'relay')) return true
    if (noWay && this.#mayConnect(peer)) {
      this.#begin(peer)
      return true
    }
    if (kind === 'relay') plan.failures = 0
    this.#plan(peer, plan.backoff.next() + this.#politeness(peer))
    return false
  }

  #notRelayed(peer: Bytes, cause: unknown): void {
    const error = toTsunagiError(cause, 'SIGNALING_UNREACHABLE', 'A frame could not be relayed.')
    this.#handshakes.unreachable(peer, error)
  }

  /** Tries for it no more. */
  #forget(peer: RemotePeer): void {
    const plan = this.#plans.get(peer)
    plan?.stopTimer()
    plan?.stopRelayTimer()
    this.#plans.delete(peer)
  }

  /** Without the server there is no handshake. */
  get #isOnline(): boolean {
    return this.#host.signaling.status === 'online'
  }

  #politeness(peer: RemotePeer): number {
    return compareBytes(this.#host.key.publicKey, peer.key) < 0 ? 0 : LIMITS.backoffFirst
  }

  #planOf(peer: RemotePeer): Plan {
    let plan = this.#plans.get(peer)
    if (plan === undefined) {
      const backoff = new Backoff(this.#host.crypto.randomBytes)
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
    else plan.stopTimer = this.#host.clock.after(delay, () => this.#begin(peer))
  }

  #begin(peer: RemotePeer): void {
    const plan = this.#planOf(peer)
    const { clock, direct } = this.#host
    plan.stopRelayTimer()
    if (!this.#mayConnect(peer)) this.#forget(peer)
    else if (!this.#isOnline) this.#plan(peer, LIMITS.backoffFirst + plan.backoff.next())
    else if (plan.failures > 0) this.#startHandshake(peer, 'relay')
    else {
      plan.stopRelayTimer = clock.after(LIMITS.relayAfter, () => {
        if (this.#mayConnect(peer) && this.#isOnline) this.#startHandshake(peer, 'relay')
      })
      this.#startHandshake(peer, direct.kind)
    }
  }

  #startHandshake(peer: RemotePeer, kind: LinkKind): void {
    peer.session.handshakeBegan()
    this.#handshakes.sendHandshake(peer.key, kind)
  }

  #planUpgrade(peer: RemotePeer): void {
    const plan = this.#planOf(peer)
    plan.stopTimer()
    plan.stopRelayTimer()
    const delay = Math.min(LIMITS.upgradeMost, LIMITS.upgradeFirst * 4 ** plan.failures)
    plan.stopTimer = this.#host.clock.after(delay + this.#politeness(peer), () => {
      if (peer.isConnected && peer.isRelayed) this.#startHandshake(peer, this.#host.direct.kind)
      else this.#forget(peer)
    })
  }

  /** Unasked, links are opened to some; further ones when they are wanted. */
  #mayConnect(peer: RemotePeer): boolean {
    if (!peer.isMember || peer.isConnected) return false
    return peer.isWanted || peer.hasWork || this.#host.remotes.connected.length < LIMITS.neighbours
  }

  #planSweep(): void {
    this.#stopSweep = this.#host.clock.after(Math.min(LIMITS.linkSweep, this.#host.linkIdle), () => {
      this.#planSweep()
      this.#closeIdle()
    })
  }

  #closeIdle(): void {
    const now = this.#host.clock.now()
    for (const peer of this.#host.remotes.connected) {
      if (!peer.hasWork && Math.abs(now - peer.usedAt) >= this.#host.linkIdle) void peer.session.leave('idle')
    }
  }

  /** A link that is new has been used just now, so that strangers who open many close no more than each other's. */
  #leastUsed(connected: readonly RemotePeer[]): RemotePeer | undefined {
    return connected.filter((peer) => !peer.hasWork).sort((a, b) => a.usedAt - b.usedAt)[0]
  }
}
