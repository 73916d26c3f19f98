/** `pnpm bench:wake`: how long it takes until a peer without channels has been woken and its session is established again. */
import { parseArgs } from 'node:util'
import { createSignalingServer, SIGNALING_PATH } from '@tsunagi/signaling'
import type { Page } from 'playwright-core'
import { launchChromium } from '../browsers.ts'
import { servePages } from '../pages/serve.ts'

/** Milliseconds without use after which these pages close their links: the shortest there is. */
const LINK_IDLE = 1_000
/** Of one target, no more are answered. */
const MOST_A_MINUTE = 10

const { values: options } = parseArgs({ options: { n: { type: 'string', default: '20' } } })
const n = Number(options.n)
if (!Number.isInteger(n) || n < 1) throw new Error('--n takes a whole number from 1.')

const browser = await launchChromium()
const server = await createSignalingServer({ port: 0 })
const pages = await servePages()
try {
  const [caller, target] = [await open(), await open()]
  const id = await target.evaluate(() => window.peer.id)
  const times: number[] = []
  const outcomes: Record<string, number> = {}
  for (let i = 1; i <= n; i++) {
    await untilIdle(caller, target)
    const { total, outcome, step } = await caller.evaluate((id) => window.wakeUntilEstablished(id), id)
    times.push(total)
    outcomes[`${outcome} by ${step}`] = (outcomes[`${outcome} by ${step}`] ?? 0) + 1
    console.log(`${i} of ${n}: ${outcome} by ${step}, established after ${Math.round(total)} ms.`)
    if (i % MOST_A_MINUTE === 0 && i < n) await new Promise((fulfil) => setTimeout(fulfil, 60_000))
  }
  const sorted = times.toSorted((a, b) => a - b)
  const rank = (share: number) => Math.round(sorted[Math.ceil(share * n) - 1] ?? Number.NaN)
  console.log(JSON.stringify({ n, median_ms: rank(0.5), p95_ms: rank(0.95), outcomes }))
} finally {
  await browser.close()
  await pages.close()
  await server.close()
}

/** A page in a profile of its own that has joined. */
async function open(): Promise<Page> {
  const page = await (await browser.newContext()).newPage()
  await page.goto(`${pages.origin}/waking.html`)
  const signaling = `ws://127.0.0.1:${server.port}${SIGNALING_PATH}`
  await page.evaluate(([url, idle]) => window.join(url, idle), [signaling, LINK_IDLE] as const)
  return page
}

/** Neither page has a channel to the other any more. */
async function untilIdle(...both: readonly Page[]): Promise<void> {
  const isIdle = () => window.peer.peers.some(({ health }) => health === 'idle')
  await Promise.all(both.map((page) => page.waitForFunction(isIdle)))
}
