import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createWebCryptoProvider } from '../../packages/protocol/src/crypto/index.ts'
import { Encodings } from './encodings.ts'
import { OpenFrames } from './open-frames.ts'
import { Peers } from './peers.ts'
import { Random } from './random.ts'
import type { Findings, Target } from './target.ts'

export interface FuzzOptions {
  readonly frames: number
  /** 32 bits; two runs with the same seed send the same bytes but for keys and signatures. */
  readonly seed: number
  readonly log: (line: string) => void
}

export interface FuzzResult extends Findings {
  readonly frames: number
  readonly seed: number
  /** Figures that grew after the first part of the run, and by how much. */
  readonly grown: Readonly<Record<string, number>>
}

const BATCH = 200
/** The first part fills what is bounded, and is not counted as growth. */
const WARM_UP = 0.3
const MOST_HEAP_GROWTH = 8 * 2 ** 20

/** Sends random and mutated frames through everything that reads any, and counts what must not happen. */
export async function fuzz({ frames, seed, log }: FuzzOptions): Promise<FuzzResult> {
  const findings: Findings = { crashes: 0, rejections: 0, forged_delivered: 0, lost: 0 }
  const stop = watchProcess(findings)
  try {
    const random = new Random(seed)
    const crypto = createWebCryptoProvider()
    const targets: Target[] = [
      new Encodings(random, findings),
      await OpenFrames.create(crypto, random, findings),
      await Peers.create(crypto, random, findings),
    ]
    const warmUp = await run(targets, Math.ceil(frames * WARM_UP), log)
    const before = figuresOf(targets)
    const sent = warmUp + (await run(targets, frames - warmUp, log))
    const after = figuresOf(targets)
    log(`Heap: ${(before['heap'] ?? 0) >> 20} MiB, then ${(after['heap'] ?? 0) >> 20} MiB. ${JSON.stringify(after)}`)
    for (const target of targets) await target.close()
    await new Promise((fulfil) => setImmediate(fulfil))
    return { ...findings, frames: sent, seed, grown: growth(before, after) }
  } finally {
    stop()
  }
}

/** @returns how many frames were sent */
async function run(targets: readonly Target[], frames: number, log: FuzzOptions['log']): Promise<number> {
  const due = new Map(targets.map((target) => [target, 0]))
  let sent = 0
  let told = Date.now()
  while (sent < frames) {
    for (const target of targets) {
      const frames = (due.get(target) ?? 0) + BATCH * target.share
      const done = frames < 1 ? 0 : await target.round(Math.ceil(frames))
      due.set(target, frames - done)
      sent += done
    }
    if (Date.now() - told < 10_000) continue
    told = Date.now()
    log(`${sent} of ${frames}`)
  }
  return sent
}

function watchProcess(findings: Findings): () => void {
  const onCrash = (error: unknown) => {
    findings.crashes++
    console.error('Uncaught:', error)
  }
  const onRejection = (error: unknown) => {
    findings.rejections++
    console.error('Unhandled:', error)
  }
  process.on('uncaughtException', onCrash).on('unhandledRejection', onRejection)
  return () => {
    process.off('uncaughtException', onCrash).off('unhandledRejection', onRejection)
  }
}

function figuresOf(targets: readonly Target[]): Record<string, number> {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  collect()
  const figures: Record<string, number> = { heap: process.memoryUsage().heapUsed }
  for (const target of targets) {
    for (const [name, figure] of Object.entries(target.figures())) figures[`${target.name}: ${name}`] = figure
  }
  return figures
}

/** Everything but the heap stays what it was, give or take what happens to be under way. */
function growth(before: Record<string, number>, after: Record<string, number>): Record<string, number> {
  const grown = Object.entries(after).map(([name, figure]) => [name, figure - (before[name] ?? 0)] as const)
  return Object.fromEntries(grown.filter(([name, by]) => by > (name === 'heap' ? MOST_HEAP_GROWTH : 16)))
}

export function isClean({ crashes, rejections, forged_delivered, lost, grown }: FuzzResult): boolean {
  return crashes + rejections + forged_delivered + lost === 0 && Object.keys(grown).length === 0
}
