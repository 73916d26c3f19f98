import { createSignalingServer, SIGNALING_PATH, type SignalingServer } from '@tsunagi/signaling'
import { beforeEach, describe, expect, test } from 'vitest'
import { browserTests } from './browser-tests.ts'
import { Tab } from './chaos/tab.ts'

/** What a page must be back within, on a quiet machine; the figures are printed, and a busy machine has more time. */
const BACK_WITHIN = 2_000
const ROOM_FOR_BUSY_MACHINES = 5

const tests = browserTests()
let server: SignalingServer
let here: Tab
let there: Tab

beforeEach(async () => {
  server = await createSignalingServer({ port: 0 })
  const context = await tests.newContext()
  const options = {
    url: `${tests.origin}/chaos.html`,
    signaling: `ws://127.0.0.1:${server.port}${SIGNALING_PATH}`,
    mesh: 'resume',
  }
  here = new Tab(context, options)
  there = new Tab(context, options)
  await here.open()
  await there.open()
  await Promise.all([here.connected(), there.connected()])
  return () => server.close()
})

const sessionIds = async () => [
  await here.evaluate(() => window.chaos.sessions),
  await there.evaluate(() => window.chaos.sessions),
]

/** A durable message each way is accepted before `interrupt`, and arrives after it in the same session. */
async function goesOnAfter(what: string, interrupt: () => Promise<void>): Promise<void> {
  const before = await sessionIds()
  const [a, b] = [here.id, there.id]
  await interrupt()
  const back = performance.now()
  await Promise.all([here.connected(), there.connected()])
  expect(await here.send(b, 1)).toBe(true)
  expect(await there.send(a, 1)).toBe(true)
  await Promise.all([here.settled(60_000), there.settled(60_000)])
  const ms = Math.round(performance.now() - back)
  console.log(`${what}: goes on after ${ms} ms`)
  expect(ms).toBeLessThan(BACK_WITHIN * ROOM_FOR_BUSY_MACHINES)
  expect(await sessionIds()).toEqual(before)
}

describe('a session keeps its id and goes on after', () => {
  test('a reload of one page', () => goesOnAfter('reload of one page', () => there.reload()))

  test('reloads of both at once', () =>
    goesOnAfter('reloads of both', async () => {
      await Promise.all([here.reload(), there.reload()])
    }))

  test('a crash of one page', () => {
    tests.allowProblem(/^crash: /)
    return goesOnAfter('crash of one page', () => there.crashAndReopen())
  })

  test('a restart of the signaling server', () =>
    goesOnAfter('restart of the server', async () => {
      // A page may try for it while it is away.
      tests.allowProblem(/ERR_CONNECTION_REFUSED/)
      const { port } = server
      await server.close()
      server = await createSignalingServer({ port })
      await here.evaluate(() => window.chaos.cutLinks())
    }))

  test('a cut of 30 s', () => goesOnAfter('cut of 30 s', () => here.cutNetwork(30_000)), 120_000)
})

test('storage cleared on one side: a new session, and what waits at the other rejects with a code', async () => {
  const elsewhere = await tests.newContext()
  const forgetful = new Tab(elsewhere, {
    url: `${tests.origin}/chaos.html`,
    signaling: `ws://127.0.0.1:${server.port}${SIGNALING_PATH}`,
    mesh: 'resume',
  })
  await forgetful.open()
  await forgetful.connected()
  const { id } = forgetful
  expect(await here.send(id, 1)).toBe(true)
  await here.settled(30_000)
  await forgetful.close()
  expect(await here.send(id, 2)).toBe(true)

  const page = await tests.openPage('links.html', elsewhere)
  await page.evaluate(forgetSessions)
  await forgetful.open()
  expect(forgetful.id, 'the identity was not cleared').toBe(id)
  await here.settled(30_000)
  expect(await here.evaluate(() => window.chaos.failures)).toEqual(['SESSION_NOT_FOUND'])
  expect(await here.send(id, 3)).toBe(true)
  await here.settled(30_000)
})

/** Clears what the page's origin keeps of sessions, and nothing else. */
function forgetSessions(): Promise<void> {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open('tsunagi')
    opening.onerror = () => reject(opening.error)
    opening.onsuccess = () => {
      const stores = ['sessions', 'outbox', 'inbox']
      const transaction = opening.result.transaction(stores, 'readwrite')
      for (const store of stores) transaction.objectStore(store).clear()
      transaction.onabort = () => reject(transaction.error)
      transaction.oncomplete = () => {
        opening.result.close()
        resolve()
      }
    }
  })
}
