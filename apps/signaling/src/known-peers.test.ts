import type { Bytes } from '@tsunagi/protocol/signaling'
import { expect, test } from 'vitest'
import { FakeClock } from './fake-clock.fixture.ts'
import { KnownPeers } from './known-peers.ts'
import { checkLimits } from './limits.ts'
import { MemoryStore } from './memory-store.ts'
import { crypto, MESH } from './serve.fixture.ts'
import type { Shelf, Store } from './store.ts'

const LIMITS = checkLimits({})

/** Counts what is written. */
class CountingStore extends MemoryStore {
  writes = 0

  override shelf(...args: Parameters<Store['shelf']>): Shelf {
    const shelf = super.shelf(...args)
    return {
      read: (name) => shelf.read(name),
      replace: (...change) => {
        this.writes++
        return shelf.replace(...change)
      },
      sweep: (now) => shelf.sweep(now),
    }
  }
}

const somebody = (): { meshId: Bytes; publicKey: Bytes } => ({ meshId: MESH, publicKey: crypto.randomBytes(32) })

test.each([
  ['that lasts is written when it comes', true, 1],
  ['that ends with the server is written when it leaves', false, 0],
])('a peer in a store %s', async (_, isLasting, writes) => {
  const store = Object.assign(new CountingStore(), { isLasting })
  const known = new KnownPeers(store, new FakeClock(), LIMITS)
  const peer = somebody()
  await known.returned(peer)
  expect(store.writes).toBe(writes)
  await known.left(peer)
  expect(store.writes).toBe(1)
  expect(await known.isKnown(peer)).toBe(true)
})

test('a peer is known from the moment in which it leaves, before that is written', async () => {
  const known = new KnownPeers(new MemoryStore(), new FakeClock(), LIMITS)
  const peer = somebody()
  const left = known.left(peer)
  expect(await known.isKnown(peer)).toBe(true)
  await left
  expect(await known.isKnown(peer)).toBe(true)
  expect(await known.isKnown(somebody())).toBe(false)
})

test('a peer that comes back is remembered for as long as one that was never there before', async () => {
  const clock = new FakeClock()
  const known = new KnownPeers(new MemoryStore(), clock, LIMITS)
  const peer = somebody()
  await known.left(peer)
  clock.advance(LIMITS.knownPeerLife - 1)
  await known.returned(peer)
  clock.advance(LIMITS.knownPeerLife - 1)
  expect(await known.isKnown(peer)).toBe(true)
})
