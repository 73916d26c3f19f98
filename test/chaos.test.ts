import { expect, test } from 'vitest'
import { countReconnections } from './chaos/reconnections.ts'
import { runSessionChaos } from './chaos/sessions.ts'

/** Short versions of `pnpm chaos:sessions` and `pnpm reconnections`. */
test('every accepted message arrives once and in order, whatever happens to tabs, links and the server', async () => {
  const seed = Date.now() % 1_000_000
  console.log(`Seed ${seed}: pnpm chaos:sessions --minutes 0.5 --messages 20 --seed ${seed}`)
  const { accepted, delivered, lost, duplicated, out_of_order } = await runSessionChaos({
    seed,
    seconds: 30,
    perDirection: 20,
  })
  expect(accepted).toBeGreaterThan(300)
  expect({ delivered, lost, duplicated, out_of_order }).toEqual({
    delivered: accepted,
    lost: 0,
    duplicated: 0,
    out_of_order: 0,
  })
}, 300_000)

test('reconnections leave nothing behind, and the session stays the same', async () => {
  const { heaps, live_connections, same_session } = await countReconnections(30)
  expect(live_connections.inUse).toBe(1)
  expect(live_connections.ahead).toBeLessThanOrEqual(1)
  expect(same_session).toBe(true)
  const [first = 0, last = 0] = [heaps[0], heaps.at(-1)]
  expect(last, `heaps of ${heaps} bytes`).toBeLessThan(first + 1_000_000)
}, 300_000)
