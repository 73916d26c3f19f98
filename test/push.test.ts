/**
 * Waking a peer whose every page is closed. In Firefox all of it is real but for the finger: its own push client takes the push
 * from a push service that this test runs, decrypts it and wakes the service worker, whose notification is a window of the
 * browser; the click on that is an event which the test has the window handle. Chromium has no push service here and shows no
 * windows: the push is handed to the service worker by DevTools, and so is the click, with the opening of a page noted instead.
 */
import { createSignalingServer, SIGNALING_PATH, type SignalingServer } from '@tsunagi/signaling'
import type { CDPSession, Page, Worker } from 'playwright-core'
import type { Browser as Firefox } from 'puppeteer-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { browserTests } from './browser-tests.ts'
import { launchFirefox } from './browsers.ts'
import { LocalPushService } from './push-service.ts'

const PATIENCE = { timeout: 30_000, interval: 50 }

const tests = browserTests()
let service: LocalPushService
let server: SignalingServer
let signaling: string

beforeAll(async () => {
  service = await LocalPushService.start()
  server = await createSignalingServer({ port: 0, pushHosts: [service.origin] })
  signaling = `ws://127.0.0.1:${server.port}${SIGNALING_PATH}`
})
afterAll(async () => {
  await server.close()
  await service.close()
})
beforeEach(() => service.forget())

const join = (url: string) => window.join(url)
const isOnline = () => window.peer.status === 'online'
const registerWorker = async () => {
  await navigator.serviceWorker.register('/service-worker.js')
  await navigator.serviceWorker.ready
}

/** The caller, in a Chromium of its own profile, who has a session with the peer `bob` and has given it work. */
async function openAlice(bob: string): Promise<Page> {
  const alice = await tests.openPage('waking.html')
  await alice.evaluate(join, signaling)
  await alice.waitForFunction(
    (id) => window.peer.peers.some((peer) => peer.id === id && peer.capabilities.length > 0),
    bob,
  )
  await alice.evaluate((to) => {
    window.task = window.peer.delegate('work', 'what waited', { to, deadline: 600_000 })
  }, bob)
  await alice.waitForFunction(() => window.task.info.state === 'working')
  return alice
}

const untilGone = (alice: Page, bob: string) => alice.waitForFunction((id) => !window.isSession(id, 'established'), bob)

const outcome = (alice: Page) =>
  alice.evaluate(() =>
    window.task.result.then(
      (output) => output,
      ({ code }) => code,
    ),
  )

describe('Firefox, every page of the app closed', () => {
  let firefox: Firefox

  beforeEach(async () => {
    firefox = await launchFirefox({
      ...service.preferences,
      'permissions.default.desktop-notification': 1,
      // Notifications are windows of the browser's own: those of a desktop need one.
      'alerts.useSystemBackend': false,
    })
    // Without any page the browser would end.
    await firefox.newPage()
  })
  afterEach(() => firefox.close())

  test('is woken by an encrypted push, and the task that waited completes after the click', async () => {
    const page = await firefox.newPage()
    await page.goto(`${tests.origin}/waking.html`)
    await page.evaluate(registerWorker)
    const bob = await page.evaluate(join, signaling)
    await page.waitForFunction(isOnline)
    expect(await page.evaluate(() => window.peer.reachability.state)).toBe('off')
    await page.evaluate(() => window.peer.reachability.enable())
    expect(await page.evaluate(() => window.peer.reachability.state)).toBe('on')

    const alice = await openAlice(bob)
    await page.close()
    await untilGone(alice, bob)
    const result = await alice.evaluate((id) => window.peer.wakeUp(id, { reason: 'a secret', priority: 'high' }), bob)
    expect(result).toMatchObject({ outcome: 'kept', step: 'push', why: 'silent' })
    await vi.waitFor(() => expect(service.acknowledged).toEqual(['1']), PATIENCE)
    const [push] = service.posted
    expect(push?.headers).toMatchObject({ urgency: 'high', authorization: expect.stringMatching(/^vapid t=/) })
    // The service sees neither who is called nor why.
    expect(push?.body.includes('a secret')).toBe(false)
    expect(await alice.evaluate(() => window.task.info.state)).toBe('working')

    await click(firefox, 'Somebody is waiting for you')
    await vi.waitFor(async () => expect(await appPages(firefox)).toHaveLength(1), PATIENCE)
    expect(await outcome(alice)).toBe('what waited done')
    const [woken] = await appPages(firefox)
    expect(await woken?.evaluate(() => [window.peer.id, window.wakeUps[0]?.reason, window.wakeUps[0]?.step])).toEqual([
      bob,
      'a secret',
      'mailbox',
    ])
    expect(await woken?.evaluate(() => window.peer.reachability.state)).toBe('on')
  }, 120_000)

  test('is left alone once the user has turned it off', async () => {
    const page = await firefox.newPage()
    await page.goto(`${tests.origin}/waking.html`)
    await page.evaluate(registerWorker)
    const bob = await page.evaluate(join, signaling)
    await page.waitForFunction(isOnline)
    await page.evaluate(() => window.peer.reachability.enable())
    await page.evaluate(() => window.peer.reachability.disable())
    expect(await page.evaluate(() => window.peer.reachability.state)).toBe('off')
    const alice = await openAlice(bob)
    await page.close()
    await untilGone(alice, bob)
    const result = await alice.evaluate((id) => window.peer.wakeUp(id), bob)
    expect(result).toMatchObject({ outcome: 'kept', step: 'mailbox' })
    expect(service.posted).toEqual([])
  }, 120_000)
})

const appPages = async (firefox: Firefox) =>
  (await firefox.pages()).filter((page) => page.url().startsWith(`${tests.origin}/waking.html?tsunagi-slot=`))

/** Clicks on the notification of that title, a window of the browser. */
async function click(firefox: Firefox, title: string): Promise<void> {
  // Puppeteer speaks WebDriver BiDi with Firefox, and shows of it what concerns pages.
  const { connection } = firefox as unknown as {
    connection: { send(method: string, params: object): Promise<{ result: BidiResult }> }
  }
  const { result: tree } = await connection.send('browsingContext.getTree', { 'moz:scope': 'chrome' })
  const clicked = async () => {
    const { result } = await connection.send('script.callFunction', {
      functionDeclaration: CLICK,
      target: { context: tree.contexts?.[0]?.context },
      awaitPromise: true,
      arguments: [{ type: 'string', value: title }],
    })
    expect(result.result).toEqual({ type: 'boolean', value: true })
  }
  await vi.waitFor(clicked, PATIENCE)
}

interface BidiResult {
  readonly contexts?: readonly { readonly context: string }[]
  readonly result?: unknown
}

/** Runs in the browser itself. */
const CLICK = `(title) => {
  for (const alert of Services.wm.getEnumerator('alert:alert')) {
    const label = alert.document.getElementById('alertTitleLabel')
    if (label.value !== title) continue
    label.click()
    return true
  }
  return false
}`

describe('Chromium', () => {
  const LABEL = 'sixteen letters!'
  let first: Page
  let page: Page
  let other: Page
  let devtools: CDPSession
  let worker: Worker
  let registrationId: string
  let bob: string

  beforeEach(async () => {
    const context = await tests.newContext({ permissions: ['notifications'] })
    other = await tests.openPage('links.html', context)
    devtools = await context.newCDPSession(other)
    const registered = new Promise<string>((fulfil) => {
      devtools.on('ServiceWorker.workerRegistrationUpdated', ({ registrations: [first] }) => {
        if (first !== undefined) fulfil(first.registrationId)
      })
    })
    await devtools.send('ServiceWorker.enable')
    // Another peer of this browser, which has the first slot.
    first = await tests.openPage('waking.html', context)
    await first.evaluate(join, signaling)
    page = await tests.openPage('waking.html', context)
    await page.evaluate(registerWorker)
    registrationId = await registered
    bob = await page.evaluate(join, signaling)
    tests.allowProblem(/not support the Push API in incognito/)
    // As enable() would have left it in a browser with a push service.
    await page.evaluate(rememberPush, LABEL)
    ;[worker] = context.serviceWorkers() as [Worker]
    await worker.evaluate(() => {
      const scope = self as unknown as {
        opened: string[]
        clients: { openWindow(url: string): Promise<void> }
        WindowClient: { prototype: { url: string; focus(): Promise<void> } }
      }
      scope.opened = []
      scope.clients.openWindow = async (url) => void scope.opened.push(url)
      scope.WindowClient.prototype.focus = async function () {
        scope.opened.push(`focus ${this.url}`)
      }
    })
  })

  const push = (data: string) =>
    devtools.send('ServiceWorker.deliverPushMessage', { origin: tests.origin, registrationId, data })

  const notifications = () =>
    other.evaluate(async () => {
      const shown = await (await navigator.serviceWorker.ready).getNotifications()
      return shown.map(({ title, tag, data }) => ({ title, tag, data: data as unknown }))
    })

  test('every page closed: a push shows one notification, however many come, and the page of a click does the work', async () => {
    const alice = await openAlice(bob)
    await first.close()
    await page.close()
    await untilGone(alice, bob)
    console.log(
      JSON.stringify(await alice.evaluate((id) => [window.peer.peers.find((p) => p.id === id), window.problems], bob)),
    )
    expect(await alice.evaluate((id) => window.peer.wakeUp(id), bob)).toMatchObject({ outcome: 'kept' })
    await push(LABEL)
    await push(LABEL)
    await vi.waitFor(async () => expect(await notifications()).not.toEqual([]), PATIENCE)
    expect(await notifications()).toEqual([{ title: 'Somebody is waiting for you', tag: 'tsunagi 1', data: '1' }])

    await worker.evaluate(clickNotification)
    await vi.waitFor(async () => expect(await notifications()).toEqual([]), PATIENCE)
    const opened = await vi.waitUntil(() => worker.evaluate(() => (self as unknown as Opened).opened[0]), PATIENCE)
    expect(opened).toBe(`${tests.origin}/waking.html?tsunagi-slot=1`)
    const woken = await other.context().newPage()
    await woken.goto(opened)
    expect(await outcome(alice)).toBe('what waited done')
    expect(await woken.evaluate(() => window.peer.id)).toBe(bob)
  })

  test('a page that is visible gets the push, and no notification is shown beside it', async () => {
    await page.evaluate(() => {
      navigator.serviceWorker.addEventListener('message', ({ data }) => window.heard.push(data.type))
    })
    await push(LABEL)
    await page.waitForFunction(() => window.heard.length > 0)
    expect(await page.evaluate(() => window.heard)).toEqual(['tsunagi wake-up'])
    expect(await notifications()).toEqual([])
  })

  test('a page that is open is brought to the front by a click, and no other is opened', async () => {
    await worker.evaluate(() => {
      const { registration } = self as unknown as { registration: ServiceWorkerRegistration }
      return registration.showNotification('shown while it was hidden', { data: '1' })
    })
    await worker.evaluate(clickNotification)
    const opened = await vi.waitUntil(() => worker.evaluate(() => (self as unknown as Opened).opened[0]), PATIENCE)
    expect(opened).toBe(`focus ${page.url()}`)
  })

  test('a push with a label that nobody knows is owed a notification, and its click opens the app', async () => {
    await push('somebody else’s')
    await vi.waitFor(async () => expect(await notifications()).toMatchObject([{ tag: 'tsunagi ', data: '' }]), PATIENCE)
    await worker.evaluate(clickNotification)
    const opened = await vi.waitUntil(() => worker.evaluate(() => (self as unknown as Opened).opened[0]), PATIENCE)
    expect(opened).toBe(`${tests.origin}/`)
  })
})

interface Opened {
  readonly opened: string[]
}

/** In the service worker: what the browser does there when a person clicks. */
async function clickNotification(): Promise<void> {
  const { registration } = self as unknown as { registration: ServiceWorkerRegistration }
  const [notification] = await registration.getNotifications()
  const event = Object.assign(new Event('notificationclick'), { notification, waitUntil: () => undefined })
  self.dispatchEvent(event)
}

/** Notes in the page's database that pushes with this label are for it. */
function rememberPush(label: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open('tsunagi')
    opening.onerror = () => reject(opening.error)
    opening.onsuccess = () => {
      const transaction = opening.result.transaction('settings', 'readwrite')
      const slot = Number(sessionStorage.getItem('tsunagi.slot'))
      transaction
        .objectStore('settings')
        .put({ slot, name: 'push', label: new TextEncoder().encode(label), url: location.href })
      transaction.onabort = () => reject(transaction.error)
      transaction.oncomplete = () => {
        opening.result.close()
        resolve()
      }
    }
  })
}
