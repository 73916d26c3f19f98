/** The rounds: in each, every system is connected, measured and left, one after the other. */
import type { Browser } from 'playwright-core'
import { type Measurement, warmUp } from './cases.ts'
import { Pair } from './pair.ts'
import type { Servers } from './servers/index.ts'
import { whyNot } from './systems/names.ts'

export interface Place {
  readonly browser: Browser
  readonly origin: string
  readonly servers: Servers
}

/** Values of the rounds by `${row} ${system}`. */
export type Measured = Map<string, number[]>

export async function measureRounds(
  place: Place,
  plan: { readonly measurements: readonly Measurement[]; readonly systems: readonly string[]; readonly rounds: number },
): Promise<Measured> {
  const measured: Measured = new Map()
  const { measurements, systems, rounds } = plan
  if (measurements.length === 0) return measured
  let pair = await openPair(place)
  // The first round is not counted: pages have yet to compile what they run.
  for (let round = 0; round <= rounds; round++) {
    // Turned around every time, so that none is always the one after the same other.
    for (const system of round % 2 === 0 ? systems : systems.toReversed()) {
      const take = (values: Readonly<Record<string, number>>) => {
        for (const [row, value] of Object.entries(values)) if (round > 0) add(measured, `${row} ${system}`, value)
      }
      const wanted = measurements.filter(({ rows }) => Object.keys(rows).some((row) => !whyNot(row, system)))
      try {
        await pair.connect(system, `round ${round} of ${system}`)
        await warmUp(pair)
        for (const { network, measure } of wanted) {
          if (network) continue
          await pair.collectGarbage()
          take(await measure(pair))
        }
        await pair.disconnect()
        // Every second time: it takes as long as all the rest.
        if (round % 2 === 1) await measureLossy(place, system, round, wanted, take)
      } catch (error) {
        // A system that fails once is measured by its other rounds, whose number the results tell.
        console.warn(`${system}, round ${round}: ${error}`)
        await pair.close()
        pair = await openPair(place)
      }
    }
    console.log(round === 0 ? 'Warm.' : `Round ${round} of ${rounds}.`)
  }
  await pair.close()
  return measured
}

/** Some systems keep connections for later: pages that are new have none from before the network was a bad one. */
async function measureLossy(
  place: Place,
  system: string,
  round: number,
  measurements: readonly Measurement[],
  take: (values: Readonly<Record<string, number>>) => void,
): Promise<void> {
  for (const { network, measure } of measurements) {
    if (network === undefined) continue
    const pair = await Pair.open(place.browser, place.origin, place.servers, network)
    try {
      await pair.connect(system, `lossy round ${round} of ${system}`)
      take(await measure(pair))
      await pair.disconnect()
    } finally {
      await pair.close()
    }
  }
}

function openPair({ browser, origin, servers }: Place): Promise<Pair> {
  return Pair.open(browser, origin, servers)
}

function add(measured: Measured, key: string, value: number): void {
  measured.set(key, [...(measured.get(key) ?? []), value])
}
