/**
 * What an app's service worker does with pushes (SPEC §7.1). A push says nothing but for which peer of this browser it is;
 * what the notification says is the app's. The page gets the wake-up itself from the signaling server when it has joined.
 */
import type { Bytes } from '../wire/bytes.ts'
import { equalBytes } from '../wire/bytes.ts'
import { openDatabase } from './database.ts'
import { SLOT_PARAMETER, slotLock } from './identity-slot.ts'
import { type PushSetting, readPushSettings } from './settings.ts'
import { WAKE_MESSAGE, type WakeMessage } from './wake-message.ts'

/** A running page answers in a few milliseconds; one that is frozen, never. Firefox lets a click open a page for a second. */
const ANSWER_WITHIN = 500

// TypeScript has the types of a page or those of a worker; these are what is used of the latter.
interface ExtendableEvent {
  waitUntil(promise: Promise<unknown>): void
}
export interface PushEvent extends ExtendableEvent {
  readonly data: { arrayBuffer(): ArrayBuffer } | null
}
export interface NotificationClickEvent extends ExtendableEvent {
  readonly notification: { readonly data: unknown; close(): void }
}
interface PageClient {
  readonly url: string
  readonly visibilityState: 'visible' | 'hidden'
  postMessage(message: WakeMessage, transfer: readonly MessagePort[]): void
  focus(): Promise<unknown>
}
interface ServiceWorkerScope {
  readonly registration: ServiceWorkerRegistration
  readonly clients: {
    matchAll(options: { type: 'window'; includeUncontrolled: true }): Promise<readonly PageClient[]>
    openWindow(url: string): Promise<unknown>
  }
}
const worker = self as unknown as ServiceWorkerScope

/** What the notification says, in the app's words. */
export interface WakeNotification {
  readonly title: string
  /** Its `tag` and `data` are this library's. */
  readonly options?: Omit<NotificationOptions, 'tag' | 'data'>
}

/**
 * Call from the listener for `push`. A page of the peer that is open comes back to the mesh; where it is visible, that is all,
 * and else a notification is shown, as browsers require of every push.
 */
export function handlePush(event: PushEvent, notification: WakeNotification): void {
  event.waitUntil(wake(labelOf(event), notification))
}

/** Call from the listener for `notificationclick`. Brings the peer's page to the front, or opens it, to be that peer. */
export function handleNotificationClick(event: NotificationClickEvent): void {
  event.notification.close()
  const { data } = event.notification
  event.waitUntil(show(typeof data === 'string' ? data : ''))
}

async function wake(label: Bytes | undefined, { title, options }: WakeNotification): Promise<void> {
  const target = (await settings()).find((setting) => label !== undefined && equalBytes(setting.label, label))
  const page = target && (await running(target.slot, await pages()))
  if (page?.visibilityState === 'visible') return
  // One for each peer, however many pushes come: the newer takes the place of the older.
  const slot = String(target?.slot ?? '')
  await worker.registration.showNotification(title, { ...options, tag: `tsunagi ${slot}`, data: slot })
}

/** @param slot as a text; '' where the push was for no peer that is known, or is not any more */
async function show(slot: string): Promise<void> {
  const target = (await settings()).find((setting) => String(setting.slot) === slot)
  const page = target && (await pageOf(target))
  if (page !== undefined) {
    await page.focus()
    return
  }
  const url = new URL(target?.url ?? worker.registration.scope)
  if (target !== undefined) url.searchParams.set(SLOT_PARAMETER, slot)
  await worker.clients.openWindow(url.href)
}

/** The open page that is the peer of that slot. A frozen one does not say so, but holds the lock of the slot. */
async function pageOf({ slot, url }: PushSetting): Promise<PageClient | undefined> {
  const open = await pages()
  const page = await running(slot, open)
  if (page !== undefined) return page
  const { held = [] } = await navigator.locks.query()
  const isHeld = held.some(({ name }) => name === slotLock(slot))
  return isHeld ? open.find((client) => samePage(client.url, url)) : undefined
}

function pages(): Promise<readonly PageClient[]> {
  return worker.clients.matchAll({ type: 'window', includeUncontrolled: true })
}

/** Asks all pages; the one that is the peer of that slot answers, and comes back to the mesh. */
function running(slot: number, open: readonly PageClient[]): Promise<PageClient | undefined> {
  return new Promise((resolve) => {
    for (const client of open) {
      const { port1, port2 } = new MessageChannel()
      port1.onmessage = () => resolve(client)
      client.postMessage({ type: WAKE_MESSAGE, slot }, [port2])
    }
    setTimeout(resolve, open.length > 0 ? ANSWER_WITHIN : 0, undefined)
  })
}

function samePage(one: string, other: string): boolean {
  const [a, b] = [new URL(one), new URL(other)]
  return a.origin === b.origin && a.pathname === b.pathname
}

/** None where they cannot be read: a notification is owed to the browser all the same. */
async function settings(): Promise<PushSetting[]> {
  try {
    const database = await openDatabase(() => undefined)
    try {
      return await readPushSettings(database)
    } finally {
      database.close()
    }
  } catch {
    return []
  }
}

function labelOf({ data }: PushEvent): Bytes | undefined {
  try {
    return data === null ? undefined : new Uint8Array(data.arrayBuffer())
  } catch {
    // A push that the browser could not decrypt has no readable data.
    return undefined
  }
}
