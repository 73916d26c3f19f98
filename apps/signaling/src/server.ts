/** One process, one port: the page over HTTP and signaling over WebSocket. Metrics have a port of their own. */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { createCryptoProvider } from '@tsunagi/protocol/crypto'
import {
  type Bytes,
  type Clock,
  type CryptoProvider,
  decodeSignaling,
  encodeSignaling,
  type IceServer,
  TsunagiError,
} from '@tsunagi/protocol/signaling'
import { type Logger, pino } from 'pino'
import { Proxies } from './addresses.ts'
import { unprovenRates } from './connection.ts'
import { Gate } from './gate.ts'
import { httpHandler } from './http.ts'
import { keyAccounts } from './keys.ts'
import { checkLimits, type SignalingLimits } from './limits.ts'
import { openLmdbStore } from './lmdb-store.ts'
import { MemoryStore } from './memory-store.ts'
import { Meshes } from './mesh.ts'
import { Metrics } from './metrics.ts'
import { checkHost, checkOrigins, checkPageOrigins, isLoopback, originsAt, pageAddress } from './origins.ts'
import { pairRates } from './pairs.ts'
import { PushHosts } from './push-hosts.ts'
import { RedisNodes } from './redis-nodes.ts'
import { RedisStore } from './redis-store.ts'
import { systemClock } from './system-clock.ts'
import { readTlsFiles, type TlsFiles } from './tls.ts'
import { type TurnOptions, turnServer } from './turn.ts'
import { Waking } from './waking.ts'

/** A presence record: its fields have fixed lengths, so it is never longer. */
const PRESENCE_SIZE = 448

const VAPID_KEY_SIZE = 65

export interface SignalingServerOptions {
  /** 0 takes any that is free. Default 8787. */
  readonly port?: number
  /** Default 127.0.0.1: a page from another machine has no WebCrypto without TLS, so nobody is kept out by it. */
  readonly host?: string
  /** Directory of the built web app; without it only signaling, health and limits are served. */
  readonly webApp?: string | undefined
  /** Further addresses by which people reach this server, as through a proxy: `wss://mesh.example`. */
  readonly origins?: readonly string[]
  /** Further pages that may open sockets, `https://app.example`, or `*` for all. Those of this server always may. */
  readonly pageOrigins?: readonly string[]
  /** Addresses and ranges of proxies whose X-Forwarded-For is believed. */
  readonly proxies?: readonly string[]
  /** Told to every proven peer. Default none. */
  readonly iceServers?: readonly IceServer[]
  /** A TURN server for which every proven peer gets credentials of its own. */
  readonly turn?: TurnOptions | undefined
  /** Without it the server speaks plain HTTP, as behind a proxy that has the certificate. */
  readonly tls?: TlsFiles | undefined
  /** Where Prometheus asks. 0 takes any port that is free. Default nowhere. */
  readonly metrics?: { readonly port: number; readonly host: string } | undefined
  /** By which it is one of many nodes. Without it the server is alone. */
  readonly redisUrl?: string | undefined
  /**
   * Directory for wake-ups that wait, push subscriptions and the key for pushes. Default: they are kept in memory, and end with
   * the server. With `redisUrl` they are in Redis.
   */
  readonly data?: string | undefined
  /** Push services, as PushHosts says. Default those of the usual browsers. */
  readonly pushHosts?: readonly string[] | undefined
  /** By which a push service reaches the operator: `mailto:` or `https:`. Default the first of `origins`. */
  readonly pushSubject?: string | undefined
  readonly limits?: Partial<SignalingLimits>
  readonly clock?: Clock
  readonly crypto?: CryptoProvider
  /** Default: nothing is logged. */
  readonly log?: Logger
}

export interface SignalingServer {
  /** Address of the page, without a path: `http://localhost:8787`. */
  readonly url: string
  readonly port: number
  /** The port of the metrics, where they were asked for. */
  readonly metricsPort: number | undefined
  /** Reads certificate and key again, for sockets to come. Those that cannot be used are logged, and the old ones stay. */
  reloadTls(): void
  /**
   * Takes no new sockets, tells the open ones to come back later, spread over drainSpread, waits for their answers, for
   * drainDeadline at most, and stops listening. Idempotent.
   */
  close(): Promise<void>
}

/** @throws TsunagiError INVALID_ARGUMENT with a sentence about the option that cannot be or the port that cannot be had */
export async function createSignalingServer(options: SignalingServerOptions = {}): Promise<SignalingServer> {
  const { port = 8787, clock = systemClock, log = pino({ enabled: false }), tls, turn } = options
  const host = checkHost(options.host ?? '127.0.0.1')
  const limits = checkLimits(options.limits ?? {})
  const iceServers = checkIceServers(options.iceServers ?? [], turn, limits)
  const furtherOrigins = checkOrigins(options.origins ?? [])
  const listed = checkPageOrigins(options.pageOrigins ?? [])
  const proxies = new Proxies(options.proxies ?? [])
  const pushHosts = new PushHosts(options.pushHosts)
  const pushSubject = checkPushSubject(options.pushSubject, furtherOrigins)
  const crypto = options.crypto ?? (await createCryptoProvider())

  const origins = new Set(furtherOrigins)
  const metrics = new Metrics()
  const nodes = options.redisUrl ? new RedisNodes({ url: options.redisUrl, clock, log }, metrics) : undefined
  const store = nodes ? new RedisStore(nodes.link) : options.data ? openLmdbStore(options.data) : new MemoryStore()
  const waking = new Waking({ clock, crypto, limits, log, metrics, store, pushHosts, pushSubject })
  const meshes = new Meshes(limits, nodes)
  const gate = new Gate({
    clock,
    crypto,
    iceServers,
    keys: keyAccounts(limits, clock),
    limits,
    log,
    meshes,
    metrics,
    origins,
    // Behind a proxy of the same machine anybody may come.
    pages: { own: origins, listed, isLocal: isLoopback(host) && (options.proxies ?? []).length === 0 },
    pairRates: pairRates(limits),
    proxies,
    turn,
    unprovenRates: unprovenRates(limits),
    waking,
  })
  metrics.watch({
    connections: () => gate.size,
    unproven: () => gate.unproven,
    meshes: () => meshes.size,
    queued: () => gate.queued,
  })

  const timeouts = { connectionsCheckingInterval: limits.requestDeadline, requestTimeout: limits.requestDeadline }
  const answer = httpHandler({
    limits,
    readiness: () => {
      if (!gate.isOpen) return 'stopping'
      return nodes?.isUp === false || !waking.isWell ? 'degraded' : 'ready'
    },
    webApp: options.webApp,
  })
  const handshakeTimeout = limits.requestDeadline
  const secure = tls && createTlsServer({ ...timeouts, handshakeTimeout, ...readTlsFiles(tls) }, answer)
  const http = secure ?? createServer(timeouts, answer)
  http.maxConnections = limits.maxConnections + limits.maxRequests
  // Of requests alone: a timer of a socket that became a peer's would stay as long as that.
  http.prependListener('request', ({ socket }) => socket.setTimeout(limits.requestSilence))
  http.on('connection', (socket: Socket) => gate.connected(socket, secure !== undefined))
  secure?.on('secureConnection', (socket) => gate.secured(socket))
  http.on('upgrade', (request, socket, head) => gate.upgrade(request, socket, head))
  const taken = await listen(http, host, port)
  // As when the process is out of files: those who are connected stay.
  http.on('error', ({ code }: NodeJS.ErrnoException) => log.error({ code }, 'a connection could not be taken'))
  for (const origin of originsAt(host, taken, tls ? 'wss' : 'ws')) origins.add(origin)
  await nodes?.connect()
  await waking.start()
  const metricsServer = options.metrics && (await serveMetrics(metrics, options.metrics))
  log.info({ port: taken, metricsPort: metricsServer?.port }, 'listening')

  const stop = async () => {
    log.info('stopping')
    await Promise.all([gate.close(), waking.drain()])
    await waking.close()
    await store.close()
    await nodes?.close()
    await Promise.all([shut(http), metricsServer?.close()])
    log.info('stopped')
  }
  let stopped: Promise<void> | undefined
  return {
    url: pageAddress(host, taken, tls ? 'https' : 'http'),
    port: taken,
    metricsPort: metricsServer?.port,
    reloadTls: () => {
      if (tls === undefined) return
      try {
        secure?.setSecureContext(readTlsFiles(tls))
        log.info('certificate read again')
      } catch (error) {
        log.error({ err: error }, 'the certificate could not be read again')
      }
    },
    close: () => {
      stopped ??= stop()
      return stopped
    },
  }
}

/** @returns the port, which is another than asked for where that was 0 */
async function listen(http: Server, host: string, port: number): Promise<number> {
  try {
    http.listen(port, host)
    await once(http, 'listening')
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw new TsunagiError(
      'INVALID_ARGUMENT',
      code === 'EADDRINUSE'
        ? `Port ${port} is in use by another program: stop that, or choose another with PORT.`
        : `This server cannot listen on port ${port} of ${host} (${code}): choose others with PORT and HOST.`,
      { cause },
    )
  }
  return (http.address() as AddressInfo).port
}

async function shut(http: Server): Promise<void> {
  const closed = once(http, 'close')
  http.close()
  http.closeAllConnections()
  await closed
}

/** On a port of its own, so that what reaches peers need not reach this. */
async function serveMetrics(metrics: Metrics, { port, host }: { readonly port: number; readonly host: string }) {
  metrics.watchProcess()
  const http = createServer((request, response) => {
    if (request.method !== 'GET' || request.url !== '/metrics') {
      response.writeHead(404).end()
      return
    }
    metrics.text().then(
      (text) => response.writeHead(200, { 'Content-Type': metrics.contentType }).end(text),
      () => response.writeHead(500).end(),
    )
  })
  const taken = await listen(http, checkHost(host), port)
  return { port: taken, close: () => shut(http) }
}

/** By the protocol's own schema: what a peer would refuse in a welcome stops the server before there is one. */
function checkIceServers(
  iceServers: readonly IceServer[],
  turn: TurnOptions | undefined,
  { sampleSize, turnLifetime }: SignalingLimits,
): readonly IceServer[] {
  const members = new Array<Bytes>(sampleSize).fill(new Uint8Array(PRESENCE_SIZE))
  const given = turn && turnServer(turn, new Uint8Array(32), turnLifetime, Date.now())
  const ice_servers = given ? [...iceServers, given] : [...iceServers]
  const payload = { members, total: sampleSize, ice_servers, vapid_key: new Uint8Array(VAPID_KEY_SIZE) }
  try {
    decodeSignaling(encodeSignaling({ type: 'welcome', payload }))
  } catch (cause) {
    throw new TsunagiError(
      'INVALID_ARGUMENT',
      'The ICE servers (TSUNAGI_ICE_SERVERS, and TSUNAGI_TURN_URLS) must be at most 16 like {"urls": ["stun:stun.example:3478"]}, short enough for one welcome.',
      { cause },
    )
  }
  return iceServers
}

/** A push service may refuse pushes of who cannot be reached; one that only tries this out need not be. */
function checkPushSubject(subject: string | undefined, origins: readonly string[]): string {
  const [first] = origins
  const chosen = subject ?? first?.replace(/^ws/, 'http') ?? 'mailto:operator@tsunagi.invalid'
  if (/^(https:\/\/.|mailto:.+@.)/.test(chosen) && URL.canParse(chosen)) return chosen
  if (subject === undefined) return 'mailto:operator@tsunagi.invalid'
  throw new TsunagiError(
    'INVALID_ARGUMENT',
    `TSUNAGI_PUSH_SUBJECT is "${subject}", but must be like mailto:you@example.org or https://example.org.`,
  )
}
