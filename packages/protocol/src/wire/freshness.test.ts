import { beforeEach, expect, test } from 'vitest'
import { LIMITS, PROTOCOL } from '../limits.ts'
import { Freshness } from './freshness.ts'

const NOW = 1_000_000_000_000
const key = (n: number) => Uint8Array.from({ length: 32 }, (_, i) => (n >> (8 * i)) & 255)
const frame = (sender: number, nonce: number, timestamp = NOW) => ({
  sender_id: key(sender),
  nonce: key(nonce).slice(0, 16),
  timestamp,
})
const coded = (code: string) => expect.objectContaining({ code })

let freshness: Freshness
beforeEach(() => {
  freshness = new Freshness()
})

test('a nonce is taken once from each sender', () => {
  freshness.take(frame(1, 1), NOW)
  freshness.take(frame(2, 1), NOW)
  freshness.take(frame(1, 2), NOW)
  expect(() => freshness.take(frame(1, 1), NOW)).toThrow(coded('REPLAY_DETECTED'))
  expect(() => freshness.take(frame(1, 1, NOW + 1), NOW)).toThrow(coded('REPLAY_DETECTED'))
})

test('a timestamp may be off by a minute either way and no more', () => {
  freshness.take(frame(1, 1, NOW - PROTOCOL.clockSkew), NOW)
  freshness.take(frame(1, 2, NOW + PROTOCOL.clockSkew), NOW)
  expect(() => freshness.take(frame(1, 3, NOW - PROTOCOL.clockSkew - 1), NOW)).toThrow(coded('CLOCK_SKEW'))
  expect(() => freshness.take(frame(1, 3, NOW + PROTOCOL.clockSkew + 1), NOW)).toThrow(coded('CLOCK_SKEW'))
})

test('a frame can never be taken twice, however the clock runs on', () => {
  const timestamp = NOW + PROTOCOL.clockSkew
  freshness.take(frame(1, 1, timestamp), NOW)
  for (let now = NOW; now < NOW + 2 * LIMITS.nonceMemory; now += 1_000) {
    expect(() => freshness.take(frame(1, 1, timestamp), now)).toThrow(expect.objectContaining({ name: 'TsunagiError' }))
    freshness.take(frame(2, now - NOW, now), now)
  }
})

test('one sender fills its own memory and no other; the time empties it', () => {
  for (let nonce = 0; nonce < LIMITS.maxNoncesPerSender; nonce++) freshness.take(frame(1, nonce), NOW)
  expect(() => freshness.take(frame(1, LIMITS.maxNoncesPerSender), NOW)).toThrow(coded('RATE_LIMITED'))
  expect(() => freshness.take(frame(1, 0), NOW)).toThrow(coded('REPLAY_DETECTED'))
  freshness.take(frame(2, 1), NOW)
  const later = NOW + LIMITS.nonceMemory + 1
  freshness.take(frame(1, 1, later), later)
  expect(freshness.size).toBe(1)
})

test('so many senders are remembered, and a new one does not push out an old one', () => {
  for (let sender = 0; sender < LIMITS.maxNonceSenders; sender++) freshness.take(frame(sender, 1), NOW)
  expect(() => freshness.take(frame(LIMITS.maxNonceSenders, 1), NOW)).toThrow(coded('RATE_LIMITED'))
  expect(() => freshness.take(frame(0, 1), NOW)).toThrow(coded('REPLAY_DETECTED'))
  freshness.take(frame(0, 2), NOW)
})
