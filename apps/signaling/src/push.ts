/**
 * Posts pushes to push services (RFC 8030), encrypted for the browser (RFC 8291) and under this server's name (RFC 8292).
 * All that a service or its observer learns is that this server has something for that browser.
 */
import type { Bytes, Clock } from '@tsunagi/protocol/signaling'
import type { Logger } from 'pino'
import webPush, { type VapidKeys } from 'web-push'
import type { Subscription } from './known-peers.ts'
import type { SignalingLimits } from './limits.ts'
import type { Metrics } from './metrics.ts'
import { change, type Shelf, type Store } from './store.ts'

export interface PushOptions {
  /** Milliseconds since 1970; the push service throws it away then. */
  readonly expires: number
  readonly urgency: 'high' | 'normal' | 'low'
  /** At most 32 characters of base64url: of two pushes of one topic that wait, the newer takes the place of the older. */
  readonly topic: string
}

/** `gone`: the push service does not know the subscription any more. */
export type PushOutcome = 'sent' | 'gone' | 'refused' | 'failed' | 'dropped'

export interface PushHost {
  readonly clock: Clock
  readonly limits: SignalingLimits
  readonly log: Logger
  readonly metrics: Metrics
  readonly store: Store
  /** By which a push service reaches the operator: a mailto: or https: address. */
  readonly subject: string
}

/** A year 275,000 that every store can order. */
const NEVER = Number.MAX_SAFE_INTEGER

export class Pushes {
  readonly #host: PushHost
  readonly #shelf: Shelf
  readonly #controllers = new Set<AbortController>()
  /** Called with whether it may be sent. */
  readonly #waiting: ((mayGo: boolean) => void)[] = []
  #underWay = 0
  #keys: VapidKeys | undefined
  #isClosed = false
  #idle: (() => void) | undefined

  constructor(host: PushHost) {
    this.#host = host
    this.#shelf = host.store.shelf('server', { records: 1, whenFull: 'refuse' })
  }

  /** What browsers subscribe for, 65 bytes; undefined until it could be read. */
  get publicKey(): Bytes | undefined {
    return this.#keys && new Uint8Array(Buffer.from(this.#keys.publicKey, 'base64url'))
  }

  /** For what must be this server's own and the same on all nodes. */
  get secret(): Buffer {
    return Buffer.from(this.#keys?.privateKey ?? '', 'base64url')
  }

  /**
   * Reads this server's keys, made by whichever node came first. In a store that has lost them they are kept anew, since the
   * subscriptions of all browsers are bound to them.
   */
  async loadKeys(): Promise<void> {
    const { clock } = this.#host
    const keys = await change<VapidKeys, VapidKeys>(this.#shelf, 'vapid', clock.now(), (held) => {
      const record = held ?? this.#keys ?? webPush.generateVAPIDKeys()
      return { record, due: NEVER, answer: record }
    })
    if (keys !== 'full') this.#keys = keys
  }

  /** Never rejects. */
  async send(subscription: Subscription, options: PushOptions): Promise<PushOutcome> {
    const outcome = await this.#send(subscription, options)
    this.#host.metrics.push(outcome)
    return outcome
  }

  /** Takes no more, and waits for those under way and waiting, for drainDeadline at most. */
  async close(): Promise<void> {
    const { clock, limits } = this.#host
    this.#isClosed = true
    if (this.#underWay === 0) return
    const idle = new Promise<void>((resolve) => {
      this.#idle = resolve
    })
    const cancelDeadline = clock.after(limits.drainDeadline, () => {
      for (const go of this.#waiting.splice(0)) go(false)
      for (const controller of this.#controllers) controller.abort()
    })
    await idle
    cancelDeadline()
  }

  async #send(subscription: Subscription, options: PushOptions): Promise<PushOutcome> {
    const { clock, limits, log } = this.#host
    if (this.#isClosed || this.#keys === undefined) return 'dropped'
    if (!(await this.#turn())) return 'dropped'
    const controller = new AbortController()
    this.#controllers.add(controller)
    const cancelTimeout = clock.after(limits.pushTimeout, () => controller.abort())
    const { host } = new URL(subscription.endpoint)
    try {
      const status = await this.#post(this.#keys, subscription, options, controller.signal)
      if (status >= 200 && status < 300) return 'sent'
      log.info({ host, status }, 'a push service did not take a push')
      return status === 404 || status === 410 ? 'gone' : 'refused'
    } catch (error) {
      // Only the kind of error: its text may hold the address, which is a secret of the browser's.
      log.info({ host, reason: error instanceof Error ? error.name : 'unknown' }, 'a push could not be sent')
      return 'failed'
    } finally {
      cancelTimeout()
      this.#controllers.delete(controller)
      this.#done()
    }
  }

  /** Answers whether it may be sent, once there is room. Who was answered so calls #done(). */
  async #turn(): Promise<boolean> {
    const { maxPushesAtOnce, maxPushesWaiting } = this.#host.limits
    if (this.#underWay < maxPushesAtOnce) {
      this.#underWay++
      return true
    }
    if (this.#waiting.length >= maxPushesWaiting) return false
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  #done(): void {
    const next = this.#waiting.shift()
    if (next !== undefined) {
      next(true)
      return
    }
    this.#underWay--
    if (this.#underWay === 0) this.#idle?.()
  }

  /** @returns the status; nothing else of the answer is looked at */
  async #post(
    vapid: VapidKeys,
    { endpoint, p256dh, auth, label }: Subscription,
    { expires, urgency, topic }: PushOptions,
    signal: AbortSignal,
  ): Promise<number> {
    const { clock, subject } = this.#host
    const keys = { p256dh: Buffer.from(p256dh).toString('base64url'), auth: Buffer.from(auth).toString('base64url') }
    const { headers, body } = webPush.generateRequestDetails({ endpoint, keys }, Buffer.from(label), {
      vapidDetails: { subject, ...vapid },
      TTL: Math.max(0, Math.ceil((expires - clock.now()) / 1_000)),
      urgency,
      topic,
    })
    const texts = Object.entries(headers).map(([name, value]): [string, string] => [name, String(value)])
    // A redirect would lead past the list of hosts.
    const response = await fetch(endpoint, { method: 'POST', headers: texts, body, redirect: 'manual', signal })
    // It may be endless. That the connection ends early is meant.
    response.body?.cancel().catch(() => undefined)
    return response.status
  }
}
