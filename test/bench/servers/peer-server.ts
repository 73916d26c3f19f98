import type { AddressInfo } from 'node:net'
import { PeerServer } from 'peer'

/** PeerServer as it comes, on the loopback. @returns its address */
export async function startPeerServer(): Promise<string> {
  const server = await new Promise<{ address(): unknown }>((started) => {
    PeerServer({ port: 0, host: '127.0.0.1', path: '/', concurrent_limit: 100_000 }, started)
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
