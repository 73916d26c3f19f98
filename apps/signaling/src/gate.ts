/** Who gets in: decided at the HTTP upgrade, before a socket exists, and undone when the server stops. */
import { type IncomingMessage, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { type ServerOptions, type WebSocket, WebSocketServer } from 'ws'
import { Connection, type ConnectionHost } from './connection.ts'
import { pathOf } from './http.ts'

/** Where the signaling WebSocket is on the host that serves the page. */
export const SIGNALING_PATH = '/signaling'

export class Gate {
  readonly #host: ConnectionHost
  readonly #upgrades: WebSocketServer
  readonly #connections = new Map<WebSocket, Connection>()
  readonly #unproven = new Set<WebSocket>()
  #isOpen = true
  /** Called when the last socket of a closed gate is gone. */
  #emptied: (() => void) | undefined

  constructor(host: ConnectionHost) {
    const { limits } = host
    this.#host = host
    // Its types do not know closeTimeout.
    const options: ServerOptions & { closeTimeout: number } = {
      noServer: true,
      clientTracking: false,
      // Measured: 240 KB a socket with compression, 8 without.
      perMessageDeflate: false,
      maxPayload: limits.maxMessage,
      maxFragments: limits.maxFragments,
      maxBufferedChunks: limits.maxChunks,
      closeTimeout: limits.closeTimeout,
    }
    this.#upgrades = new WebSocketServer(options)
  }

  get isOpen(): boolean {
    return this.#isOpen
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const refusal = this.#refusal(request)
    if (refusal === undefined) this.#upgrades.handleUpgrade(request, socket, head, (opened) => this.#enter(opened))
    else refuse(socket, refusal)
  }

  /** Lets nobody in any more and sends all away. Fulfils when they are gone, which takes the close timeout at most. */
  close(): Promise<void> {
    this.#isOpen = false
    return new Promise((resolve) => {
      this.#emptied = resolve
      for (const connection of this.#connections.values()) connection.close('goingAway')
      if (this.#connections.size === 0) resolve()
    })
  }

  #refusal(request: IncomingMessage): number | undefined {
    if (pathOf(request) !== SIGNALING_PATH) return 404
    const { maxConnections, maxUnproven } = this.#host.limits
    const full = this.#connections.size >= maxConnections || this.#unproven.size >= maxUnproven
    return full || !this.#isOpen ? 503 : undefined
  }

  #enter(socket: WebSocket): void {
    this.#unproven.add(socket)
    this.#connections.set(socket, new Connection(socket, this.#host, () => this.#unproven.delete(socket)))
    socket.on('close', () => {
      this.#unproven.delete(socket)
      this.#connections.delete(socket)
      if (this.#connections.size === 0) this.#emptied?.()
    })
  }
}

function refuse(socket: Duplex, status: number): void {
  // The other side may be gone already; there is nobody left to tell.
  socket.on('error', () => socket.destroy())
  socket.once('finish', () => socket.destroy())
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
}
