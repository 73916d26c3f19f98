/** `pnpm bench`: all systems in the same two pages, one after the other in each round; what counts is the median of the rounds. */
import { readFile, writeFile } from 'node:fs/promises'
import { cpus, loadavg } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { launchChromium } from '../browsers.ts'
import { servePages } from '../pages/serve.ts'
import { CASES, median, quantile, warmUp } from './cases.ts'
import { Pair } from './pair.ts'
import { SERVERS_USED, startServers } from './servers.ts'

interface Row {
  readonly case: string
  readonly system: string
  readonly value: number
  readonly unit: string
  readonly ratio_to_bare: number
  /** Interquartile range of the rounds, as a share of the value. */
  readonly spread: number
}

const { values: options } = parseArgs({ options: { rounds: { type: 'string', default: '7' } } })
const rounds = Number(options.rounds)
if (!Number.isInteger(rounds) || rounds < 1) throw new Error('--rounds takes a whole number from 1.')

// Whatever else runs on the machine takes more from the system that computes more.
const [loadBefore = 0] = loadavg()
const browser = await launchChromium()
const servers = await startServers()
const pages = await servePages(path.join(import.meta.dirname, 'pages'))
const problems: string[] = []
try {
  const pair = await Pair.open(browser, pages.origin, servers.addresses, (problem) => problems.push(problem))
  const systems = await pair.first.evaluate(() => window.pair.systems)
  const measured = new Map(CASES.flatMap(({ name }) => systems.map((system) => [`${name} ${system}`, [] as number[]])))

  // The first round is not counted: pages have yet to compile what they run.
  for (let round = 0; round <= rounds; round++) {
    // Turned around every time, so that neither is always the one after the other.
    for (const system of round % 2 === 0 ? systems : systems.toReversed()) {
      await pair.connect(system)
      await warmUp(pair)
      for (const { name, measure } of CASES) {
        await pair.collectGarbage()
        const value = await measure(pair)
        if (round > 0) measured.get(`${name} ${system}`)?.push(value)
      }
      await pair.disconnect()
      if (problems.length > 0) throw new Error(`A page failed:\n${problems.join('\n')}`)
    }
    console.log(round === 0 ? 'Warm.' : `Round ${round} of ${rounds}.`)
  }

  const valuesOf = (name: string, system: string) => measured.get(`${name} ${system}`) ?? []
  const rows = CASES.flatMap(({ name, unit }) =>
    systems.map((system): Row => {
      const values = valuesOf(name, system)
      const value = median(values)
      return {
        case: name,
        system,
        value: rounded(value),
        unit,
        ratio_to_bare: rounded(value / median(valuesOf(name, 'bare'))),
        spread: rounded((quantile(values, 0.75) - quantile(values, 0.25)) / value),
      }
    }),
  )
  const head = {
    date: new Date().toISOString(),
    machine: { cpu: cpus()[0]?.model ?? 'unknown', cores: cpus().length, load_before: rounded(loadBefore) },
    versions: { tsunagi: await ownVersion(), chromium: browser.version(), node: process.version },
    rounds,
    servers: SERVERS_USED,
  }
  await writeFile(path.join(import.meta.dirname, 'results.json'), `${JSON.stringify({ ...head, rows }, null, 2)}\n`)
  console.table(rows)
} finally {
  await browser.close()
  await pages.close()
  await servers.close()
}

/** Three significant digits are more than two runs have in common. */
function rounded(value: number): number {
  return Number(value.toPrecision(3))
}

async function ownVersion(): Promise<string> {
  const manifest = path.join(import.meta.dirname, '../../packages/protocol/package.json')
  return (JSON.parse(await readFile(manifest, 'utf8')) as { version: string }).version
}
