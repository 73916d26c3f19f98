/**
 * Tabs that send each other durable messages while they are reloaded, closed, crashed, frozen and cut off, and while the
 * signaling server comes and goes; then what was accepted is held against what arrived. `pnpm chaos:sessions --minutes M --seed S`
 */
import { parseArgs } from 'node:util'
import { createSignalingServer, SIGNALING_PATH, type SignalingServer } from '@tsunagi/signaling'
import { launchChromium } from '../browsers.ts'
import { servePages } from '../pages/serve.ts'
import { type Arrival, Ledger, type Verdict } from './ledger.ts'
import { Random } from './random.ts'
import { Tab } from './tab.ts'

export interface SessionChaosOptions {
  readonly seed: number
  /** How long faults are made; messages go on for as long. */
  readonly seconds: number
  /** Default 6. */
  readonly tabs?: number
  /** Messages for each direction of each pair, spread over the time. */
  readonly perDirection: number
}

export interface SessionChaosResult extends Verdict {
  readonly seed: number
  readonly faults: Record<string, number>
  /** Codes and sentences that the peers told, and how often. */
  readonly errors: Record<string, number>
}

/** What waits after the last fault has this long to arrive: a session without a link is given up later than that. */
const SETTLE = 90_000
const HANDLE = 20_000

export async function runSessionChaos(options: SessionChaosOptions): Promise<SessionChaosResult> {
  const random = new Random(options.seed)
  const ledger = new Ledger()
  const faults: Record<string, number> = {}
  const [browser, pages] = await Promise.all([launchChromium(), servePages()])
  let server: SignalingServer = await createSignalingServer({ port: 0, origins: [] })
  const { port } = server
  try {
    const context = await browser.newContext()
    const tabs = Array.from(
      { length: options.tabs ?? 6 },
      () =>
        new Tab(context, {
          url: `${pages.origin}/chaos.html`,
          signaling: `ws://127.0.0.1:${port}${SIGNALING_PATH}`,
          mesh: `chaos ${options.seed}`,
        }),
    )
    for (const tab of tabs) await tab.open()
    const ids = tabs.map(({ id }) => id)
    await tabs.at(-1)?.connected()

    const end = Date.now() + options.seconds * 1_000
    const restartServer = async () => {
      await server.close()
      await new Promise((wait) => setTimeout(wait, random.between(0, 3_000)))
      server = await createSignalingServer({ port, origins: [] })
    }
    const onTab: Record<string, (tab: Tab) => Promise<void>> = {
      reload: (tab) => tab.reload(),
      reopen: (tab) => tab.closeAndReopen(),
      crash: (tab) => tab.crashAndReopen(),
      freeze: (tab) => tab.freezeAndThaw(random.between(500, 4_000)),
      cut: (tab) => tab.cutNetwork(random.between(0, 5_000)),
      links: (tab) => tab.evaluate(() => window.chaos.cutLinks()),
    }
    const makeFaults = async () => {
      while (Date.now() < end) {
        const fault = random.pick([...Object.keys(onTab), 'server'])
        faults[fault] = (faults[fault] ?? 0) + 1
        await (onTab[fault]?.(random.pick(tabs)) ?? restartServer())
        await new Promise((wait) => setTimeout(wait, random.between(100, 1_500)))
      }
    }
    const sendAll = async (from: string) => {
      const others = ids.filter((id) => id !== from)
      for (let n = 1; n <= options.perDirection; n++) {
        const due = end - (options.seconds * 1_000 * (options.perDirection - n)) / options.perDirection
        await new Promise((wait) => setTimeout(wait, Math.max(0, due - Date.now())))
        for (const to of others) {
          // Each number goes out once: one whose page ended before it was accepted may have been accepted all the same.
          const tab = tabs.find(({ id }) => id === from)
          if (tab !== undefined && (await tab.send(to, n))) ledger.accept(from, to, n)
        }
      }
    }
    await Promise.all([makeFaults(), ...ids.map(sendAll)])

    const results = await Promise.allSettled(tabs.map((tab) => tab.settled(SETTLE)))
    if (results.some(({ status }) => status === 'rejected')) {
      for (const tab of tabs) console.error(tab.id, JSON.stringify(await tab.evaluate(() => window.chaos.state)))
    }
    const verdict = await judgeWhenHandled(ledger, tabs)
    const errors: Record<string, number> = {}
    for (const tab of tabs) {
      for (const error of [...tab.errors, ...(await tab.evaluate(() => window.chaos.errors))]) {
        errors[error] = (errors[error] ?? 0) + 1
      }
    }
    const failures = (await Promise.all(tabs.map((tab) => tab.evaluate(() => window.chaos.failures)))).flat()
    for (const code of failures) errors[`given up: ${code}`] = (errors[`given up: ${code}`] ?? 0) + 1
    return { seed: options.seed, ...verdict, faults, errors }
  } finally {
    await browser.close()
    await Promise.all([server.close(), pages.close()])
  }
}

/** A message is delivered when it is in the inbox of the other side; a page that has just come handles it a little later. */
async function judgeWhenHandled(ledger: Ledger, tabs: readonly Tab[]): Promise<Verdict> {
  const latest = Date.now() + HANDLE
  for (;;) {
    const verdict = ledger.judge((await tabs[0]?.evaluate(readArrivals)) ?? [])
    if (verdict.lost === 0 || Date.now() > latest) return verdict
    await new Promise((wait) => setTimeout(wait, 200))
  }
}

/** All pages of the run write into one database, so any of them can read what arrived at all. */
function readArrivals(): Promise<Arrival[]> {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open('chaos')
    opening.onerror = () => reject(opening.error)
    opening.onsuccess = () => {
      const reading = opening.result.transaction('arrivals').objectStore('arrivals').getAll()
      reading.onerror = () => reject(reading.error)
      reading.onsuccess = () => resolve(reading.result)
    }
  })
}

if (process.argv[1] === import.meta.filename) {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '10' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
      tabs: { type: 'string', default: '6' },
      messages: { type: 'string', default: '1000' },
    },
  })
  console.log(`Seed ${values.seed}`)
  const { errors, ...result } = await runSessionChaos({
    seed: Number(values.seed),
    seconds: Number(values.minutes) * 60,
    tabs: Number(values.tabs),
    perDirection: Number(values.messages),
  })
  console.log('What the peers told:', errors)
  console.log(JSON.stringify(result))
  process.exit(result.lost + result.duplicated + result.out_of_order === 0 ? 0 : 1)
}
