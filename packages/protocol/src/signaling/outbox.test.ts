import { beforeEach, expect, test } from 'vitest'
import { TsunagiError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import { FakeClock } from '../liveness/fake-clock.fixture.ts'
import { Outbox, type OutboxLane } from './outbox.ts'

let clock: FakeClock
let outbox: Outbox
let socketBuffer: number
let sent: string[]

beforeEach(() => {
  clock = new FakeClock()
  socketBuffer = 0
  outbox = new Outbox(clock, () => socketBuffer)
  sent = []
})

function add(lane: OutboxLane, name: string, size = 1): Promise<void> {
  return outbox.add(lane, size, async () => {
    sent.push(name)
  })
}

/** What can be sent without the clock is sent. */
const drained = () => new Promise((resolve) => setImmediate(resolve))

const addMany = (count: number, size?: number) => {
  for (let i = 0; i < count; i++) void add('link', `link ${i}`, size)
}

test('no more messages leave than a burst at once, and then so many a second', async () => {
  addMany(LIMITS.relayMessageBurst + 2 * LIMITS.relayMessageRate)
  await drained()
  expect(sent).toHaveLength(LIMITS.relayMessageBurst)
  for (let second = 1; second <= 2; second++) {
    for (let i = 0; i < 100; i++) {
      clock.advance(10)
      await drained()
    }
    expect(sent).toHaveLength(LIMITS.relayMessageBurst + second * LIMITS.relayMessageRate)
  }
  expect(clock.pending).toBe(0)
})

test('no more bytes leave than a burst at once, and then so many a second', async () => {
  const size = LIMITS.relayByteRate / 10
  addMany(100, size)
  await drained()
  const burst = Math.floor(LIMITS.relayByteBurst / size)
  expect(sent).toHaveLength(burst)
  for (let i = 0; i < 100; i++) {
    clock.advance(10)
    await drained()
  }
  expect(sent.length).toBeGreaterThanOrEqual(burst + 9)
  expect(sent.length).toBeLessThanOrEqual(burst + 10)
})

test('one that is larger than the burst leaves all the same', async () => {
  await add('link', 'large', 2 * LIMITS.relayByteBurst)
  expect(sent).toEqual(['large'])
})

test('those of a lane go one after the other, what begins a session before frames of links, also where it has to wait', async () => {
  addMany(LIMITS.relayMessageBurst + 2)
  void add('open', 'handshake')
  await drained()
  // The first link frame was on its way already.
  expect(sent.slice(0, 3)).toEqual(['link 0', 'handshake', 'link 1'])
  void add('open', 'candidates')
  await drained()
  expect(sent).not.toContain('candidates')
  clock.advance(Math.ceil(1_000 / LIMITS.relayMessageRate))
  await drained()
  expect(sent.at(-1)).toBe('candidates')
})

test('frames of links wait while the socket is full, and what begins a session does not', async () => {
  socketBuffer = LIMITS.relaySocketMark + 1
  addMany(1)
  await add('open', 'handshake')
  clock.advance(LIMITS.relaySocketPoll)
  await drained()
  expect(sent).toEqual(['handshake'])
  socketBuffer = 0
  clock.advance(LIMITS.relaySocketPoll)
  await drained()
  expect(sent).toEqual(['handshake', 'link 0'])
})

test('after a warning nothing leaves for a while', async () => {
  outbox.slowDown()
  void add('open', 'handshake')
  await drained()
  expect(sent).toEqual([])
  clock.advance(Math.ceil(1_000 / LIMITS.relayMessageRate))
  await drained()
  expect(sent).toEqual(['handshake'])
})

test('one that fails tells its sender and holds up nobody', async () => {
  const failed = outbox.add('open', 1, () => Promise.reject(new Error('no key')))
  const next = add('open', 'next')
  await expect(failed).rejects.toThrow('no key')
  await next
})

test('what waits when the socket is lost is rejected, and no timer stays', async () => {
  outbox.slowDown()
  const lost = new TsunagiError('SIGNALING_UNREACHABLE', 'gone')
  const waiting = Promise.allSettled([add('open', 'a', 100), add('link', 'b'), add('link', 'c')])
  expect([clock.pending, outbox.openBytes]).toEqual([1, 100])
  outbox.clear(lost)
  expect(await waiting).toEqual([lost, lost, lost].map((reason) => ({ status: 'rejected', reason })))
  expect([clock.pending, outbox.openBytes, sent]).toEqual([0, 0, []])
})
