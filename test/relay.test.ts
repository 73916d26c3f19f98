import { createSignalingServer, SIGNALING_PATH, type SignalingServer } from '@tsunagi/signaling'
import type { Page } from 'playwright-core'
import { beforeEach, expect, test } from 'vitest'
import { browserTests } from './browser-tests.ts'

const WORDS = 'the treasure is under the old pine'
/** On a quiet machine; a busy one has more time. */
const RELAYED_WITHIN = 5_000
const ROOM_FOR_BUSY_MACHINES = 4

const tests = browserTests()
let server: SignalingServer
let pages: [Page, Page]
/** Everything that either page sent to the server or got from it. */
let carried: Buffer[]

beforeEach(async () => {
  server = await createSignalingServer({ port: 0 })
  const context = await tests.newContext()
  carried = []
  const open = async () => {
    const page = await context.newPage()
    page.on('websocket', (socket) => {
      socket.on('framesent', ({ payload }) => carried.push(Buffer.from(payload)))
      socket.on('framereceived', ({ payload }) => carried.push(Buffer.from(payload)))
    })
    await page.goto(`${tests.origin}/relay.html`)
    return page
  }
  pages = [await open(), await open()]
  return () => server.close()
})

async function join(): Promise<void> {
  for (const [i, page] of pages.entries()) {
    await page.waitForFunction(() => window.relayed !== undefined)
    await page.evaluate(
      ([url, name]) => window.relayed.join(url as string, name as string),
      [`ws://127.0.0.1:${server.port}${SIGNALING_PATH}`, `peer ${i}`],
    )
  }
}

const linked = (kind: string) =>
  Promise.all(
    pages.map((page) => page.waitForFunction((wanted) => window.relayed.other?.link === wanted, kind, { polling: 20 })),
  )

const setWay = (isClosed: boolean) =>
  Promise.all(
    pages.map((page) =>
      page.evaluate((closed) => {
        window.relayed.isDirectWayClosed = closed
      }, isClosed),
    ),
  )

const startSending = () =>
  Promise.all(
    pages.map((page) =>
      page.evaluate((words) => {
        window.relayed.startSending(words).catch(reportError)
      }, WORDS),
    ),
  )

/** Each message has come once and in order, its sender knows it, and nothing else happened. */
async function expectAllOnce(): Promise<void> {
  for (const page of pages) await page.evaluate(() => window.relayed.stopSending())
  for (const page of pages) await page.waitForFunction(() => window.relayed.delivered === window.relayed.sent)
  const [a, b] = await Promise.all(
    pages.map((page) =>
      page.evaluate(() => {
        const { sent, heard, problems } = window.relayed
        return { sent, heard: [...heard], problems: [...problems] }
      }),
    ),
  )
  expect(a?.sent).toBeGreaterThan(50)
  expect(a?.heard).toEqual(Array.from({ length: b?.sent ?? 0 }, (_, n) => n))
  expect(b?.heard).toEqual(Array.from({ length: a?.sent ?? 0 }, (_, n) => n))
  expect([a?.problems, b?.problems]).toEqual([[], []])
}

test('without a direct way two tabs speak through the server, which reads nothing, and move once there is one', async () => {
  await join()
  const joined = performance.now()
  await linked('relay')
  const ms = Math.round(performance.now() - joined)
  console.log(`relayed session after ${ms} ms`)
  expect(ms).toBeLessThan(RELAYED_WITHIN * ROOM_FOR_BUSY_MACHINES)
  expect(await pages[0].evaluate(() => window.relayed.other?.route)).toBe('relay')
  await startSending()
  await pages[0].waitForFunction(() => window.relayed.heard.length > 50)
  await setWay(false)
  await linked('webrtc')
  await pages[0].waitForFunction(() => window.relayed.other?.route === 'direct')
  await expectAllOnce()
  for (const page of pages) expect(await page.evaluate(() => window.relayed.states)).toEqual(['established'])
  const all = Buffer.concat(carried).toString('latin1')
  expect(all.length).toBeGreaterThan(10_000)
  for (const secret of [WORDS, 'peer 0', 'peer 1', 'candidate', 'fingerprint', 'v=0', '127.0.0.1 ']) {
    expect(all).not.toContain(secret)
  }
}, 120_000)

test('the server takes over where the direct way closes, and gives the session back', async () => {
  await setWay(false)
  await join()
  await linked('webrtc')
  await startSending()
  await setWay(true)
  await pages[1].evaluate(() => window.relayed.cutLinks())
  await linked('relay')
  await setWay(false)
  await linked('webrtc')
  await expectAllOnce()
}, 120_000)
