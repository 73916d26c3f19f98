/** What a page loads of the library, and when: tasks and transfers with the first of them, ours or another's. */
import type { Page } from 'playwright-core'
import { beforeEach, expect, test } from 'vitest'
import { browserTests, signalingServer } from './browser-tests.ts'

const tests = browserTests()
/** Files of what is loaded when it is first needed. */
const PARTS = /\/(work|transfers|bulk)-[^/]*\.js$/
const signaling = signalingServer()

interface Tab {
  readonly page: Page
  readonly id: string
  /** Names of the parts that it has asked for. */
  readonly loaded: string[]
}

let one: Tab
let other: Tab

async function open(): Promise<Tab> {
  const page = await tests.openPage('session-store.html')
  const loaded: string[] = []
  page.on('request', (request) => loaded.push(...(PARTS.exec(request.url())?.slice(1) ?? [])))
  return { page, loaded, id: await page.evaluate((url) => window.startPeer(url), signaling.url) }
}

beforeEach(async () => {
  one = await open()
  other = await open()
  const isLinked = (id: string) => window.peer.peers.some((peer) => peer.id === id && peer.health === 'healthy')
  await one.page.waitForFunction(isLinked, other.id)
})

/** The code of what the result of a task is rejected with. */
const delegate = ({ page }: Tab, to: string) =>
  page.evaluate(
    (to) => window.peer.delegate('nothing', 1, { to }).result.catch(({ code }: { code: string }) => code),
    to,
  )

test('a page that only sends loads neither', async () => {
  for (const [from, to] of [[one, other] as const, [other, one] as const]) {
    await from.page.evaluate((id) => window.peer.send(id, 'hello'), to.id)
  }
  await one.page.waitForFunction(() => window.received.length > 0)
  expect([one.loaded, other.loaded]).toEqual([[], []])
})

test('a task, and an offer, load at both ends what does them, once, and are answered as by pages that had it', async () => {
  expect([await delegate(one, other.id), await delegate(one, other.id)]).toEqual(Array(2).fill('UNKNOWN_CAPABILITY'))
  expect([one.loaded, other.loaded]).toEqual([['work'], ['work']])
  const offered = await one.page.evaluate(
    (to) => window.peer.transfer(to, new Uint8Array(9)).done.catch(({ code }: { code: string }) => code),
    other.id,
  )
  expect(offered).toBe('TRANSFER_REJECTED')
  expect([one.loaded.sort(), other.loaded.sort()]).toEqual(Array(2).fill(['bulk', 'transfers', 'work']))
  expect(await other.page.evaluate(() => window.problems)).toEqual([])
})

test('a part that is not to be had is an error with a code, and is tried again where it is needed again', async () => {
  tests.allowProblem(/Failed to load resource/)
  await one.page.route(PARTS, (route) => route.abort())
  expect(await delegate(one, other.id)).toBe('LOAD_FAILED')
  expect(await one.page.evaluate(() => window.problems)).toEqual([expect.stringContaining('LOAD_FAILED')])
  await one.page.evaluate((id) => window.peer.send(id, 'still here'), other.id)
  await one.page.unroute(PARTS)
  expect(await delegate(one, other.id)).toBe('UNKNOWN_CAPABILITY')
})

test('a page that cannot load simple-peer makes no peer, says so, and can try again', async () => {
  tests.allowProblem(/Failed to load resource/)
  const page = await tests.openPage('session-store.html')
  const start = () =>
    page.evaluate((url) => window.startPeer(url).catch(({ code }: { code: string }) => code), signaling.url)
  await page.route(/\/lite-[^/]*\.js$/, (route) => route.abort())
  expect(await start()).toBe('LOAD_FAILED')
  await page.unroute(/\/lite-[^/]*\.js$/)
  expect(await start()).toMatch(/^did:key:/)
})
