/** As much of a Nostr relay (NIP-01) as Trystero uses: events go to whoever asked for their topic, and none is kept or checked. */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { type WebSocket, WebSocketServer } from 'ws'

interface NostrEvent {
  readonly id: string
  readonly tags: readonly (readonly string[])[]
}
type FromClient =
  | readonly ['EVENT', NostrEvent]
  | readonly ['REQ', string, { readonly '#x': readonly string[] }]
  | readonly ['CLOSE', string]

export async function startNostrRelay(): Promise<string> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  const subscriptions = new Map<WebSocket, Map<string, ReadonlySet<string>>>()
  server.on('connection', (socket) => {
    const own = new Map<string, ReadonlySet<string>>()
    subscriptions.set(socket, own)
    socket.on('close', () => subscriptions.delete(socket))
    socket.on('message', (data) => {
      const [kind, what, filter] = JSON.parse(String(data)) as FromClient
      if (kind === 'REQ') {
        own.set(what, new Set(filter['#x']))
        socket.send(JSON.stringify(['EOSE', what]))
      } else if (kind === 'CLOSE') {
        own.delete(what)
      } else {
        socket.send(JSON.stringify(['OK', what.id, true, '']))
        passOn(what, subscriptions)
      }
    })
  })
  await once(server, 'listening')
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}`
}

function passOn(event: NostrEvent, subscriptions: ReadonlyMap<WebSocket, Map<string, ReadonlySet<string>>>): void {
  const topic = event.tags.find(([name]) => name === 'x')?.[1] ?? ''
  for (const [socket, wanted] of subscriptions) {
    for (const [name, topics] of wanted) if (topics.has(topic)) socket.send(JSON.stringify(['EVENT', name, event]))
  }
}
