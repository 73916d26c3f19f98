/** Wakes peers that sleep, and is woken by others (SPEC §7.1). Frames come here verified, and nothing else is known of them. */
import type { PeerEvents, PeerId, WakeUpCounts, WakeUpResult } from '../api.ts'
import { TsunagiError } from '../errors.ts'
import { peerIdOf } from '../identity/peer-id.ts'
import { LIMITS } from '../limits.ts'
import type { OpenPayload, SessionPayload, WakeState } from '../messages.ts'
import type { Clock, CryptoProvider, SigningKey } from '../ports.ts'
import { type Bytes, equalBytes } from '../wire/bytes.ts'
import { sealOpenFrame } from '../wire/open-frame.ts'
import type { WakeUpRequest } from './options.ts'
import { canceled, OutgoingWakeUp, type ServerStep, type WakeUpWays } from './outgoing-wake-up.ts'
import { endOf, TakenWakeUps, type VerifiedWakeUp } from './taken-wake-ups.ts'

/** It belongs to no session. */
const NO_SESSION = new Uint8Array(16)

/** How a wake-up came. */
export type WakeUpVia = PeerEvents['wakeup']['step']

export interface WakeUpHost {
  readonly clock: Clock
  readonly crypto: CryptoProvider
  readonly key: SigningKey
  /** Milliseconds since 1970 by the server's clock. */
  serverNow(): number
  /** Whether there is a link to that peer over which page code answers. */
  isLinked(peer: PeerId): boolean
  /** Fulfils when the peer has it. */
  sendInSession<T extends 'wake_up' | 'wake_up_ack'>(peer: PeerId, type: T, payload: SessionPayload<T>): Promise<void>
  /** Sends an open frame to the peer's socket. Rejects with UNKNOWN_PEER, SIGNALING_UNREACHABLE, … */
  relay(peer: Bytes, frame: Bytes): Promise<void>
  /** Leaves a wake-up with the server. Rejects with UNKNOWN_PEER where nobody knows what to seal it to, … */
  leave(peer: Bytes, frame: Bytes, wakeUp: SessionPayload<'wake_up'>): Promise<ServerStep>
  /** Whether the user lets that peer wake this one. */
  mayWake(peer: PeerId): boolean
  /** Timestamp of the newest wake-up that was taken from that peer by pages before this one, 0 where there was none. */
  newestFrom(peer: PeerId): number
  keepNewest(peer: PeerId, timestamp: number): void
  /** A peer woke this one; where the outcome is `waking`, a link is to be opened to it. Must not throw. */
  onWokenUp(wakeUp: PeerEvents['wakeup']): void
  /** A peer that was woken has a link to this one, or is about to open it. */
  onAwake(peer: PeerId): void
}

/** Of use until close(). */
export class WakeUpManager {
  readonly #host: WakeUpHost
  readonly #outgoing = new Map<PeerId, OutgoingWakeUp>()
  readonly #taken = new TakenWakeUps()
  /** What the server keeps for a peer, and nobody waits for here any more: its answer is late, and no fault. */
  readonly #kept = new Map<PeerId, Bytes>()
  readonly #counts = { taken: 0, repeated: 0, refused: 0 }
  #lastTimestamp = 0

  constructor(host: WakeUpHost) {
    this.#host = host
  }

  get counts(): WakeUpCounts {
    return { ...this.#counts }
  }

  /** See Peer.wakeUp(). Rejects with QUEUE_FULL, WAKE_UP_CANCELED, and what close() is given. */
  async sendWakeUp(target: Bytes, { reason, priority, life, signal }: WakeUpRequest): Promise<WakeUpResult> {
    if (signal?.aborted) throw canceled()
    const id = peerIdOf(target)
    const underWay = this.#outgoing.get(id)
    if (underWay !== undefined) return underWay.join(signal)
    if (this.#outgoing.size >= LIMITS.maxWakeUps) {
      throw new TsunagiError('QUEUE_FULL', `${LIMITS.maxWakeUps} peers are being woken already.`)
    }
    const { crypto } = this.#host
    const nonce = crypto.randomBytes(16)
    const expires = Math.round(this.#host.serverNow()) + life
    const wakeUp = new OutgoingWakeUp(this.#waysTo(target, id), { nonce, reason, priority, expires })
    this.#outgoing.set(id, wakeUp)
    wakeUp.result.then(
      ({ outcome }) => this.#over(id, outcome === 'kept' ? nonce : undefined),
      () => this.#over(id, undefined),
    )
    const outcome = wakeUp.join(signal)
    wakeUp.start(life)
    return outcome
  }

  /**
   * A peer would wake this one. `from` is who signed it.
   * @throws TsunagiError REPLAY_DETECTED, RATE_LIMITED, CLOCK_SKEW where it is not even answered
   */
  handleWakeUp(from: Bytes, wakeUp: VerifiedWakeUp & OpenPayload<'wake_up'>, via: WakeUpVia): void {
    const id = peerIdOf(from)
    const { nonce, timestamp, reason, priority } = wakeUp
    const now = this.#host.serverNow()
    const before = this.#taken.look(id, wakeUp, this.#host.newestFrom(id), now)
    if (timestamp !== undefined && timestamp > this.#host.newestFrom(id)) this.#host.keepNewest(id, timestamp)
    const state = before ?? this.#answerTo(id, endOf(wakeUp, now) < now)
    if (before !== undefined) this.#counts.repeated++
    else this.#taken.answered(id, nonce, state)
    void this.sendWakeUpAck(from, nonce, state, via)
    if (before !== undefined) return
    if (state === 'refused' || state === 'expired') {
      this.#counts.refused++
      return
    }
    this.#counts.taken++
    this.#host.onWokenUp({ from: id, reason, priority, step: via, outcome: state })
  }

  /** Goes back the way the wake-up came: a peer that was loaded anew has not the link that this side still sees. Never rejects. */
  async sendWakeUpAck(to: Bytes, nonce: Bytes, state: WakeState, via: WakeUpVia): Promise<void> {
    const payload = { wake_nonce: nonce, state }
    try {
      if (via === 'session') await this.#host.sendInSession(peerIdOf(to), 'wake_up_ack', payload)
      else await this.#host.relay(to, await this.#seal('wake_up_ack', to, payload))
    } catch {
      // One that cannot leave is asked for again by the next try.
    }
  }

  /** @throws TsunagiError INVALID_STATE where it answers nothing that is waited for */
  handleWakeUpAck(from: Bytes, { wake_nonce, state }: SessionPayload<'wake_up_ack'>): void {
    const id = peerIdOf(from)
    const outgoing = this.#outgoing.get(id)
    const isLate = isSame(this.#kept.get(id), wake_nonce)
    if (!isLate && !isSame(outgoing?.wakeUp.nonce, wake_nonce)) {
      throw new TsunagiError('INVALID_STATE', 'A peer answered a wake-up that this side does not wait for.')
    }
    if (isLate) this.#kept.delete(id)
    else outgoing?.answered(state)
    if (state === 'waking' || state === 'active') this.#host.onAwake(id)
  }

  /** A wake-up or an acknowledgement was refused, here or before it came here. */
  refused(): void {
    this.#counts.refused++
  }

  /** A peer has a link to this one: it is awake, whatever became of its answer. */
  linked(peer: PeerId): void {
    this.#outgoing.get(peer)?.answered('active')
  }

  /** The server says that a peer has no socket there. */
  notAtSocket(peer: PeerId): void {
    this.#outgoing.get(peer)?.notAtSocket()
  }

  /** Rejects all that is under way. Idempotent. */
  close(error: TsunagiError): void {
    for (const wakeUp of [...this.#outgoing.values()]) wakeUp.fail(error)
  }

  #over(peer: PeerId, kept: Bytes | undefined): void {
    this.#outgoing.delete(peer)
    this.#kept.delete(peer)
    if (kept === undefined) return
    this.#kept.set(peer, kept)
    const [oldest] = this.#kept.keys()
    if (oldest !== undefined && this.#kept.size > LIMITS.maxWakeUps) this.#kept.delete(oldest)
  }

  #waysTo(target: Bytes, id: PeerId): WakeUpWays {
    const host = this.#host
    let frame: Promise<Bytes> | undefined
    // All tries send the same bytes, which the target knows again; and a session alone needs none.
    const sealed = ({ nonce, ...payload }: SessionPayload<'wake_up'>) => {
      frame ??= this.#seal('wake_up', target, payload, nonce)
      return frame
    }
    return {
      clock: host.clock,
      randomBytes: (length) => host.crypto.randomBytes(length),
      bySession: (wakeUp) => (host.isLinked(id) ? host.sendInSession(id, 'wake_up', wakeUp) : undefined),
      bySocket: async (wakeUp) => host.relay(target, await sealed(wakeUp)),
      byServer: async (wakeUp) => host.leave(target, await sealed(wakeUp), wakeUp),
    }
  }

  /** @param nonce made where it is undefined */
  #seal<T extends 'wake_up' | 'wake_up_ack'>(
    type: T,
    recipient: Bytes,
    payload: OpenPayload<T>,
    nonce?: Bytes,
  ): Promise<Bytes> {
    const { crypto, key } = this.#host
    // No two alike: the target takes none that is no newer than the last.
    this.#lastTimestamp = Math.max(Math.round(this.#host.serverNow()), this.#lastTimestamp + 1)
    const timestamp = this.#lastTimestamp
    return sealOpenFrame(crypto, key, {
      type,
      recipient,
      session: NO_SESSION,
      timestamp,
      payload,
      ...(nonce && { nonce }),
    })
  }

  #answerTo(peer: PeerId, isTooLate: boolean): WakeState {
    if (isTooLate) return 'expired'
    if (!this.#host.mayWake(peer)) return 'refused'
    return this.#host.isLinked(peer) ? 'active' : 'waking'
  }
}

function isSame(nonce: Bytes | undefined, other: Bytes): boolean {
  return nonce !== undefined && equalBytes(nonce, other)
}
