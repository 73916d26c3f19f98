/** One process, one port: the page over HTTP and signaling over WebSocket. */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
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
import { Gate } from './gate.ts'
import { httpHandler } from './http.ts'
import { checkLimits, type SignalingLimits } from './limits.ts'
import { Meshes } from './mesh.ts'
import { checkHost, checkOrigins, originsAt, pageAddress } from './origins.ts'
import { systemClock } from './system-clock.ts'

/** A presence record: its fields have fixed lengths, so it is never longer. */
const PRESENCE_SIZE = 448

export interface SignalingServerOptions {
  /** 0 takes any that is free. Default 8787. */
  readonly port?: number
  /** Default 127.0.0.1: a page from another machine has no WebCrypto without TLS, so nobody is kept out by it. */
  readonly host?: string
  /** Directory of the built web app; without it only signaling and health are served. */
  readonly webApp?: string
  /** Further addresses by which people reach this server, as through a proxy: `wss://mesh.example`. */
  readonly origins?: readonly string[]
  /** Told to every proven peer. Default none. */
  readonly iceServers?: readonly IceServer[]
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
  /**
   * Takes no new sockets, tells the open ones to come back later, waits for their answers for the close timeout at most,
   * and stops listening. Idempotent.
   */
  close(): Promise<void>
}

/** @throws TsunagiError INVALID_ARGUMENT with a sentence about the option that cannot be or the port that cannot be had */
export async function createSignalingServer(options: SignalingServerOptions = {}): Promise<SignalingServer> {
  const { port = 8787, clock = systemClock, log = pino({ enabled: false }) } = options
  const host = checkHost(options.host ?? '127.0.0.1')
  const limits = checkLimits(options.limits ?? {})
  const iceServers = checkIceServers(options.iceServers ?? [], limits.sampleSize)
  const furtherOrigins = checkOrigins(options.origins ?? [])
  const crypto = options.crypto ?? (await createCryptoProvider())

  const origins = new Set(furtherOrigins)
  const gate = new Gate({ clock, crypto, iceServers, limits, log, meshes: new Meshes(limits.maxMembers), origins })
  const http = createServer(
    {
      connectionsCheckingInterval: limits.requestDeadline,
      requestTimeout: limits.requestDeadline,
    },
    httpHandler({ ready: () => gate.isOpen, webApp: options.webApp }),
  )
  http.maxConnections = limits.maxConnections + limits.maxRequests
  http.timeout = limits.requestSilence
  http.on('upgrade', (request, socket, head) => gate.upgrade(request, socket, head))
  const taken = await listen(http, host, port)
  // As when the process is out of files: those who are connected stay.
  http.on('error', ({ code }: NodeJS.ErrnoException) => log.error({ code }, 'a connection could not be taken'))
  for (const origin of originsAt(host, taken)) origins.add(origin)
  log.info({ port: taken }, 'listening')

  const stop = async () => {
    log.info('stopping')
    await gate.close()
    const closed = once(http, 'close')
    http.close()
    http.closeAllConnections()
    await closed
    log.info('stopped')
  }
  let stopped: Promise<void> | undefined
  return {
    url: pageAddress(host, taken),
    port: taken,
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

/** By the protocol's own schema: what a peer would refuse in a welcome stops the server before there is one. */
function checkIceServers(iceServers: readonly IceServer[], sampleSize: number): IceServer[] {
  const members = new Array<Bytes>(sampleSize).fill(new Uint8Array(PRESENCE_SIZE))
  const payload = { members, total: sampleSize, ice_servers: [...iceServers] }
  try {
    decodeSignaling(encodeSignaling({ type: 'welcome', payload }))
  } catch (cause) {
    throw new TsunagiError(
      'INVALID_ARGUMENT',
      'The ICE servers (TSUNAGI_ICE_SERVERS) must be at most 16 like {"urls": ["stun:stun.example:3478"]}, short enough for one welcome.',
      { cause },
    )
  }
  return payload.ice_servers
}
