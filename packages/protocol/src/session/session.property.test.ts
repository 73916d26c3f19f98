/** Random conversations over bad links. fast-check prints the seed and the path that repeat a failure: fc.assert(…, { seed, path }). */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createWebCryptoProvider } from '../crypto/webcrypto.ts'
import { TsunagiError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import { BadWire, Direction, type Kind } from './conversation.fixture.ts'
import { type Connection, passing, SessionPair, type Side } from './session-pair.fixture.ts'

const crypto = createWebCryptoProvider()

const side = fc.constantFrom<Side>('a', 'b')
const operation = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('send' as const),
      side,
      kind: fc.constantFrom<Kind>('bytes', 'value', 'cancel', 'status', 'ping', 'heartbeat'),
      size: fc.oneof(fc.nat(300), fc.nat(300_000)),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('burst' as const),
      side,
      kind: fc.constantFrom<Kind>('bytes', 'status'),
      count: fc.integer({ min: 2, max: 3_000 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('tamper' as const),
      side,
      how: fc.constantFrom('lose', 'repeat', 'alter', 'hold'),
      frames: fc.integer({ min: 1, max: 4 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('release' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('cut' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('connect' as const) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('attach' as const) }) },
  // Shorter in all than a session waits for its link.
  { weight: 2, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.nat(700) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('turns' as const), turns: fc.integer({ min: 1, max: 12 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('quiet' as const) }) },
)

test('over any links, what was accepted arrives once and in order, every promise settles truly, and nothing is left', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { maxLength: 40, size: 'max' }), async (operations) => {
      const pair = await SessionPair.open(crypto)
      const directions = { a: new Direction(() => pair.a), b: new Direction(() => pair.b) }
      directions.a.listen(pair.b)
      directions.b.listen(pair.a)
      const bad = new BadWire()
      pair.wire = bad.wire
      let connection: Connection | undefined
      const attach = () => {
        if (connection !== undefined) pair.attach(connection)
        connection = undefined
      }

      for (const operation of operations) {
        switch (operation.do) {
          case 'send':
            directions[operation.side].send(operation.kind, operation.size)
            break
          case 'burst':
            for (let i = 0; i < operation.count; i++) directions[operation.side].send(operation.kind, 10)
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
            connection ??= await pair.connect()
            break
          case 'attach':
            attach()
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
        pair.frames.length = 0
      }

      attach()
      bad.release()
      pair.wire = passing
      const waiting = () => pair.a.session.info.waiting + pair.b.session.info.waiting
      // One round where all is well; a gap or a link given up for one shows, and is mended, with the next heartbeats.
      for (let round = 0; round < 4 && (round === 0 || waiting() > 0); round++) {
        await pair.pass(LIMITS.resendSpacing)
        if (pair.a.session.state !== 'established') await pair.replaceLink()
        directions.a.send('heartbeat', 0)
        directions.b.send('heartbeat', 0)
        await pair.quiet()
        await pair.pass(LIMITS.ackDelay)
      }
      directions.a.check()
      directions.b.check()
      expect(waiting()).toBe(0)
      expect([pair.a.session.state, pair.b.session.state]).toEqual(['established', 'established'])

      await pair.b.session.close(new TsunagiError('PEER_CLOSED', 'The end.'))
      await pair.quiet()
      expect([pair.net.openEnds, pair.net.openAttempts, pair.clock.pending]).toEqual([0, 0, 0])
      expect([pair.a.session.state, pair.b.session.state]).toEqual(['closed', 'closed'])
    }),
    { numRuns: 60 },
  )
}, 120_000)
