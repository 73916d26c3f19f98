/**
 * `pnpm bench [--rounds N] [--systems a,b] [--cases a,b]`: all systems in the same two pages, one after the other in each
 * round; what counts is the median of the rounds. A whole run of at least 7 writes results.json, docs/bench.md and the charts.
 */
import path from 'node:path'
import { parseArgs } from 'node:util'
import { launchChromium } from '../browsers.ts'
import { servePages } from '../pages/serve.ts'
import { MEASUREMENTS } from './cases.ts'
import { MEMORY_ROWS, measureMemory } from './memory.ts'
import { head, publish, rowsOf, show } from './results.ts'
import { type Measured, measureRounds } from './rounds.ts'
import type { Row } from './row.ts'
import { startServers } from './servers/index.ts'
import { measureSize, SIZE_ROWS } from './size.ts'
import { SYSTEM_NAMES } from './systems/names.ts'

const LEAST_ROUNDS = 7
const TRIES = 3
const CASES = [...new Set(MEASUREMENTS.flatMap(({ cases }) => cases)), 'size', 'memory']

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: `${LEAST_ROUNDS}` },
    systems: { type: 'string', default: SYSTEM_NAMES.join() },
    cases: { type: 'string', default: CASES.join() },
  },
})
const rounds = Number(options.rounds)
if (!Number.isInteger(rounds) || rounds < 1) throw new Error('--rounds takes a whole number from 1.')
const systems = chosen('systems', SYSTEM_NAMES)
const cases = chosen('cases', CASES)

const start = performance.now()
const environment = await head()
const browser = await launchChromium()
const servers = await startServers()
const pages = await servePages(path.join(import.meta.dirname, 'pages'))
const rows: Row[] = []
try {
  const measurements = MEASUREMENTS.filter((measurement) => measurement.cases.some((name) => cases.includes(name)))
  const place = { browser, origin: pages.origin, servers: servers.addresses }
  const measured = await measureRounds(place, { measurements, systems, rounds })
  for (const { rows: units } of measurements) rows.push(...rowsOf(units, systems, measured))
  if (cases.includes('size')) rows.push(...rowsOf(SIZE_ROWS, systems, await forEach(measureSize)))
  if (cases.includes('memory')) rows.push(...rowsOf(MEMORY_ROWS, systems, await forEach(measureMemory)))

  /** What varies little is measured once; a connection that does not come about is no reason to leave it out. */
  async function forEach(measure: (where: typeof place, system: string) => Promise<Record<string, number>>) {
    const all: Measured = new Map()
    for (const system of systems) {
      for (let tries = 1; tries <= TRIES; tries++) {
        try {
          for (const [name, value] of Object.entries(await measure(place, system))) {
            all.set(`${name} ${system}`, [value])
          }
          break
        } catch (error) {
          console.warn(`${system}: ${error}`)
        }
      }
    }
    return all
  }
} finally {
  await browser.close()
  await pages.close()
  await servers.close()
}
const minutes = (performance.now() - start) / 60_000
show(rows, systems)
if (rounds >= LEAST_ROUNDS && systems.length === SYSTEM_NAMES.length && cases.length === CASES.length) {
  await publish(
    { ...environment, versions: { ...environment.versions, chromium: browser.version() }, rounds, minutes },
    rows,
  )
} else console.log('Nothing was written: it was not a whole run.')

function chosen(option: 'systems' | 'cases', all: readonly string[]): string[] {
  const wanted = options[option].split(',')
  const unknown = wanted.find((name) => !all.includes(name))
  if (unknown !== undefined) throw new Error(`--${option} knows ${all.join(', ')}; not ${unknown}.`)
  return all.filter((name) => wanted.includes(name))
}
