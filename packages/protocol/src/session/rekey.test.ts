import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createWebCryptoProvider } from '../crypto/webcrypto.ts'
import { KeySchedule } from '../handshake/key-schedule.ts'
import { LIMITS } from '../limits.ts'
import type { Bytes } from '../wire/bytes.ts'
import { SessionPair, type Side } from './session-pair.fixture.ts'

const crypto = createWebCryptoProvider()

vi.mock('../limits.ts', async (load) => {
  const { LIMITS, PROTOCOL } = await load<typeof import('../limits.ts')>()
  return { LIMITS: { ...LIMITS }, PROTOCOL }
})

/** Smaller than any real one, so that a test reaches them. */
const limits = LIMITS as { rekeyFrames: number; rekeyBytes: number }
const { rekeyFrames, rekeyBytes } = LIMITS
let pair: SessionPair

beforeEach(async () => {
  pair = await SessionPair.open(crypto)
})
afterEach(() => {
  Object.assign(limits, { rekeyFrames, rekeyBytes })
})

const numberOf = (frame: Bytes) => {
  const view = new DataView(frame.buffer, frame.byteOffset)
  return { epoch: view.getUint32(17), counter: view.getUint32(25) }
}
const epochsOf = (side: Side) => pair.framesOf(side).map((frame) => numberOf(frame).epoch)

/** One after the other, each acknowledged before the next. */
async function converse(messages: number): Promise<void> {
  for (let n = 0; n < messages; n++) {
    const sendings = [pair.a.send('message', n), pair.b.send('message', n)]
    await pair.quiet()
    expect(sendings.map(({ outcome }) => outcome)).toEqual(['delivered', 'delivered'])
  }
}

/** Everything that was sent by converse() has come, in order, and no frame was refused. */
function nothingAmiss(messages: number): void {
  const all = Array.from({ length: messages }, (_, n) => n)
  for (const side of [pair.a, pair.b]) {
    expect(side.received('message')).toEqual(all)
    expect(side.refusedCodes).toEqual([])
    expect(side.session.state).toBe('established')
  }
}

describe('the sender goes on to the next key', () => {
  test('after so many frames, and its counter begins anew', async () => {
    limits.rekeyFrames = 3
    await converse(20)
    nothingAmiss(20)
    for (const side of ['a', 'b'] as const) {
      const numbers = pair.framesOf(side).map(numberOf)
      expect(new Set(numbers.map(({ epoch }) => epoch)).size).toBeGreaterThan(5)
      expect(Math.max(...numbers.map(({ counter }) => counter))).toBe(2)
      expect(numbers.map(({ epoch }) => epoch)).toEqual(epochsOf(side).toSorted((x, y) => x - y))
    }
  })

  test('after so many bytes', async () => {
    limits.rekeyBytes = 10_000
    pair.a.send('message', new Uint8Array(1_000_000))
    await pair.quiet()
    expect(new Set(epochsOf('a')).size).toBeGreaterThan(10)
    expect(pair.b.received('message').map((data) => (data as Uint8Array).length)).toEqual([1_000_000])
    expect(pair.b.refusedCodes).toEqual([])
  })

  test('after so long, but not while it is silent', async () => {
    await pair.replaceLink()
    const before = epochsOf('a').at(-1) as number
    await pair.pass(LIMITS.rekeyAfter * 3)
    await converse(2)
    nothingAmiss(2)
    expect(epochsOf('a').at(-1)).toBe(before + 1)
  })
})

test('frames of several keys may be on their way at once', async () => {
  limits.rekeyFrames = 1
  const sizes = Array.from({ length: 8 }, (_, n) => 50_000 + n)
  for (const size of sizes) pair.a.send('message', new Uint8Array(size))
  await pair.quiet()
  expect(pair.b.received('message').map((data) => (data as Uint8Array).length)).toEqual(sizes)
  expect(pair.b.refusedCodes).toEqual([])
})

test('the next link begins with an epoch that neither side has used', async () => {
  limits.rekeyFrames = 2
  await converse(10)
  const used = Math.max(...epochsOf('a'), ...epochsOf('b'))
  const { a } = await pair.replaceLink()
  expect(a.epoch).toBeGreaterThan(used)
})

test('a frame of a key that was left behind is refused', async () => {
  limits.rekeyFrames = 2
  const { a } = await pair.replaceLink()
  const [old] = pair.framesOf('a').slice(-1) as [Bytes]
  await converse(6)
  a.link.send(old)
  await pair.quiet()
  expect(pair.b.refusedCodes).toHaveLength(1)
  await converse(0)
  expect(pair.b.session.state).toBe('established')
})

describe('the keys of a handshake', () => {
  const opens = async (sealed: Bytes, key: { open(nonce: Bytes, data: Bytes, sealed: Bytes): Promise<Bytes> }) =>
    key.open(new Uint8Array(12), new Uint8Array(), sealed).then(
      () => true,
      () => false,
    )

  test('follow each other alike on both sides, and none opens what another sealed', async () => {
    const [ours, theirs] = await Promise.all([crypto.generateEphemeralKey(), crypto.generateEphemeralKey()])
    const hash = crypto.randomBytes(32)
    const secret = new Uint8Array()
    const here = await (await KeySchedule.agree(crypto, ours, theirs.publicKey, secret)).trafficKeys('initiator', hash)
    const there = await (await KeySchedule.agree(crypto, theirs, ours.publicKey, secret)).trafficKeys('initiator', hash)
    const mine = [here, await here.next(), await (await here.next()).next()]
    const yours = [there, await there.next(), await (await there.next()).next()]
    for (const [i, { key }] of mine.entries()) {
      const sealed = await key.seal(new Uint8Array(12), new Uint8Array(), Uint8Array.of(1))
      const opened = await Promise.all(yours.map((chain) => opens(sealed, chain.key)))
      expect(opened).toEqual(yours.map((_, j) => i === j))
    }
  })
})
