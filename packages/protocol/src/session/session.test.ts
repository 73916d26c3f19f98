import { beforeEach, describe, expect, test, vi } from 'vitest'
import { createWebCryptoProvider } from '../crypto/webcrypto.ts'
import { TsunagiError } from '../errors.ts'
import { LIMITS, PROTOCOL } from '../limits.ts'
import type { ChannelBinding, Link, LinkEvents } from '../links/link.ts'
import type { Bytes } from '../wire/bytes.ts'
import { FRAME_OVERHEAD, RECORD_HEAD } from './frame.ts'
import { losing, passing, SessionPair, type Wire } from './session-pair.fixture.ts'

// Megabytes are signed and encrypted here, which takes a busy machine its time.
vi.setConfig({ testTimeout: 30_000 })

const crypto = createWebCryptoProvider()
const taskId = new Uint8Array(16)
const goodbye = new TsunagiError('PEER_CLOSED', 'This page is closing.')

let pair: SessionPair
beforeEach(async () => {
  pair = await SessionPair.open(crypto)
})

function large(size: number, seed = 1): Bytes {
  const bytes = new Uint8Array(size)
  for (let i = 0; i < size; i++) bytes[i] = (i * seed) >>> 8
  return bytes
}

const status = (uptime: number) => ({
  name: 'kitchen laptop',
  uptime,
  load: 0,
  running: 0,
  queue_depth: 0,
  capabilities_digest: new Uint8Array(32),
})

/** Bytes that a link is given ahead until its rate is known, in two frames. */
const ahead = LIMITS.firstLinkRate * LIMITS.linkAhead

/** Loses the frames of `a` numbered from 0 that `lost` names. */
function losingSome(lost: (index: number) => boolean): Wire {
  let index = 0
  return (frame, deliver, from) => {
    if (from !== 'a' || !lost(index++)) deliver(frame)
  }
}

/** Keeps what it is given until the test lets it leave. */
class SlowLink implements Link {
  readonly kind = 'memory'
  readonly route = 'direct'
  readonly maxFrame = PROTOCOL.maxFrame
  lowMark = 0
  readonly binding: ChannelBinding
  readonly #link: Link
  readonly #quiet: () => Promise<void>
  readonly #kept: Bytes[] = []
  #events: LinkEvents | undefined

  constructor(link: Link, quiet: () => Promise<void>) {
    this.#link = link
    this.#quiet = quiet
    this.binding = link.binding
  }

  get bufferedAmount(): number {
    return this.#kept.reduce((sum, { length }) => sum + length, 0)
  }

  start(events: LinkEvents): void {
    this.#events = events
    this.#link.start({
      frame: (bytes) => events.frame(bytes),
      drain: () => undefined,
      close: (why) => events.close(why),
    })
  }

  send(frame: Bytes): void {
    this.#kept.push(frame.slice())
  }

  async leave(): Promise<void> {
    for (const frame of this.#kept.splice(0)) this.#link.send(frame)
    this.#events?.drain()
    await this.#quiet()
  }

  close(): void {
    this.#link.close()
  }
}

describe('messages', () => {
  test.each<[string, unknown]>([
    ['bytes', Uint8Array.of(1, 2, 3)],
    ['no bytes', new Uint8Array()],
    ['text', 'zwölf'],
    ['null', null],
    ['an object', { a: [1, 2.5, { b: new Uint8Array(3) }], c: true }],
    ['more bytes than a frame holds', large(300_000)],
    ['a value of more bytes than a frame holds', { data: large(1_000), text: 'x'.repeat(300_000) }],
    ['as much as a message may have', large(PROTOCOL.maxMessage)],
  ])('%s arrive as they were sent', async (_, value) => {
    const sending = pair.a.send('message', value)
    await pair.quiet()
    expect(sending.outcome).toBe('delivered')
    expect(pair.b.messages.length).toBe(1)
    const [arrived] = pair.b.received()
    // toEqual compares megabytes byte by byte in JavaScript objects, for minutes.
    if (value instanceof Uint8Array) expect(Buffer.compare(arrived as Bytes, value)).toBe(0)
    else expect(arrived).toEqual(value)
    expect(pair.b.refused).toEqual([])
  })

  test('arrive in the order sent, both ways at once', async () => {
    const numbers = Array.from({ length: 300 }, (_, i) => i)
    for (const number of numbers) {
      pair.a.send('message', number % 50 === 0 ? large(100_000, number) : number)
      pair.b.send('message', -1 - number)
    }
    await pair.quiet()
    expect(pair.b.received().map((value, i) => (value instanceof Uint8Array ? i : value))).toEqual(numbers)
    expect(pair.a.received()).toEqual(numbers.map((number) => -1 - number))
  })

  test('are taken as they are when they are sent', async () => {
    const bytes = Uint8Array.of(1)
    pair.a.send('message', bytes)
    bytes[0] = 2
    await pair.quiet()
    expect(pair.b.received()).toEqual([Uint8Array.of(1)])
  })

  test('of one byte too many are refused to their sender, and cost nothing', async () => {
    const sendings = [
      pair.a.send('message', new Uint8Array(PROTOCOL.maxMessage + 1)),
      pair.a.send('status_report', { ...status(0), name: 'x'.repeat(PROTOCOL.maxControl) }),
    ]
    await pair.quiet()
    expect(sendings.map(({ outcome }) => outcome)).toEqual(['MESSAGE_TOO_LARGE', 'MESSAGE_TOO_LARGE'])
    expect(pair.frames).toEqual([])
    expect(pair.a.session.info.waiting).toBe(0)
  })

  test('that CBOR cannot carry are refused to their sender', async () => {
    const sending = pair.a.send('message', { call: () => 1 })
    await pair.quiet()
    expect(sending.outcome).toBe('INVALID_FORMAT')
  })

  test('are told to the inspector on both sides, with the numbers that a frame is found by', async () => {
    pair.a.send('message', new Uint8Array(7))
    await pair.quiet()
    const told = { type: 'message', sequence: 1, size: 7, epoch: 1, counter: 1, refused: undefined }
    expect(pair.a.traces).toEqual([{ direction: 'out', ...told }])
    expect(pair.b.traces).toEqual([{ direction: 'in', ...told }])
  })
})

describe('send()', () => {
  test('fulfils when the other side has acknowledged, and not before', async () => {
    pair.wire = losing('b')
    const sending = pair.a.send('message', 'hello')
    await pair.quiet()
    expect(pair.b.received()).toEqual(['hello'])
    expect(sending.outcome).toBeUndefined()
    expect(pair.a.session.info.waiting).toBe(1)
    pair.wire = passing
    pair.b.send('ping', { nonce: 1 })
    await pair.quiet()
    expect(sending.outcome).toBe('delivered')
    expect(pair.a.delivered).toBe(1)
    expect(pair.a.session.info.waiting).toBe(0)
  })

  test('on an idle link sends one frame at once, and one comes back', async () => {
    pair.a.send('message', 'hello')
    await pair.quiet()
    expect(pair.frames.map(({ from }) => from)).toEqual(['a', 'b'])
    expect([pair.a.heard, pair.b.heard], 'these, and the first of the link').toEqual([2, 2])
    expect(pair.clock.pending).toBe(0)
  })

  test('a thousand times in one go shares a few frames', async () => {
    const sendings = Array.from({ length: 1_000 }, (_, i) => pair.a.send('message', i))
    await pair.quiet()
    expect(sendings.every(({ outcome }) => outcome === 'delivered')).toBe(true)
    expect(pair.framesOf('a').length).toBe(1)
    expect(pair.b.received().length).toBe(1_000)
  })

  test('while frames are being signed shares the next one', async () => {
    for (let i = 0; i < 1_000; i++) {
      pair.a.send('message', i)
      await Promise.resolve()
    }
    await pair.quiet()
    expect(pair.b.received().length).toBe(1_000)
    expect(pair.framesOf('a').length).toBeLessThan(20)
  })

  test('of a task control message overtakes a large message that has begun', async () => {
    const behind = pair.a.send('message', large(PROTOCOL.maxMessage))
    pair.wire = (frame, deliver) => {
      pair.wire = passing
      pair.a.send('task_cancel', { task_id: taskId })
      deliver(frame)
    }
    await pair.quiet()
    expect(behind.outcome).toBe('delivered')
    expect(pair.b.messages.map(({ type }) => type)).toEqual(['task_cancel', 'message'])
  })

  test('of a heartbeat waits for what matters more', async () => {
    const order = ['heartbeat', 'message', 'task_cancel']
    pair.a.send('heartbeat', { load: 0, queue_depth: 0, last_sequence: 0 })
    pair.a.send('message', 'hello')
    pair.a.send('task_cancel', { task_id: taskId })
    await pair.quiet()
    expect(pair.b.messages.map(({ type }) => type)).toEqual(order.reverse())
  })
})

describe('a receiver that acknowledges nothing', () => {
  beforeEach(() => {
    pair.wire = losing('b')
  })

  test('holds its sender at the window', async () => {
    pair.a.send('message', new Uint8Array(PROTOCOL.maxMessage))
    await pair.quiet()
    const onTheirWay = pair.framesOf('a').reduce((sum, frame) => sum + frame.length - FRAME_OVERHEAD, 0)
    expect(onTheirWay).toBeLessThanOrEqual(LIMITS.receiveWindow)
    expect(onTheirWay).toBeGreaterThan(LIMITS.receiveWindow - LIMITS.recordSize - RECORD_HEAD)
  })

  test('leads to QUEUE_FULL for the caller, by bytes', async () => {
    const size = PROTOCOL.maxMessage
    const fitting = Array.from({ length: LIMITS.maxQueuedBytes / size }, () =>
      pair.a.send('message', new Uint8Array(size)),
    )
    const over = pair.a.send('message', new Uint8Array(1))
    await pair.quiet()
    expect(fitting.map(({ outcome }) => outcome)).toEqual([undefined, undefined])
    expect(over.outcome).toBe('QUEUE_FULL')
    pair.wire = passing
    await pair.replaceLink()
    expect(fitting.map(({ outcome }) => outcome)).toEqual(['delivered', 'delivered'])
    const after = pair.a.send('message', new Uint8Array(1))
    await pair.quiet()
    expect(after.outcome).toBe('delivered')
  })

  test('leads to QUEUE_FULL for the caller, by messages', async () => {
    const empty = new Uint8Array()
    for (let i = 0; i < LIMITS.maxQueuedMessages; i++) pair.a.session.send('message', empty).catch(() => undefined)
    const over = pair.a.send('message', empty)
    await pair.quiet()
    expect(over.outcome).toBe('QUEUE_FULL')
  })
})

describe('a link that is slower than its sender', () => {
  test('holds only so much at a time, and a control message waits for that at most', async () => {
    const connection = await pair.connect()
    const slow = new SlowLink(connection.a.link, () => pair.quiet())
    pair.attach({ ...connection, a: { ...connection.a, link: slow } })
    const sending = pair.a.send('message', large(PROTOCOL.maxMessage))
    await pair.quiet()
    const most = 2 * ahead + 2 * (FRAME_OVERHEAD + RECORD_HEAD)
    expect(slow.bufferedAmount).toBeGreaterThan(ahead / 2)
    expect(slow.bufferedAmount).toBeLessThanOrEqual(most)
    pair.a.send('task_cancel', { task_id: taskId })
    const before = pair.a.sent
    await slow.leave()
    expect(pair.a.sent, 'it goes with the first room there is').toBe(before + 1)
    await slow.leave()
    expect(pair.b.messages.map(({ type }) => type)).toEqual(['task_cancel'])
    while (slow.bufferedAmount > 0) {
      expect(slow.bufferedAmount).toBeLessThanOrEqual(most)
      await slow.leave()
    }
    expect(sending.outcome).toBe('delivered')
  })
})

describe('an acknowledgement', () => {
  const heartbeat = { load: 0, queue_depth: 0, last_sequence: 0 }

  test('goes at once where the sender has nothing more to say', async () => {
    pair.a.send('message', 1)
    await pair.quiet()
    expect(pair.framesOf('b').length).toBe(1)
  })

  test('that nobody waits for goes after a while, one for all that came', async () => {
    const sendings = []
    for (let i = 0; i < 5; i++) {
      sendings.push(pair.a.send('heartbeat', heartbeat))
      await pair.quiet()
    }
    await pair.pass(LIMITS.ackDelay - 1)
    expect(pair.framesOf('a').length).toBe(5)
    expect(pair.framesOf('b').length).toBe(0)
    await pair.pass(1)
    expect(pair.framesOf('b').length).toBe(1)
    expect(sendings.map(({ outcome }) => outcome)).toEqual(sendings.map(() => 'delivered'))
    expect(pair.clock.pending).toBe(0)
  })

  test('rides on what goes out anyway', async () => {
    pair.a.send('heartbeat', heartbeat)
    await pair.quiet()
    pair.b.send('heartbeat', heartbeat)
    await pair.quiet()
    expect(pair.a.delivered).toBe(1)
    expect(pair.framesOf('b').length).toBe(1)
    await pair.pass(LIMITS.ackDelay)
    expect([pair.framesOf('a').length, pair.framesOf('b').length], 'one more, for the second heartbeat').toEqual([2, 1])
  })

  test('of a large message goes with each eighth of the window, so that the sender never waits for it', async () => {
    const sending = pair.a.send('message', large(PROTOCOL.maxMessage))
    await pair.quiet()
    expect(sending.outcome).toBe('delivered')
    const eighths = (8 * PROTOCOL.maxMessage) / LIMITS.receiveWindow
    expect(pair.framesOf('b').length).toBeGreaterThan(eighths / 2)
    expect(pair.framesOf('b').length).toBeLessThanOrEqual(eighths + 1)
  })

  test('of many small messages does not wait, so that the sender can forget them', async () => {
    for (let i = 1; i < LIMITS.ackRecords; i++) pair.a.send('heartbeat', heartbeat)
    await pair.quiet()
    expect(pair.framesOf('b').length).toBe(0)
    pair.a.send('heartbeat', heartbeat)
    await pair.quiet()
    expect([pair.a.delivered, pair.framesOf('b').length]).toEqual([LIMITS.ackRecords, 1])
  })
})

describe('a frame that is lost', () => {
  test('is missed with the next one and sent again, before anything new', async () => {
    pair.wire = losingSome((index) => index === 0)
    const first = pair.a.send('message', 1)
    await pair.quiet()
    expect([pair.b.messages, first.outcome]).toEqual([[], undefined])
    pair.a.send('message', 2)
    await pair.quiet()
    expect(pair.b.received()).toEqual([1, 2])
    expect(first.outcome).toBe('delivered')
    expect(pair.b.refused).toEqual([])
  })

  test('in the midst of a large message costs it nothing', async () => {
    pair.wire = losingSome((index) => index === 3 || index === 20)
    const value = large(6_000_000)
    const sending = pair.a.send('message', value)
    await pair.quiet()
    expect(sending.outcome).toBe('delivered')
    expect(Buffer.compare(pair.b.received()[0] as Bytes, value)).toBe(0)
    expect(pair.b.session.state).toBe('established')
  })

  test('is asked for again where the first request did not help, but not at every frame', async () => {
    pair.wire = losingSome((index) => index < 1)
    pair.a.send('message', 'lost')
    await pair.quiet()
    pair.wire = losing('b')
    for (let i = 0; i < 5; i++) {
      pair.a.send('heartbeat', { load: 0, queue_depth: 0, last_sequence: i })
      await pair.quiet()
    }
    expect(pair.framesOf('b').length).toBe(1)
    pair.wire = passing
    await pair.pass(LIMITS.resendSpacing)
    pair.a.send('heartbeat', { load: 0, queue_depth: 0, last_sequence: 5 })
    await pair.quiet()
    expect(pair.b.received('message')).toEqual(['lost'])
    expect(pair.b.received('heartbeat').length).toBe(6)
  })

  test('with the end of what was said is missed with the next acknowledgement', async () => {
    pair.wire = losingSome((index) => index === 0)
    const sending = pair.a.send('message', 1)
    await pair.quiet()
    pair.b.send('message', 'something else')
    await pair.quiet()
    expect(sending.outcome).toBe('delivered')
    expect(pair.b.received()).toEqual([1])
  })

  test('where more is missing than is waited for is mended by a new link', async () => {
    const many = Array.from({ length: 3 * LIMITS.maxSequenceGap }, (_, i) => i)
    pair.wire = losingSome((index) => index < 2)
    const sendings = many.map((i) => pair.a.send('message', i))
    await pair.quiet()
    expect(pair.b.refusedCodes).toEqual(['SEQUENCE_ERROR'])
    expect([pair.a.session.state, pair.b.session.state]).toEqual(['suspended', 'suspended'])
    await pair.replaceLink()
    expect(pair.b.received()).toEqual(many)
    expect(sendings.every(({ outcome }) => outcome === 'delivered')).toBe(true)
  })
})

describe('a link that is lost', () => {
  test('suspends the session, and the next one goes on with it: each message once and in order', async () => {
    pair.wire = losingSome((index) => index > 2)
    const numbers = Array.from({ length: 20_000 }, (_, i) => i)
    const sendings = numbers.map((number) => pair.a.send('message', number))
    await pair.quiet()
    await pair.cut()
    expect(pair.a.states.at(-1)).toEqual({ state: 'suspended', code: 'LINK_LOST' })
    expect(pair.a.session.link).toBeUndefined()
    const meanwhile = pair.a.send('message', -1)
    pair.wire = passing
    await pair.replaceLink()
    expect(pair.a.states.at(-1)).toEqual({ state: 'established', code: undefined })
    expect(pair.b.received()).toEqual([...numbers, -1])
    expect([...sendings, meanwhile].every(({ outcome }) => outcome === 'delivered')).toBe(true)
    expect(pair.a.delivered).toBe(20_001)
    expect(pair.b.refused).toEqual([])
  })

  test('in the midst of a large message does not begin it anew', async () => {
    const value = large(PROTOCOL.maxMessage)
    pair.wire = losingSome((index) => index >= 150)
    const sending = pair.a.send('message', value)
    await pair.quiet()
    await pair.cut()
    pair.frames.length = 0
    pair.wire = passing
    await pair.replaceLink()
    expect(sending.outcome).toBe('delivered')
    expect(Buffer.compare(pair.b.received()[0] as Bytes, value)).toBe(0)
    const again = pair.framesOf('a').reduce((sum, frame) => sum + frame.length, 0)
    expect(again).toBeLessThan(PROTOCOL.maxMessage - (140 * ahead) / 2 + LIMITS.receiveWindow / 4)
  })

  test('takes with it what was of use only at its time; the rest comes once', async () => {
    pair.wire = losing('a')
    const sendings = [
      pair.a.send('ping', { nonce: 1 }),
      pair.a.send('message', 1),
      pair.a.send('heartbeat', { load: 0, queue_depth: 0, last_sequence: 0 }),
      pair.a.send('status_report', status(1)),
    ]
    await pair.quiet()
    await pair.cut()
    expect(sendings.map(({ outcome }) => outcome)).toEqual(['LINK_LOST', undefined, 'LINK_LOST', undefined])
    pair.wire = passing
    await pair.replaceLink()
    expect(sendings.map(({ outcome }) => outcome)).toEqual(['LINK_LOST', 'delivered', 'LINK_LOST', 'delivered'])
    pair.a.send('message', 2)
    await pair.quiet()
    expect(pair.b.received()).toEqual([1, status(1), 2])
  })

  test('with an acknowledgement repeats nothing', async () => {
    pair.wire = losing('b')
    const sending = pair.a.send('message', 1)
    await pair.quiet()
    await pair.cut()
    pair.wire = passing
    await pair.replaceLink()
    expect(sending.outcome).toBe('delivered')
    expect(pair.b.received()).toEqual([1])
    expect(pair.framesOf('a').length, 'the message, and the first frame of the new link').toBe(2)
  })

  test('and not replaced for long rejects what waits with LINK_LOST; the session goes on when there is a link', async () => {
    pair.wire = losing()
    const sendings = [pair.a.send('message', 1), pair.a.send('message', new Uint8Array(PROTOCOL.maxMessage))]
    await pair.quiet()
    await pair.cut()
    await pair.pass(LIMITS.linkPatience - 1)
    expect(sendings.map(({ outcome }) => outcome)).toEqual([undefined, undefined])
    await pair.pass(1)
    expect(sendings.map(({ outcome }) => outcome)).toEqual(['LINK_LOST', 'LINK_LOST'])
    expect([pair.a.session.state, pair.a.givenUp, pair.a.session.info.waiting]).toEqual(['suspended', 1, 0])
    expect(pair.clock.pending).toBe(0)
    pair.wire = passing
    await pair.replaceLink()
    const later = pair.a.send('message', 'later')
    await pair.quiet()
    expect(later.outcome).toBe('delivered')
    expect(pair.b.received('message')).toEqual(['later'])
  })

  test('and replaced in time gives nothing up', async () => {
    pair.wire = losing()
    const sending = pair.a.send('message', 1)
    await pair.quiet()
    await pair.cut()
    await pair.pass(LIMITS.linkPatience - 1)
    pair.wire = passing
    await pair.replaceLink()
    await pair.pass(LIMITS.linkPatience)
    expect([sending.outcome, pair.a.givenUp]).toEqual(['delivered', 0])
  })

  test('may be let go of on purpose', async () => {
    pair.a.session.dropLink()
    await pair.quiet()
    expect([pair.a.session.state, pair.b.session.state]).toEqual(['suspended', 'suspended'])
    expect(pair.net.openEnds).toBe(0)
  })
})

describe('a link that is replaced before it is gone', () => {
  test('loses and repeats nothing, whatever is on its way', async () => {
    const sendings = []
    for (let round = 0; round < 8; round++) {
      for (let i = 0; i < 200; i++) {
        sendings.push(pair.a.send('message', round * 200 + i), pair.b.send('message', round * 200 + i))
      }
      sendings.push(pair.a.send('message', large(2_000_000)))
      const connection = await pair.connect()
      for (let i = 0; i < round * 3; i++) await new Promise((fulfil) => setImmediate(fulfil))
      pair.attach(connection)
    }
    await pair.quiet()
    const numbers = Array.from({ length: 1_600 }, (_, i) => i)
    expect(pair.b.received().filter((value) => typeof value === 'number')).toEqual(numbers)
    expect(pair.a.received()).toEqual(numbers)
    expect(pair.b.received().length).toBe(1_608)
    expect(sendings.every(({ outcome }) => outcome === 'delivered')).toBe(true)
    expect([...pair.a.refused, ...pair.b.refused]).toEqual([])
    expect(pair.net.openEnds).toBe(2)
  })

  test('goes on being of use while the handshake of the next one is under way', async () => {
    const connection = await pair.connect()
    const sendings = [1, 2, 3].map((i) => pair.a.send('message', i))
    await pair.quiet()
    expect(sendings.map(({ outcome }) => outcome)).toEqual(['delivered', 'delivered', 'delivered'])
    pair.attach(connection)
    pair.a.send('message', 4)
    await pair.quiet()
    expect(pair.b.received()).toEqual([1, 2, 3, 4])
    expect(pair.a.states.map(({ state }) => state)).toEqual(['established'])
  })

  test('closes when the other side is seen to use the new one, and not before', async () => {
    const connection = await pair.connect()
    pair.wire = losing()
    pair.attach(connection)
    await pair.quiet()
    expect(pair.net.openEnds).toBe(4)
    pair.wire = passing
    pair.a.send('message', 1)
    await pair.quiet()
    expect(pair.net.openEnds).toBe(2)
    expect(pair.b.received()).toEqual([1])
  })

  test('does not outlive the one that replaced it', async () => {
    const connection = await pair.connect()
    pair.wire = losing()
    pair.attach(connection)
    await pair.quiet()
    pair.net.cut(connection.a.link)
    await pair.quiet()
    expect(pair.a.session.state).toBe('suspended')
    expect(pair.net.openEnds).toBe(0)
  })
})

describe('close()', () => {
  test('tells the other side why, and rejects what waits on both', async () => {
    pair.wire = losing('b')
    const here = pair.a.send('message', 1)
    await pair.quiet()
    pair.wire = passing
    const there = pair.b.send('message', new Uint8Array(PROTOCOL.maxMessage))
    await pair.a.session.close(goodbye)
    await pair.quiet()
    expect([here.outcome, there.outcome]).toEqual(['PEER_CLOSED', 'PEER_CLOSED'])
    expect(pair.a.states.at(-1)).toEqual({ state: 'closed', code: 'PEER_CLOSED' })
    expect(pair.b.states.at(-1)).toEqual({ state: 'closed', code: 'PEER_CLOSED' })
    expect(pair.net.openEnds).toBe(0)
    expect(pair.clock.pending).toBe(0)
    expect([pair.a.session.info.waiting, pair.b.session.info.waiting]).toEqual([0, 0])
  })

  test('acknowledges with its goodbye what it has received', async () => {
    pair.a.send('heartbeat', { load: 0, queue_depth: 0, last_sequence: 0 })
    await pair.quiet()
    await pair.b.session.close(goodbye)
    await pair.quiet()
    expect(pair.a.delivered).toBe(1)
  })

  test('on both sides at once waits for nothing', async () => {
    await Promise.all([pair.a.session.close(goodbye), pair.b.session.close(goodbye)])
    await pair.quiet()
    expect(pair.net.openEnds).toBe(0)
    expect(pair.clock.pending).toBe(0)
  })

  test('fulfils although the other side never closes the link', async () => {
    pair.wire = losing('a')
    let closed = false
    const closing = pair.a.session.close(goodbye).then(() => {
      closed = true
    })
    await pair.quiet()
    expect(closed).toBe(false)
    await pair.pass(LIMITS.closeGrace)
    expect(closed).toBe(true)
    await closing
    expect(pair.net.openEnds).toBe(0)
    expect(pair.clock.pending).toBe(1)
    expect(pair.b.session.state, 'the other side has heard nothing and may hope').toBe('suspended')
  })

  test('reaches the other side although something before it was lost', async () => {
    pair.wire = losingSome((index) => index === 0)
    pair.a.send('message', 'lost')
    await pair.quiet()
    await pair.a.session.close(goodbye)
    await pair.quiet()
    expect(pair.b.states.at(-1)).toEqual({ state: 'closed', code: 'PEER_CLOSED' })
  })

  test('of a suspended session is done at once', async () => {
    await pair.cut()
    const sending = pair.a.send('message', 1)
    await pair.a.session.close(goodbye)
    expect(pair.a.session.state).toBe('closed')
    await pair.quiet()
    expect(sending.outcome).toBe('PEER_CLOSED')
  })

  test('twice is like once', async () => {
    await Promise.all([pair.a.session.close(goodbye), pair.a.session.close(goodbye)])
    await pair.a.session.close(goodbye)
    expect(pair.framesOf('a').length).toBe(1)
  })

  test('while a handshake is under way leaves no link behind', async () => {
    const connection = await pair.connect()
    await pair.a.session.close(goodbye)
    connection.a.link.start(pair.a.session.attach(connection.a))
    connection.b.link.start(pair.b.session.attach(connection.b))
    await pair.quiet()
    expect(pair.net.openEnds).toBe(0)
    expect([pair.a.session.state, pair.b.session.state]).toEqual(['closed', 'closed'])
  })

  test('from inside a listener delivers nothing more', async () => {
    pair.b.onMessage = (message) => {
      pair.b.messages.push(message)
      void pair.b.session.close(goodbye)
    }
    pair.a.send('message', 1)
    pair.a.send('message', 2)
    await pair.quiet()
    expect(pair.b.received()).toEqual([1])
    expect(pair.a.session.state).toBe('closed')
  })
})
