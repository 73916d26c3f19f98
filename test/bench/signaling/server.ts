/** `server.ts KIND`: runs one signaling server until it is killed. Tells who started it its port, and on every message what it costs. */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createSignalingServer } from '@tsunagi/signaling'
import { PeerServer } from 'peer'
import { type WebSocket, WebSocketServer } from 'ws'

export type Kind = 'bare' | 'peerserver' | 'tsunagi'

/** What a server process has used up to now. */
export interface Usage {
  /** Seconds. */
  readonly cpu: number
  /** Bytes of objects and buffers, after a garbage collection: what the process has got hangs on what it did before. */
  readonly memory: number
}

/** All clients come from one address and send as fast as they can: what one of them may do is not limited, the rest is. */
const MOST = 1_000_000
const LIMITS = {
  maxConnectionsPerAddress: MOST,
  maxUnprovenPerAddress: 1_000,
  attemptRate: MOST,
  attemptBurst: MOST,
  messageRate: MOST,
  messageBurst: MOST,
  keyMessageRate: MOST,
  keyMessageBurst: MOST,
  pairMessageRate: MOST,
  pairMessageBurst: MOST,
  byteRate: 1_024 ** 3,
  byteBurst: 1_024 ** 3,
  keyByteRate: 1_024 ** 3,
  keyByteBurst: 1_024 ** 3,
  pairByteRate: 1_024 ** 3,
  pairByteBurst: 1_024 ** 3,
}

const START: Record<Kind, () => Promise<number>> = {
  /** Sockets are numbered; a message begins with the number of whom it is for, which becomes that of its sender. */
  async bare() {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
    const sockets: WebSocket[] = []
    server.on('connection', (socket) => {
      const number = sockets.push(socket) - 1
      const own = Buffer.alloc(4)
      own.writeUInt32BE(number)
      socket.on('message', (data: Buffer) => {
        const to = sockets[data.readUInt32BE(0)]
        data.writeUInt32BE(number)
        to?.send(data)
      })
      socket.send(own)
    })
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  },
  async peerserver() {
    const server = await new Promise<{ address(): unknown }>((started) => {
      PeerServer({ port: 0, host: '127.0.0.1', path: '/', concurrent_limit: MOST }, started)
    })
    return (server.address() as AddressInfo).port
  },
  async tsunagi() {
    return (await createSignalingServer({ port: 0, limits: LIMITS })).port
  },
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

if (process.argv[1] === import.meta.filename) {
  /** Seconds spent on being asked: a collection would count for what follows it, and for the larger heap most. */
  let asked = 0
  process.on('message', () => {
    const cpu = cpuSeconds()
    // What the first frees of buffers may be counted only when the second begins.
    globalThis.gc?.()
    globalThis.gc?.()
    const { heapUsed, external } = process.memoryUsage()
    process.send?.({ cpu: cpu - asked, memory: heapUsed + external } satisfies Usage)
    asked += cpuSeconds() - cpu
  })
  process.send?.({ port: await START[process.argv[2] as Kind]() })
}
