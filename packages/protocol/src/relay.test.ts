/** Whole peers between which the direct way is closed, opens and closes again: sessions go on through the server meanwhile. */
import fc from 'fast-check'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { createWebCryptoProvider } from './crypto/index.ts'
import { LIMITS } from './limits.ts'
import type { LinkTransport } from './links/link.ts'
import { Mesh, type MeshPeer } from './mesh.fixture.ts'
import type { Relay } from './mesh-server.fixture.ts'
import type { IntroductionKey } from './ports.ts'
import { relayInfo } from './signaling/messages.ts'

// Minutes of the mesh's time are seconds of the test's.
vi.setConfig({ testTimeout: 60_000 })
const crypto = createWebCryptoProvider()

/** Between all peers of a test: `silent` lets no connection come about, `refusing` says so. */
class Firewall {
  way: 'open' | 'silent' | 'refusing' = 'open'
  /** Connections tried for. */
  offers = 0

  readonly between = (real: LinkTransport): LinkTransport => ({
    ...real,
    offer: (...args) => {
      this.offers++
      const { way } = this
      const attempt = real.offer(...args)
      return {
        description: attempt.description,
        opened: attempt.opened,
        accept: (answer) => {
          if (way === 'open') attempt.accept(answer)
          else if (way === 'refusing') attempt.abort()
        },
        addCandidates: (candidates) => attempt.addCandidates(candidates),
        abort: () => attempt.abort(),
      }
    },
  })
}

let mesh: Mesh
let firewall: Firewall

beforeEach(async () => {
  mesh = await Mesh.create(crypto)
  firewall = new Firewall()
})

async function joinTwo(): Promise<[MeshPeer, MeshPeer]> {
  const a = await mesh.join('a', { transport: firewall.between })
  return [a, await mesh.join('b', { transport: firewall.between })]
}

const numbers = (count: number) => Array.from({ length: count }, (_, i) => i)
const ways = (a: MeshPeer, b: MeshPeer) => [a.sees(b)?.link, b.sees(a)?.link]

/** Numbered messages both ways, and what is expected of them in the end: each there once, in order, and its sender told so. */
class Stream {
  readonly #peers: readonly [MeshPeer, MeshPeer]
  readonly #outcomes: (() => { settled: boolean; code?: string })[] = []
  #sent = 0

  constructor(...peers: [MeshPeer, MeshPeer]) {
    this.#peers = peers
  }

  send(count: number): void {
    const [a, b] = this.#peers
    for (let i = 0; i < count; i++, this.#sent++) this.#outcomes.push(a.send(b, this.#sent), b.send(a, this.#sent))
  }

  /** Each at most once and in order, each that its sender was told of is there, and no promise is open. */
  expectTruth(): void {
    const [a, b] = this.#peers
    const outcomes = this.#outcomes.map((outcome) => outcome())
    expect(outcomes.filter(({ settled }) => !settled)).toEqual([])
    for (const [direction, heard] of [b.heard(a) as number[], a.heard(b) as number[]].entries()) {
      expect(heard).toEqual([...new Set(heard)].sort((x, y) => x - y))
      const told = numbers(this.#sent).filter((i) => outcomes[2 * i + direction]?.code === undefined)
      expect(told.filter((i) => !heard.includes(i))).toEqual([])
    }
  }

  expectAllOnce(): void {
    const [a, b] = this.#peers
    expect([b.heard(a), a.heard(b)]).toEqual([numbers(this.#sent), numbers(this.#sent)])
    expect(this.#outcomes.map((outcome) => outcome())).toEqual(
      this.#outcomes.map(() => ({ value: undefined, settled: true })),
    )
  }
}

describe('where no direct link comes about', () => {
  test('peers speak through the server soon, and it reads nothing', async () => {
    firewall.way = 'silent'
    const seen: string[] = []
    mesh.server.onBytes = (bytes) => seen.push(Buffer.from(bytes).toString('latin1'))
    const [a, b] = await joinTwo()
    expect(ways(a, b)).toEqual([undefined, undefined])
    await mesh.pass(LIMITS.relayAfter)
    expect(a.sees(b)).toMatchObject({ link: 'relay', route: 'relay', session: { state: 'established' }, name: 'b' })
    expect(b.sees(a)).toMatchObject({ link: 'relay', route: 'relay', session: { state: 'established' }, name: 'a' })
    const sent = a.send(b, 'attack at dawn')
    const large = a.send(b, new Uint8Array(100_000).fill(7))
    await mesh.pass(1_000, 50)
    expect([sent().settled, large().settled]).toEqual([true, true])
    expect(b.heard(a)).toEqual(['attack at dawn', new Uint8Array(100_000).fill(7)])
    const all = seen.join('\n')
    for (const secret of ['attack at dawn', '\x07\x07\x07\x07', 'handshake', 'message', 'memory']) {
      expect(all).not.toContain(secret)
    }
    expect([...a.codes, ...b.codes]).toEqual([])
  })

  test('one that is refused is not waited for', async () => {
    firewall.way = 'refusing'
    const [a, b] = await joinTwo()
    await mesh.pass(100, 10)
    expect(ways(a, b)).toEqual(['relay', 'relay'])
  })

  test('it is tried for less and less often: a page has only so many connections in its life', async () => {
    firewall.way = 'refusing'
    const [a, b] = await joinTwo()
    await mesh.pass(60_000)
    expect(firewall.offers).toBeLessThanOrEqual(5)
    for (let minute = 1; minute < 10; minute++) {
      a.send(b, minute)
      await mesh.pass(60_000, 5_000)
    }
    expect(firewall.offers).toBeLessThanOrEqual(6)
    expect(ways(a, b)).toEqual(['relay', 'relay'])
    expect([...a.codes, ...b.codes]).toEqual([])
  })

  test('an idle link is closed all the same, and another opens when something is said', async () => {
    firewall.way = 'refusing'
    const [a, b] = await joinTwo()
    await mesh.pass(LIMITS.linkIdle + LIMITS.linkSweep, 5_000)
    expect([a.sees(b)?.health, ...ways(a, b)]).toEqual(['idle', undefined, undefined])
    const sent = a.send(b, 'again')
    await mesh.pass(LIMITS.relayAfter)
    expect([sent().settled, b.heard(a), ...ways(a, b)]).toEqual([true, ['again'], 'relay', 'relay'])
  })

  test('and the server cannot be reached either, none is tried for', async () => {
    firewall.way = 'refusing'
    const [a, b] = await joinTwo()
    await mesh.pass(1_000)
    const before = firewall.offers
    mesh.server.isDown = true
    mesh.server.drop()
    await mesh.pass(120_000, 2_000)
    expect(ways(a, b)).toEqual([undefined, undefined])
    expect(firewall.offers).toBe(before)
  })
})

describe('a session moves', () => {
  test('to the direct link once one opens, without a gap and with nothing lost or repeated', async () => {
    firewall.way = 'silent'
    const [a, b] = await joinTwo()
    await mesh.pass(LIMITS.relayAfter)
    const states: (string | undefined)[] = []
    a.service.on('peer', ({ session }) => states.push(session?.state))
    const stream = new Stream(a, b)
    const session = a.sees(b)?.session?.id
    firewall.way = 'open'
    for (let i = 0; i < 60; i++) {
      stream.send(20)
      await mesh.pass(200, 10)
    }
    expect(ways(a, b)).toEqual(['memory', 'memory'])
    expect([a.sees(b)?.route, a.sees(b)?.session?.id]).toEqual(['direct', session])
    expect(new Set(states)).toEqual(new Set(['established']))
    stream.expectAllOnce()
    expect(mesh.net.openEnds).toBe(2)
  })

  test('from a direct link that is lost to the server, and back when there is one again', async () => {
    const [a, b] = await joinTwo()
    expect(ways(a, b)).toEqual(['memory', 'memory'])
    const stream = new Stream(a, b)
    const session = a.sees(b)?.session?.id
    firewall.way = 'silent'
    stream.send(50)
    mesh.net.cut()
    stream.send(50)
    await mesh.pass(LIMITS.relayAfter + 2 * LIMITS.backoffFirst, 50)
    expect(ways(a, b)).toEqual(['relay', 'relay'])
    firewall.way = 'open'
    stream.send(50)
    await mesh.pass(20_000)
    expect(ways(a, b)).toEqual(['memory', 'memory'])
    expect(a.sees(b)?.session?.id).toBe(session)
    stream.expectAllOnce()
  })

  test('nowhere while its direct link works: the server carries nothing of it', async () => {
    const [a, b] = await joinTwo()
    await mesh.pass(LIMITS.relayAfter)
    let relayed = 0
    mesh.server.onRelay = (relay) => {
      relayed++
      mesh.server.deliver(relay)
    }
    const stream = new Stream(a, b)
    stream.send(100)
    await mesh.pass(60_000)
    expect(relayed).toBe(0)
    expect(ways(a, b)).toEqual(['memory', 'memory'])
    stream.expectAllOnce()
  })

  test('over to the next socket where the one that carries it is lost', async () => {
    firewall.way = 'refusing'
    const [a, b] = await joinTwo()
    await mesh.pass(1_000)
    const stream = new Stream(a, b)
    const session = a.sees(b)?.session?.id
    for (const dropped of [a, b, undefined]) {
      stream.send(10)
      mesh.server.drop(dropped?.key.publicKey)
      stream.send(10)
      await mesh.pass(20_000)
      expect(ways(a, b)).toEqual(['relay', 'relay'])
    }
    expect(a.sees(b)?.session?.id).toBe(session)
    stream.expectAllOnce()
  })
})

test('a peer that the welcome did not name is answered, and a session comes about', async () => {
  mesh.server.sample = 1
  const [a, b, c] = await mesh.joinAll('a', 'b', 'c')
  expect([c.sees(a)?.session?.state, c.sees(b)]).toEqual(['established', undefined])
  await mesh.pass(LIMITS.newcomerPatience)
  expect([c.sees(b)?.session?.state, b.sees(c)?.session?.state]).toEqual(['established', 'established'])
  const stream = new Stream(b, c)
  stream.send(3)
  await mesh.quiet()
  stream.expectAllOnce()
})

test('closing leaves nothing of a relayed session behind', async () => {
  firewall.way = 'silent'
  const [a, b] = await joinTwo()
  await mesh.pass(LIMITS.relayAfter)
  const waiting = a.send(b, new Uint8Array(5_000_000))
  await mesh.quiet()
  void a.service.close()
  await mesh.pass(LIMITS.closeGrace)
  expect(waiting().code).toBe('PEER_CLOSED')
  expect(b.left.map(({ id }) => id)).toEqual([a.id])
  await b.service.close()
  await mesh.pass(LIMITS.closeGrace)
  expect([mesh.clock.pending, mesh.net.openEnds, mesh.net.openAttempts, mesh.server.openSockets]).toEqual([0, 0, 0, 0])
})

describe('a server that carries a session', () => {
  let a: MeshPeer
  let b: MeshPeer
  const seen: Relay[] = []

  beforeEach(async () => {
    firewall.way = 'silent'
    ;[a, b] = await joinTwo()
    await mesh.pass(LIMITS.relayAfter)
    seen.length = 0
  })

  const hostile: [string, (relay: Relay, random: () => number) => void][] = [
    ['loses some of it', (relay, random) => random() < 0.7 && mesh.server.deliver(relay)],
    [
      'repeats it, also later',
      (relay, random) => {
        seen.push(relay)
        mesh.server.deliver(relay)
        mesh.server.deliver(seen[Math.floor(random() * seen.length)] ?? relay)
      },
    ],
    [
      'changes its order',
      (relay, random) => {
        seen.push(relay)
        if (random() < 0.5) return
        for (const held of seen.splice(0).reverse()) mesh.server.deliver(held)
      },
    ],
    [
      'alters some of it',
      (relay, random) => {
        const payload = relay.payload.slice()
        const at = Math.floor(random() * payload.length)
        if (random() < 0.3) payload[at] = (payload[at] as number) ^ 1
        mesh.server.deliver({ ...relay, payload })
      },
    ],
    [
      'sends it back, and to the other in the name of either',
      (relay) => {
        const { from, to, payload } = relay
        mesh.server.deliver({ from: to, to: from, payload })
        mesh.server.deliver({ from: to, to, payload })
        mesh.server.deliver(relay)
      },
    ],
  ]

  test.each(hostile)('and %s keeps it from nobody for long, and brings nothing of its own', async (_, misdeed) => {
    const seed = Math.floor(Math.random() * 2 ** 32)
    const random = numbersFrom(seed)
    const stream = new Stream(a, b)
    mesh.server.onRelay = (relay) => misdeed(relay, random)
    for (let i = 0; i < 20; i++) {
      stream.send(5)
      await mesh.pass(500, 50)
    }
    mesh.server.onRelay = (relay) => mesh.server.deliver(relay)
    await mesh.pass(LIMITS.linkPatience)
    try {
      stream.expectAllOnce()
    } catch (cause) {
      throw new Error(`With seed ${seed}`, { cause })
    }
  })

  test('and has stolen the introduction keys still reads nothing, and what it alters is refused', async () => {
    const keys = await Promise.all([mesh.crypto.generateIntroductionKey(), mesh.crypto.generateIntroductionKey()])
    const [c, d] = [
      await mesh.join('c', { transport: firewall.between, introductionKey: keys[0] }),
      await mesh.join('d', { transport: firewall.between, introductionKey: keys[1] }),
    ]
    await mesh.pass(LIMITS.relayAfter)
    expect(ways(c, d)).toEqual(['relay', 'relay'])
    const stolen = new Map([c, d].map((peer, i) => [peer.key.publicKey.toString(), keys[i] as IntroductionKey]))
    let altered = 0
    let isHostile = true
    let read = ''
    mesh.server.onRelay = async (relay) => {
      const key = stolen.get(relay.to.toString())
      if (key === undefined || !stolen.has(relay.from.toString())) return mesh.server.deliver(relay)
      const info = relayInfo(mesh.keys.meshId, relay.from, relay.to)
      const content = await key.open(info, relay.payload)
      read += Buffer.from(content).toString('latin1')
      if (isHostile && altered++ % 3 === 0) content[content.length - 1] = (content.at(-1) as number) ^ 1
      const payload = await mesh.crypto.seal(key.publicKey, info, content)
      mesh.server.deliver({ ...relay, payload })
    }
    const stream = new Stream(c, d)
    stream.send(10)
    c.send(d, 'attack at dawn')
    await mesh.pass(15_000)
    isHostile = false
    await mesh.pass(15_000)
    expect(d.heard(c)).toEqual([...numbers(10), 'attack at dawn'])
    expect(read).not.toContain('attack')
    expect((c.sees(d)?.statistics.framesRejected ?? 0) + (d.sees(c)?.statistics.framesRejected ?? 0)).toBeGreaterThan(0)
    expect(ways(c, d)).toEqual(['relay', 'relay'])
  })
})

test('whatever becomes of links and sockets, messages come once and in order, and promises settle truly', async () => {
  const happening = fc.oneof(
    { weight: 3, arbitrary: fc.record({ do: fc.constant('send'), count: fc.integer({ min: 1, max: 20 }) }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('pass'), ms: fc.integer({ min: 1, max: 6_000 }) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('open', 'silent', 'refusing') }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('cut') }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('drop'), whom: fc.constantFrom(0, 1) }) },
  ) as fc.Arbitrary<Happening>
  await fc.assert(
    fc.asyncProperty(fc.array(happening, { minLength: 4, maxLength: 30 }), async (happenings) => {
      mesh = await Mesh.create(crypto)
      firewall = new Firewall()
      const peers = await joinTwo()
      const stream = new Stream(...peers)
      for (const what of happenings) {
        if (what.do === 'send') stream.send(what.count)
        else if (what.do === 'pass') await mesh.pass(what.ms, 100)
        else if (what.do === 'cut') mesh.net.cut()
        else if (what.do === 'drop') mesh.server.drop(peers[what.whom]?.key.publicKey)
        else firewall.way = what.do
        await new Promise((fulfil) => setImmediate(fulfil))
      }
      firewall.way = 'open'
      await mesh.pass(10_000)
      await mesh.pass(50_000, 5_000)
      stream.expectTruth()
      // The next try for a direct link may be some time away.
      for (let minute = 0; minute < 11; minute++) {
        stream.send(1)
        await mesh.pass(60_000, 10_000)
      }
      stream.expectTruth()
      expect(ways(...peers)).toEqual(['memory', 'memory'])
    }),
    { numRuns: 15 },
  )
})

type Happening =
  | { readonly do: 'send'; readonly count: number }
  | { readonly do: 'pass'; readonly ms: number }
  | { readonly do: 'open' | 'silent' | 'refusing' | 'cut' }
  | { readonly do: 'drop'; readonly whom: 0 | 1 }

/** The same numbers from 0 to 1 for the same seed (mulberry32). */
function numbersFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}
