/** Files as inputs and outputs of tasks in real pages (SPEC R92): over lost links, and reloads of either page. */
import type { Page } from 'playwright-core'
import { beforeEach, expect, test } from 'vitest'
import { browserTests, signalingServer } from './browser-tests.ts'

const tests = browserTests()
const MIB = 24

const signaling = signalingServer()
let caller: Page
let executor: Page
let to: string

const join = (page: Page) => page.evaluate((url) => window.taskFiles.join(url), signaling.url)

beforeEach(async () => {
  executor = await tests.openPage('task-files.html')
  to = await join(executor)
  caller = await tests.openPage('task-files.html')
  await join(caller)
  await caller.waitForFunction(() => window.taskFiles.peer?.peers.some(({ capabilities }) => capabilities.length > 0))
})

const begin = () => caller.evaluate(([to, mib]) => window.taskFiles.begin(to, mib), [to, MIB] as const)
const outcome = (id: string) => caller.evaluate((id) => window.taskFiles.outcome(id), id)
const reached = (page: Page, direction: 'in' | 'out') =>
  page.waitForFunction((direction) => window.taskFiles.share(direction) > 0.3, direction, { polling: 10 })
const whole = (digest: string) => ({ there: digest, back: digest, type: 'image/x-copy' })

test('go there and back, over lost links', async () => {
  const { id, digest } = await begin()
  await reached(executor, 'in')
  await caller.evaluate(() => window.taskFiles.cutLinks())
  await reached(caller, 'in')
  await caller.evaluate(() => window.taskFiles.cutLinks())
  expect(await outcome(id)).toEqual(whole(digest))
  // The executor keeps nothing, and the caller's next page still has what came back.
  await executor.waitForFunction(async () => (await window.taskFiles.kept()) === 0)
  await caller.reload()
  await join(caller)
  expect(await outcome(id)).toEqual(whole(digest))
}, 120_000)

test('go on when the caller was loaded anew', async () => {
  const { id, digest } = await begin()
  await reached(executor, 'in')
  await caller.reload()
  await join(caller)
  expect(await outcome(id)).toEqual(whole(digest))
}, 120_000)

test('go on when the executor was loaded anew', async () => {
  const { id, digest } = await begin()
  await reached(executor, 'in')
  await executor.reload()
  await join(executor)
  expect(await outcome(id)).toEqual(whole(digest))
}, 120_000)
