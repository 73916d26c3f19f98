/** So many peers at one server: their joins, their relays, what they cost, and their coming back after a restart. */
import { createCryptoProvider } from '@tsunagi/protocol/crypto'
import type { CryptoProvider } from '@tsunagi/protocol/signaling'
import { eachOf, LoadPeer } from './load-peer.ts'
import { ServerProcess } from './server-process.ts'
import { traffic } from './traffic.ts'

/** A process has 20,000 files, and each socket takes one at either end. */
export const MOST_PEERS = 15_000
export const MOST_RATE = 50_000
export const MOST_SECONDS = 300

const CPU = 'process_cpu_seconds_total'

/** Joins under way at once while the peers come for the first time. */
const JOINS = 200

export interface Load {
  readonly peers: number
  /** Relays a second, of all together. */
  readonly rate: number
  readonly seconds: number
  /** Whether the server is stopped and started in the end. */
  readonly restart?: boolean
  readonly log?: (line: string) => void
}

/** The names are those of the line that `pnpm load` ends with. */
export interface LoadFigures {
  readonly peers: number
  readonly rate: number
  readonly relayed: number
  readonly lost: number
  readonly p50_ms: number
  readonly p99_ms: number
  /** Bytes of the server's memory for each peer, beyond what it has without any. */
  readonly rss_per_peer: number
}

/** All come from one address, so what one address may do is not limited; the other limits are. */
function settings(peers: number): Record<string, string> {
  return {
    TSUNAGI_MAX_CONNECTIONS: `${peers + 100}`,
    TSUNAGI_MAX_CONNECTIONS_PER_ADDRESS: `${peers + 100}`,
    TSUNAGI_MAX_UNPROVEN_PER_ADDRESS: '1000',
    TSUNAGI_ATTEMPT_RATE: '1000000',
    TSUNAGI_ATTEMPT_BURST: '1000000',
    TSUNAGI_MAX_MEMBERS: `${peers + 100}`,
  }
}

export async function load({
  peers: count,
  rate,
  seconds,
  restart,
  log = () => undefined,
}: Load): Promise<LoadFigures> {
  let server = await ServerProcess.start(settings(count))
  try {
    const empty = await server.memory()
    const crypto = await createCryptoProvider()
    const peers = await makePeers(crypto, count)
    const took = await timed(() => eachOf(peers, JOINS, (peer) => peer.join(server.url)))
    log(`${count} peers joined in ${inSeconds(took)}: ${Math.round((1_000 * count) / took)} a second`)
    const quiet = (await server.memory()) - empty
    log(`${Math.round(quiet / count)} bytes a peer when all have joined`)
    const before = await server.metrics()
    const figures = await traffic(peers, { rate, duration: 1_000 * seconds })
    const metrics = await server.metrics()
    const rss = (metrics.get('process_resident_memory_bytes') ?? Number.NaN) - empty
    const busy = ((metrics.get(CPU) ?? Number.NaN) - (before.get(CPU) ?? Number.NaN)) / seconds
    log(`the server took ${Math.round(100 * busy)} % of a core while it relayed`)
    log(
      `event loop of the server: p99 ${round(1_000 * (metrics.get('nodejs_eventloop_lag_p99_seconds') ?? Number.NaN))} ms`,
    )
    if (restart) server = await restartAndReturn(server, peers, log)
    for (const peer of peers) peer.leave()
    return {
      peers: count,
      rate,
      relayed: figures.relayed,
      lost: figures.lost,
      p50_ms: round(figures.p50),
      p99_ms: round(figures.p99),
      rss_per_peer: Math.round(rss / count),
    }
  } finally {
    server.signal('SIGKILL')
    await server.exit
  }
}

/** The server ends by SIGKILL and a new one starts at its port; all come back as clients do. */
async function restartAndReturn(old: ServerProcess, peers: LoadPeer[], log: (line: string) => void) {
  old.signal('SIGKILL')
  await old.exit
  const server = await ServerProcess.start({ ...settings(peers.length), PORT: `${old.port}` })
  const took = await timed(() => Promise.all(peers.map((peer) => peer.comeBack(server.url))))
  const refused = peers.reduce((sum, { refusals }) => sum + refusals, 0)
  const limits = [...(await server.metrics())].filter(([name, n]) => name.startsWith('tsunagi_refused_total') && n > 0)
  log(`all ${peers.length} came back in ${inSeconds(took)} after a restart; ${refused} attempts were refused`)
  for (const [name, times] of limits) log(`  ${name} ${times}`)
  return server
}

export async function makePeers(crypto: CryptoProvider, count: number, meshId = new Uint8Array(32).fill(7)) {
  const peers: LoadPeer[] = []
  while (peers.length < count) peers.push(new LoadPeer(crypto, await crypto.generateSigningKey(), meshId))
  return peers
}

async function timed(action: () => Promise<unknown>): Promise<number> {
  const begun = performance.now()
  await action()
  return performance.now() - begun
}

const round = (milliseconds: number) => Math.round(10 * milliseconds) / 10
const inSeconds = (milliseconds: number) => `${(milliseconds / 1_000).toFixed(1)} s`
