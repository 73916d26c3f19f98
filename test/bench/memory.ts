/** What one more peer takes of a page that hosts: the private memory of its process, from the operating system. */
import { readFile } from 'node:fs/promises'
import type { Browser, Frame, Page } from 'playwright-core'
import { launchChromium } from '../browsers.ts'
import type { Place } from './rounds.ts'
import { whyNot } from './systems/names.ts'

const COUNTS = [1, 8, 32]
const UNIT = 'KiB of the page per connected peer'
export const MEMORY_ROWS = Object.fromEntries(COUNTS.map((count) => [rowOf(count), UNIT]))

/** Guests of one page: in some systems they connect to each other as well, and a process has about 500 connections. */
const GUESTS_PER_PAGE = 8
/** Milliseconds until what was needed only to connect is let go. */
const SETTLING = 1_000

export async function measureMemory({ origin, servers }: Place, system: string): Promise<Record<string, number>> {
  if (whyNot('memory', system)) return {}
  // A browser of its own: all its pages' processes are this page's.
  const [hosting, visiting] = [await launchChromium(), await launchChromium()]
  try {
    const host = await openPage(hosting, origin)
    const join = (frame: Frame | Page, hosts: boolean) =>
      frame.evaluate(([name, at, isHost]) => window.pair.join(name, at, `memory of ${name}`, isHost), [
        system,
        servers,
        hosts,
      ] as const)
    await join(host, true)
    const alone = await settledMemory(hosting, host)
    const values: Record<string, number> = {}
    let page: Page | undefined
    for (let guests = 1; guests <= Math.max(...COUNTS); guests++) {
      if (page === undefined || guests % GUESTS_PER_PAGE === 1) page = await openPage(visiting, origin)
      const frame = await addFrame(page)
      await join(frame, false)
      await Promise.race([host.evaluate((count) => window.pair.connected(count), guests), late()])
      if (COUNTS.includes(guests)) values[rowOf(guests)] = ((await settledMemory(hosting, host)) - alone) / guests
    }
    return values
  } finally {
    await hosting.close()
    await visiting.close()
  }
}

function rowOf(count: number): string {
  return `memory, ${count} ${count === 1 ? 'peer' : 'peers'}`
}

async function openPage(browser: Browser, origin: string): Promise<Page> {
  const page = await (await browser.newContext()).newPage()
  await page.goto(`${origin}/pair.html`)
  return page
}

/** A page within the page, which has all of its own but the process. */
async function addFrame(page: Page): Promise<Frame> {
  const element = await page.evaluateHandle(async () => {
    const frame = document.createElement('iframe')
    frame.src = location.href
    const loaded = new Promise((fulfil) => frame.addEventListener('load', fulfil))
    document.body.append(frame)
    await loaded
    return frame
  })
  const frame = await element.contentFrame()
  if (frame === null) throw new Error('The page has no frame.')
  return frame
}

function late(): Promise<never> {
  return new Promise((_, reject) => {
    setTimeout(() => reject(new Error('A guest was not connected.')), 60_000).unref()
  })
}

/** KiB. */
async function settledMemory(browser: Browser, page: Page): Promise<number> {
  await new Promise((settled) => setTimeout(settled, SETTLING))
  await page.requestGC()
  const devtools = await browser.newBrowserCDPSession()
  const { processInfo } = await devtools.send('SystemInfo.getProcessInfo')
  await devtools.detach()
  const ids = processInfo.filter(({ type }) => type === 'renderer').map(({ id }) => id)
  const each = await Promise.all(ids.map(privateMemory))
  return each.reduce((sum, size) => sum + size, 0)
}

/** KiB that no other process shares; Linux tells. */
async function privateMemory(process: number): Promise<number> {
  const text = await readFile(`/proc/${process}/smaps_rollup`, 'utf8')
  return [...text.matchAll(/^Private_(?:Clean|Dirty): +(\d+) kB/gm)].reduce((sum, [, size]) => sum + Number(size), 0)
}
