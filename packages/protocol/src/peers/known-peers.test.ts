import { beforeEach, expect, test } from 'vitest'
import { createWebCryptoProvider } from '../crypto/index.ts'
import { peerIdOf } from '../identity/peer-id.ts'
import { LIMITS } from '../limits.ts'
import { FakeClock } from '../liveness/fake-clock.fixture.ts'
import { MemoryStore } from '../session/memory-store.fixture.ts'
import { KnownPeers } from './known-peers.ts'

const peer = peerIdOf((await createWebCryptoProvider().generateSigningKey()).publicKey)
const met = { peer, name: '', metAt: 1, seenAt: 1 }

let clock: FakeClock
let store: MemoryStore
let known: KnownPeers

beforeEach(() => {
  clock = new FakeClock()
  store = new MemoryStore()
  known = new KnownPeers(clock, store, (error) => {
    throw error
  })
})

test('one that was met is written down within pinDelay, once with the name that it told meanwhile', async () => {
  known.met(met, undefined)
  known.met({ ...met, name: 'Ada' }, undefined)
  expect((await store.load()).pinned).toEqual([])
  clock.advance(LIMITS.pinDelay)
  expect((await store.load()).pinned).toEqual([{ ...met, name: 'Ada' }])
  expect([store.writes, clock.pending]).toEqual([1, 0])
})

test('that its wake-up was taken is written down at once: no page after a crash takes the same again', async () => {
  known.met(met, undefined)
  known.woke(peer, 77)
  expect((await store.load()).pinned).toEqual([{ ...met, wokeAt: 77 }])
  expect(clock.pending).toBe(0)
})
