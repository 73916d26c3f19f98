import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import { TsunagiError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { SessionPayload, SessionType } from '../messages.ts'
import { FakeClock } from './fake-clock.fixture.ts'
import { HEALTH_STATES, healthThresholds, type SessionHealth } from './health.ts'
import { HeartbeatManager } from './heartbeat.ts'
import { RoundTrips } from './statistics.ts'

/** One manager, what it sends with the time since it started, and what it says of the peer's health. */
class Watch {
  readonly clock = new FakeClock()
  readonly sent: { type: SessionType; payload: unknown; at: number }[] = []
  readonly healths: { health: SessionHealth; at: number }[] = []
  readonly silences: number[] = []
  readonly roundTrips = new RoundTrips()
  readonly manager: HeartbeatManager
  readonly #began = this.clock.now()
  failure: TsunagiError | undefined
  load = 0

  constructor() {
    this.manager = new HeartbeatManager({
      clock: this.clock,
      randomBytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
      send: (type, payload) => {
        this.sent.push({ type, payload, at: this.time })
        return this.failure === undefined ? Promise.resolve() : Promise.reject(this.failure)
      },
      heartbeat: () => ({ load: this.load, queue_depth: 0, last_sequence: 0 }),
      status: () => ({
        name: 'kitchen laptop',
        uptime: this.time,
        load: this.load,
        running: 0,
        queue_depth: 0,
        capabilities_digest: new Uint8Array(32),
      }),
      roundTrips: this.roundTrips,
      onHealth: (health) => this.healths.push({ health, at: this.time }),
      onSilence: () => this.silences.push(this.time),
    })
  }

  get time(): number {
    return this.clock.now() - this.#began
  }

  hear(): void {
    this.manager.heard(this.clock.now())
  }

  timesOf(type: SessionType): number[] {
    return this.sent.filter((sent) => sent.type === type).map((sent) => sent.at)
  }

  get lastPing(): SessionPayload<'ping'> {
    return this.sent.findLast((sent) => sent.type === 'ping')?.payload as SessionPayload<'ping'>
  }

  /** Lets time pass while the peer answers: something is heard each second, and each ping has its pong. */
  passAnswered(ms: number): void {
    for (let passed = 0; passed < ms; passed += 1_000) {
      this.clock.advance(1_000)
      this.manager.handlePong(this.lastPing)
      this.hear()
    }
  }
}

const gone = new TsunagiError('LINK_LOST', 'The link is lost.')
let watch: Watch

beforeEach(() => {
  watch = new Watch()
  watch.manager.start()
})

describe('beats', () => {
  test('begin with the status and a ping', () => {
    expect(watch.sent.map((sent) => sent.type)).toEqual(['status_report', 'ping'])
  })

  test('come at their interval, each with a ping, and with a heartbeat where nothing else was sent', () => {
    watch.clock.advance(LIMITS.heartbeatInterval)
    watch.manager.sent()
    watch.clock.advance(LIMITS.heartbeatInterval)
    watch.clock.advance(LIMITS.heartbeatInterval)
    expect(watch.timesOf('ping')).toEqual([0, 5_000, 10_000, 15_000])
    expect(watch.timesOf('heartbeat')).toEqual([5_000, 15_000])
  })

  test('carry the load of that moment', () => {
    watch.load = 0.5
    watch.clock.advance(LIMITS.heartbeatInterval)
    expect(watch.sent.findLast((sent) => sent.type === 'heartbeat')?.payload).toMatchObject({ load: 0.5 })
  })

  test('that cannot leave end nothing', async () => {
    watch.failure = new TsunagiError('QUEUE_FULL', 'Too much waits.')
    watch.clock.advance(3 * LIMITS.heartbeatInterval)
    await Promise.resolve()
    expect(watch.timesOf('ping')).toHaveLength(4)
  })
})

describe('status reports', () => {
  test('come at their interval although nothing changed', () => {
    watch.clock.advance(2 * LIMITS.statusInterval)
    expect(watch.timesOf('status_report')).toEqual([0, 60_000, 120_000])
  })

  test('follow a change at once, many changes together, and never lack the last one', () => {
    watch.clock.advance(1_000)
    for (let i = 1; i <= 1_000; i++) {
      watch.load = i / 1_000
      watch.manager.statusChanged()
      watch.clock.advance(1)
    }
    watch.clock.advance(LIMITS.statusSpacing)
    expect(watch.timesOf('status_report')).toEqual([0, 1_000, 1_500, 2_000])
    expect(watch.sent.findLast((sent) => sent.type === 'status_report')?.payload).toMatchObject({ load: 1 })
  })
})

describe('health', () => {
  test('goes from healthy by degraded to unreachable while nothing is heard, and back at the first word', () => {
    watch.clock.advance(LIMITS.unreachableMost)
    expect(watch.healths).toEqual([
      { health: 'degraded', at: LIMITS.degradedAfter },
      { health: 'unreachable', at: LIMITS.unreachableAfter },
    ])
    watch.clock.advance(60_000)
    watch.hear()
    expect(watch.manager.health).toBe('healthy')
    watch.clock.advance(LIMITS.unreachableAfter)
    expect(watch.healths.map(({ health }) => health)).toEqual([
      'degraded',
      'unreachable',
      'healthy',
      'degraded',
      'unreachable',
    ])
  })

  test('stays as it is while the peer answers', () => {
    watch.passAnswered(600_000)
    expect(watch.healths).toEqual([])
  })

  test('of a far peer is judged later, but never after 15 s', () => {
    expect(healthThresholds(undefined)).toEqual({ degraded: 7_500, unreachable: 14_000 })
    expect(healthThresholds(600)).toEqual({ degraded: 8_100, unreachable: 14_600 })
    expect(healthThresholds(60_000)).toEqual({ degraded: 15_000, unreachable: 15_000 })
  })

  test('is not judged by a silence during which this page slept', () => {
    watch.passAnswered(5_000)
    watch.clock.sleep(300_000)
    expect(watch.healths).toEqual([])
    expect(watch.timesOf('ping').at(-1)).toBe(watch.time)
    watch.clock.advance(LIMITS.unreachableMost)
    expect(watch.manager.health).toBe('unreachable')
  })

  test('is judged also on a page whose timers are always late', () => {
    for (let i = 0; i < 3; i++) watch.clock.sleep(60_000)
    expect(watch.manager.health).toBe('unreachable')
  })

  test.each([3_600_000, -3_600_000])('is judged also after the time of day was set by %s ms', (ms) => {
    watch.passAnswered(5_000)
    watch.clock.set(ms)
    watch.clock.advance(LIMITS.degradedAfter + LIMITS.unreachableMost)
    expect(watch.healths.map(({ health }) => health)).toEqual(['degraded', 'unreachable'])
  })

  test('has an outcome for every event in every state', () => {
    expect(HEALTH_STATES).toEqual({
      healthy: { heard: 'healthy', quiet: 'degraded', silent: 'unreachable', asleep: 'idle' },
      degraded: { heard: 'healthy', quiet: 'degraded', silent: 'unreachable', asleep: 'idle' },
      unreachable: { heard: 'healthy', quiet: 'unreachable', silent: 'unreachable', asleep: 'unreachable' },
      idle: { heard: 'healthy', quiet: 'idle', silent: 'idle', asleep: 'idle' },
    })
  })

  test('of a peer that fell silent after it said that its page is hidden is idle, and not unreachable', () => {
    watch.manager.isHidden = true
    watch.clock.advance(LIMITS.unreachableMost)
    expect(watch.healths.map(({ health }) => health)).toEqual(['degraded', 'idle'])
    watch.hear()
    expect(watch.manager.health).toBe('healthy')
  })

  test('tells of a silence when it is found, and with every beat while it lasts', () => {
    watch.clock.advance(25_000)
    expect(watch.silences).toEqual([LIMITS.unreachableAfter, 15_000, 20_000, 25_000])
    watch.hear()
    watch.clock.advance(LIMITS.heartbeatInterval)
    expect(watch.silences).toHaveLength(4)
  })

  test('follows the silence whatever is heard when, and unreachable comes at most 15 s after the last word', () => {
    const step = fc.record({
      ms: fc.integer({ min: 0, max: 20_000 }),
      event: fc.constantFrom('heard' as const, 'answered' as const, 'nothing' as const),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const watch = new Watch()
        watch.manager.start()
        let heardAt = 0
        for (const { ms, event } of steps) {
          watch.clock.advance(ms)
          if (event === 'answered') watch.manager.handlePong(watch.lastPing)
          if (event !== 'nothing') {
            watch.hear()
            heardAt = watch.time
          }
          const silence = watch.time - heardAt
          const { health } = watch.manager
          if (silence >= LIMITS.unreachableMost) expect(health).toBe('unreachable')
          if (silence < LIMITS.unreachableAfter) expect(health).not.toBe('unreachable')
          if (silence < LIMITS.degradedAfter) expect(health).toBe('healthy')
        }
        for (const [i, { health }] of watch.healths.entries()) expect(health).not.toBe(watch.healths[i - 1]?.health)
        watch.manager.stop(gone)
        expect(watch.clock.pending).toBe(0)
      }),
    )
  })
})

describe('a ping', () => {
  test('measures the time to its pong, which counts for the statistics', async () => {
    const roundTrip = watch.manager.ping()
    watch.clock.advance(42)
    watch.manager.handlePong(watch.lastPing)
    expect(await roundTrip).toBe(42)
    expect(watch.roundTrips.median).toBe(42)
  })

  test('is answered with its nonce', () => {
    watch.manager.handlePing({ nonce: 77 })
    expect(watch.sent.at(-1)).toMatchObject({ type: 'pong', payload: { nonce: 77 } })
  })

  test('is not answered by another nonce, nor twice, and such pongs are counted', async () => {
    const roundTrip = watch.manager.ping()
    const { nonce } = watch.lastPing
    watch.manager.handlePong({ nonce: nonce + 1 })
    expect([watch.manager.ignoredPongs, watch.roundTrips.median]).toEqual([1, undefined])
    watch.clock.advance(5)
    watch.manager.handlePong({ nonce })
    watch.manager.handlePong({ nonce })
    expect(await roundTrip).toBe(5)
    expect([watch.manager.ignoredPongs, watch.roundTrips.p95]).toEqual([2, 5])
  })

  test('has a nonce that cannot be told from the one before', () => {
    watch.clock.advance(4 * LIMITS.heartbeatInterval)
    const nonces = watch.sent
      .filter(({ type }) => type === 'ping')
      .map(({ payload }) => (payload as { nonce: number }).nonce)
    expect(new Set(nonces).size).toBe(5)
    for (const [i, nonce] of nonces.entries()) expect(nonce).not.toBe((nonces[i - 1] ?? -2) + 1)
  })

  test('without a pong rejects in the end', async () => {
    const roundTrip = watch.manager.ping()
    watch.clock.advance(LIMITS.unreachableMost)
    await expect(roundTrip).rejects.toMatchObject({ code: 'LINK_LOST' })
  })

  test('too many at once rejects, and those before it go on', async () => {
    const pings = Array.from({ length: LIMITS.maxPings - 1 }, () => watch.manager.ping())
    await expect(watch.manager.ping()).rejects.toMatchObject({ code: 'QUEUE_FULL' })
    for (const { type, payload } of watch.sent) {
      if (type === 'ping') watch.manager.handlePong(payload as SessionPayload<'pong'>)
    }
    expect(await Promise.all(pings)).toEqual(pings.map(() => 0))
  })

  test('that cannot leave rejects with the reason', async () => {
    watch.failure = new TsunagiError('QUEUE_FULL', 'Too much waits.')
    await expect(watch.manager.ping()).rejects.toBe(watch.failure)
  })
})

test('after stop() nothing is sent, nothing waits, and every ping has rejected', async () => {
  const roundTrip = watch.manager.ping()
  watch.manager.stop(gone)
  watch.manager.stop(new TsunagiError('PEER_CLOSED', 'Closed.'))
  await expect(roundTrip).rejects.toBe(gone)
  await expect(watch.manager.ping()).rejects.toBe(gone)
  const { length } = watch.sent
  watch.hear()
  watch.manager.statusChanged()
  watch.manager.handlePing({ nonce: 1 })
  watch.clock.advance(120_000)
  watch.manager.statusChanged()
  expect([watch.sent.length, watch.healths, watch.clock.pending]).toEqual([length, [], 0])
})
