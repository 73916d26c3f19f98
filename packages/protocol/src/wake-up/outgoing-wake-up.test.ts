import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { WakeUpResult } from '../api.ts'
import { TsunagiError } from '../errors.ts'
import { LIMITS, PROTOCOL } from '../limits.ts'
import { FakeClock } from '../liveness/fake-clock.fixture.ts'
import { WAKE_STATES, type WakeState } from '../messages.ts'
import { LADDER, patience } from './ladder.ts'
import { OutgoingWakeUp, type ServerStep } from './outgoing-wake-up.ts'

/** How each way behaves: it does not exist, brings that answer, or takes the wake-up and brings none. */
interface Ways {
  readonly session: 'missing' | 'silent' | 'lost' | WakeState
  readonly socket: 'missing' | 'unknown' | 'silent' | 'gone' | WakeState
  readonly server: 'missing' | 'unknown' | ServerStep | WakeState
}

const NOTHING: Ways = { session: 'missing', socket: 'missing', server: 'missing' }
const ONE_TRY = LIMITS.wakePatience * (1 + LIMITS.wakeJitter)
const ALL_TRIES = 7 * ONE_TRY

const isState = (way: string): way is WakeState => (WAKE_STATES as readonly string[]).includes(way)
const unreachable = () => new TsunagiError('SIGNALING_UNREACHABLE', 'Not now.')
const unknown = () => new TsunagiError('UNKNOWN_PEER', 'Never heard of it.')

/** One wake-up, with what it tried and when. */
class Climb {
  readonly clock = new FakeClock()
  readonly tried: { way: keyof Ways; at: number }[] = []
  readonly wakeUp: OutgoingWakeUp
  ways: Ways
  result: WakeUpResult | undefined
  endedAt = 0
  #began = this.clock.now()

  constructor(ways: Partial<Ways>, random = Math.random) {
    this.ways = { ...NOTHING, ...ways }
    this.wakeUp = new OutgoingWakeUp(
      {
        clock: this.clock,
        randomBytes: (length) => new Uint8Array(length).fill(random() * 256),
        bySession: () => this.#bySession(),
        bySocket: () => this.#bySocket(),
        byServer: () => this.#byServer(),
      },
      { nonce: new Uint8Array(16), reason: '', priority: 'normal', expires: 0 },
    )
    this.wakeUp.result.then(
      (result) => {
        this.result = result
        this.endedAt = this.#time
      },
      () => undefined,
    )
  }

  async run(life = PROTOCOL.maxWakeLife, ms = 2 * ALL_TRIES): Promise<void> {
    this.wakeUp.start(life)
    await settled()
    for (let passed = 0; passed < ms && this.result === undefined; passed += 100) {
      this.clock.advance(100)
      await settled()
    }
  }

  /** From now on the ways are others. */
  now(ways: Ways): void {
    this.ways = ways
  }

  get tries(): string[] {
    return this.tried.map(({ way }) => way)
  }

  get #time(): number {
    return this.clock.now() - this.#began
  }

  #try<W extends keyof Ways>(way: W): Ways[W] {
    this.tried.push({ way, at: this.#time })
    const is = this.ways[way]
    if (isState(is)) queueMicrotask(() => this.wakeUp.answered(is))
    return is
  }

  #bySession(): Promise<void> | undefined {
    const is = this.#try('session')
    if (is === 'missing') return undefined
    if (is === 'lost') return Promise.reject(new TsunagiError('LINK_LOST', 'The link was lost.'))
    // Acknowledged only by an answer: a frozen page takes everything and says nothing.
    return new Promise(() => undefined)
  }

  async #bySocket(): Promise<void> {
    const is = this.#try('socket')
    if (is === 'missing') throw unreachable()
    if (is === 'unknown') throw unknown()
    if (is === 'gone') setImmediate(() => this.wakeUp.notAtSocket())
  }

  async #byServer(): Promise<ServerStep> {
    const is = this.#try('server')
    if (is === 'missing') throw unreachable()
    if (is === 'unknown') throw unknown()
    return isState(is) && is !== 'expired' ? 'push' : (is as ServerStep)
  }
}

const settled = () => new Promise((fulfil) => setImmediate(fulfil))

describe('the outcome names the step that answered', () => {
  test.each<[string, Partial<Ways>, Partial<WakeUpResult>, string[]]>([
    ['a peer that is awake', { session: 'active' }, { outcome: 'active', step: 'session' }, ['session']],
    [
      'one without a link',
      { socket: 'waking', server: 'push' },
      { outcome: 'waking', step: 'socket' },
      ['session', 'socket'],
    ],
    [
      'one whose link is lost on the way',
      { session: 'lost', socket: 'waking' },
      { outcome: 'waking', step: 'socket' },
      ['session', 'socket'],
    ],
    [
      'one that is not at its socket',
      { socket: 'gone', server: 'waking' },
      { outcome: 'waking', step: 'mailbox' },
      ['session', 'socket', 'server'],
    ],
    ['one that says no', { socket: 'refused' }, { outcome: 'refused', step: 'socket' }, ['session', 'socket']],
    [
      'one that finds it too late',
      { socket: 'expired' },
      { outcome: 'expired', step: 'socket' },
      ['session', 'socket'],
    ],
  ])('%s, at once', async (_, ways, outcome, tries) => {
    const climb = new Climb(ways)
    await climb.run()
    expect(climb.result).toMatchObject({ ...outcome, why: undefined })
    expect(climb.tries).toEqual(tries)
    expect(climb.endedAt).toBeLessThanOrEqual(100)
  })
})

describe('or why none did', () => {
  test('a frozen tab whose link and socket look open: each next step after a longer wait, then the mailbox', async () => {
    const climb = new Climb({ session: 'silent', socket: 'silent', server: 'socket' })
    await climb.run()
    expect(climb.tries).toEqual(['session', 'socket', 'server'])
    const [, second = 0, third = 0] = climb.tried.map(({ at }) => at)
    expect(second).toBeGreaterThanOrEqual(LIMITS.wakePatience * (1 - LIMITS.wakeJitter))
    expect(second).toBeLessThanOrEqual(ONE_TRY + 100)
    expect(third - second).toBeGreaterThanOrEqual(2 * LIMITS.wakePatience * (1 - LIMITS.wakeJitter) - 100)
    expect(climb.result).toMatchObject({ outcome: 'kept', step: 'socket', why: 'silent' })
  })

  test.each(['push', 'mailbox'] as const)('nobody is there (%s): one wait, and it is kept', async (step) => {
    const climb = new Climb({ socket: 'unknown', server: step })
    await climb.run()
    expect(climb.tries).toEqual(['session', 'socket', 'server'])
    expect(climb.result).toMatchObject({ outcome: 'kept', step, why: 'silent' })
    expect(climb.endedAt).toBeLessThanOrEqual(ONE_TRY + 100)
  })

  test.each(['rate_limited', 'full', 'unavailable'] as const)('the server answers %s: three tries', async (why) => {
    const climb = new Climb({ socket: 'unknown', server: why })
    await climb.run()
    expect(climb.tries.filter((way) => way === 'server')).toHaveLength(LIMITS.wakeTries)
    expect(climb.result).toMatchObject({ outcome: 'unanswered', step: 'none', why })
  })

  test.each(['unknown', 'unknown_peer'] as const)('nobody knows the peer (%s): no second try', async (server) => {
    const climb = new Climb({ socket: 'unknown', server })
    await climb.run()
    expect(climb.tries).toEqual(['session', 'socket', 'server'])
    expect(climb.result).toMatchObject({ outcome: 'unanswered', step: 'none', why: 'unknown_peer', ms: 0 })
  })

  test('the server cannot be reached: three tries, and a session that comes meanwhile is used', async () => {
    const offline = new Climb({})
    await offline.run()
    expect(offline.tries.filter((way) => way === 'session')).toHaveLength(LIMITS.wakeTries)
    expect(offline.result).toMatchObject({ outcome: 'unanswered', step: 'none', why: 'offline' })

    const back = new Climb({})
    back.clock.after(LIMITS.wakePatience / 2, () => back.now({ ...NOTHING, session: 'active' }))
    await back.run()
    expect(back.result).toMatchObject({ outcome: 'active', step: 'session' })
  })

  test('nothing is sent any more once it has expired', async () => {
    const climb = new Climb({ socket: 'silent' })
    await climb.run(LIMITS.wakePatience / 2)
    expect(climb.result).toMatchObject({ outcome: 'expired', step: 'socket', ms: LIMITS.wakePatience / 2 })
    expect(climb.clock.pending).toBe(0)
  })
})

test('whatever the ways do, it ends in time, once, leaves no timer, and says no more than what happened', async () => {
  const ways = fc.record<Ways>({
    session: fc.constantFrom('missing', 'silent', 'lost', 'active'),
    socket: fc.constantFrom('missing', 'unknown', 'silent', 'gone', 'waking', 'refused'),
    server: fc.constantFrom('missing', 'unknown', 'socket', 'push', 'mailbox', 'rate_limited', 'full', 'waking'),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(ways, { minLength: 1, maxLength: 4 }), fc.nat(255), async (script, random) => {
      const climb = new Climb(script[0] ?? NOTHING, () => random / 256)
      for (const [i, next] of script.entries()) climb.clock.after(i * 4_000, () => climb.now(next))
      await climb.run()
      const { result } = climb
      if (result === undefined) throw new Error('It did not end.')
      expect(climb.endedAt).toBeLessThanOrEqual(ALL_TRIES + 400)
      expect(climb.tries.length).toBeLessThanOrEqual(3 * LIMITS.wakeTries)
      // The one of the expiry is gone as well.
      climb.clock.advance(ALL_TRIES)
      expect(climb.clock.pending).toBe(0)
      expect(result.why === undefined).toBe(isState(result.outcome))
      if (result.outcome === 'kept') expect(climb.tries).toContain('server')
      if (result.step === 'session') expect(script.some(({ session }) => session !== 'missing')).toBe(true)
    }),
    { numRuns: 60 },
  )
})

test('a caller that cancels leaves the others waiting; when all have, nothing goes on', async () => {
  const climb = new Climb({ socket: 'silent', server: 'socket' })
  const [first, second] = [new AbortController(), new AbortController()]
  const outcomes = [first, second].map(({ signal }) => climb.wakeUp.join(signal).catch((error) => error.code))
  await climb.run(PROTOCOL.maxWakeLife, 1_000)
  first.abort()
  expect(await outcomes[0]).toBe('WAKE_UP_CANCELED')
  expect(climb.clock.pending).toBeGreaterThan(0)
  second.abort()
  expect(await outcomes[1]).toBe('WAKE_UP_CANCELED')
  expect(climb.clock.pending).toBe(0)
})

test('every way has a next one for every event, and waits double within their jitter', () => {
  expect(LADDER).toEqual({
    session: { missing: 'socket', silent: 'socket' },
    socket: { missing: 'server', silent: 'server' },
    server: { missing: 'over', silent: 'server' },
  })
  const [least, most] = [0, 255].map((byte) => [0, 1, 2].map((n) => patience(n, () => new Uint8Array([byte]))))
  expect(least).toEqual([4_000, 8_000, 16_000])
  expect(most).toEqual([6_000, 12_000, 24_000])
})
