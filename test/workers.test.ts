/** Handlers in workers that do not stop by themselves (SPEC R90, R91), in real pages. */
import type { Page } from 'playwright-core'
import { beforeEach, expect, test } from 'vitest'
import { browserTests, signalingServer } from './browser-tests.ts'

const tests = browserTests()
const TIME_LIMIT = 1_500
const MEMORY_LIMIT = 64 * 1024 * 1024
/** Longer than this a page answers nothing that its user does. */
const RESPONSIVE = 500

const signaling = signalingServer()
let caller: Page
let executor: Page

beforeEach(async () => {
  const limits = { timeLimit: TIME_LIMIT, memoryLimit: MEMORY_LIMIT, grace: 300 }
  executor = await tests.openPage('workers.html')
  await executor.evaluate(([url, limits]) => window.workers.join(url, limits), [signaling.url, limits] as const)
  caller = await tests.openPage('workers.html')
  await caller.evaluate((url) => window.workers.join(url), signaling.url)
  await caller.waitForFunction(() => window.workers.peer?.peers.some(({ capabilities }) => capabilities.length > 0))
  await executor.evaluate(() => {
    window.workers.longTasks.length = 0
  })
})

const gone = () => executor.waitForFunction(() => window.workers.alive === 0)

async function expectResponsive(what: string): Promise<void> {
  const longest = Math.max(0, ...(await executor.evaluate(() => window.workers.longTasks)))
  console.log(`Longest task on the main thread while ${what}: ${longest} ms (0: none above 50)`)
  expect(longest).toBeLessThan(RESPONSIVE)
}

test('input, progress, partial results and output pass through', async () => {
  const outcome = await caller.evaluate(() =>
    window.workers.outcome({ do: 'count', bytes: new Uint8Array(3).subarray(1) }),
  )
  expect(outcome).toMatchObject({ output: { bytes: 2, buffer: 2 }, partials: [1, 2, 3], note: '3 of 3' })
  await gone()
})

test('a task that loops for ever is ended at its time limit, and the page stays responsive', async () => {
  const start = Date.now()
  const outcome = await caller.evaluate(() => window.workers.outcome({ do: 'loop' }))
  expect(outcome).toEqual({ code: 'TASK_FAILED', message: `The task took longer than the ${TIME_LIMIT} ms it may.` })
  expect(Date.now() - start).toBeGreaterThanOrEqual(TIME_LIMIT)
  await gone()
  await expectResponsive('a worker looped')
})

test('a task that eats WebAssembly memory is ended at its memory limit', async () => {
  const outcome = await caller.evaluate(() => window.workers.outcome({ do: 'eat' }))
  const bytes = Math.floor((MEMORY_LIMIT - 65_536) / (16 * 65_536)) * 16 * 65_536 + 65_536
  expect(outcome).toEqual({ code: 'TASK_FAILED', message: `It got ${bytes} bytes.` })
  await gone()
  await expectResponsive('a worker ate memory')
})

test('a task that hoards objects is ended at its time limit, and the page stays responsive', async () => {
  expect(await caller.evaluate(() => window.workers.outcome({ do: 'hoard' }))).toMatchObject({ code: 'TASK_FAILED' })
  await gone()
  await expectResponsive('a worker hoarded objects')
})

test('a worker that listens to its signal stops by itself; one that does not is ended after the grace', async () => {
  for (const kind of ['wait', 'loop'] as const) {
    const outcome = await caller.evaluate((kind) => window.workers.outcome({ do: kind }, { cancelAfter: 200 }), kind)
    expect(outcome).toMatchObject({ code: 'TASK_CANCELED' })
    await gone()
  }
  expect(await executor.evaluate(() => window.workers.stopped)).toEqual(['The caller cancelled the task.'])
})

test('the deadline ends a worker as well', async () => {
  const outcome = await caller.evaluate(() => window.workers.outcome({ do: 'loop' }, { deadline: 500 }))
  expect(outcome).toMatchObject({ code: 'TASK_DEADLINE' })
  await gone()
})

test('what the worker throws is told to the caller', async () => {
  const outcome = await caller.evaluate(() => window.workers.outcome({ do: 'throw' }))
  expect(outcome).toEqual({ code: 'TASK_FAILED', message: 'It cannot be done.' })
})
