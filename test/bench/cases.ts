/** What is measured of a connected pair, in each round; one measurement may serve several cases. */
import type { Network, Pair } from './pair.ts'
import { median, quantile } from './statistics.ts'

export interface Measurement {
  /** Cases that it serves; a row's name begins with its case. */
  readonly cases: readonly string[]
  /** Units by the names of the rows. */
  readonly rows: Readonly<Record<string, string>>
  /** Where it is not a good one. */
  readonly network?: Network
  measure(pair: Pair): Promise<Readonly<Record<string, number>>>
}

const SIZE = 200
const SMALL = 50_000
const ECHOES = 500
const MIB = 1024 * 1024
const BULK = 64 * MIB
const GIB = 1024 * MIB

/** A network that takes 50 ms longer each way, and loses one packet of a hundred. */
const LOSSY: Network = { latency: 50, packetLoss: 1 }
const LOSSY_SMALL = 1_000
const LOSSY_ECHOES = 20
const LOSSY_BULK = MIB / 2

export const MEASUREMENTS: readonly Measurement[] = [
  {
    cases: ['setup'],
    rows: { setup: 'ms' },
    measure: async (pair) => ({ setup: pair.setup }),
  },
  {
    cases: ['messages', 'wire', 'cpu'],
    rows: {
      messages: '200-byte messages/s',
      wire: 'bytes on the wire per 200-byte message',
      'cpu, messages': 's of both pages per 100,000 messages',
    },
    async measure(pair) {
      const [wire, cpu] = [await pair.wireBytes(), await pair.cpu()]
      const seconds = await pair.stream(SMALL, SIZE)
      const used = (await pair.cpu()) - cpu
      return {
        messages: SMALL / seconds,
        wire: ((await pair.wireBytes()) - wire) / SMALL,
        'cpu, messages': (used * 100_000) / SMALL,
      }
    },
  },
  {
    cases: ['bulk', 'cpu'],
    rows: { bulk: 'Mbit/s', 'cpu, bulk': 's of both pages per GiB' },
    async measure(pair) {
      const { seconds, cpu } = await pair.bulk(BULK)
      return { bulk: rate(BULK, seconds), 'cpu, bulk': (cpu * GIB) / BULK }
    },
  },
  {
    cases: ['echo'],
    rows: { echo: 'ms, median', 'echo, p99': 'ms' },
    async measure(pair) {
      const times = await pair.echo(ECHOES, SIZE)
      return { echo: median(times), 'echo, p99': quantile(times, 0.99) }
    },
  },
  {
    cases: ['echo-under-bulk'],
    rows: {
      'echo-under-bulk': 'ms, median',
      'echo-under-bulk, p99': 'ms',
      'echo-under-bulk, bulk': 'Mbit/s',
    },
    async measure(pair) {
      const { times, seconds } = await pair.echoUnderBulk(BULK / 2, SIZE)
      return {
        'echo-under-bulk': median(times),
        'echo-under-bulk, p99': quantile(times, 0.99),
        'echo-under-bulk, bulk': rate(BULK / 2, seconds),
      }
    },
  },
  {
    cases: ['lossy'],
    network: LOSSY,
    rows: {
      'lossy, messages': '200-byte messages/s',
      'lossy, bulk': 'Mbit/s',
      'lossy, echo': 'ms, median',
      'lossy, echo, p99': 'ms',
    },
    async measure(pair) {
      const times = await pair.echo(LOSSY_ECHOES, SIZE)
      return {
        'lossy, echo': median(times),
        'lossy, echo, p99': quantile(times, 0.99),
        'lossy, messages': LOSSY_SMALL / (await pair.stream(LOSSY_SMALL, SIZE)),
        'lossy, bulk': rate(LOSSY_BULK, (await pair.bulk(LOSSY_BULK)).seconds),
      }
    },
  },
]

/** A new connection starts slowly, and so does code that has not run yet. */
export async function warmUp(pair: Pair): Promise<void> {
  await pair.stream(2_000, SIZE)
  await pair.bulk(4 * MIB)
}

/** Mbit/s. */
function rate(bytes: number, seconds: number): number {
  return (bytes * 8) / 1e6 / seconds
}
