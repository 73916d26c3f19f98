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
/** Memory that fell by less than so many KiB so many times, so many milliseconds apart, is settled. */
const [NOISE, UNCHANGED, SETTLING] = [200, 4, 1_000]
/** Milliseconds of work by which a page's process is known. */
const BUSY = 1_000

export async function measureMemory({ origin, servers }: Place, system: string): Promise<Record<string, number>> {
  if (whyNot('memory', system)) return {}
  const [hosting, visiting] = [await launchChromium(), await launchChromium()]
  try {
    const host = await openPage(hosting, origin)
    const join = (frame: Frame | Page, room: string) =>
      frame.evaluate(([name, at, place, isHost]) => window.pair.join(name, at, place, isHost), [
        system,
        servers,
        room,
        frame === host,
      ] as const)
    const own = await processOf(hosting, host)
    // What a page takes once and for all, it has taken when a first guest has come and gone.
    let page = await openPage(visiting, origin)
    for (const frame of [host, page]) await join(frame, `memory of ${system}, before`)
    await page.evaluate(() => window.pair.connected(1))
    for (const frame of [page, host]) await frame.evaluate(() => window.pair.leave())
    await join(host, `memory of ${system}`)
    const alone = await settledMemory(host, own)
    const values: Record<string, number> = {}
    for (let guests = 1; guests <= Math.max(...COUNTS); guests++) {
      if (guests % GUESTS_PER_PAGE === 0) page = await openPage(visiting, origin)
      const frame = await addFrame(page)
      await join(frame, `memory of ${system}`)
      await Promise.race([host.evaluate((count) => window.pair.connected(count), guests), late(guests)])
      if (COUNTS.includes(guests)) values[rowOf(guests)] = ((await settledMemory(host, own)) - alone) / guests
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

function late(guests: number): Promise<never> {
  return new Promise((_, reject) => {
    setTimeout(() => reject(new Error(`Guest ${guests} was not connected.`)), 60_000).unref()
  })
}

/** @returns the id of the process that computes when the page does */
async function processOf(browser: Browser, page: Page): Promise<number> {
  const devtools = await browser.newBrowserCDPSession()
  const times = async () => {
    const { processInfo } = await devtools.send('SystemInfo.getProcessInfo')
    return processInfo.filter(({ type }) => type === 'renderer')
  }
  const before = new Map((await times()).map(({ id, cpuTime }) => [id, cpuTime]))
  await page.evaluate((milliseconds) => {
    const end = performance.now() + milliseconds
    while (performance.now() < end);
  }, BUSY)
  const worked = (await times()).map(({ id, cpuTime }) => ({ id, worked: cpuTime - (before.get(id) ?? 0) }))
  await devtools.detach()
  return worked.sort((a, b) => b.worked - a.worked)[0]?.id ?? 0
}

/**
 * KiB, when it has stopped to fall: what was needed only to start or to connect is let go little by little. Caches, which the
 * browser would drop at some moment of its own, are dropped before.
 */
async function settledMemory(page: Page, process: number): Promise<number> {
  const devtools = await page.context().newCDPSession(page)
  let least = Number.POSITIVE_INFINITY
  for (let unchanged = 0; unchanged < UNCHANGED; ) {
    await devtools.send('Memory.simulatePressureNotification', { level: 'critical' })
    await new Promise((settled) => setTimeout(settled, SETTLING))
    await page.requestGC()
    const now = await privateMemory(process)
    unchanged = now < least - NOISE ? 0 : unchanged + 1
    least = Math.min(least, now)
  }
  await devtools.detach()
  return least
}

/** KiB that no other process shares; Linux tells. */
async function privateMemory(process: number): Promise<number> {
  const text = await readFile(`/proc/${process}/smaps_rollup`, 'utf8')
  return [...text.matchAll(/^Private_(?:Clean|Dirty): +(\d+) kB/gm)].reduce((sum, [, size]) => sum + Number(size), 0)
}
