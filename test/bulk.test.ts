import { expect, test } from 'vitest'
import { BulkLab } from './bulk/lab.ts'
import { moveFile } from './bulk/main.ts'

/** What a page's heap keeps below, however large the file. */
const HEAP = 200 * 1024 * 1024

test('64 MiB go from tab to tab while the link is cut twice: right, little sent again, and little in memory', async () => {
  const result = await moveFile(64, 2)
  console.log(JSON.stringify(result))
  expect(result.ended).toEqual(['completed', 'completed'])
  expect(result.digest_ok).toBe(true)
  expect(result.resent_share).toBeLessThan(0.05)
  expect(result.heap_sender).toBeLessThan(HEAP)
  expect(result.heap_receiver).toBeLessThan(HEAP)
}, 300_000)

test('a file goes on where it was when either page is loaded anew, and is still there afterwards', async () => {
  const lab = await BulkLab.open(32)
  try {
    await lab.attach()
    await lab.send()
    await lab.reached(0.2)
    await lab.there.reload()
    await lab.reached(0.5)
    await lab.here.reload()
    await lab.attach()
    await lab.here.page.evaluate(() => window.bulk.resume())
    expect(await lab.ended()).toEqual(['completed', 'completed'])
    // The page that was loaded anew has sent no more than was missing.
    expect(await lab.here.page.evaluate(() => window.bulk.sentBytes)).toBeLessThan(0.6 * 32 * 1024 * 1024)
    await lab.there.reload()
    expect(await lab.isReceived()).toBe(true)
  } finally {
    await lab.close()
  }
}, 300_000)
