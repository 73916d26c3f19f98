/** Random conversations whose pages end at any moment. fast-check prints the seed and the path that repeat a failure. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createWebCryptoProvider } from '../crypto/webcrypto.ts'
import { LIMITS } from '../limits.ts'
import { BadWire, Direction, type Kind } from './conversation.fixture.ts'
import { MemoryStore } from './memory-store.fixture.ts'
import { type Connection, passing, SessionPair, type Side } from './session-pair.fixture.ts'

const crypto = createWebCryptoProvider()

const side = fc.constantFrom<Side>('a', 'b')
const operation = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('keep' as const),
      side,
      count: fc.oneof(fc.constant(1), fc.integer({ min: 2, max: 20 })),
      size: fc.oneof({ weight: 3, arbitrary: fc.nat(300) }, { weight: 1, arbitrary: fc.nat(150_000) }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('send' as const),
      side,
      kind: fc.constantFrom<Kind>('bytes', 'cancel', 'status', 'ping'),
      size: fc.oneof({ weight: 3, arbitrary: fc.nat(300) }, { weight: 1, arbitrary: fc.nat(150_000) }),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('crash' as const),
      side,
      /** Writes of its store that still take effect. */
      after: fc.oneof(fc.constant(0), fc.nat(6)),
      isNoticed: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('tamper' as const),
      side,
      how: fc.constantFrom('lose', 'repeat', 'hold'),
      frames: fc.integer({ min: 1, max: 4 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('release' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('cut' as const) }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('connect' as const) }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('attach' as const) }) },
  // The last message of a handshake is lost with its link.
  { weight: 2, arbitrary: fc.record({ do: fc.constant('attach half' as const), side }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('room' as const), side, hasRoom: fc.boolean() }) },
  // Shorter in all than a session waits for its link.
  { weight: 1, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.nat(700) }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('turns' as const), turns: fc.integer({ min: 1, max: 12 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('quiet' as const) }) },
)

/** Two pages, each with a store, and the model of what they say to each other. */
class Pages {
  readonly pair: SessionPair
  readonly directions: { readonly [S in Side]: Direction }
  readonly bad = new BadWire()
  /** Something happened over which only durable messages are safe. */
  mayBeLost = false
  #connection: Connection | undefined
  #loading: Promise<void>[] = []

  constructor(pair: SessionPair) {
    this.pair = pair
    pair.wire = this.bad.wire
    this.directions = { a: new Direction(() => pair.a), b: new Direction(() => pair.b) }
    this.directions.a.listen(pair.b)
    this.directions.b.listen(pair.a)
  }

  async connect(): Promise<void> {
    const { a, b } = this.pair
    const connection = await this.pair.connect()
    // A page that ended meanwhile finishes no handshake.
    if (!a.isGone && !b.isGone) this.#connection ??= connection
  }

  attach(half?: Side): void {
    const connection = this.#connection
    this.#connection = undefined
    if (connection === undefined) return
    if (half === undefined) this.pair.attach(connection)
    else {
      this.mayBeLost = true
      this.pair[half].attach(connection[half])
      this.pair.net.cut(connection[half].link)
    }
  }

  /** @param after writes of its store that still take effect */
  crash(side: Side, after: number, isNoticed: boolean): void {
    const { store } = this.pair[side]
    if (store === undefined) return
    let left = after
    store.beforeWrite = () => {
      if (left-- === 0) this.#end(side, isNoticed)
    }
    if (after === 0) this.#end(side, isNoticed)
  }

  async loaded(): Promise<void> {
    await Promise.all(this.#loading.splice(0))
  }

  #end(side: Side, isNoticed: boolean): void {
    if (this.pair[side].isGone) return
    this.mayBeLost = true
    this.#connection = undefined
    const loading = this.pair.reload(side).then(() => {
      const page = this.pair[side]
      this.directions[side === 'a' ? 'b' : 'a'].listen(page, page.found)
    })
    this.#loading.push(loading)
    if (isNoticed) this.pair.net.cut()
  }
}

test('whatever crashes when, each accepted durable message is taken once and in order, and every promise settles truly', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { maxLength: 60, size: 'max' }), fc.boolean(), async (operations, haveMet) => {
      const stores = { a: new MemoryStore(), b: new MemoryStore() }
      const pair = await SessionPair[haveMet ? 'open' : 'apart'](crypto, { stores })
      const pages = new Pages(pair)
      const { directions, bad } = pages

      for (const operation of operations) {
        switch (operation.do) {
          case 'keep':
            for (let i = 0; i < operation.count; i++) directions[operation.side].sendDurable(operation.size)
            break
          case 'send':
            directions[operation.side].send(operation.kind, operation.size)
            break
          case 'crash':
            pages.crash(operation.side, operation.after, operation.isNoticed)
            break
          case 'tamper':
            bad.order(operation.side, operation.how, operation.frames)
            break
          case 'release':
            bad.release()
            break
          case 'cut':
            pair.net.cut()
            break
          case 'connect':
            await pages.connect()
            break
          case 'attach':
            pages.attach()
            break
          case 'attach half':
            pages.attach(operation.side)
            break
          case 'room':
            pair[operation.side].hasRoom = operation.hasRoom
            if (operation.hasRoom) pair[operation.side].session.inboxHasRoom()
            break
          case 'pass':
            pair.clock.advance(operation.ms)
            break
          case 'turns':
            for (let i = 0; i < operation.turns; i++) await new Promise((fulfil) => setImmediate(fulfil))
            break
          case 'quiet':
            await pair.quiet()
        }
        await pages.loaded()
        pair.frames.length = 0
      }

      for (const page of [pair.a, pair.b]) {
        if (page.store !== undefined) page.store.beforeWrite = () => undefined
        page.hasRoom = true
        page.session.inboxHasRoom()
      }
      bad.release()
      pair.wire = passing
      const waiting = () =>
        [pair.a, pair.b].reduce((sum, { session }) => sum + session.info.waiting + session.durable.length, 0)
      // A link is given up for a gap that shows with the next heartbeats; the next one mends it.
      for (let round = 0; round < 6 && (round === 0 || waiting() > 0); round++) {
        await pair.pass(LIMITS.resendSpacing)
        if (round === 0 || pair.a.session.state !== 'established') await pair.replaceLink()
        directions.a.send('heartbeat', 0)
        directions.b.send('heartbeat', 0)
        await pair.quiet()
        await pair.pass(LIMITS.ackDelay)
      }
      expect(waiting()).toBe(0)
      expect([pair.a.session.state, pair.b.session.state]).toEqual(['established', 'established'])
      directions.a.check(pages.mayBeLost)
      directions.b.check(pages.mayBeLost)
      directions.a.checkDurable((await pair.b.store?.load())?.inbox ?? [])
      directions.b.checkDurable((await pair.a.store?.load())?.inbox ?? [])
    }),
    { numRuns: 100 },
  )
}, 240_000)
