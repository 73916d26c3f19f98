import { expect, test } from 'vitest'
import { load } from './load.ts'

test('a thousand peers at one process: every relay arrives, and a peer costs little memory', async () => {
  const { lost, relayed, rss_per_peer } = await load({ peers: 1_000, rate: 1_000, seconds: 3 })
  expect(relayed).toBe(3_000)
  expect(lost).toBe(0)
  // With what a young heap has not cleared yet; ten thousand peers take half of that each.
  expect(rss_per_peer).toBeLessThan(100_000)
})
