/** What is measured of a connected pair; each case gives one number a round. */
import type { Pair } from './pair.ts'

export interface Case {
  readonly name: string
  readonly unit: string
  measure(pair: Pair): Promise<number>
}

const SMALL = { count: 20_000, size: 200 }
/** What a browser's channel carries in one message. */
const LARGE = { count: 120, size: 262_144 }
const ECHOES = { count: 200, size: 200 }

export const CASES: readonly Case[] = [
  {
    name: 'messages',
    unit: '200-byte messages/s',
    measure: async (pair) => SMALL.count / (await stream(pair, SMALL)),
  },
  {
    name: 'bulk',
    unit: 'Mbit/s',
    measure: async (pair) => (LARGE.count * LARGE.size * 8) / 1e6 / (await stream(pair, LARGE)),
  },
  {
    name: 'echo',
    unit: 'ms',
    measure: (pair) => pair.first.evaluate(({ count, size }) => window.pair.traffic.echo(count, size), ECHOES),
  },
  { name: 'setup', unit: 'ms', measure: async (pair) => pair.setup },
]

/** A new connection starts slowly, and so does code that has not run yet. */
export async function warmUp(pair: Pair): Promise<void> {
  await stream(pair, { count: 2_000, size: SMALL.size })
  await stream(pair, { count: 16, size: LARGE.size })
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

/** Between the two nearest ranks. @param share 0 to 1 */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  const rank = share * (sorted.length - 1)
  const below = sorted[Math.floor(rank)] ?? Number.NaN
  const above = sorted[Math.ceil(rank)] ?? Number.NaN
  return below + (above - below) * (rank - Math.floor(rank))
}

function stream(pair: Pair, traffic: { readonly count: number; readonly size: number }): Promise<number> {
  return pair.first.evaluate(({ count, size }) => window.pair.traffic.stream(count, size), traffic)
}
