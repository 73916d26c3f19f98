/**
 * Waking peers that may not be there (SPEC §10): by the socket they have, by a push to their browser, and by mail that waits
 * for their return. A store that fails is told to who asks, and stops nobody.
 */
import { createHmac, ECDH } from 'node:crypto'
import {
  type Bytes,
  type Clock,
  type CryptoProvider,
  PROTOCOL,
  type SignalingPayload,
} from '@tsunagi/protocol/signaling'
import type { Logger } from 'pino'
import { Accounts } from './accounts.ts'
import type { KeyAccount } from './keys.ts'
import { KnownPeers, type Place, type Subscription } from './known-peers.ts'
import type { SignalingLimits } from './limits.ts'
import { Mailbox } from './mailbox.ts'
import { type Mail, type Member, type Mesh, mapKey } from './mesh.ts'
import type { Metrics } from './metrics.ts'
import { Pushes, type PushOptions } from './push.ts'
import type { PushHosts } from './push-hosts.ts'
import type { Store } from './store.ts'
import { TokenBucket } from './token-bucket.ts'

type WakeUp = SignalingPayload<'wake_up'>
type WakeStep = SignalingPayload<'wake_step'>['step']

const URGENCY: Record<WakeUp['priority'], PushOptions['urgency']> = {
  critical: 'high',
  high: 'high',
  normal: 'normal',
  low: 'low',
}

/** A store that failed is asked again after this long. */
const RETRY = 1_000

/** Bytes of a topic: 32 characters, the most that RFC 8030 §5.4 allows. */
const TOPIC_SIZE = 24

export interface WakingHost {
  readonly clock: Clock
  readonly crypto: CryptoProvider
  readonly limits: SignalingLimits
  readonly log: Logger
  readonly metrics: Metrics
  readonly store: Store
  readonly pushHosts: PushHosts
  readonly pushSubject: string
}

export class Waking {
  readonly #host: WakingHost
  readonly #known: KnownPeers
  readonly #mailbox: Mailbox
  readonly #pushes: Pushes
  readonly #pairs: Accounts<TokenBucket>
  /** What goes on at the store or a push service. Each fulfils. */
  readonly #underWay = new Set<Promise<unknown>>()
  #isWell = true
  #isClosed = false
  #cancelSweep: () => void = () => undefined
  #cancelRetry: (() => void) | undefined

  constructor(host: WakingHost) {
    const { clock, limits, metrics, store } = host
    this.#host = host
    this.#known = new KnownPeers(store, clock, limits)
    this.#mailbox = new Mailbox(store, clock, limits, metrics)
    this.#pushes = new Pushes({ ...host, subject: host.pushSubject })
    const perMinute = limits.pairWakesPerMinute
    this.#pairs = new Accounts(limits.maxRemembered, () => new TokenBucket(perMinute / 60, perMinute, clock))
  }

  /** Fulfils when what is stored was read, or cannot be read now. */
  async start(): Promise<void> {
    await this.#attempt(() => this.#pushes.loadKeys(), undefined)
    this.#cancelSweep = this.#host.clock.after(this.#host.limits.storeSweep, () => this.#sweep())
  }

  /** Whether the store did what it was asked the last time. */
  get isWell(): boolean {
    return this.#isWell
  }

  get vapidKey(): Bytes | undefined {
    return this.#pushes.publicKey
  }

  /** Notes that a peer is there, and answers what waits for it. */
  returned(place: Place): Promise<Mail[]> {
    return this.#attempt(async () => {
      await this.#known.returned(place)
      return this.#mailbox.waiting(place)
    }, [])
  }

  /** It was there until now. */
  left(place: Place): void {
    void this.#attempt(() => this.#known.left(place), undefined)
  }

  taken(place: Place, mailId: Bytes): void {
    void this.#attempt(() => this.#mailbox.take(place, mailId), undefined)
  }

  /** Answers whether pushes will be sent there. */
  async subscribe(place: Place, subscription: Subscription | undefined): Promise<boolean> {
    const checked = subscription && this.#checked(subscription)
    return this.#attempt(async () => {
      await this.#known.subscribe(place, checked)
      return checked !== undefined
    }, false)
  }

  /** Answers how far the wake-up came. Whatever the store does, it is handed to a socket that the target has. */
  async wakeUp(sender: Member, account: KeyAccount, mesh: Mesh, wakeUp: WakeUp): Promise<WakeStep> {
    const step = await this.#wakeUp(sender, account, mesh, wakeUp)
    if (!['socket', 'push', 'mailbox'].includes(step)) this.#host.metrics.refused(`wake_up_${step}`)
    return step
  }

  /** Sends no more pushes, and waits for those under way, for drainDeadline at most. */
  drain(): Promise<void> {
    return this.#pushes.close()
  }

  /** Nothing is to be asked of it any more. Waits for what is under way. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#cancelSweep()
    this.#cancelRetry?.()
    while (this.#underWay.size > 0) await Promise.all(this.#underWay)
  }

  async #wakeUp(sender: Member, account: KeyAccount, mesh: Mesh, wakeUp: WakeUp): Promise<WakeStep> {
    const { clock, crypto } = this.#host
    const { priority, expires } = wakeUp
    // Copies: the originals are views into what the socket read.
    const place = { meshId: mesh.id, publicKey: new Uint8Array(wakeUp.public_key) }
    const pair = sender.key + mapKey(place.publicKey)
    if (!account.wakes.take(1) || !this.#pairs.get(pair).take(1)) return 'rate_limited'
    const now = clock.now()
    if (expires <= now || expires > now + PROTOCOL.maxWakeLife) return 'expired'

    const mail = { id: crypto.randomBytes(16), sender: sender.publicKey, sealed: new Uint8Array(wakeUp.sealed) }
    const kept = await this.#attempt<WakeStep | 'kept'>(async () => {
      // Who has a socket is known, whatever became of the store.
      const isThere = mesh.member(place.publicKey) !== undefined
      if (!isThere && !(await this.#known.isKnown(place))) return 'unknown_peer'
      return this.#mailbox.leave(place, { ...mail, priority, expires })
    }, 'unavailable')
    // After it was kept: who comes meanwhile finds it in the mailbox, or is found here.
    const isHanded = mesh.member(place.publicKey)?.mail(mail) === true
    if (kept !== 'kept') return kept

    const isUrgent = URGENCY[priority] === 'high'
    const push = async () => (await this.#push(place, sender, wakeUp)) === 'sent'
    if (isHanded) {
      // The tab may be frozen: its socket takes everything, and the page sees nothing.
      if (isUrgent) void this.#track(push())
      return 'socket'
    }
    return (await this.#track(push())) ? 'push' : 'mailbox'
  }

  async #push(place: Place, sender: Member, { priority, expires }: WakeUp): Promise<string> {
    const subscription = await this.#attempt(() => this.#known.claimPush(place, sender.publicKey), undefined)
    // The list of hosts may have become shorter since.
    if (subscription === undefined || this.#checked(subscription) === undefined) return 'none'
    const topic = createHmac('sha256', this.#pushes.secret)
      .update(place.meshId)
      .update(place.publicKey)
      .update(sender.publicKey)
      .digest()
      .subarray(0, TOPIC_SIZE)
      .toString('base64url')
    const outcome = await this.#pushes.send(subscription, { expires, urgency: URGENCY[priority], topic })
    if (outcome === 'gone') {
      await this.#attempt(() => this.#known.unsubscribe(place, subscription.endpoint), undefined)
    }
    return outcome
  }

  /** As it is to be used; undefined for one that no browser has, or that leads elsewhere than to a push service. */
  #checked(subscription: Subscription): Subscription | undefined {
    const { pushHosts, metrics } = this.#host
    const endpoint = pushHosts.allowed(subscription.endpoint)
    if (endpoint === undefined || !isPoint(subscription.p256dh)) {
      metrics.refused('subscription')
      return undefined
    }
    return { ...subscription, endpoint }
  }

  #sweep(): void {
    const { clock, limits } = this.#host
    const sweep = async () => {
      await this.#pushes.loadKeys()
      await this.#mailbox.sweep()
      await this.#known.sweep()
    }
    void this.#attempt(sweep, undefined)
    this.#cancelSweep = clock.after(limits.storeSweep, () => this.#sweep())
  }

  /** Never rejects: a store that fails is logged once, until it does not fail. */
  #attempt<T>(action: () => Promise<T>, otherwise: T): Promise<T> {
    const attempt = async () => {
      try {
        const result = await action()
        if (!this.#isWell) this.#host.log.info('the store works again')
        this.#isWell = true
        return result
      } catch (error) {
        // Only its words: the error of a command holds what was to be stored.
        const reason = error instanceof Error ? error.message : 'unknown'
        if (this.#isWell) this.#host.log.error({ reason }, 'the store failed')
        this.#isWell = false
        this.#retry()
        return otherwise
      }
    }
    return this.#track(attempt())
  }

  /** Until it works again, which nobody else may ask it soon. */
  #retry(): void {
    if (this.#isClosed || this.#cancelRetry !== undefined) return
    this.#cancelRetry = this.#host.clock.after(RETRY, () => {
      this.#cancelRetry = undefined
      void this.#attempt(() => this.#pushes.loadKeys(), undefined)
    })
  }

  #track<T>(work: Promise<T>): Promise<T> {
    this.#underWay.add(work)
    return work.finally(() => this.#underWay.delete(work))
  }
}

/** On the curve: else the encryption for it would fail, each time. */
function isPoint(p256dh: Bytes): boolean {
  try {
    ECDH.convertKey(p256dh, 'prime256v1')
    return true
  } catch {
    return false
  }
}
