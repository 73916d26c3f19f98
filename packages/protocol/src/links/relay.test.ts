import { beforeEach, describe, expect, test } from 'vitest'
import { type LinkImplementation, linkConformance } from '../conformance/links.ts'
import { Listener } from '../conformance/listener.ts'
import { createWebCryptoProvider } from '../crypto/index.ts'
import { LIMITS, PROTOCOL } from '../limits.ts'
import { FakeClock } from '../liveness/fake-clock.fixture.ts'
import { RELAYED_TYPES } from '../messages.ts'
import { type Bytes, concat, equalBytes, utf8 } from '../wire/bytes.ts'
import type { LinkTransport } from './link.ts'
import { isRelayLinkFrame, RelayLinks } from './relay.ts'

const crypto = createWebCryptoProvider()
const clock = new FakeClock()

interface Mail {
  readonly frame: Bytes
  readonly to: Bytes
  readonly from: 'a' | 'b'
}

/** Two peers and a server that carries frames between them as a test says. */
class Carrier {
  readonly a = this.#links('a')
  readonly b = this.#links('b')
  readonly mail: Mail[] = []
  /** What the server does with a frame; it takes no more where this throws. */
  server: (mail: Mail) => void = (mail) => this.deliver(mail)
  maxFrame = PROTOCOL.maxSignaling - 100
  #work = Promise.resolve()

  deliver({ frame, from, to }: Mail): void {
    const other = from === 'a' ? 'b' : 'a'
    if (equalBytes(to, keys[other])) this[other].receive(frame.slice(), keys[from])
  }

  get transports(): [LinkTransport, LinkTransport] {
    return [this.a.to(keys.b), this.b.to(keys.a)]
  }

  /** All that is on its way has arrived. */
  async settled(): Promise<void> {
    for (let before: unknown; before !== this.#work; ) {
      before = this.#work
      await this.#work
      await new Promise((fulfil) => setImmediate(fulfil))
    }
  }

  /** An open link and who listens at its ends. */
  async link(): Promise<[Listener, Listener]> {
    const [first, second] = this.transports
    const offering = first.offer(() => undefined, [])
    const answering = second.answer((await offering.description).data, () => undefined, [])
    offering.accept((await answering.description).data)
    return [new Listener(await offering.opened), new Listener(await answering.opened)]
  }

  #links(from: 'a' | 'b'): RelayLinks {
    return new RelayLinks({
      clock,
      crypto,
      key: keys[from],
      maxFrame: () => this.maxFrame,
      send: (to, frame) => {
        const sent = this.#work.then(() => {
          const mail = { frame, from, to }
          this.mail.push(mail)
          this.server(mail)
        })
        this.#work = sent.catch(() => undefined)
        return sent
      },
    })
  }
}

const keys = { a: crypto.randomBytes(32), b: crypto.randomBytes(32) }
let carrier: Carrier
beforeEach(() => {
  carrier = new Carrier()
})

describe('the relay link passes the conformance suite', () => {
  test.each(linkConformance)('$name', async ({ run }) => {
    const implementation: LinkImplementation = {
      transports: carrier.transports,
      withFingerprint: (description, fingerprint) => concat(description.subarray(0, 16), fingerprint),
    }
    await run(implementation)
    await carrier.settled()
    expect([carrier.a.openEnds, carrier.b.openEnds], 'nothing is left behind').toEqual([0, 0])
  })
})

test('an end that is another peer’s is not answered, and its owner’s is', async () => {
  const [first, second] = carrier.transports
  const offering = first.offer(() => undefined, [])
  const { data } = await offering.description
  const toAnother = carrier.b.to(crypto.randomBytes(32)).answer(data, () => undefined, [])
  await expect(toAnother.description).rejects.toMatchObject({ code: 'LINK_FAILED' })
  await expect(toAnother.opened).rejects.toMatchObject({ code: 'LINK_FAILED' })
  await expect(second.answer(data, () => undefined, []).description).resolves.toBeDefined()
})

test.each([
  ['cannot be reached', 0],
  ['takes less than every link must', PROTOCOL.commonFrame],
])('no link is tried for where the server %s', async (_, maxFrame) => {
  carrier.maxFrame = maxFrame
  const offering = carrier.transports[0].offer(() => undefined, [])
  await expect(offering.description).rejects.toMatchObject({ code: 'LINK_FAILED' })
  await expect(offering.opened).rejects.toMatchObject({ code: 'LINK_FAILED' })
  expect(carrier.a.openEnds).toBe(0)
})

test('a frame that the server does not take ends the link at this side', async () => {
  const [a] = await carrier.link()
  carrier.server = () => {
    throw new Error('The server is gone.')
  }
  a.link.send(utf8('x'))
  await a.until(() => a.closes.length === 1)
  expect(a.closes).toMatchObject([{ code: 'LINK_LOST' }])
  expect(carrier.a.openEnds).toBe(0)
})

test('links to a peer that the server does not reach are lost, others are not', async () => {
  const [a, b] = await carrier.link()
  carrier.a.lose(crypto.randomBytes(32))
  carrier.a.lose(keys.b)
  await carrier.settled()
  expect(a.closes).toMatchObject([{ code: 'LINK_LOST' }])
  expect(b.closes).toEqual([])
  carrier.b.lose()
  await carrier.settled()
  expect(b.closes).toMatchObject([{ code: 'LINK_LOST' }])
})

test('a side that missed the close learns it when it sends', async () => {
  const [a, b] = await carrier.link()
  carrier.server = () => undefined
  a.link.close()
  await carrier.settled()
  carrier.server = (mail) => carrier.deliver(mail)
  expect(b.closes).toEqual([])
  b.link.send(utf8('still there?'))
  await carrier.settled()
  expect(b.closes).toMatchObject([{ code: 'LINK_LOST' }])
})

test('frames for links that are no more are answered seldom, however many come', async () => {
  const stray = concat(Uint8Array.of(RELAYED_TYPES.link_frame), crypto.randomBytes(17))
  for (let i = 0; i < 1_000; i++) carrier.a.receive(stray.slice(), keys.b)
  await carrier.settled()
  expect(carrier.mail).toHaveLength(LIMITS.relayGoneBurst)
})

describe('what a third party does', () => {
  const stranger = crypto.randomBytes(32)

  test('that sends in its own name, even with the ids of others, reaches no link', async () => {
    const [a, b] = await carrier.link()
    a.link.send(utf8('hello'))
    a.link.send(utf8('world'))
    await carrier.settled()
    for (const { frame } of [...carrier.mail]) carrier.b.receive(frame.slice(), stranger)
    const [, opener] = carrier.mail.map(({ frame }) => frame)
    const close = concat(Uint8Array.of(RELAYED_TYPES.link_close), (opener as Bytes).subarray(1, 17))
    carrier.a.receive(close, stranger)
    carrier.b.receive(close, stranger)
    await carrier.settled()
    expect(b.frames).toEqual([utf8('hello'), utf8('world')])
    expect([...a.closes, ...b.closes]).toEqual([])
  })

  test('that does not know the ids makes no frame for a link, and none too short', async () => {
    const [, b] = await carrier.link()
    for (const type of Object.values(RELAYED_TYPES)) {
      for (const length of [0, 15, 16, 17, 100]) {
        carrier.b.receive(concat(Uint8Array.of(type), crypto.randomBytes(length)), keys.a)
      }
    }
    await carrier.settled()
    expect([b.frames, b.closes]).toEqual([[], []])
  })
})

test('what is for a link is told from an open frame by its first byte', () => {
  const types = Array.from({ length: 256 }, (_, type) => type)
  const { link_frame, link_close } = RELAYED_TYPES
  expect(types.filter((type) => isRelayLinkFrame(Uint8Array.of(type)))).toEqual([link_frame, link_close])
})
