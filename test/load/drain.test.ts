/** A server that is stopped while its peers are at work. */
import { createCryptoProvider } from '@tsunagi/protocol/crypto'
import { utf8 } from '@tsunagi/protocol/signaling'
import { expect, test } from 'vitest'
import { MESH } from './attacks.ts'
import { makePeers } from './load.ts'
import type { LoadPeer } from './load-peer.ts'
import { ServerProcess } from './server-process.ts'

const PEERS = 50

/**
 * Relays one message after the other, each with a ping behind it. The pong says that the server has taken the relay: it
 * works through what a peer sends in order, and where there is no addressee its error comes before.
 */
function talk(peer: LoadPeer, others: readonly LoadPeer[], accepted: Set<string>): () => void {
  let count = 0
  let refused = 0
  const under = new Map<string, string>()
  peer.onError = () => refused++
  peer.onPong = (pong) => {
    const id = under.get(pong.toString())
    if (id !== undefined && refused === 0) accepted.add(id)
    refused = 0
  }
  const timer = setInterval(() => {
    if (!peer.isOpen) return clearInterval(timer)
    const to = others[Math.floor(Math.random() * others.length)]
    if (to === undefined || to === peer) return undefined
    const ping = `${count++}`
    const id = `${Buffer.from(peer.key.publicKey).toString('hex')} ${ping}`
    under.set(ping, id)
    peer.relay(to.key.publicKey, utf8(id))
    peer.ping(utf8(ping))
    return undefined
  }, 20)
  return () => clearInterval(timer)
}

test('what a stopping server has taken arrives, all are told to come back, and it ends in time with 0', async () => {
  const server = await ServerProcess.start({ TSUNAGI_DRAIN_SPREAD: '1500', TSUNAGI_DRAIN_DEADLINE: '8000' })
  const peers = await makePeers(await createCryptoProvider(), PEERS, MESH)
  const accepted = new Set<string>()
  const arrived = new Set<string>()
  const codes: Promise<number>[] = []
  for (const peer of peers) {
    await peer.join(server.url)
    peer.onRelay = (payload) => arrived.add(payload.toString())
    codes.push(peer.closed())
  }
  const ends = peers.map((peer) => talk(peer, peers, accepted))
  await expect.poll(() => accepted.size, { timeout: 20_000 }).toBeGreaterThan(2_000)
  const before = accepted.size
  const begun = performance.now()
  server.signal('SIGTERM')
  expect(new Set(await Promise.all(codes))).toEqual(new Set([4000]))
  expect(await server.exit).toBe(0)
  const took = performance.now() - begun
  for (const end of ends) end()

  expect(took).toBeGreaterThan(1_000)
  expect(took).toBeLessThan(10_000)
  // It went on relaying between those that were still there.
  expect(accepted.size).toBeGreaterThan(before)
  expect([...accepted].filter((id) => !arrived.has(id))).toEqual([])
})
