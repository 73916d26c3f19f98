import type { BrowserContext, Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import { browserTests, deleteData } from './browser-tests.ts'

const tests = browserTests()
const WEEK = 7 * 24 * 3_600_000
/** 2030-01-01: no test depends on today. */
const NOW = Date.UTC(2030, 0, 1)

const open = (context?: BrowserContext) => tests.openPage('identity.html', context)
const arrive = (page: Page) => page.evaluate(() => window.arrive())
const takeSlot = (page: Page) => page.evaluate(() => window.takeSlot())
const openData = (page: Page) => page.evaluate(() => window.openData())

/** Fails where the page does not become somebody. */
async function become(page: Page, options?: { now?: number; noble?: boolean }) {
  const answer = await page.evaluate((options) => window.become(options), options)
  if ('error' in answer) throw new Error(answer.error)
  return answer.value
}

async function openWithData(context?: BrowserContext): Promise<Page> {
  const page = await open(context)
  expect(await openData(page)).toEqual({ value: undefined })
  return page
}

describe('which tab is which peer', () => {
  test('two tabs of one browser are two peers, another browser is a third', async () => {
    const context = await tests.newContext()
    const [first, second] = [await open(context), await open(context)]
    const stranger = await arrive(await open())
    const arrived = [await arrive(first), await arrive(second)]
    expect(arrived.map(({ slot }) => slot)).toEqual([0, 1])
    expect(new Set([...arrived, stranger].map(({ who }) => who.id)).size).toBe(3)
    expect(arrived.every(({ who }) => who.signs && who.persistent)).toBe(true)
  })

  test('tabs that start at the same moment get different slots', async () => {
    const context = await tests.newContext()
    const pages = [await open(context), await open(context), await open(context)]
    const slots = await Promise.all(pages.map(takeSlot))
    expect(slots.map((slot) => 'value' in slot && slot.value).sort()).toEqual([0, 1, 2])
  })

  test('a reloaded tab is the same peer, also where a lower slot has become free', async () => {
    const context = await tests.newContext()
    const [first, second] = [await open(context), await open(context)]
    await arrive(first)
    const before = await arrive(second)
    await first.close()
    await second.reload()
    expect(await arrive(second)).toEqual(before)
  })

  test('a tab closed and opened again is the same peer', async () => {
    const context = await tests.newContext()
    const first = await open(context)
    const before = await arrive(first)
    await first.close()
    expect(await arrive(await open(context))).toEqual(before)
  })

  test('a crashed tab leaves its slot and its identity to the next', async () => {
    tests.allowProblem(/^crash: /)
    const context = await tests.newContext()
    const first = await open(context)
    const before = await arrive(first)
    await Promise.all([first.waitForEvent('crash'), expect(first.goto('chrome://crash')).rejects.toThrow()])
    expect(await arrive(await open(context))).toEqual(before)
  })

  test('a duplicated tab, which starts with all that the first remembers, is another peer', async () => {
    const context = await tests.newContext()
    const first = await open(context)
    const before = await arrive(first)
    const [second] = await Promise.all([context.waitForEvent('page'), first.evaluate(() => window.open(location.href))])
    await second.waitForLoadState()
    const copy = await second.evaluate(() => ({ ...sessionStorage }))
    expect(copy).toEqual(await first.evaluate(() => ({ ...sessionStorage })))
    expect(Object.keys(copy)).toHaveLength(1)
    const other = await arrive(second)
    expect(other.slot).toBe(1)
    expect(other.who.id).not.toBe(before.who.id)
    await second.reload()
    expect(await arrive(second)).toEqual(other)
  })

  test('a slot let go of is free for another tab', async () => {
    const context = await tests.newContext()
    const [first, second] = [await open(context), await open(context)]
    await takeSlot(first)
    await first.evaluate(async () => {
      window.releaseSlot()
      await navigator.locks.request('tsunagi.slot.0', () => undefined)
    })
    expect(await takeSlot(second)).toEqual({ value: 0 })
  })

  test('where every slot is taken a tab is told so', async () => {
    const page = await open()
    await page.evaluate(async () => {
      for (let slot = 0; slot < 64; slot++) {
        await new Promise<void>((held) => {
          navigator.locks.request(`tsunagi.slot.${slot}`, () => new Promise(() => held())).catch(reportError)
        })
      }
    })
    expect(await takeSlot(page)).toEqual({ error: expect.stringMatching(/^SLOT_UNAVAILABLE: 64 tabs .* close some/) })
  })

  test('where there are no Web Locks, or the browser refuses them, a tab takes no slot', async () => {
    const context = await tests.newContext()
    const [without, refused] = [await open(context), await open(context)]
    await without.evaluate(() => Object.defineProperty(navigator, 'locks', { value: undefined }))
    expect(await takeSlot(without)).toEqual({ error: expect.stringMatching(/^NOT_SUPPORTED: .* current browser/) })
    await refused.evaluate(() => {
      navigator.locks.request = () => Promise.reject(new DOMException('Denied.', 'SecurityError'))
    })
    expect(await takeSlot(refused)).toEqual({ error: expect.stringMatching(/^NOT_SUPPORTED: .* allow site data/) })
  })

  test('a tab without session storage takes the first free slot', async () => {
    const page = await open()
    await page.evaluate(() =>
      Object.defineProperty(window, 'sessionStorage', {
        get() {
          throw new DOMException('Denied.', 'SecurityError')
        },
      }),
    )
    expect(await takeSlot(page)).toEqual({ value: 0 })
  })
})

describe('keys', () => {
  test('no script can read the private halves', async () => {
    const page = await open()
    await arrive(page)
    const exported = await page.evaluate(async () => {
      const { signingKey, introductionKey } = await window.stored((store) => store.get(0))
      const keys: CryptoKey[] = [signingKey.privateKey, introductionKey.key.privateKey]
      const attempts = keys.flatMap((key) =>
        (['pkcs8', 'jwk', 'raw'] as const).map((format) => crypto.subtle.exportKey(format, key)),
      )
      const outcomes = await Promise.allSettled(attempts)
      return { kinds: keys.map(({ type }) => type), outcomes: outcomes.map(({ status }) => status) }
    })
    expect(exported).toEqual({ kinds: ['private', 'private'], outcomes: Array(6).fill('rejected') })
  })

  test('where the browser has no Ed25519 the keys are kept too, encrypted, and serve it when it has', async () => {
    const page = await openWithData()
    const first = await become(page, { noble: true })
    expect(first).toMatchObject({ persistent: true, signs: true })
    expect(await become(page, { noble: true })).toEqual(first)
    expect(await become(page)).toEqual(first)
  })

  test('a key of a newer browser is not replaced in an older one', async () => {
    const page = await openWithData()
    const before = await become(page)
    await expect(become(page, { noble: true })).rejects.toThrow(/^NOT_SUPPORTED: .*update it/)
    expect(await become(page)).toEqual(before)
  })

  test('the introduction key lasts a week; the one before opens what comes late, for one more', async () => {
    const page = await openWithData()
    const first = await become(page, { now: NOW })
    expect(first).toMatchObject({ notAfter: NOW + WEEK, previous: undefined })
    expect(await become(page, { now: NOW + WEEK - 1 })).toEqual(first)

    const second = await become(page, { now: NOW + WEEK })
    expect(second).toMatchObject({ id: first.id, notAfter: NOW + 2 * WEEK, previous: first.introduction })
    expect(second.introduction).not.toBe(first.introduction)
    expect(await become(page, { now: NOW + WEEK + 1 })).toEqual(second)

    const third = await become(page, { now: NOW + 2 * WEEK + 1 })
    expect(third).toMatchObject({ id: first.id, previous: second.introduction })
  })

  test('an introduction key survives a clock that is put right', async () => {
    const page = await openWithData()
    const first = await become(page, { now: NOW })
    expect(await become(page, { now: NOW - 24 * 3_600_000 })).toEqual(first)
  })

  test.each([
    ['long ago', 2 * WEEK + 1],
    ['by a clock that ran far ahead', -WEEK - 1],
  ])('an introduction key made %s is forgotten', async (_, later) => {
    const page = await openWithData()
    const first = await become(page, { now: NOW })
    const second = await become(page, { now: NOW + later })
    expect(second).toMatchObject({ id: first.id, notAfter: NOW + later + WEEK, previous: undefined })
    const stored = await page.evaluate(async () => Object.keys(await window.stored((store) => store.get(0))))
    expect(stored.sort()).toEqual(['introductionKey', 'signingKey'])
  })

  test('a previous introduction key is taken from the disk when its time is over', async () => {
    const page = await openWithData()
    await become(page, { now: NOW })
    // Renewed late: the new key still has two days when the old one has none left.
    const second = await become(page, { now: NOW + WEEK + 2 * 24 * 3_600_000 })
    const later = await become(page, { now: NOW + 2 * WEEK + 1 })
    expect(later).toEqual({ ...second, previous: undefined })
    const stored = await page.evaluate(async () => Object.keys(await window.stored((store) => store.get(0))))
    expect(stored.sort()).toEqual(['introductionKey', 'signingKey'])
  })

  test.each<[string, (page: Page) => Promise<void>]>([
    ['is no record', (page) => page.evaluate(() => window.change(() => 'nonsense'))],
    ['has no introduction key', (page) => page.evaluate(() => window.change(({ signingKey }) => ({ signingKey })))],
    [
      'has another key in place of the signing key',
      (page) => page.evaluate(() => window.change((found) => ({ ...found, signingKey: found.introductionKey.key }))),
    ],
    [
      'has the public half of another key',
      (page) =>
        page.evaluate(() =>
          window.change((found) => ({
            ...found,
            signingKey: { ...found.signingKey, publicKey: new Uint8Array(32) },
          })),
        ),
    ],
  ])('a stored identity that %s is refused and left as it is', async (_, damage) => {
    const page = await openWithData()
    await become(page)
    await damage(page)
    const stored = () => page.evaluate(async () => JSON.stringify(await window.stored((store) => store.get(0))))
    const before = await stored()
    await expect(become(page)).rejects.toThrow(/^INVALID_FORMAT: .*clear the data of this site/)
    expect(await stored()).toBe(before)
  })
})

describe('storage', () => {
  test('an empty browser gets the database of this version', async () => {
    const page = await openWithData()
    const databases = await page.evaluate(() => indexedDB.databases())
    expect(databases).toEqual([{ name: 'tsunagi', version: 5 }])
    expect(await page.evaluate(() => window.stored((store) => store.getAllKeys()))).toEqual([])
  })

  test('without storage a peer is somebody for as long as its page, and that is said', async () => {
    const page = await open()
    expect(await become(page)).toMatchObject({ persistent: false, signs: true, failure: undefined })
  })

  test.each([
    ['SecurityError', /^STORAGE_FAILED: .*allow site data/],
    ['QuotaExceededError', /^STORAGE_FAILED: .*no room left/],
    ['UnknownError', /^STORAGE_FAILED: .*free disk space/],
  ])('a database that does not open (%s) is told with what helps', async (name, sentence) => {
    const page = await open()
    await page.evaluate((name) => {
      indexedDB.open = () => {
        throw new DOMException('No.', name)
      }
    }, name)
    expect(await openData(page)).toEqual({ error: expect.stringMatching(sentence) })
  })

  test('data cleared in another tab: the clearing does not wait, the page is told, its next identity is a new one', async () => {
    const context = await tests.newContext()
    const [page, other] = [await open(context), await open(context)]
    const before = await arrive(page)
    await deleteData(other)
    await page.waitForFunction(() => window.losses.length > 0)
    expect(await page.evaluate(() => window.losses)).toEqual([expect.stringMatching(/^STORAGE_FAILED: .*reload it/)])

    const orphan = await become(page)
    expect(orphan).toMatchObject({ persistent: false, failure: expect.stringMatching(/^STORAGE_FAILED: .*reload it/) })
    await page.reload()
    const after = await arrive(page)
    expect(after).toMatchObject({ slot: 0, who: { persistent: true, failure: undefined } })
    expect(after.who.id).not.toBe(before.who.id)
  })

  test('site data cleared by the browser: the page is told once', async () => {
    const page = await openWithData()
    const session = await page.context().newCDPSession(page)
    await session.send('Storage.clearDataForOrigin', { origin: tests.origin, storageTypes: 'indexeddb' })
    await page.waitForFunction(() => window.losses.length > 0)
    expect(await openData(page)).toEqual({ value: undefined })
    expect(await become(page)).toMatchObject({ persistent: true })
    expect(await page.evaluate(() => window.losses.length)).toBe(1)
  })

  test('a newer version in another tab is not held up, and a page of the old version says what to do', async () => {
    const context = await tests.newContext()
    const [page, newer] = [await openWithData(context), await open(context)]
    await newer.evaluate(
      () =>
        new Promise<void>((upgraded, failed) => {
          const request = indexedDB.open('tsunagi', 1_000)
          request.onsuccess = () => upgraded(request.result.close())
          request.onerror = () => failed(request.error)
        }),
    )
    await page.waitForFunction(() => window.losses.length > 0)
    expect(await openData(page)).toEqual({ error: expect.stringMatching(/^STORAGE_FAILED: .*newer version .* reload/) })
  })

  test('a tab that holds the data for ever does not keep another waiting for ever', async () => {
    const context = await tests.newContext()
    const [page, holder, waiter] = [await open(context), await openWithData(context), await open(context)]
    await holder.evaluate(
      () =>
        new Promise<void>((held) => {
          indexedDB.open('tsunagi').onsuccess = () => held()
        }),
    )
    await waiter.evaluate(
      () =>
        new Promise<void>((waits) => {
          indexedDB.deleteDatabase('tsunagi').onblocked = () => waits()
        }),
    )
    await page.evaluate(() => {
      const { setTimeout } = window
      window.setTimeout = ((action: TimerHandler, delay = 0) => setTimeout(action, delay / 50)) as typeof setTimeout
    })
    expect(await openData(page)).toEqual({ error: expect.stringMatching(/^STORAGE_FAILED: .*close its other tabs/) })
    // The attempt given up must not hold anybody up in its turn.
    await holder.close()
    await deleteData(waiter)
    expect(await page.evaluate(() => window.losses)).toEqual([])
  })

  test('a full disk: a new peer lasts as long as the page, a known one keeps its id', async () => {
    const context = await tests.newContext()
    const page = await openWithData(context)
    const known = await become(page, { now: NOW })
    await page.evaluate(() => {
      const full = () => {
        throw new DOMException('Full.', 'QuotaExceededError')
      }
      IDBObjectStore.prototype.put = full
      IDBObjectStore.prototype.add = full
    })
    const failure = expect.stringMatching(/^STORAGE_FAILED: .*no room left/)
    const renewed = await become(page, { now: NOW + WEEK })
    expect(renewed).toMatchObject({ id: known.id, persistent: true, failure, notAfter: NOW + 2 * WEEK })

    await page.evaluate(() => window.stored((store) => store.clear()))
    const fresh = await become(page)
    expect(fresh).toMatchObject({ persistent: false, failure, signs: true })
    expect(fresh.id).not.toBe(known.id)
  })

  test('an identity that cannot be read is not written over', async () => {
    const page = await openWithData()
    const known = await become(page)
    await page.evaluate(() => {
      const { get } = IDBObjectStore.prototype
      IDBObjectStore.prototype.get = () => {
        IDBObjectStore.prototype.get = get
        throw new DOMException('No.', 'SecurityError')
      }
    })
    const stranger = await become(page)
    expect(stranger).toMatchObject({ persistent: false, failure: expect.stringMatching(/allow site data/) })
    expect(stranger.id).not.toBe(known.id)
    expect(await become(page)).toEqual(known)
  })

  test('an identity that another page stores meanwhile is not written over', async () => {
    const page = await openWithData()
    const known = await become(page)
    await page.evaluate(() => {
      const { get } = IDBObjectStore.prototype
      IDBObjectStore.prototype.get = function () {
        IDBObjectStore.prototype.get = get
        return this.get('nothing is here yet')
      }
    })
    const late = await become(page)
    expect(late).toMatchObject({ persistent: false, failure: expect.stringMatching(/^STORAGE_FAILED/) })
    expect(await become(page)).toEqual(known)
  })
})
