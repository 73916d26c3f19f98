import { expect, test } from 'vitest'
import { mapFractal } from './bench/map.ts'

/** What `pnpm bench:map` measures at length; here only that it is right. */
test('a picture drawn by other tabs, tile by tile, is that of one tab, bit for bit', async () => {
  const { tiles, equal, runs } = await mapFractal({ side: 4, pixels: 48, iterations: 500 }, [1, 3], 1)
  expect({ tiles, equal }).toEqual({ tiles: 16, equal: true })
  expect(runs.map(({ executors }) => executors)).toEqual([1, 3])
})
