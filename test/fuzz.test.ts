import { expect, test } from 'vitest'
import { fuzz } from './fuzz/fuzz.ts'

/** Repeats a run: `pnpm fuzz --frames 10000 --seed` and this number, which a failure shows. */
const seed = Date.now() % 2 ** 32

test('ten thousand hostile frames crash nothing, forge nothing, lose nothing and leave nothing behind', async () => {
  console.log(`fuzz: seed ${seed}`)
  expect(await fuzz({ frames: 10_000, seed, log: console.log })).toEqual({
    frames: expect.any(Number),
    seed,
    crashes: 0,
    rejections: 0,
    forged_delivered: 0,
    lost: 0,
    grown: {},
  })
})
