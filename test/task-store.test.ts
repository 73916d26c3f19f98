import { taskStoreConformance } from '@tsunagi/protocol/conformance'
import { describe, expect, test } from 'vitest'
import { browserTests } from './browser-tests.ts'

const tests = browserTests()

describe('the task store in IndexedDB passes the conformance suite in Chromium', () => {
  test.each(taskStoreConformance.map(({ name }) => name))('%s', async (name) => {
    const page = await tests.openPage('session-store.html')
    await page.evaluate((wanted) => window.runTaskStoreCase(wanted), name)
    expect(await page.evaluate(() => window.problems)).toEqual([])
  })
})

test('a damaged task is removed and told of once; the others stay', async () => {
  const page = await tests.openPage('session-store.html')
  await page.evaluate(() =>
    window.runTaskStoreCase('calls take effect in their order, also where nobody waits for one before the next'),
  )
  const load = () => page.evaluate(() => window.loadTasks())
  expect(await load()).toHaveLength(2)
  await page.evaluate(async () => {
    const [first] = await window.request('tasks', (store) => store.getAll())
    await window.request('tasks', (store) => store.put({ ...first, size: 'large' }))
  })
  expect(await load()).toHaveLength(1)
  expect(await load()).toHaveLength(1)
  expect(await page.evaluate(() => window.problems)).toEqual([expect.stringMatching(/^STORAGE_FAILED: .*damaged/)])
})
