/**
 * For many nodes: any of them knows what another was told. What has to be one step is a script, which Redis runs whole.
 *
 *     tsunagi:shelf:<shelf>       name → Stored
 *     tsunagi:shelf:<shelf>:due   names, by when they are due
 */
import type { RedisLink } from './redis-link.ts'
import { type Room, type Shelf, type Store, type Stored, SWEPT_AT_ONCE } from './store.ts'

const REPLACE = `
local name, held, next, due, most, whenFull = unpack(ARGV)
local current = redis.call('HGET', KEYS[1], name)
if (current or '') ~= held then return 'changed' end
if next == '' then
  redis.call('HDEL', KEYS[1], name)
  redis.call('ZREM', KEYS[2], name)
  return 'done'
end
if not current and redis.call('HLEN', KEYS[1]) >= tonumber(most) then
  if whenFull == 'refuse' then return 'full' end
  local first = redis.call('ZPOPMIN', KEYS[2])
  if first[1] then redis.call('HDEL', KEYS[1], first[1]) end
end
redis.call('HSET', KEYS[1], name, next)
redis.call('ZADD', KEYS[2], due, name)
return 'done'`

const SWEEP = `
local gone = {}
for i, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])) do
  gone[i] = redis.call('HGET', KEYS[1], name) or ''
  redis.call('HDEL', KEYS[1], name)
  redis.call('ZREM', KEYS[2], name)
end
return gone`

/** Its connection is the nodes', and ends with them. */
export class RedisStore implements Store {
  readonly isLasting = true
  readonly #link: RedisLink

  constructor(link: RedisLink) {
    this.#link = link
  }

  shelf(name: string, room: Room): Shelf {
    return new RedisShelf(this.#link, name, room)
  }

  async close(): Promise<void> {
    // See above.
  }
}

class RedisShelf implements Shelf {
  readonly #link: RedisLink
  readonly #room: Room
  readonly #keys: readonly [records: string, due: string]

  constructor(link: RedisLink, name: string, room: Room) {
    this.#link = link
    this.#room = room
    this.#keys = [`tsunagi:shelf:${name}`, `tsunagi:shelf:${name}:due`]
  }

  async read(name: string): Promise<Stored | undefined> {
    this.#refuseWhenFull()
    const text = await this.#link.commands.hget(this.#keys[0], name)
    return text === null ? undefined : JSON.parse(text)
  }

  async replace(
    name: string,
    held: Stored | undefined,
    next: Stored | undefined,
  ): Promise<'done' | 'changed' | 'full'> {
    this.#refuseWhenFull()
    const [was, is] = [held, next].map((stored) => (stored === undefined ? '' : JSON.stringify(stored)))
    const { records, whenFull } = this.#room
    const due = next?.due ?? 0
    const args = [name, was ?? '', is ?? '', due, records, whenFull]
    return (await this.#link.commands.eval(REPLACE, 2, ...this.#keys, ...args)) as 'done' | 'changed' | 'full'
  }

  async sweep(now: number): Promise<string[]> {
    const gone = (await this.#link.commands.eval(SWEEP, 2, ...this.#keys, now, SWEPT_AT_ONCE)) as string[]
    return gone.filter((stored) => stored !== '').map((stored) => (JSON.parse(stored) as Stored).text)
  }

  #refuseWhenFull(): void {
    if (this.#link.isFull) throw new Error('Too much waits for Redis.')
  }
}
