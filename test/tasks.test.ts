/** Tasks in real pages with real storage: what becomes of them when either page is loaded anew, closed or crashes. */
import type { Page } from 'playwright-core'
import { beforeEach, expect, test } from 'vitest'
import { browserTests, signalingServer } from './browser-tests.ts'

const tests = browserTests()
const signaling = signalingServer()

interface Tab {
  readonly page: Page
  readonly id: string
}

let caller: Tab
let helper: Tab

const join = (page: Page) => page.evaluate((url) => window.join(url), signaling.url)

async function open(): Promise<Tab> {
  const page = await tests.openPage('tasks.html')
  return { page, id: await join(page) }
}

async function reload({ page, id }: Tab): Promise<void> {
  await page.reload()
  expect(await join(page)).toBe(id)
}

beforeEach(async () => {
  helper = await open()
  caller = await open()
  await caller.page.waitForFunction(
    (id) => window.peer.peers.some((peer) => peer.id === id && peer.capabilities.length === 2),
    helper.id,
  )
})

const delegate = (capability: string, input: string, options: object = {}) =>
  caller.page.evaluate(([capability, input, options]) => window.peer.delegate(capability, input, options).id, [
    capability,
    input,
    options,
  ] as const)

const runs = ({ page }: Tab, input: string) => page.waitForFunction((input) => window.running.includes(input), input)

const end = ({ page }: Tab, input: string, output: string) =>
  page.evaluate(([input, output]) => window.finish(input, output), [input, output] as const)

/** What the caller's page is told of a task once it has ended. */
const outcome = (id: string) => caller.page.evaluate((id) => window.resultOf(id), id)

test('the caller is loaded anew: it finds its task, and gets the result', async () => {
  const id = await delegate('work', 'a')
  await runs(helper, 'a')
  await reload(caller)
  expect(await caller.page.evaluate(() => window.peer.tasks.map(({ id }) => id))).toEqual([id])
  await end(helper, 'a', 'done')
  expect(await outcome(id)).toBe('done')
  // It is still known to the page after that.
  await reload(caller)
  expect(await outcome(id)).toBe('done')
  expect(await helper.page.evaluate(() => window.running)).toEqual(['a'])
})

test('the caller is away when the result comes: it is there when it comes back', async () => {
  const id = await delegate('work', 'a')
  await runs(helper, 'a')
  const context = caller.page.context()
  await caller.page.close()
  await helper.page.waitForFunction(
    (id) => window.peer.peers.every((peer) => peer.id !== id || peer.session?.state !== 'established'),
    caller.id,
  )
  await end(helper, 'a', 'while you were away')
  const page = await tests.openPage('tasks.html', context)
  caller = { page, id: await join(page) }
  expect(await outcome(id)).toBe('while you were away')
})

test('the executor is loaded anew: what waited goes on, what ran does as its capability says', async () => {
  const running = await delegate('work', 'a')
  const waiting = await delegate('work', 'b')
  const once = await delegate('once', 'c', { to: helper.id })
  await runs(helper, 'a')
  await runs(helper, 'c')
  await reload(helper)
  expect(await outcome(once)).toBe('TASK_LOST')
  await runs(helper, 'a')
  await end(helper, 'a', 'again')
  await runs(helper, 'b')
  await end(helper, 'b', 'in turn')
  expect([await outcome(running), await outcome(waiting)]).toEqual(['again', 'in turn'])
})

test('the executor crashes: another one gets the task', async () => {
  tests.allowProblem(/^crash: /)
  const other = await open()
  await caller.page.waitForFunction(
    (id) => window.peer.peers.some((peer) => peer.id === id && peer.capabilities.length === 2),
    other.id,
  )
  const id = await delegate('work', 'a')
  await Promise.race([runs(helper, 'a'), runs(other, 'a')])
  const ranHere = await helper.page.evaluate(() => window.running.length > 0)
  const [gone, left] = ranHere ? [helper, other] : [other, helper]
  const crashed = gone.page.waitForEvent('crash')
  // Never comes to an end: the page is gone.
  gone.page.goto('chrome://crash').catch(() => undefined)
  await crashed
  await runs(left, 'a')
  await end(left, 'a', 'by the other')
  expect(await outcome(id)).toBe('by the other')
}, 120_000)

test('contacts are kept over pages', async () => {
  await caller.page.evaluate((id) => window.peer.contacts.add(id), helper.id)
  await reload(caller)
  expect(await caller.page.evaluate(() => window.peer.contacts.list)).toEqual([helper.id])
})
