/** Reachable when closed (SPEC §7.1): a subscription of this browser to pushes, which a service worker takes for a page. */
import type { Reachability, ReachabilityState } from '../api.ts'
import { isTsunagiError, TsunagiError, toTsunagiError } from '../errors.ts'
import { type PushSignaling, UNREACHABLE } from '../wake-up/reachability.ts'
import { type Bytes, equalBytes } from '../wire/bytes.ts'
import { type Database, storageFailure } from './database.ts'
import { type PushSetting, readPushSettings, removePushSetting, writePushSetting } from './settings.ts'

export interface ReachabilityHost {
  readonly database: Database
  /** Held by this tab: see takeIdentitySlot(). */
  readonly slot: number
  readonly push: PushSignaling
  /** The state is another. */
  readonly onState: () => void
  readonly onProblem: (error: TsunagiError) => void
}

export interface BrowserReachability extends Reachability {
  /** The server welcomed this peer: what the user decided on a page before this one is made true again. Never rejects. */
  welcomed(): Promise<void>
}

/** What stands in where nothing is kept, or the browser has no pushes. */
const UNSUPPORTED: BrowserReachability = { ...UNREACHABLE, welcomed: () => Promise.resolve() }

export function createReachability(host: ReachabilityHost): BrowserReachability {
  const hasPushes = 'serviceWorker' in navigator && 'PushManager' in window && 'Notification' in window
  return hasPushes ? new Pushes(host) : UNSUPPORTED
}

class Pushes implements BrowserReachability {
  readonly #host: ReachabilityHost
  #isOn = false
  /** Address of the subscription that the server knows. */
  #told = ''
  /** What is asked of the browser is done one after the other. */
  #last: Promise<unknown> = Promise.resolve()

  constructor(host: ReachabilityHost) {
    this.#host = host
    void this.#inTurn(() => this.#recall())
  }

  get state(): ReachabilityState {
    if (Notification.permission === 'denied') return 'denied'
    return this.#isOn ? 'on' : 'off'
  }

  async enable(url = location.href): Promise<void> {
    if (!URL.canParse(url, location.href)) throw new TsunagiError('INVALID_ARGUMENT', 'enable() takes an address.')
    // Asked before anything is waited for: browsers count the click for a few seconds only.
    if ((await Notification.requestPermission()) !== 'granted') {
      throw new TsunagiError(
        'INVALID_STATE',
        'Notifications of this site are not allowed; the browser’s settings of the site can allow them.',
      )
    }
    await this.#inTurn(async () => {
      const { database, slot } = this.#host
      const kept = await this.#kept()
      const label = kept?.label ?? crypto.getRandomValues(new Uint8Array(16))
      await this.#subscribe(label)
      await writePushSetting(database, { slot, label, url: new URL(url, location.href).href }).catch(refuse)
      this.#turn(true)
    })
  }

  async disable(): Promise<void> {
    await this.#inTurn(async () => {
      const { database, slot, push } = this.#host
      await removePushSetting(database, slot).catch(refuse)
      this.#turn(false)
      this.#told = ''
      // All peers of this browser share the subscription.
      const others = await readPushSettings(database).catch(refuse)
      if (others.length === 0) await (await subscriptionOf(await registrationOf()))?.unsubscribe()
      // A server that cannot be told is told by the push service, or its pushes have a label that nobody knows any more.
      push.pushTo(undefined).catch(() => undefined)
    })
  }

  async welcomed(): Promise<void> {
    try {
      await this.#inTurn(async () => {
        const kept = await this.#kept()
        if (kept !== undefined && Notification.permission === 'granted') await this.#subscribe(kept.label)
      })
    } catch (cause) {
      const why = 'This peer cannot be reached while it is closed: turn that off and on again.'
      this.#host.onProblem(toTsunagiError(cause, 'NOT_SUPPORTED', why))
    }
  }

  async #recall(): Promise<void> {
    // A page that cannot read it says so where it reads the rest.
    const kept = await this.#kept().catch(() => undefined)
    this.#turn(kept !== undefined && Notification.permission === 'granted')
  }

  async #kept(): Promise<PushSetting | undefined> {
    const settings = await readPushSettings(this.#host.database).catch(refuse)
    return settings.find(({ slot }) => slot === this.#host.slot)
  }

  /** Has the browser subscribed under the server's key, and the server told. @throws TsunagiError */
  async #subscribe(label: Bytes): Promise<void> {
    const { push } = this.#host
    const registration = await registrationOf()
    if (registration === undefined) {
      throw new TsunagiError('NOT_SUPPORTED', 'This page has no service worker, which takes pushes while it is closed.')
    }
    if (push.vapidKey === undefined) {
      throw new TsunagiError('NOT_SUPPORTED', 'The signaling server is not connected, or sends no pushes.')
    }
    const subscription = await subscribed(registration, push.vapidKey)
    if (subscription.endpoint === this.#told) return
    const { endpoint } = subscription
    const target = { endpoint, p256dh: keyOf(subscription, 'p256dh'), auth: keyOf(subscription, 'auth'), label }
    if (!(await push.pushTo(target))) {
      throw new TsunagiError('NOT_SUPPORTED', 'The signaling server does not send to the push service of this browser.')
    }
    this.#told = endpoint
  }

  #turn(isOn: boolean): void {
    if (isOn === this.#isOn) return
    this.#isOn = isOn
    this.#host.onState()
  }

  #inTurn(action: () => Promise<void>): Promise<void> {
    const done = this.#last.then(action)
    this.#last = done.catch(() => undefined)
    return done
  }
}

function registrationOf(): Promise<ServiceWorkerRegistration | undefined> {
  return navigator.serviceWorker.getRegistration()
}

async function subscriptionOf(
  registration: ServiceWorkerRegistration | undefined,
): Promise<PushSubscription | undefined> {
  return (await registration?.pushManager.getSubscription()) ?? undefined
}

/** @throws TsunagiError NOT_SUPPORTED where the browser's push service does not take part */
async function subscribed(registration: ServiceWorkerRegistration, key: Bytes): Promise<PushSubscription> {
  const before = await subscriptionOf(registration)
  const boundTo = before?.options.applicationServerKey
  if (before !== undefined && boundTo && equalBytes(new Uint8Array(boundTo), key)) return before
  try {
    // Bound to a key that the server has lost.
    await before?.unsubscribe()
    return await registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key })
  } catch (cause) {
    throw toTsunagiError(cause, 'NOT_SUPPORTED', 'This browser could not subscribe to pushes; it may be offline.')
  }
}

/** @throws TsunagiError NOT_SUPPORTED */
function keyOf(subscription: PushSubscription, name: PushEncryptionKeyName): Bytes {
  const key = subscription.getKey(name)
  if (key === null) throw new TsunagiError('NOT_SUPPORTED', 'This browser takes no encrypted pushes.')
  return new Uint8Array(key)
}

function refuse(cause: unknown): never {
  throw isTsunagiError(cause) ? cause : storageFailure(cause)
}
