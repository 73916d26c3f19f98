/** The servers by which two pages find each other, in the process that runs the benchmark. */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createSignalingServer, SIGNALING_PATH } from '@tsunagi/signaling'
import { type WebSocket, WebSocketServer } from 'ws'

/** Addresses for the systems in the pages. */
export interface Servers {
  /** Passes each message on to the other page of the room that the path names: no less could be done. */
  readonly relay: string
  readonly signaling: string
}

/** What the results say of them. */
export const SERVERS_USED =
  'bare: a WebSocket relay of 20 lines, no checks; tsunagi: the signaling server of this repository. Both in the process that runs the benchmark.'

export async function startServers(): Promise<{ readonly addresses: Servers; close(): Promise<void> }> {
  const signaling = await createSignalingServer({ port: 0 })
  const relay = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  const rooms = new Map<string, Set<WebSocket>>()
  relay.on('connection', (socket, { url = '' }) => {
    const room = rooms.get(url) ?? new Set()
    rooms.set(url, room)
    for (const other of room) {
      other.send(JSON.stringify({ known: 'joined' }))
      socket.send(JSON.stringify({ known: 'present' }))
    }
    room.add(socket)
    socket.on('message', (data) => {
      for (const other of room) if (other !== socket) other.send(String(data))
    })
    socket.on('close', () => room.delete(socket))
  })
  await once(relay, 'listening')
  const { port } = relay.address() as AddressInfo
  return {
    addresses: {
      relay: `ws://127.0.0.1:${port}`,
      signaling: `ws://127.0.0.1:${signaling.port}${SIGNALING_PATH}`,
    },
    async close() {
      await signaling.close()
      for (const socket of relay.clients) socket.terminate()
      relay.close()
    },
  }
}
