/** Who gets in: decided at the HTTP upgrade, before a socket exists, and undone when the server stops. */
import { type IncomingMessage, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { type Server, type ServerOptions, WebSocketServer } from 'ws'
import type { Accounts } from './accounts.ts'
import { type AddressAccount, addressAccounts, nameOfAddress, type Proxies } from './addresses.ts'
import { Connection, type ConnectionHost, type Door } from './connection.ts'
import { pathOf } from './http.ts'
import { type PageOrigins, pageMayEnter } from './origins.ts'
import { PeerSocket } from './peer-socket.ts'

/** Where the signaling WebSocket is on the host that serves the page. */
export const SIGNALING_PATH = '/signaling'

/** How often a stopping gate sends some of its peers away. */
const DRAIN_STEP = 20
/** One peer every so many milliseconds is no crowd: where few are sent away they are asked to come back at once. */
const COME_BACK_SPACING = 3

const ACCOUNT = Symbol('account')

/** A TCP connection, or TLS over one, with the account in which it is counted as long as it is one of plain HTTP. */
type Line = Socket & { [ACCOUNT]?: AddressAccount | undefined }

export interface GateHost extends ConnectionHost {
  readonly pages: PageOrigins
  readonly proxies: Proxies
}

/** An answer instead of a socket. `limit` is what stands behind it, as metrics name it. */
interface Refusal {
  readonly status: 403 | 404 | 429 | 503
  readonly limit: string
  /** Milliseconds. */
  readonly retryAfter?: number
}

export class Gate implements Door {
  readonly #host: GateHost
  readonly #addresses: Accounts<AddressAccount>
  readonly #upgrades: Server<typeof PeerSocket>
  readonly #connections = new Set<Connection>()
  /** Of these, those that have not proved a key. */
  readonly #unproven = new Set<Connection>()
  /** Those that are counted and over which TLS is yet to be agreed on, by their ends. */
  readonly #handshakes = new Map<string, Line>()
  #isOpen = true
  /** Milliseconds between two looks at all connections: none is late by more than the shortest of their times. */
  readonly #step: number
  #cancelLook: () => void
  /** Called when the last socket of a closed gate is gone. */
  #emptied: (() => void) | undefined

  constructor(host: GateHost) {
    const { clock, limits } = host
    this.#host = host
    this.#addresses = addressAccounts(limits, clock)
    // Its types do not know closeTimeout.
    const options: ServerOptions<typeof PeerSocket> & { closeTimeout: number } = {
      WebSocket: PeerSocket,
      noServer: true,
      clientTracking: false,
      // Measured: 240 KB a socket with compression, 8 without.
      perMessageDeflate: false,
      // Pings are answered within the rates of their sender.
      autoPong: false,
      maxPayload: limits.maxMessage,
      maxFragments: limits.maxFragments,
      maxBufferedChunks: limits.maxChunks,
      closeTimeout: limits.closeTimeout,
    }
    this.#upgrades = new WebSocketServer(options)
    this.#step = Math.min(limits.pingInterval, limits.proofDeadline, limits.queueSweep, limits.writeDeadline)
    this.#cancelLook = clock.after(this.#step, () => this.#look())
  }

  get isOpen(): boolean {
    return this.#isOpen
  }

  get size(): number {
    return this.#connections.size
  }

  get unproven(): number {
    return this.#unproven.size
  }

  /** Bytes that wait for readers. */
  get queued(): number {
    let bytes = 0
    for (const { waiting } of this.#connections) bytes += waiting
    return bytes
  }

  /**
   * A TCP connection was taken. One address has so many at most, whatever it does with them: half a request on each of all
   * that the server takes would keep everybody else out. A listed proxy speaks for many.
   * @param isForTls what comes over it is TLS, and secured() follows
   */
  connected(socket: Line, isForTls: boolean): void {
    const name = nameOfAddress(socket.remoteAddress)
    if (name === undefined || this.#host.proxies.includes(socket.remoteAddress)) return
    const { maxConnectionsPerAddress, maxRequestsPerAddress } = this.#host.limits
    const account = this.#addresses.get(name)
    if (account.sockets + account.requests >= maxConnectionsPerAddress + maxRequestsPerAddress) {
      this.#host.metrics.refused('maxRequestsPerAddress')
      socket.destroy()
      return
    }
    account.requests++
    socket[ACCOUNT] = account
    socket.on('close', forgetRequest)
    if (!isForTls) return
    const ends = endsOf(socket)
    this.#handshakes.set(ends, socket)
    // Its ends may be those of a newer one by then.
    socket.on('close', () => {
      if (this.#handshakes.get(ends) === socket) this.#handshakes.delete(ends)
    })
  }

  /** TLS was agreed on over a connection, which is counted in its place from now on. */
  secured(socket: Line): void {
    const ends = endsOf(socket)
    const below = this.#handshakes.get(ends)
    if (below === undefined) return
    this.#handshakes.delete(ends)
    socket[ACCOUNT] = below[ACCOUNT]
    below[ACCOUNT] = undefined
    socket.on('close', forgetRequest)
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const client = this.#host.proxies.clientOf(request)
    if (client === undefined) {
      socket.destroy()
      return
    }
    const account = this.#addresses.get(client)
    const refusal = this.#refusal(request, account)
    if (refusal !== undefined) {
      this.#host.metrics.refused(refusal.limit)
      refuse(socket, refusal)
      return
    }
    this.#upgrades.handleUpgrade(request, socket, head, (opened) => {
      forgetRequest.call(socket as Line)
      opened.begin(socket as Socket)
      this.#enter(opened, account)
    })
  }

  /**
   * Lets nobody in any more and sends all away, one after the other over drainSpread. Fulfils when they are gone, which
   * takes drainDeadline at most.
   */
  async close(): Promise<void> {
    const { clock, limits } = this.#host
    this.#isOpen = false
    this.#cancelLook()
    if (this.#connections.size === 0) return
    const gone = new Promise<void>((resolve) => {
      this.#emptied = resolve
    })
    const cancelDeadline = clock.after(limits.drainDeadline, () => {
      for (const connection of this.#connections) connection.cut()
    })
    const leaving = [...this.#connections]
    const spread = Math.min(limits.drainSpread, leaving.length * COME_BACK_SPACING)
    const share = Math.max(1, Math.ceil((leaving.length * DRAIN_STEP) / limits.drainSpread))
    let cancelStep: () => void = () => undefined
    const sendAway = () => {
      // Who is told last is the first to come back: the server may be there again by then.
      for (const connection of leaving.splice(-share)) {
        connection.close('goingAway', Math.floor(Math.random() * spread))
      }
      if (leaving.length > 0) cancelStep = clock.after(DRAIN_STEP, sendAway)
    }
    sendAway()
    await gone
    cancelStep()
    cancelDeadline()
  }

  #refusal(request: IncomingMessage, account: AddressAccount): Refusal | undefined {
    const { limits, pages } = this.#host
    if (pathOf(request) !== SIGNALING_PATH) return { status: 404, limit: 'path' }
    if (!pageMayEnter(request.headers.origin, pages)) return { status: 403, limit: 'origin' }
    const retryAfter = limits.comeBackAfter
    if (!this.#isOpen) return { status: 503, limit: 'stopping', retryAfter }
    if (!account.attempts.take(1)) {
      return { status: 429, limit: 'attemptRate', retryAfter: account.attempts.waitFor(1) }
    }
    if (account.sockets >= limits.maxConnectionsPerAddress) {
      return { status: 429, limit: 'maxConnectionsPerAddress', retryAfter }
    }
    if (account.unproven >= limits.maxUnprovenPerAddress) {
      return { status: 429, limit: 'maxUnprovenPerAddress', retryAfter }
    }
    if (this.#connections.size >= limits.maxConnections) return { status: 503, limit: 'maxConnections', retryAfter }
    if (this.#unproven.size >= limits.maxUnproven) return { status: 503, limit: 'maxUnproven', retryAfter }
    return undefined
  }

  #enter(socket: PeerSocket, address: AddressAccount): void {
    const connection = new Connection(socket, this.#host, address, this)
    address.sockets++
    address.unproven++
    this.#connections.add(connection)
    this.#unproven.add(connection)
  }

  /** Idempotent. */
  proven(connection: Connection): void {
    if (this.#unproven.delete(connection)) connection.address.unproven--
  }

  left(connection: Connection): void {
    this.proven(connection)
    connection.address.sockets--
    this.#connections.delete(connection)
    if (this.#connections.size === 0) this.#emptied?.()
  }

  /**
   * At all connections, since a timer for each would cost more than the look. Sends the slowest readers away while more waits
   * for all together than there is room for.
   */
  #look(): void {
    const { clock, limits } = this.#host
    const now = clock.now()
    let waiting = 0
    for (const connection of this.#connections) {
      connection.look(now)
      waiting += connection.waiting
    }
    if (waiting > limits.maxQueued) {
      for (const connection of [...this.#connections].sort((a, b) => b.waiting - a.waiting)) {
        if (waiting <= limits.maxQueued) break
        waiting -= connection.waiting
        connection.close('tooSlow')
      }
    }
    this.#cancelLook = clock.after(this.#step, () => this.#look())
  }
}

/** One function for all: a closure for each would take more memory than the account's name. */
function forgetRequest(this: Line): void {
  const account = this[ACCOUNT]
  if (account === undefined) return
  account.requests--
  this[ACCOUNT] = undefined
  this.off('close', forgetRequest)
}

/** No two connections of one server have the same. */
function endsOf({ remoteAddress, remotePort, localAddress }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress}`
}

function refuse(socket: Duplex, { status, retryAfter }: Refusal): void {
  // The other side may be gone already; there is nobody left to tell.
  socket.on('error', () => socket.destroy())
  socket.once('finish', () => socket.destroy())
  const headers = ['Connection: close', 'Content-Length: 0']
  if (retryAfter !== undefined) headers.push(`Retry-After: ${Math.max(1, Math.ceil(retryAfter / 1_000))}`)
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${headers.join('\r\n')}\r\n\r\n`)
}
