import { sessionStoreConformance } from '@tsunagi/protocol/conformance'
import type { BrowserContext, Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import { browserTests, deleteData, signalingServer } from './browser-tests.ts'

const tests = browserTests()
const open = (context?: BrowserContext) => tests.openPage('session-store.html', context)
const contents = (page: Page) => page.evaluate(() => window.contents())
const problems = (page: Page) => page.evaluate(() => window.problems)

async function openStore(context?: BrowserContext, slot = 0): Promise<Page> {
  const page = await open(context)
  await page.evaluate((slot) => window.openStore(slot), slot)
  return page
}

/** The site has room for so many bytes. Of use before it keeps anything: the browser remembers for a while what room there was. */
async function limitQuota(page: Page, quotaSize: number): Promise<void> {
  const session = await page.context().newCDPSession(page)
  await session.send('Storage.overrideQuotaForOrigin', { origin: tests.origin, quotaSize })
}

const NO_ROOM = expect.stringMatching(/^STORAGE_FAILED: .*no room left/)
const RELOAD = expect.stringMatching(/^STORAGE_FAILED: .*reload it/)

describe('the store in IndexedDB passes the conformance suite in Chromium', () => {
  test.each(sessionStoreConformance.map(({ name }) => name))('%s', async (name) => {
    const page = await open()
    await page.evaluate((wanted) => window.runStoreCase(wanted), name)
    expect(await problems(page)).toEqual([])
  })
})

describe('what is kept', () => {
  test('an identity of the version without sessions is still there in this one', async () => {
    const page = await tests.openPage('identity.html')
    const id = await page.evaluate(async () => {
      const database = await new Promise<IDBDatabase>((opened, failed) => {
        const request = indexedDB.open('tsunagi', 1)
        request.onupgradeneeded = () => request.result.createObjectStore('identities')
        request.onsuccess = () => opened(request.result)
        request.onerror = () => failed(request.error)
      })
      const make = async (algorithm: string, usages: KeyUsage[]) => {
        const pair = (await crypto.subtle.generateKey(algorithm, false, usages)) as CryptoKeyPair
        const publicKey = new Uint8Array(await crypto.subtle.exportKey('raw', pair.publicKey))
        return { form: 'native', publicKey, privateKey: pair.privateKey }
      }
      const signingKey = await make('Ed25519', ['sign', 'verify'])
      const introductionKey = { key: await make('X25519', ['deriveBits']), notAfter: Date.now() + 86_400_000 }
      await new Promise<void>((kept, failed) => {
        const transaction = database.transaction('identities', 'readwrite')
        transaction.objectStore('identities').add({ signingKey, introductionKey }, 0)
        transaction.oncomplete = () => kept()
        transaction.onabort = () => failed(transaction.error)
      })
      database.close()
      return Array.from(signingKey.publicKey, (byte) => byte.toString(16).padStart(2, '0')).join('')
    })
    const { who } = await page.evaluate(() => window.arrive())
    expect(who).toMatchObject({ id, signs: true, persistent: true })
    const store = await openStore(page.context())
    expect(await contents(store)).toEqual({ sessions: 0, outbox: [], inbox: [], pinned: 0 })
    expect(await store.evaluate(() => window.outcome(window.store.accept(window.session(), [])))).toBe('kept')
  })

  test('what was accepted and taken survives a tab that crashes as soon as it is told so', async () => {
    tests.allowProblem(/^crash: /)
    const context = await tests.newContext()
    const page = await openStore(context)
    await page.evaluate(async () => {
      await window.store.accept(window.session(), [window.message(1), window.message(2, 1_000_000)])
      await window.store.take(window.session(), [window.message(3)])
    })
    await Promise.all([page.waitForEvent('crash'), expect(page.goto('chrome://crash')).rejects.toThrow()])
    expect(await contents(await openStore(context))).toEqual({ sessions: 1, outbox: [1, 2], inbox: [3], pinned: 0 })
  })

  test('two slots see nothing of each other', async () => {
    const context = await tests.newContext()
    const [first, second] = [await openStore(context, 1), await openStore(context, 2)]
    for (const [page, name] of [
      [first, 'one'],
      [second, 'two'],
    ] as const) {
      await page.evaluate(async (name) => {
        await window.store.accept(window.session(), [window.message(1)])
        await window.store.take(window.session(), [window.message(1)])
        await window.store.pin({ peer: window.session().peer, name, metAt: 1, seenAt: 1 })
      }, name)
    }
    await first.evaluate(async () => {
      await window.store.handled(window.message(1))
      await window.store.delivered(window.session().peer, 2)
      await window.store.end(window.session().peer)
    })
    expect(await contents(first)).toEqual({ sessions: 0, outbox: [], inbox: [], pinned: 1 })
    expect(await contents(second)).toEqual({ sessions: 1, outbox: [1], inbox: [1], pinned: 1 })
    const names = (page: Page) => page.evaluate(async () => (await window.store.load()).pinned.map(({ name }) => name))
    expect([await names(first), await names(second)]).toEqual([['one'], ['two']])
    expect(await contents(await openStore(context, 0))).toEqual({ sessions: 0, outbox: [], inbox: [], pinned: 0 })
  })

  test('a tab that stands still right after a write does not keep another from writing', async () => {
    const context = await tests.newContext()
    const [still, other] = [await openStore(context, 0), await openStore(context, 1)]
    const session = await context.newCDPSession(still)
    await session.send('Debugger.enable')
    const paused = new Promise((stands) => session.once('Debugger.paused', stands))
    const accepted = still.evaluate(() => {
      const call = window.outcome(window.store.accept(window.session(), [window.message(1)]))
      // biome-ignore lint/suspicious/noDebugger: the test lets the page stand still here
      debugger
      return call
    })
    await paused
    expect(await other.evaluate(() => window.outcome(window.store.accept(window.session(), [])))).toBe('kept')
    await session.send('Debugger.resume')
    expect(await accepted).toBe('kept')
  })
})

describe('a damaged record', () => {
  async function damage(page: Page, name: string, change: Record<string, unknown>, number: number): Promise<void> {
    await page.evaluate(
      async ([name, change, number]) => {
        const records = await window.request(name, (store) => store.getAll())
        const found = records.find((record) => record.number === undefined || record.number === number)
        await window.request(name, (store) => store.put({ ...found, ...change }))
      },
      [name, change, number] as const,
    )
  }

  async function filled(): Promise<Page> {
    const page = await openStore()
    await page.evaluate(async () => {
      await window.store.accept(
        window.session(4),
        [1, 2, 3].map((number) => window.message(number)),
      )
      await window.store.take(
        window.session(4),
        [1, 2, 3].map((number) => window.message(number)),
      )
      await window.store.pin({ peer: window.session().peer, name: 'Anna', metAt: 1, seenAt: 1 })
    })
    return page
  }

  const all = { sessions: 1, outbox: [1, 2, 3], inbox: [1, 2, 3], pinned: 1 }

  test.each([
    ['of the inbox goes alone', 'inbox', { raw: 'yes' }, { inbox: [1, 3] }],
    ['of the inbox without its bytes goes alone', 'inbox', { payload: [1, 2] }, { inbox: [1, 3] }],
    ['of a peer once met goes alone', 'pinned', { metAt: 'long ago' }, { pinned: 0 }],
    // The other side would wait for the one that is missing, and take none of those after it.
    ['of the outbox takes its session along', 'outbox', { at: -1 }, { sessions: 0, outbox: [] }],
    ['of a session takes its outbox along', 'sessions', { epoch: 0.5 }, { sessions: 0, outbox: [] }],
    [
      'of a session that never gave such numbers takes both',
      'sessions',
      { durableNext: 3 },
      { sessions: 0, outbox: [] },
    ],
  ])('%s, which is told once', async (_, name, change, expected) => {
    const page = await filled()
    expect(await contents(page)).toEqual(all)
    await damage(page, name, change, 2)
    expect(await contents(page)).toEqual({ ...all, ...expected })
    expect(await problems(page)).toEqual([expect.stringMatching(/^STORAGE_FAILED: .*damaged/)])
    // It is gone from the disk too.
    expect(await contents(page)).toEqual({ ...all, ...expected })
    expect(await problems(page)).toHaveLength(1)
  })

  test('that belongs to nobody who could be a peer harms no other', async () => {
    const page = await filled()
    await page.evaluate(async () => {
      const stranger = { slot: 0, peer: 'nobody' }
      await window.request('sessions', (store) => store.put({ ...window.session(), ...stranger }))
      await window.request('outbox', (store) => store.put({ ...window.message(1), ...stranger }))
      await window.request('inbox', (store) => store.put({ slot: 0, peer: new Uint8Array(3), id: 7 }))
      await window.request('pinned', (store) => store.put({ slot: 0, peer: [[]] }))
    })
    expect(await contents(page)).toEqual(all)
    expect(await problems(page)).toHaveLength(1)
  })
})

describe('where the browser does not keep', () => {
  test('a full disk fails the call and keeps what was there', async () => {
    const page = await open()
    await limitQuota(page, 1_000_000)
    await page.evaluate(() => window.openStore())
    const outcomes = await page.evaluate(async () => [
      await window.outcome(window.store.accept(window.session(2), [window.message(1)])),
      await window.outcome(window.store.accept(window.session(3), [window.message(2, 5_000_000)])),
      await window.outcome(window.store.take(window.session(3), [window.message(2, 5_000_000)])),
    ])
    expect(outcomes).toEqual(['kept', NO_ROOM, NO_ROOM])
    expect(await contents(page)).toEqual({ sessions: 1, outbox: [1], inbox: [], pinned: 0 })
  })

  test('a database cleared in another tab fails every later call, and that is told once', async () => {
    const context = await tests.newContext()
    const [page, other] = [await openStore(context), await open(context)]
    await deleteData(other)
    await page.waitForFunction(() => window.problems.length > 0)
    const outcomes = await page.evaluate(async () => [
      await window.outcome(window.store.accept(window.session(), [window.message(1)])),
      await window.outcome(window.store.delivered(window.session().peer, 1)),
      await window.outcome(window.store.load()),
    ])
    expect(outcomes).toEqual([RELOAD, RELOAD, RELOAD])
    expect(await problems(page)).toEqual([RELOAD])
  })
})

describe('a peer', () => {
  const signaling = signalingServer()

  const start = (page: Page) => page.evaluate((url) => window.startPeer(url), signaling.url)

  async function peerIn(context: BrowserContext, quota?: number): Promise<{ page: Page; id: string }> {
    const page = await open(context)
    if (quota !== undefined) await limitQuota(page, quota)
    return { page, id: await start(page) }
  }

  /** In browsers of their own. The second has a link to the first. */
  async function pair(quota?: number) {
    const one = await peerIn(await tests.newContext())
    const other = await peerIn(await tests.newContext(), quota)
    await connected(other.page, one.id)
    return { one, other }
  }

  const connected = (page: Page, id: string) =>
    page.waitForFunction((id) => window.peer.peers.some((peer) => peer.id === id && peer.health === 'healthy'), id)

  const send = (page: Page, to: string, data: string) =>
    page.evaluate(([to, data]) => window.outcome(window.peer.send(to, data)), [to, data] as const)

  /** Links may fail meanwhile, and are tried for again. */
  const storageProblems = async (page: Page) =>
    (await problems(page)).filter((problem) => problem.startsWith('STORAGE_FAILED'))

  /** What becomes of a durable message of `size` bytes. */
  const sendDurable = (page: Page, to: string, size: number) =>
    page.evaluate(
      ([to, size]) => window.outcome(window.peer.send(to, window.message(1, size).payload, { durable: true })),
      [to, size] as const,
    )

  test('keeps a message for one that is away, over its own reload, and forgets it when it has arrived', async () => {
    const { one, other } = await pair()
    const context = one.page.context()
    await one.page.close()
    const kept = await other.page.evaluate(async (to) => {
      const delivery = window.peer.send(to, 'for later', { durable: true })
      await delivery.accepted
      return delivery.id
    }, one.id)
    await other.page.reload()
    expect(await start(other.page)).toBe(other.id)
    expect(await other.page.evaluate(() => window.peer.outbox.map(({ id }) => id))).toEqual([kept])

    const back = await peerIn(context)
    expect(back.id).toBe(one.id)
    await back.page.waitForFunction(() => window.received.length > 0)
    expect(await back.page.evaluate(() => window.received)).toEqual(['for later'])
    await other.page.waitForFunction(() => window.peer.outbox.length === 0)
    expect([await storageProblems(back.page), await storageProblems(other.page)]).toEqual([[], []])
  })

  test('whose disk is full says so and goes on', async () => {
    const { one, other } = await pair(1_000_000)
    expect(await sendDurable(other.page, one.id, 5_000_000)).toEqual(NO_ROOM)
    expect(await sendDurable(other.page, one.id, 5_000_000)).toEqual(NO_ROOM)
    expect(await send(other.page, one.id, 'still here')).toBe('kept')
    expect(await one.page.evaluate(() => window.received)).toEqual(['still here'])
    expect(await storageProblems(other.page)).toEqual([NO_ROOM])
  })

  test('whose data are cleared under it says so once and goes on', async () => {
    const { one, other } = await pair()
    await deleteData(await open(other.page.context()))
    await other.page.waitForFunction(() => window.problems.some((problem) => problem.startsWith('STORAGE_FAILED')))
    for (let i = 0; i < 3; i++) expect(await sendDurable(other.page, one.id, 3)).toEqual(RELOAD)
    expect(await send(other.page, one.id, 'still here')).toBe('kept')
    expect(await one.page.evaluate(() => window.received)).toEqual(['still here'])
    expect(await storageProblems(other.page)).toEqual([RELOAD])
  })

  test('that stands in for one whose keys cannot be read leaves alone what that one kept', async () => {
    const { one, other } = await pair()
    await one.page.close()
    const context = other.page.context()
    await other.page.evaluate((to) => window.peer.send(to, 'for later', { durable: true }).accepted, one.id)
    await other.page.close()
    const standIn = await open(context)
    await standIn.evaluate(() => {
      const { get } = IDBObjectStore.prototype
      IDBObjectStore.prototype.get = () => {
        IDBObjectStore.prototype.get = get
        throw new DOMException('No.', 'SecurityError')
      }
    })
    expect(await start(standIn)).not.toBe(other.id)
    expect(await standIn.evaluate(() => window.peer.outbox)).toEqual([])
    expect(await sendDurable(standIn, one.id, 3)).not.toBe('kept')
    await standIn.close()
    const back = await peerIn(context)
    expect(back.id).toBe(other.id)
    expect(await back.page.evaluate(() => window.peer.outbox.length)).toBe(1)
  })

  test('that finds its records damaged says so when somebody listens, and starts', async () => {
    const context = await tests.newContext()
    const { page, id } = await peerIn(context)
    await page.evaluate(() => window.request('pinned', (store) => store.put({ slot: 0, peer: 'nobody' })))
    await page.reload()
    expect(await start(page)).toBe(id)
    await page.waitForFunction(() => window.problems.length > 0)
    expect(await storageProblems(page)).toEqual([expect.stringMatching(/^STORAGE_FAILED: .*damaged/)])
  })
})
