import { beforeEach, describe, expect, test, vi } from 'vitest'
import { createWebCryptoProvider } from '../crypto/webcrypto.ts'
import type { Channel } from '../handshake/channel.ts'
import { LIMITS, PROTOCOL } from '../limits.ts'
import { type ResumptionPoint, SESSION_TYPES } from '../messages.ts'
import { type Bytes, concat } from '../wire/bytes.ts'
import { encodeCbor } from '../wire/cbor.ts'
import { uuidBytes, uuidV4 } from '../wire/uuid.ts'
import { FRAME_OVERHEAD, HEADER_LENGTH, nonceOf, RECORD_HEAD, type Record } from './frame.ts'
import { type FrameChanges, FrameWriter, record, typed } from './hostile/frame-writer.fixture.ts'
import {
  linkThatAddsAlteredFrames,
  linkThatAltersFrames,
  linkThatInjects,
  linkThatReflectsFrames,
  linkThatRepeatsFrames,
  linkThatSkipsCounters,
  linkThatTruncatesFrames,
  type Tampering,
} from './hostile/links-that-tamper.fixture.ts'
import { peerThatBreaksTheRules, type Siege, UNKNOWN_TYPE } from './hostile/peer-that-breaks-the-rules.fixture.ts'
import {
  thiefOfASignature,
  thiefThatDoesNotSign,
  thiefWithAKeyOfItsOwn,
} from './hostile/thief-of-traffic-keys.fixture.ts'
import { durablePayload } from './inbox.ts'
import { MemoryStore } from './memory-store.fixture.ts'
import { type DurableSending, losing, passing, type Sending, SessionPair } from './session-pair.fixture.ts'

// Megabytes are signed and encrypted here, which takes a busy machine its time.
vi.setConfig({ testTimeout: 30_000 })

const crypto = createWebCryptoProvider()
const eight = (seed: number) => new Uint8Array(8).fill(seed)
/** Bytes of a frame with one message of eight. */
const FRAME = FRAME_OVERHEAD + RECORD_HEAD + 8

let pair: SessionPair
beforeEach(async () => {
  pair = await SessionPair.open(crypto)
})

/** What a frame with one bit altered at this byte is refused with, as long as its counter is below 128. */
function refusalAt(position: number): string {
  if (position === 0) return 'INVALID_FORMAT'
  if (position < 21) return 'SESSION_NOT_FOUND'
  // A counter beyond 2^53.
  if (position < 23) return 'INVALID_FORMAT'
  return 'DECRYPTION_FAILED'
}
const positions = Array.from({ length: FRAME }, (_, i) => i)

/** The session lives: what is sent now, either way, arrives, and nothing that was not sent. */
async function goesOn(on: SessionPair): Promise<void> {
  on.wire = passing
  const before = [on.a.received().length, on.b.received().length] as const
  const sendings = [on.a.send('message', 'still here'), on.b.send('message', 'here too')]
  await on.quiet()
  expect(sendings.map(({ outcome }) => outcome)).toEqual(['delivered', 'delivered'])
  expect(on.b.received().slice(before[1])).toEqual(['still here'])
  expect(on.a.received().slice(before[0])).toEqual(['here too'])
}

describe('whoever carries the frames', () => {
  test('cannot alter any byte of one', async () => {
    for (const position of positions) {
      pair.wire = linkThatAddsAlteredFrames(position).wire
      const sending = pair.a.send('message', eight(position))
      await pair.quiet()
      expect(sending.outcome).toBe('delivered')
    }
    expect(pair.framesOf('a').map((frame) => frame.length)).toEqual(positions.map(() => FRAME))
    expect(pair.b.refusedCodes).toEqual(positions.map(refusalAt))
    expect(pair.b.received()).toEqual(positions.map(eight))
    await goesOn(pair)
  })

  test('cannot put an altered one in its place: it is sent again', async () => {
    for (const position of positions.slice(0, HEADER_LENGTH + 10)) {
      pair.wire = linkThatAltersFrames(position).wire
      const replaced = pair.a.send('message', eight(position))
      await pair.quiet()
      expect(replaced.outcome).toBeUndefined()
      expect(pair.b.refusedCodes.at(-1)).toBe(refusalAt(position))
      pair.wire = passing
      const next = pair.a.send('message', position)
      await pair.quiet()
      expect([replaced.outcome, next.outcome]).toEqual(['delivered', 'delivered'])
      expect(pair.b.received().slice(-2)).toEqual([eight(position), position])
    }
    expect(pair.b.received().length).toBe(2 * (HEADER_LENGTH + 10))
    await goesOn(pair)
  })

  test.each<[string, Tampering, ...string[]]>([
    ['repeat frames', linkThatRepeatsFrames(), 'REPLAY_DETECTED'],
    ['reflect frames to their sender', linkThatReflectsFrames(), 'DECRYPTION_FAILED'],
    ['put a counter far ahead', linkThatSkipsCounters(), 'DECRYPTION_FAILED'],
    ['cut off one byte', linkThatTruncatesFrames((whole) => whole - 1), 'DECRYPTION_FAILED', 'INVALID_FORMAT'],
    ['cut off the signature', linkThatTruncatesFrames((whole) => whole - 64), 'INVALID_FORMAT'],
    ['cut off all but the header', linkThatTruncatesFrames(() => HEADER_LENGTH), 'INVALID_FORMAT'],
    ['send nothing', linkThatTruncatesFrames(() => 0), 'INVALID_FORMAT'],
  ])('cannot %s', async (_, tampering, ...codes) => {
    pair.wire = tampering.wire
    const sendings = [1, 2, 3].map((i) => pair.a.send('message', eight(i)))
    await pair.quiet()
    pair.b.send('message', 'answer')
    await pair.quiet()
    expect(sendings.map(({ outcome }) => outcome)).toEqual(['delivered', 'delivered', 'delivered'])
    expect(pair.b.received()).toEqual([eight(1), eight(2), eight(3)])
    expect(pair.a.received()).toEqual(['answer'])
    expect(tampering.done()).toBeGreaterThan(0)
    const refused = [...pair.a.refusedCodes, ...pair.b.refusedCodes]
    expect(refused.length).toBeGreaterThanOrEqual(tampering.done())
    expect(new Set(refused)).toEqual(new Set(codes))
    await goesOn(pair)
  })

  test('cannot repeat a whole conversation later', async () => {
    for (let i = 0; i < 20; i++) {
      pair.a.send('message', i)
      await pair.quiet()
    }
    pair.wire = linkThatInjects(pair.framesOf('a'), 'b').wire
    pair.a.send('message', 20)
    await pair.quiet()
    expect(pair.b.refusedCodes).toEqual(Array.from({ length: 20 }, () => 'REPLAY_DETECTED'))
    expect(pair.b.received()).toEqual(Array.from({ length: 21 }, (_, i) => i))
    await goesOn(pair)
  })

  test('cannot bring in frames of another session of the same two peers, not even with its name on them', async () => {
    const [a, b] = [await crypto.generateSigningKey(), await crypto.generateSigningKey()]
    const ids = [uuidV4(crypto.randomBytes(16)), uuidV4(crypto.randomBytes(16))] as const
    const [one, other] = [
      await SessionPair.between(crypto, a, b, { id: ids[0] }),
      await SessionPair.between(crypto, a, b, { id: ids[1] }),
    ]
    for (const i of [1, 2]) {
      other.a.send('message', `of another session ${i}`)
      await other.quiet()
    }
    const [first, second] = other.framesOf('a') as [Bytes, Bytes]
    second.set(ids[0], 1)
    one.wire = linkThatInjects([first, second], 'b').wire
    one.a.send('message', 'honest')
    await one.quiet()
    expect(one.b.refusedCodes).toEqual(['SESSION_NOT_FOUND', 'DECRYPTION_FAILED'])
    expect(one.b.received()).toEqual(['honest'])
    await goesOn(one)
  })

  test('cannot bring in frames of earlier keys, not even with the new number on them', async () => {
    for (const i of [1, 2]) {
      pair.a.send('message', i)
      await pair.quiet()
    }
    const [first, second] = pair.framesOf('a') as [Bytes, Bytes]
    await pair.replaceLink()
    new DataView(second.buffer).setUint32(17, 2)
    pair.wire = linkThatInjects([first, second], 'b').wire
    pair.a.send('message', 3)
    await pair.quiet()
    expect(pair.b.refusedCodes).toEqual(['SESSION_NOT_FOUND', 'DECRYPTION_FAILED'])
    expect(pair.b.received()).toEqual([1, 2, 3])
    await goesOn(pair)
  })

  test('cannot change the order: a frame that was overtaken is sent again', async () => {
    const held: (() => void)[] = []
    pair.wire = (frame, deliver) => {
      held.push(() => deliver(frame))
    }
    const first = pair.a.send('message', 1)
    await pair.quiet()
    pair.wire = passing
    const second = pair.a.send('message', 2)
    await pair.quiet()
    for (const deliver of held) deliver()
    await pair.quiet()
    expect(pair.b.received()).toEqual([1, 2])
    expect([first.outcome, second.outcome]).toEqual(['delivered', 'delivered'])
    expect(pair.b.refusedCodes).toEqual(['REPLAY_DETECTED'])
    await goesOn(pair)
  })

  test('who floods a peer with rubbish loses the link, and the session goes on over the next', async () => {
    const rubbish = new Uint8Array(PROTOCOL.maxFrame)
    rubbish.set(pair.framesOf('a')[0] ?? [1])
    rubbish.set(uuidBytes(pair.a.session.info.id), 1)
    new DataView(rubbish.buffer).setUint32(17, 1)
    new DataView(rubbish.buffer).setUint32(25, 99)
    pair.wire = linkThatInjects(
      Array.from({ length: 40 }, () => rubbish),
      'b',
    ).wire
    const sending = pair.a.send('message', 'honest')
    await pair.quiet()
    expect(pair.b.states.at(-1)).toEqual({ state: 'suspended', code: 'CREDIT_EXCEEDED' })
    pair.wire = passing
    await pair.replaceLink()
    expect(sending.outcome).toBe('delivered')
    await goesOn(pair)
  })
})

describe('who has the traffic keys and not the identity', () => {
  test.each(['signs with a key of its own', 'does not sign', 'repeats a signature'])(
    'and %s is not heard',
    async (how) => {
      const connection = await pair.replaceLink()
      const heard = pair.b.heard
      const victim = pair.a.key.publicKey
      const thief =
        how === 'does not sign'
          ? thiefThatDoesNotSign(connection.a, victim)
          : how === 'repeats a signature'
            ? thiefOfASignature(connection.a, victim, await pair.a.key.sign(new Uint8Array(1)))
            : thiefWithAKeyOfItsOwn(connection.a, await crypto.generateSigningKey(), victim)
      await thief.send({ records: [record('forged')] })
      await thief.send({ ack: 1_000 })
      await pair.quiet()
      expect(pair.b.refusedCodes).toEqual(['INVALID_SIGNATURE', 'INVALID_SIGNATURE'])
      expect(pair.b.messages).toEqual([])
      expect(pair.b.heard, 'nor does it look alive').toBe(heard)
      expect(pair.b.session.state).toBe('established')
      await goesOn(pair)
    },
  )

  test.each<[string, FrameChanges, string]>([
    ['the next epoch, whose key nobody told them', { epoch: 3 }, 'DECRYPTION_FAILED'],
    ['an epoch far ahead', { epoch: 70 }, 'SESSION_NOT_FOUND'],
    ['an epoch that is past', { epoch: 0 }, 'SESSION_NOT_FOUND'],
    ['another session', { sessionId: new Uint8Array(16) }, 'SESSION_NOT_FOUND'],
  ])('cannot use them for %s', async (_, changes, code) => {
    const connection = await pair.replaceLink()
    const thief = thiefThatDoesNotSign(connection.a, pair.a.key.publicKey)
    await thief.send({ records: [record('forged')], ...changes })
    await pair.quiet()
    expect(pair.b.refusedCodes).toEqual([code])
    await goesOn(pair)
  })

  test('cannot turn a frame round: its signature names sender and recipient', async () => {
    const connection = await pair.replaceLink()
    pair.frames.length = 0
    // What b answers is lost, so that a has seen no counter of b as high as that of its own frame.
    pair.wire = losing('b')
    pair.a.send('message', 'from a to b')
    await pair.quiet()
    const [frame] = pair.framesOf('a') as [Bytes]
    const header = frame.subarray(0, HEADER_LENGTH)
    const nonce = nonceOf(new DataView(header.buffer, header.byteOffset).getUint32(25))
    const plaintext = await connection.b.receiveKeys.key.open(nonce, header, frame.subarray(HEADER_LENGTH))
    const turned = concat(header, await connection.b.sendKeys.key.seal(nonce, header, plaintext))
    pair.wire = linkThatInjects([turned], 'a').wire
    pair.b.send('message', 'honest')
    await pair.quiet()
    expect(pair.a.refusedCodes).toEqual(['INVALID_SIGNATURE'])
    expect(pair.a.received()).toEqual(['honest'])
  })

  test('cannot pass on what a peer signed for somebody else', async () => {
    const connection = await pair.replaceLink()
    const mallory = await crypto.generateSigningKey()
    const writer = new FrameWriter(connection.a, pair.a.key, 1_000)
    await writer.send({
      records: [record('meant for Mallory')],
      signedAs: { sender: pair.a.key.publicKey, recipient: mallory.publicKey },
    })
    await pair.quiet()
    expect(pair.b.refusedCodes).toEqual(['INVALID_SIGNATURE'])
    await goesOn(pair)
  })
})

describe('a proven peer that breaks the rules', () => {
  let siege: Siege
  beforeEach(async () => {
    siege = await peerThatBreaksTheRules(crypto)
  })

  const victim = () => siege.pair.b
  async function send(...frames: FrameChanges[]): Promise<void> {
    for (const frame of frames) {
      await siege.peer.send(frame)
      await siege.pair.quiet()
    }
  }
  const close = { code: 'PEER_CLOSED', message: '' }

  test.each<[string, FrameChanges, string]>([
    ['a message of an unknown type', { records: [record('', { type: UNKNOWN_TYPE })] }, 'INVALID_FORMAT'],
    ['a control message as raw bytes', { records: [record('', { type: 2 })] }, 'INVALID_FORMAT'],
    ['a payload that is not CBOR', { records: [typed('message', Uint8Array.of(0xff))] }, 'INVALID_FORMAT'],
    ['a payload that is missing', { records: [typed('message', new Uint8Array())] }, 'INVALID_FORMAT'],
    ['a field of the wrong kind', { records: [typed('ping', encodeCbor({ nonce: 'x' }))] }, 'INVALID_FORMAT'],
    ['a field too many', { records: [typed('ping', encodeCbor({ nonce: 1, more: 1 }))] }, 'INVALID_FORMAT'],
    ['a field too few', { records: [typed('ping', encodeCbor({}))] }, 'MISSING_FIELDS'],
    [
      'a large control message',
      { records: [typed('ping', new Uint8Array(PROTOCOL.maxControl + 1))] },
      'MESSAGE_TOO_LARGE',
    ],
    ['a goodbye without a code', { records: [typed('session_close', encodeCbor({}))] }, 'MISSING_FIELDS'],
  ])('is answered that %s is refused, and the session goes on', async (_, frame, code) => {
    await send(frame)
    expect(victim().refusedCodes).toEqual([code])
    expect(victim().messages).toEqual([])
    expect(victim().sent, 'one answer').toBe(1)
    const next = victim().session.resumption?.at.expected ?? 0
    await send({ first: next, ack: 2, records: [record('correct')] })
    expect(victim().received().map(String)).toEqual([String(new TextEncoder().encode('correct'))])
    expect(victim().session.state).toBe('established')
    expect(victim().session.info.waiting).toBe(0)
  })

  test('gets no answer to an error that cannot be read: two peers would answer each other for ever', async () => {
    await send({ records: [typed('error', encodeCbor({ code: 'NO_SUCH_CODE', message: '' }))] })
    expect(victim().refusedCodes).toEqual(['INVALID_FORMAT'])
    expect(victim().sent).toBe(0)
  })

  test.each<[string, FrameChanges]>([
    ['with too many records', { records: Array.from({ length: LIMITS.maxRecordsPerFrame + 1 }, () => record('')) }],
    ['with a record in no lane', { records: [record('x', { lane: 3 })] }],
    ['with unknown flags', { mangle: (body) => body.fill(8, 0, 1) }],
    ['that ends within the head of a record', { records: [record('x')], mangle: (body) => body.fill(0, 23, 27) }],
    ['that ends within a record', { records: [record('x')], mangle: (body) => body.fill(255, 23, 27) }],
    ['that counts beyond 2^53', { records: [record('x')], mangle: (body) => body.fill(255, 13, 21) }],
  ])('has a frame %s refused as a whole, and the session goes on', async (_, frame) => {
    await send(frame)
    expect(victim().refusedCodes).toEqual(['INVALID_FORMAT'])
    expect(victim().messages).toEqual([])
    await send({ records: [record('correct')] })
    expect(victim().messages.length).toBe(1)
  })

  test('cannot use a counter twice', async () => {
    await send({ counter: 5, records: [record('first')] }, { counter: 5, first: 2, records: [record('second')] })
    expect(victim().refusedCodes).toEqual(['REPLAY_DETECTED'])
    expect(victim().messages.length).toBe(1)
  })

  test.each<[string, FrameChanges]>([
    ['acknowledges what was never sent', { ack: 2 }],
    ['goes far ahead', { first: 2 + LIMITS.maxSequenceGap, records: [record('x')] }],
    ['says that far more went before', { first: Number.MAX_SAFE_INTEGER }],
  ])('and %s loses its link', async (_, frame) => {
    const sending = victim().send('message', 'waiting')
    siege.pair.wire = losing('b')
    await send(frame.ack === undefined ? frame : { ...frame, ack: 1_000 })
    expect(victim().refusedCodes).toEqual(['SEQUENCE_ERROR'])
    expect(victim().messages).toEqual([])
    expect(sending.outcome).toBeUndefined()
    expect(victim().session.state).toBe('suspended')
    expect(siege.pair.net.openEnds).toBe(0)
  })

  test('and sends a message larger than allowed loses its session', async () => {
    const piece = record(new Uint8Array(256_000), { more: true })
    const pieces = Math.ceil(PROTOCOL.maxMessage / 256_000)
    await send(...Array.from({ length: pieces }, (_, i) => ({ first: i + 1, records: [piece] })))
    expect(victim().refusedCodes).toEqual(['MESSAGE_TOO_LARGE'])
    expect(victim().messages).toEqual([])
    expect(victim().states.at(-1)).toEqual({ state: 'closed', code: 'MESSAGE_TOO_LARGE' })
  })

  test('and sends beyond the window what has to wait loses its session', async () => {
    const large = record(new Uint8Array(256_000))
    const frames = Math.ceil(LIMITS.receiveWindow / 256_000)
    await send(...Array.from({ length: frames }, (_, i) => ({ first: i + 2, records: [large] })))
    expect(victim().refusedCodes).toEqual(['CREDIT_EXCEEDED'])
    expect(victim().states.at(-1)).toEqual({ state: 'closed', code: 'CREDIT_EXCEEDED' })
  })

  test('and sends faster than its frames can be opened loses its link', async () => {
    const large = record(new Uint8Array(256_000))
    const frames = await Promise.all(
      Array.from({ length: 40 }, (_, i) => siege.peer.write({ first: i + 1, records: [large] })),
    )
    siege.pair.wire = linkThatInjects(frames, 'b').wire
    await send({})
    expect(victim().states.at(-1)).toEqual({ state: 'suspended', code: 'CREDIT_EXCEEDED' })
  })

  test('and begins many messages without ending them is held to one a lane', async () => {
    const begun = [0, 1, 2].map((lane) => record('x', { lane, more: true }))
    const empty = Array.from({ length: 4_000 }, () => record('', { lane: 1, more: true }))
    await send({ records: begun }, { first: 4, records: empty }, { first: 4_004, records: [record('y')] })
    expect(victim().received()).toEqual([new TextEncoder().encode('xy')])
  })

  test('and goes on from less than it had acknowledged has lost its state: the session ends', async () => {
    victim().send('message', 1)
    await send({ ack: 2 })
    const connection = await siege.pair.connect()
    connection.b.link.start(victim().session.attach(lying(connection.b, { expected: 1 })))
    connection.a.link.start({ frame: () => undefined, drain: () => undefined, close: () => undefined })
    await new FrameWriter(connection.a, siege.pair.a.key, 0).send({ ack: 1 })
    await siege.pair.quiet()
    expect(victim().states.at(-1)).toEqual({ state: 'closed', code: 'SESSION_NOT_FOUND' })
  })

  test('and goes on from more than was sent ends the session', async () => {
    const sending = victim().send('message', 1)
    siege.pair.net.cut()
    await siege.pair.quiet()
    const connection = await siege.pair.connect()
    connection.b.link.start(victim().session.attach(lying(connection.b, { expected: 1_000 })))
    await siege.pair.quiet()
    expect(sending.outcome).toBe('SESSION_NOT_FOUND')
    expect(victim().states.at(-1)).toEqual({ state: 'closed', code: 'SESSION_NOT_FOUND' })
  })

  test.each<[string, FrameChanges, string]>([
    ['without a number', { records: [record('x', { durable: true })] }, 'INVALID_FORMAT'],
    ['of a type that cannot be', { records: [kept(1, { type: SESSION_TYPES.ping })] }, 'INVALID_FORMAT'],
    ['whose number leaves a gap', { records: [kept(2)] }, 'SEQUENCE_ERROR'],
    ['whose number is beyond all counting', { records: [kept(Number.MAX_SAFE_INTEGER)] }, 'SEQUENCE_ERROR'],
  ])('and sends a durable message %s loses its session', async (_, frame, code) => {
    await send(frame)
    expect(victim().states.at(-1)).toEqual({ state: 'closed', code })
    expect(victim().taken).toEqual([])
    await siege.pair.pass(LIMITS.closeGrace)
    expect(siege.pair.net.openEnds).toBe(0)
  })

  test('and sends durable messages again has them acknowledged and not taken again', async () => {
    await send({ records: [kept(1), kept(2)] }, { first: 3, records: [kept(1), kept(2), kept(3)] })
    expect(victim().taken.map(({ number }) => number)).toEqual([1, 2, 3])
    expect(victim().session.resumption?.at).toMatchObject({ expected: 6, durable: 4 })
  })

  test('and sends on although there is no room loses its session before it has used up the memory', async () => {
    victim().hasRoom = false
    const size = 250_000
    const most = (PROTOCOL.maxMessage + 2 * LIMITS.receiveWindow) / size
    let sent = 0
    for (; sent <= most + 1 && victim().session.state === 'established'; sent++) {
      await send({ first: sent + 1, records: [kept(sent + 1, {}, size)] })
    }
    expect(victim().states.at(-1)).toEqual({ state: 'closed', code: 'CREDIT_EXCEEDED' })
    expect(sent).toBeGreaterThan(most - 2)
  })

  test('is heard no more after its goodbye', async () => {
    await send({
      records: [typed('session_close', encodeCbor(close)), record('x')],
    })
    await send({ first: 2, records: [record('x')] }).catch((error: unknown) => {
      expect(error).toMatchObject({ code: 'LINK_LOST' })
    })
    expect(victim().states.at(-1)).toEqual({ state: 'closed', code: 'PEER_CLOSED' })
    expect(victim().messages).toEqual([])
    expect(siege.pair.net.openEnds).toBe(0)
  })
})

describe('a peer that lies about where it goes on', () => {
  const MOST = Number.MAX_SAFE_INTEGER
  let durable: DurableSending
  let volatile: Sending

  /** `b`, with messages that wait, meets it after one of the two pages was loaded anew. */
  async function meets(lie: Partial<ResumptionPoint>, reloaded: 'a' | 'b'): Promise<void> {
    pair = await SessionPair.open(crypto, { stores: { a: new MemoryStore(), b: new MemoryStore() } })
    for (const end of [pair.a, pair.b]) {
      end.sendDurable('arrives')
      end.send('message', 'arrives')
    }
    await pair.quiet()
    pair.wire = losing()
    if (reloaded === 'b') await pair.reload('b')
    durable = pair.b.sendDurable('waits')
    volatile = pair.b.send('message', 'waits')
    await pair.quiet()
    if (reloaded === 'a') await pair.reload('a')
    pair.net.cut()
    pair.wire = passing
    await pair.quiet()
    const connection = await pair.connect()
    pair.b.attach(lying(connection.b, lie))
    const silent = { frame: () => undefined, drain: () => undefined, close: () => undefined }
    connection.a.link.start(silent)
    const liar = new FrameWriter(connection.a, pair.a.key, 0)
    const { expected = 1, next = 1 } = lie
    await pair.quiet()
    // Its link may be closed already.
    await liar.send({ ack: expected, first: next, records: [kept(2)] }).catch(() => undefined)
    await pair.quiet()
    pair.net.cut()
    await pair.quiet()
  }

  test.each<[string, Partial<ResumptionPoint>, 'a' | 'b']>([
    ['took durable messages that were never sent', { durable: MOST }, 'a'],
    ['took durable messages that were never sent', { durable: MOST, expected: 10 }, 'b'],
    ['expects what was never sent', { expected: 10, next: 10 }, 'b'],
    ['expects a number beyond all counting', { expected: MOST, next: 10 }, 'b'],
    ['goes on with a number beyond all counting', { next: MOST, expected: 10 }, 'b'],
    ['goes on with a number beyond all counting', { next: MOST }, 'a'],
    ['goes on with what it has sent before', { next: 1 }, 'a'],
    ['took less than it had acknowledged', { durable: 1 }, 'a'],
    ['took less than it had acknowledged', { durable: 1, expected: 1, next: 1 }, 'b'],
  ])('and says that it %s, harms nobody but itself', async (_, lie, reloaded) => {
    await meets({ ...lie }, reloaded)
    // Its next page is honest, and the two go on as well as they can, with this session or another.
    await pair.reload('a', new MemoryStore())
    pair.wire = passing
    await pair.replaceLink()
    const sendings = [pair.a.sendDurable('after'), pair.b.sendDurable('after')]
    await pair.quiet()
    expect(sendings.map(({ outcome }) => outcome)).toEqual(['delivered', 'delivered'])
    expect([durable, volatile].map(({ outcome }) => outcome)).not.toContain(undefined)
    expect([pair.a.session.state, pair.b.session.state]).toEqual(['established', 'established'])
    expect([pair.a.session.info.waiting, pair.b.session.info.waiting, pair.clock.pending]).toEqual([0, 0, 0])
  })

  test('so high that later messages would count as taken, loses the session', async () => {
    await meets({ durable: 4 }, 'a')
    expect(durable.outcome).toBe('SESSION_NOT_FOUND')
    expect(pair.b.states.find(({ state }) => state === 'closed')?.code).toBe('SESSION_NOT_FOUND')
  })
})

/** One of the durable messages of a peer, which are told apart by their number. */
function kept(number: number, changes: Partial<Record> = {}, size = 1): Record {
  return record(durablePayload(number, uuidV4(new Uint8Array(16).fill(number)), new Uint8Array(size)), {
    durable: true,
    ...changes,
  })
}

/** As if the other side had said in the handshake what it did not. */
function lying(channel: Channel, lie: Partial<ResumptionPoint>): Channel {
  const point = { next: 1, expected: 1, durable: 1 }
  const { ours, theirs } = channel.resumed ?? { ours: point, theirs: point }
  return { ...channel, resumed: { ours, theirs: { ...theirs, ...lie } } }
}
