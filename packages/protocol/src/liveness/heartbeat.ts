/** Keeps one session's peer under watch (SPEC §7): beats, measures the round trip, and says how well the peer answers. */
import { TsunagiError, toTsunagiError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { SessionPayload } from '../messages.ts'
import type { Clock } from '../ports.ts'
import type { Bytes } from '../wire/bytes.ts'
import { HEALTH_STATES, type HealthEvent, healthThresholds, type SessionHealth } from './health.ts'
import type { RoundTrips } from './statistics.ts'

type LivenessType = 'heartbeat' | 'ping' | 'pong' | 'status_report'

export interface HeartbeatOptions {
  readonly clock: Clock
  readonly randomBytes: (length: number) => Bytes
  /** Sends to the one peer. Rejects with a TsunagiError where the message cannot leave. */
  readonly send: <T extends LivenessType>(type: T, payload: SessionPayload<T>) => Promise<void>
  readonly heartbeat: () => SessionPayload<'heartbeat'>
  readonly status: () => SessionPayload<'status_report'>
  /** Each measured round trip is added here; the thresholds follow it. */
  readonly roundTrips: RoundTrips
  /** Called when health changes; a manager begins as `healthy`. Must not throw. */
  readonly onHealth: (health: SessionHealth) => void
  /** Called when the peer is found silent, and at each beat while it is: it may have to be woken. Must not throw. */
  readonly onSilence: () => void
}

interface PendingPing {
  readonly sentAt: number
  readonly stopTimer: () => void
  readonly fulfil: (ms: number) => void
  readonly reject: (error: TsunagiError) => void
}

/** Made for a session that is established, and of use from start() to stop(). */
export class HeartbeatManager {
  readonly #options: HeartbeatOptions
  readonly #clock: Clock
  readonly #timers = new Map<'beat' | 'check' | 'status', () => void>()
  readonly #pings = new Map<number, PendingPing>()
  /** Whether the peer said that its page is hidden. */
  isHidden = false
  #health: SessionHealth = 'healthy'
  #heardAt = 0
  #wokeAt = 0
  #sentSinceBeat = false
  #statusAt = 0
  #ignoredPongs = 0
  #stopped: TsunagiError | undefined

  constructor(options: HeartbeatOptions) {
    this.#options = options
    this.#clock = options.clock
  }

  get health(): SessionHealth {
    return this.#health
  }

  /** Pongs that answer no ping of ours, or one given up. */
  get ignoredPongs(): number {
    return this.#ignoredPongs
  }

  /** Reports the status, measures the round trip, and begins to watch. Call once. */
  start(): void {
    this.#heardAt = this.#clock.now()
    this.#reportStatus()
    this.#beat()
    this.#watch()
  }

  /** Cancels all timers and rejects what is pending with `reason`, also each later ping(). Idempotent. */
  stop(reason: TsunagiError): void {
    if (this.#stopped !== undefined) return
    this.#stopped = reason
    for (const cancel of this.#timers.values()) cancel()
    for (const nonce of [...this.#pings.keys()]) this.#takePing(nonce)?.reject(reason)
  }

  /** Something verified came from the peer. @param now milliseconds since 1970 */
  heard(now: number): void {
    this.#heardAt = now
    if (this.#health === 'healthy' || this.#stopped !== undefined) return
    this.#move('heard')
    this.#watch()
  }

  /** A message other than those of this manager went out, so the next beat needs no heartbeat. */
  sent(): void {
    this.#sentSinceBeat = true
  }

  /** Reports the status; several calls within LIMITS.statusSpacing share a report. */
  statusChanged(): void {
    const wait = LIMITS.statusSpacing - (this.#clock.now() - this.#statusAt)
    if (wait <= 0) this.#reportStatus()
    else this.#schedule('status', Math.min(wait, LIMITS.statusSpacing), () => this.#reportStatus())
  }

  /**
   * Round trip in milliseconds through page code of the peer. Rejects with QUEUE_FULL where LIMITS.maxPings wait,
   * LINK_LOST without an answer for LIMITS.unreachableMost, with the reason of stop(), or as `send` does.
   */
  ping(): Promise<number> {
    if (this.#stopped !== undefined) return Promise.reject(this.#stopped)
    if (this.#pings.size >= LIMITS.maxPings) {
      return Promise.reject(new TsunagiError('QUEUE_FULL', `${LIMITS.maxPings} pings wait for that peer already.`))
    }
    const nonce = this.#randomNonce()
    return new Promise((fulfil, reject) => {
      const giveUp = (error: TsunagiError) => this.#takePing(nonce)?.reject(error)
      const stopTimer = this.#clock.after(LIMITS.unreachableMost, () =>
        giveUp(new TsunagiError('LINK_LOST', `The peer did not answer a ping for ${LIMITS.unreachableMost} ms.`)),
      )
      this.#pings.set(nonce, { sentAt: this.#clock.now(), stopTimer, fulfil, reject })
      this.#options
        .send('ping', { nonce })
        .catch((cause: unknown) => giveUp(toTsunagiError(cause, 'LINK_FAILED', 'The ping could not be sent.')))
    })
  }

  handlePing(payload: SessionPayload<'ping'>): void {
    this.#tell('pong', payload)
  }

  handlePong(payload: SessionPayload<'pong'>): void {
    const ping = this.#takePing(payload.nonce)
    if (ping === undefined) {
      this.#ignoredPongs++
      return
    }
    const roundTrip = Math.max(0, this.#clock.now() - ping.sentAt)
    this.#options.roundTrips.add(roundTrip)
    ping.fulfil(roundTrip)
  }

  #beat(): void {
    this.#schedule('beat', LIMITS.heartbeatInterval, () => this.#beat())
    if (!this.#sentSinceBeat) this.#tell('heartbeat', this.#options.heartbeat())
    this.#sentSinceBeat = false
    // A beat that nobody answers shows in the health.
    this.ping().catch(() => undefined)
    if (this.#health === 'unreachable' || this.#health === 'idle') this.#options.onSilence()
  }

  #reportStatus(): void {
    this.#statusAt = this.#clock.now()
    this.#schedule('status', LIMITS.statusInterval, () => this.#reportStatus())
    this.#tell('status_report', this.#options.status())
    this.#sentSinceBeat = true
  }

  /** Looks again when the silence so far would reach the next threshold: heard() sets no timer while all is well. */
  #watch(): void {
    const silence = this.#clock.now() - this.#heardAt
    const { degraded, unreachable } = healthThresholds(this.#options.roundTrips.p95)
    if (silence >= unreachable) {
      this.#move(this.isHidden ? 'asleep' : 'silent')
      return
    }
    if (silence >= degraded) this.#move('quiet')
    const wait = (silence >= degraded ? unreachable : degraded) - silence
    const due = this.#clock.now() + wait
    this.#schedule('check', wait, () => {
      this.#forgiveOwnSleep(due)
      this.#watch()
    })
  }

  /**
   * A timer that fires far from its time means that this page was frozen or the clock was set: the silence was ours. The
   * peer gets a beat and its full time to answer, once; on a page whose timers are always late it is judged after that.
   */
  #forgiveOwnSleep(due: number): void {
    const now = this.#clock.now()
    if (Math.abs(now - due) <= LIMITS.heartbeatInterval || this.#heardAt === this.#wokeAt) return
    this.#heardAt = now
    this.#wokeAt = now
    this.#beat()
  }

  #move(event: HealthEvent): void {
    const health = HEALTH_STATES[this.#health][event]
    if (health === this.#health) return
    this.#health = health
    this.#options.onHealth(health)
    if (health === 'unreachable' || health === 'idle') this.#options.onSilence()
  }

  #schedule(name: 'beat' | 'check' | 'status', delay: number, action: () => void): void {
    this.#timers.get(name)?.()
    if (this.#stopped === undefined) this.#timers.set(name, this.#clock.after(delay, action))
  }

  /** Random, so that a peer cannot answer before it was asked and seem nearer than it is. 48 bits. */
  #randomNonce(): number {
    return this.#options.randomBytes(6).reduce((nonce, byte) => nonce * 256 + byte, 0)
  }

  #takePing(nonce: number): PendingPing | undefined {
    const ping = this.#pings.get(nonce)
    ping?.stopTimer()
    this.#pings.delete(nonce)
    return ping
  }

  #tell<T extends LivenessType>(type: T, payload: SessionPayload<T>): void {
    // What cannot leave now is stale later: the next beat or report follows, and a lost link ends in stop().
    if (this.#stopped === undefined) this.#options.send(type, payload).catch(() => undefined)
  }
}
