/** The store of a node that is alone with its Redis. */
import { pino } from 'pino'
import { RedisLink } from './redis-link.ts'
import { RedisStore } from './redis-store.ts'
import type { Store } from './store.ts'
import { systemClock } from './system-clock.ts'

export async function openRedisStore(url: string): Promise<Store> {
  const nothing = async () => undefined
  const events = { up: nothing, beat: nothing, down: () => undefined, message: () => undefined }
  const link = new RedisLink({ url, clock: systemClock, log: pino({ enabled: false }) }, events)
  await link.connect()
  const store = new RedisStore(link)
  return { isLasting: store.isLasting, shelf: (name, room) => store.shelf(name, room), close: () => link.close() }
}
