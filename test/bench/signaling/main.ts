/**
 * `pnpm bench:server [--connections 100,1000,5000] [--seconds N] [--rounds N]`: a bare relay of `ws`, PeerServer, and this
 * repository's server, each in a process of its own on the loopback, one after the other. Who makes the load shares the
 * processor with them, so what counts most is what a server does in a second of its own. A run with the usual figures writes results.json.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { createCryptoProvider } from '@tsunagi/protocol/crypto'
import { eachOf } from '../../load/load-peer.ts'
import { head } from '../results.ts'
import { median, quantile, rounded } from '../statistics.ts'
import { type Client, makeClient } from './clients.ts'
import type { Kind, Usage } from './server.ts'

const KINDS: readonly Kind[] = ['bare', 'peerserver', 'tsunagi']
const USUAL = { connections: '100,1000,5000', seconds: '3', rounds: '3' }
/** A process may have 20,000 files, and both ends of a connection are some. */
const MOST_CONNECTIONS = 9_000
/** Joins under way at once, and messages. */
const JOINS = 100
const MESSAGES = 256
/** Of fewer connections what else a collection finds or leaves is more than they take. */
const LEAST_FOR_MEMORY = 1_000
/** Clients before those that count. */
const WARMING = 100
/** Milliseconds until a server is quiet. */
const SETTLING = 1_000

interface Figures {
  readonly 'joins/s': number
  readonly 'joins per CPU second': number
  /** Of an idle connection; ours has proved its key. NaN where there were too few to tell. */
  readonly 'bytes per connection': number
  readonly 'messages/s': number
  readonly 'messages per CPU second': number
  /** Milliseconds, with MESSAGES always under way. */
  readonly p50: number
  readonly p99: number
}

const { values: options } = parseArgs({
  options: {
    connections: { type: 'string', default: USUAL.connections },
    seconds: { type: 'string', default: USUAL.seconds },
    rounds: { type: 'string', default: USUAL.rounds },
  },
})
const counts = options.connections.split(',').map((text) => whole('connections', text, MOST_CONNECTIONS))
const seconds = whole('seconds', options.seconds, 60)
const rounds = whole('rounds', options.rounds, 100)
const crypto = await createCryptoProvider()
const environment = await head()
const rows: Record<string, string | number>[] = []
for (const connections of counts) {
  const measured = new Map<Kind, Figures[]>(KINDS.map((kind) => [kind, []]))
  for (let round = 0; round < rounds; round++) {
    for (const kind of round % 2 === 0 ? KINDS : KINDS.toReversed()) {
      measured.get(kind)?.push(await measure(kind, connections))
    }
  }
  const bare = mediansOf(measured.get('bare') ?? [])
  for (const kind of KINDS) {
    const figures = mediansOf(measured.get(kind) ?? [])
    rows.push({
      server: kind,
      connections,
      ...Object.fromEntries(Object.entries(figures).map(([name, value]) => [name, rounded(value)])),
      'messages per CPU second, ratio to bare': ratio('messages per CPU second'),
      'bytes per connection, ratio to bare': ratio('bytes per connection'),
    })

    function ratio(name: keyof Figures): number {
      return rounded(figures[name] / bare[name])
    }
  }
}
console.table(rows)
if (Object.entries(USUAL).every(([name, value]) => options[name as keyof typeof USUAL] === value)) {
  const file = path.join(import.meta.dirname, 'results.json')
  await writeFile(file, `${JSON.stringify({ ...environment, servers: undefined, rounds, rows }, null, 2)}\n`)
} else console.log('Nothing was written: the figures asked for were not the usual ones.')

async function measure(kind: Kind, connections: number): Promise<Figures> {
  const server = fork(path.join(import.meta.dirname, 'server.ts'), [kind], {
    execArgv: ['--conditions=source', '--import', 'tsx', '--expose-gc'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const ended = once(server, 'exit')
  try {
    const [{ port }] = (await once(server, 'message')) as [{ port: number }]
    const clientsOf = (count: number) =>
      Promise.all(Array.from({ length: count }, () => makeClient(kind, port, crypto)))
    await warmUp(await clientsOf(WARMING))
    const clients = await clientsOf(connections)
    const empty = await usageOf(server)
    const start = performance.now()
    await eachOf(clients, JOINS, (client) => client.join())
    const joined = (performance.now() - start) / 1_000
    const joining = await usageOf(server)
    await new Promise((settled) => setTimeout(settled, SETTLING))
    const idle = await usageOf(server)
    const times = await exchange(clients, seconds)
    const busy = await usageOf(server)
    for (const client of clients) client.leave()
    return {
      'joins/s': connections / joined,
      'joins per CPU second': connections / (joining.cpu - empty.cpu),
      'bytes per connection': connections < LEAST_FOR_MEMORY ? Number.NaN : (idle.memory - empty.memory) / connections,
      'messages/s': times.length / seconds,
      'messages per CPU second': times.length / (busy.cpu - idle.cpu),
      p50: quantile(times, 0.5),
      p99: quantile(times, 0.99),
    }
  } finally {
    server.kill('SIGKILL')
    await ended
  }
}

/** What a server compiles and takes once and for all, it does for these. */
async function warmUp(clients: readonly Client[]): Promise<void> {
  await eachOf(clients, JOINS, (client) => client.join())
  await exchange(clients, 1)
  for (const client of clients) client.leave()
  await new Promise((settled) => setTimeout(settled, SETTLING))
}

async function usageOf(server: ChildProcess): Promise<Usage> {
  server.send('usage')
  const [usage] = (await once(server, 'message')) as [Usage]
  return usage
}

/** Each that arrives is followed by another, from one client drawn at random to another. @returns milliseconds of each */
async function exchange(clients: readonly Client[], duration: number): Promise<number[]> {
  const times: number[] = []
  const end = performance.now() + duration * 1_000
  let underWay = 0
  await new Promise<void>((finished) => {
    const sendOne = () => {
      const from = Math.floor(Math.random() * clients.length)
      const to = (from + 1 + Math.floor(Math.random() * (clients.length - 1))) % clients.length
      clients[from]?.send(clients[to] as Client)
      underWay++
    }
    for (const client of clients) {
      client.onMessage = (sentAt) => {
        times.push(performance.now() - sentAt)
        underWay--
        if (performance.now() < end) sendOne()
        else if (underWay === 0) finished()
      }
    }
    for (let n = 0; n < MESSAGES; n++) sendOne()
  })
  return times
}

function mediansOf(figures: readonly Figures[]): Figures {
  const of = (name: keyof Figures) => median(figures.map((each) => each[name]))
  return {
    'joins/s': of('joins/s'),
    'joins per CPU second': of('joins per CPU second'),
    'bytes per connection': of('bytes per connection'),
    'messages/s': of('messages/s'),
    'messages per CPU second': of('messages per CPU second'),
    p50: of('p50'),
    p99: of('p99'),
  }
}

function whole(option: string, text: string, most: number): number {
  const value = Number(text)
  if (Number.isInteger(value) && value >= 1 && value <= most) return value
  throw new Error(`--${option} takes whole numbers from 1 to ${most}.`)
}
