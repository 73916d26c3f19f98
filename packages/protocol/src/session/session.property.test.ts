/** Random conversations over bad links. fast-check prints the seed and the path that repeat a failure: fc.assert(…, { seed, path }). */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createWebCryptoProvider } from '../crypto/webcrypto.ts'
import { isTsunagiError, TsunagiError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { Bytes } from '../wire/bytes.ts'
import type { SessionMessage } from './session.ts'
import { type Connection, passing, type SessionEnd, SessionPair, type Side } from './session-pair.fixture.ts'

const crypto = createWebCryptoProvider()

type Kind = 'bytes' | 'value' | 'cancel' | 'status' | 'ping' | 'heartbeat'
const EPHEMERAL: readonly Kind[] = ['ping', 'heartbeat']
const LANE_OF: { readonly [K in Kind]: 'high' | 'normal' | 'low' } = {
  bytes: 'normal',
  value: 'normal',
  cancel: 'high',
  status: 'low',
  ping: 'high',
  heartbeat: 'low',
}

/** The model of one direction: every message has a number, and a receiver sees those of one lane grow. */
class Direction {
  readonly #from: SessionEnd
  /** What became of each message sent. */
  readonly outcomes = new Map<number, string>()
  readonly #kinds = new Map<number, Kind>()
  readonly #arrived = new Set<number>()
  readonly #last = { high: 0, normal: 0, low: 0 }
  #sent = 0

  constructor(from: SessionEnd, to: SessionEnd) {
    this.#from = from
    to.onMessage = (message) => this.#arrive(message)
  }

  send(kind: Kind, size: number): void {
    const number = ++this.#sent
    this.#kinds.set(number, kind)
    this.#give(kind, number, size).then(
      () => {
        // send() never lies: the message is there.
        this.#settle(number, this.#arrived.has(number) ? 'delivered' : 'a lie')
      },
      (error: unknown) => this.#settle(number, isTsunagiError(error) ? error.code : String(error)),
    )
  }

  /** All that must hold when nothing is on its way. */
  check(): void {
    expect(this.outcomes.size).toBe(this.#sent)
    for (const [number, kind] of this.#kinds) {
      const outcome = this.outcomes.get(number)
      if (EPHEMERAL.includes(kind)) expect(['delivered', 'LINK_LOST'], `${kind} ${number}`).toContain(outcome)
      else expect(outcome, `${kind} ${number}`).toBe('delivered')
    }
  }

  #settle(number: number, outcome: string): void {
    this.outcomes.set(number, this.outcomes.has(number) ? 'settled twice' : outcome)
  }

  #give(kind: Kind, number: number, size: number): Promise<void> {
    const { session } = this.#from
    switch (kind) {
      case 'bytes':
        return session.send('message', numbered(number, Math.max(size, 4)))
      case 'value':
        return session.send('message', { number, data: new Uint8Array(size) })
      case 'cancel':
        return session.send('task_cancel', { task_id: numbered(number, 16) })
      case 'status':
        return session.send('status_report', {
          name: '',
          uptime: number,
          load: 0,
          running: 0,
          queue_depth: 0,
          capabilities_digest: new Uint8Array(32),
        })
      case 'ping':
        return session.send('ping', { nonce: number })
      case 'heartbeat':
        return session.send('heartbeat', { load: 0, queue_depth: 0, last_sequence: number })
    }
  }

  #arrive(message: SessionMessage): void {
    const number = numberOf(message)
    const kind = this.#kinds.get(number)
    if (kind === undefined) throw new Error(`${message.type} ${number} was never sent`)
    const lane = LANE_OF[kind]
    expect(this.#arrived.has(number), `${kind} ${number} came twice`).toBe(false)
    expect(number, `${kind} ${number} came out of order`).toBeGreaterThan(this.#last[lane])
    this.#arrived.add(number)
    this.#last[lane] = number
  }
}

function numbered(number: number, size: number): Bytes {
  const bytes = new Uint8Array(size)
  new DataView(bytes.buffer).setUint32(size - 4, number)
  return bytes
}

function numberOf(message: SessionMessage): number {
  switch (message.type) {
    case 'message': {
      const { payload } = message
      return payload instanceof Uint8Array ? lastNumber(payload) : (payload as { number: number }).number
    }
    case 'task_cancel':
      return lastNumber(message.payload.task_id)
    case 'status_report':
      return message.payload.uptime
    case 'ping':
      return message.payload.nonce
    case 'heartbeat':
      return message.payload.last_sequence
    default:
      throw new Error(`${message.type} was never sent`)
  }
}

function lastNumber(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(bytes.length - 4)
}

/** A wire that does to the next frames what it has been told to. */
class BadWire {
  readonly #orders: { readonly [S in Side]: ('lose' | 'repeat' | 'alter' | 'hold')[] } = { a: [], b: [] }
  #held: (() => void)[] = []

  readonly wire = (frame: Bytes, deliver: (frame: Bytes) => void, from: Side): void => {
    const order = this.#orders[from].shift()
    if (order === 'lose') return
    if (order === 'hold') {
      this.#held.push(() => deliver(frame))
      return
    }
    if (order === 'alter') frame[frame.length >> 1] = (frame[frame.length >> 1] as number) ^ 1
    deliver(frame)
    if (order === 'repeat') deliver(frame.slice())
  }

  order(side: Side, what: 'lose' | 'repeat' | 'alter' | 'hold', frames: number): void {
    for (let i = 0; i < frames; i++) this.#orders[side].push(what)
  }

  release(): void {
    for (const deliver of this.#held.splice(0)) deliver()
  }
}

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
    fc.asyncProperty(fc.array(operation, { maxLength: 40 }), async (operations) => {
      const pair = await SessionPair.open(crypto)
      const directions = { a: new Direction(pair.a, pair.b), b: new Direction(pair.b, pair.a) }
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
    { numRuns: 100 },
  )
}, 120_000)
