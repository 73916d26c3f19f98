import { beforeEach, expect, test } from 'vitest'
import { createWebCryptoProvider } from '../crypto/index.ts'
import { peerIdOf } from '../identity/peer-id.ts'
import { LIMITS } from '../limits.ts'
import { FakeClock } from '../liveness/fake-clock.fixture.ts'
import { MemoryStore } from '../session/memory-store.fixture.ts'
import type { Presence } from '../signaling/presence.ts'
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

test('a peer is written to by its newest record while that lasts, by the one kept of it after that, else not at all', () => {
  const record = (introductionKey: number, notAfter: number): Presence => ({
    publicKey: new Uint8Array(32),
    introductionKey: new Uint8Array([introductionKey]),
    timestamp: 0,
    notAfter,
  })
  const unknown = expect.objectContaining({ code: 'UNKNOWN_PEER' })
  expect(() => known.introductionKeyOf(peer, undefined, 10)).toThrow(unknown)
  known.met(met, record(1, 100))
  expect(known.introductionKeyOf(peer, record(2, 50), 49)).toEqual(new Uint8Array([2]))
  expect(known.introductionKeyOf(peer, record(2, 50), 50)).toEqual(new Uint8Array([1]))
  expect(known.introductionKeyOf(peer, undefined, 99)).toEqual(new Uint8Array([1]))
  expect(() => known.introductionKeyOf(peer, record(2, 50), 100)).toThrow(unknown)
})
