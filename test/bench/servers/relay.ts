/** The least a signaling server can do: the first to come to a room is its host, and host and guests tell each other what they want. */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { type WebSocket, WebSocketServer } from 'ws'

const HOST = 0

/** @returns its address; the path names a room */
export async function startRelay(): Promise<string> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  const rooms = new Map<string, { readonly members: Map<number, WebSocket>; count: number }>()
  server.on('connection', (socket, { url = '' }) => {
    const room = rooms.get(url) ?? { members: new Map(), count: 0 }
    rooms.set(url, room)
    const number = room.count++
    room.members.set(number, socket)
    if (number !== HOST) {
      room.members.get(HOST)?.send(JSON.stringify({ from: number }))
      socket.send(JSON.stringify({ from: HOST }))
    }
    socket.on('message', (data) => {
      const { to, signal } = JSON.parse(String(data)) as { to: number; signal: unknown }
      room.members.get(to)?.send(JSON.stringify({ from: number, signal }))
    })
    socket.on('close', () => {
      room.members.delete(number)
      if (room.members.size === 0) rooms.delete(url)
    })
  })
  await once(server, 'listening')
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}`
}
