/**
 * `pnpm bulk --mib N [--cuts N]`: moves a file of random bytes from tab to tab, and cuts the link on the way.
 * `pnpm bulk --mib N --rounds N`: moves it so often without cuts, each time between two runs of a bare data channel.
 */
import { parseArgs } from 'node:util'
import { bareRate } from './bare.ts'
import { BulkLab } from './lab.ts'

const MIB = 1024 * 1024

export interface BulkResult {
  readonly mib: number
  readonly seconds: number
  readonly mbit_s: number
  /** All that the sender gave to its channels and its socket beyond the file, as a share of that; frames' heads count as well. */
  readonly resent_share: number
  /** Most bytes of each page's heap while the file was on its way, ArrayBuffers included. */
  readonly heap_sender: number
  readonly heap_receiver: number
  readonly digest_ok: boolean
  /** How the transfer ended for its sender and its receiver. */
  readonly ended: readonly string[]
}

/** @param cuts how often the link is cut, at even distances */
export async function moveFile(mib: number, cuts: number): Promise<BulkResult> {
  const lab = await BulkLab.open(mib)
  try {
    await lab.attach()
    const heaps = await Promise.all([lab.here.watchHeap(), lab.there.watchHeap()])
    const before = await lab.here.page.evaluate(() => window.bulk.sentBytes)
    const start = performance.now()
    await lab.send()
    for (let cut = 1; cut <= cuts; cut++) {
      await lab.reached(cut / (cuts + 1))
      await lab.here.cutLinks()
    }
    const ended = await lab.ended()
    const seconds = (performance.now() - start) / 1_000
    const sent = (await lab.here.page.evaluate(() => window.bulk.sentBytes)) - before
    const [heap_sender = 0, heap_receiver = 0] = await Promise.all(heaps.map((heap) => heap.stop()))
    return {
      mib,
      seconds: Number(seconds.toPrecision(3)),
      mbit_s: Number(((mib * MIB * 8) / 1e6 / seconds).toPrecision(3)),
      resent_share: Number((sent / (mib * MIB) - 1).toPrecision(3)),
      heap_sender,
      heap_receiver,
      digest_ok: await lab.isReceived(),
      ended,
    }
  } finally {
    await lab.close()
  }
}

/** @returns for each round the rate of a transfer as a share of a bare channel's, sorted */
async function sharesOfBare(mib: number, rounds: number): Promise<number[]> {
  const lab = await BulkLab.open(mib)
  const { here, there } = lab
  const shares: number[] = []
  try {
    await lab.attach()
    // The first round is not counted: pages have yet to compile what they run.
    for (let round = 0; round <= rounds; round++) {
      const before = await bareRate(here.page, there.page, mib)
      const start = performance.now()
      await lab.send()
      await lab.ended()
      const rate = (mib * MIB * 8) / 1e3 / (performance.now() - start)
      await there.page.evaluate(() => window.bulk.discard())
      const bare = (before + (await bareRate(here.page, there.page, mib))) / 2
      console.log(`Transfer ${rate.toFixed(0)} Mbit/s, bare channel ${bare.toFixed(0)} Mbit/s`)
      if (round > 0) shares.push(rate / bare)
    }
    return shares.sort((a, b) => a - b)
  } finally {
    await lab.close()
  }
}

if (process.argv[1] === import.meta.filename) {
  const { values } = parseArgs({
    options: {
      mib: { type: 'string', default: '1024' },
      cuts: { type: 'string', default: '2' },
      rounds: { type: 'string' },
    },
  })
  if (values.rounds !== undefined) {
    const shares = await sharesOfBare(Number(values.mib), Number(values.rounds))
    console.log(JSON.stringify({ share_of_bare: shares[shares.length >> 1], shares }))
  } else {
    const { ended, ...result } = await moveFile(Number(values.mib), Number(values.cuts))
    console.log('Ended:', ended.join(', '))
    console.log(JSON.stringify(result))
    process.exitCode = result.digest_ok ? 0 : 1
  }
}
