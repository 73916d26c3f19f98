/** `pnpm fuzz --frames 1000000 --seed 1`: the last line tells what was found, and so does the exit code. */
import { parseArgs } from 'node:util'
import { fuzz, isClean } from './fuzz.ts'

const { values } = parseArgs({ options: { frames: { type: 'string' }, seed: { type: 'string' } } })
const frames = Number(values.frames ?? 100_000)
const seed = Number(values.seed ?? Date.now() % 2 ** 32)
if (!Number.isInteger(frames) || frames < 1 || !Number.isInteger(seed)) {
  console.error('pnpm fuzz takes --frames (how many hostile frames) and --seed (a whole number).')
  process.exit(2)
}
console.log(`${frames} frames with --seed ${seed}`)
const began = Date.now()
const result = await fuzz({ frames, seed, log: console.log })
console.log(`${Math.round((1_000 * result.frames) / (Date.now() - began))} frames a second`)
const { crashes, rejections, forged_delivered, lost, grown } = result
if (lost > 0) console.error(`${lost} times something honest was lost.`)
if (Object.keys(grown).length > 0) console.error('This grew:', grown)
console.log(JSON.stringify({ frames: result.frames, seed, crashes, rejections, forged_delivered }))
process.exit(isClean(result) ? 0 : 1)
