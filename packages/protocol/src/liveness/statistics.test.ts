import fc from 'fast-check'
import { expect, test } from 'vitest'
import { TsunagiError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import { PeerCounters, RoundTrips } from './statistics.ts'

function tripsOf(samples: number[]): RoundTrips {
  const trips = new RoundTrips()
  for (const sample of samples) trips.add(sample)
  return trips
}

test('before the first round trip there is no figure', () => {
  expect([new RoundTrips().median, new RoundTrips().p95]).toEqual([undefined, undefined])
})

test('median and 95th percentile are of numbers, not of texts', () => {
  const trips = tripsOf([100, 9, 20])
  expect([trips.median, trips.p95]).toEqual([20, 100])
  expect(tripsOf(Array.from({ length: 20 }, (_, i) => i + 1)).p95).toBe(19)
})

test('the figures are of the latest samples alone, and half of them are not above the median', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(10_000), { minLength: 1, maxLength: 200, size: 'max' }), (samples) => {
      const trips = tripsOf(samples)
      const latest = samples.slice(-LIMITS.roundTripSamples)
      const notAbove = (most = -1) => latest.filter((sample) => sample <= most).length
      expect(latest).toContain(trips.median)
      expect(latest).toContain(trips.p95)
      expect(notAbove(trips.median)).toBeGreaterThanOrEqual(latest.length * 0.5)
      expect(notAbove(trips.p95)).toBeGreaterThanOrEqual(latest.length * 0.95)
      expect(notAbove((trips.p95 ?? 0) - 1)).toBeLessThan(latest.length * 0.95)
    }),
  )
})

test('a snapshot holds what was counted and does not change afterwards', () => {
  const counters = new PeerCounters()
  counters.sent(100)
  counters.sent(50)
  counters.received(30, 1_000)
  counters.delivered(2)
  counters.failed(new TsunagiError('QUEUE_FULL', 'Too much waits.'), 1_500)
  counters.frameRejected(new TsunagiError('INVALID_SIGNATURE', 'Not signed.'), 2_000)
  counters.roundTrips.add(12)
  const snapshot = counters.snapshot()
  counters.sent(1)
  expect(snapshot).toEqual({
    messagesSent: 2,
    messagesReceived: 1,
    bytesSent: 150,
    bytesReceived: 30,
    delivered: 2,
    failed: 1,
    framesRejected: 1,
    roundTripMedian: 12,
    roundTripP95: 12,
    lastSeen: 1_000,
    lastError: { code: 'INVALID_SIGNATURE', message: 'Not signed.', at: 2_000 },
  })
})
