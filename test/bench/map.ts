/** Has a fractal drawn tile by tile by 1, 2 and 4 other tabs. `pnpm bench:map [--side 8] [--rounds 3]` */
import { parseArgs } from 'node:util'
import { createSignalingServer, SIGNALING_PATH } from '@tsunagi/signaling'
import type { Page } from 'playwright-core'
import { launchChromium } from '../browsers.ts'
import type { Picture } from '../pages/map.ts'
import { servePages } from '../pages/serve.ts'

export interface MapResult {
  readonly tiles: number
  /** Whether each picture was that of a run in the page itself, bit for bit. */
  readonly equal: boolean
  /** `ms`: median of the rounds. `speed_up`: against the first. */
  readonly runs: readonly { readonly executors: number; readonly ms: number; readonly speed_up: number }[]
}

/** @param counts of executors, rising */
export async function mapFractal(picture: Picture, counts: readonly number[], rounds: number): Promise<MapResult> {
  const [browser, pages, server] = await Promise.all([
    launchChromium(),
    servePages(),
    createSignalingServer({ port: 0 }),
  ])
  try {
    const context = await browser.newContext()
    const open = async (draws: boolean): Promise<Page> => {
      const page = await context.newPage()
      await page.goto(`${pages.origin}/map.html`)
      const signaling = `ws://127.0.0.1:${server.port}${SIGNALING_PATH}`
      await page.evaluate(([signaling, draws]) => window.map.join(signaling, draws), [signaling, draws] as const)
      return page
    }
    const caller = await open(false)
    const { digest } = await caller.evaluate((picture) => window.map.here(picture), picture)
    const digests: string[] = []
    const medians: number[] = []
    let executors = 0
    for (const count of counts) {
      for (; executors < count; executors++) await open(true)
      await caller.waitForFunction((count) => window.map.executors === count, count)
      // Hidden tabs are slower, and so is one that was just opened.
      await caller.bringToFront()
      const times: number[] = []
      // The first round is not counted where there are several: workers have yet to compile what they run.
      for (let round = rounds > 1 ? 0 : 1; round <= rounds; round++) {
        const drawn = await caller.evaluate((picture) => window.map.byOthers(picture), picture)
        digests.push(drawn.digest)
        if (round > 0) times.push(drawn.ms)
      }
      medians.push(times.sort((a, b) => a - b)[times.length >> 1] ?? 0)
    }
    const [first = 0] = medians
    return {
      tiles: picture.side ** 2,
      equal: digests.every((each) => each === digest),
      runs: counts.map((count, n) => ({
        executors: count,
        ms: Math.round(medians[n] ?? 0),
        speed_up: Number((first / (medians[n] ?? 1)).toPrecision(3)),
      })),
    }
  } finally {
    await browser.close()
    await Promise.all([server.close(), pages.close()])
  }
}

if (process.argv[1] === import.meta.filename) {
  const { values } = parseArgs({
    options: {
      side: { type: 'string', default: '8' },
      pixels: { type: 'string', default: '256' },
      iterations: { type: 'string', default: '4000' },
      rounds: { type: 'string', default: '3' },
    },
  })
  const { side, pixels, iterations } = values
  const picture = { side: Number(side), pixels: Number(pixels), iterations: Number(iterations) }
  const result = await mapFractal(picture, [1, 2, 4], Number(values.rounds))
  console.table(result.runs)
  console.log(JSON.stringify(result))
  process.exitCode = result.equal ? 0 : 1
}
