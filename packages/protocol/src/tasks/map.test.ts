import { beforeEach, describe, expect, test } from 'vitest'
import type { DelegateOptions, MapOptions, PeerId, Task } from '../api.ts'
import { TsunagiError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import { FakeClock } from '../liveness/fake-clock.fixture.ts'
import { MappedTasks } from './map.ts'
import { settled } from './outbox.fixture.ts'

interface Given {
  readonly input: unknown
  readonly options: DelegateOptions
  readonly without: readonly PeerId[]
  readonly fulfil: (output: unknown) => void
  readonly reject: (code: 'TASK_FAILED' | 'TASK_LOST' | 'TASK_CANCELED') => void
  state: 'working' | 'completed' | 'failed' | 'canceled'
}

let clock: FakeClock
let given: Given[]
let offers: number

beforeEach(() => {
  clock = new FakeClock()
  given = []
  offers = 2
})

function delegate(input: unknown, options: DelegateOptions, without: readonly PeerId[]): Task {
  let fulfil!: (output: unknown) => void
  let reject!: (error: Error) => void
  const result = new Promise<unknown>((resolve, fail) => {
    fulfil = resolve
    reject = fail
  })
  result.catch(() => undefined)
  const entry: Given = {
    input,
    options,
    without,
    state: 'working',
    fulfil: (output) => {
      entry.state = 'completed'
      fulfil(output)
    },
    reject: (code) => {
      entry.state = code === 'TASK_CANCELED' ? 'canceled' : 'failed'
      reject(new TsunagiError(code, 'No.'))
    },
  }
  const peer = `peer ${given.push(entry)}`
  return {
    id: peer,
    get info() {
      return { peer, state: entry.state } as Task['info']
    },
    result,
    partials: { [Symbol.asyncIterator]: () => ({ next: async () => ({ done: true, value: undefined }) }) },
    onProgress: () => () => undefined,
    cancel: () => {
      if (entry.state === 'working') entry.reject('TASK_CANCELED')
    },
  }
}

const map = (inputs: unknown, options: MapOptions = {}) =>
  new MappedTasks<unknown>({ clock, offerCount: () => offers, delegate }, inputs, options)

const underWay = () => given.filter(({ state }) => state === 'working')

describe('results', () => {
  test('come in the order of the inputs, in whatever order they were ready', async () => {
    const all = map([1, 2, 3, 4]).all()
    await settled()
    for (const entry of given.toReversed()) entry.fulfil(Number(entry.input) * 10)
    expect(await all).toEqual([10, 20, 30, 40])
    expect(clock.pending).toBe(0)
  })

  test('of no inputs are none', async () => {
    expect(await map([]).all()).toEqual([])
  })

  test('may be read one by one, and the rest is not drawn before some are', async () => {
    let drawn = 0
    let ended = false
    async function* endless() {
      try {
        for (;;) yield drawn++
      } finally {
        ended = true
      }
    }
    const outputs: unknown[] = []
    const reading = (async () => {
      for await (const output of map(endless(), { atOnce: 3 })) {
        outputs.push(output)
        if (outputs.length === 100) break
      }
    })()
    let most = 0
    while (outputs.length < 100) {
      most = Math.max(most, underWay().length)
      for (const entry of underWay()) entry.fulfil(entry.input)
      await settled()
    }
    await reading
    expect(outputs).toEqual(Array.from({ length: 100 }, (_, i) => i))
    expect(most).toBe(3)
    expect([underWay().length, ended, clock.pending]).toEqual([0, true, 0])
    expect(drawn).toBeLessThanOrEqual(100 + 3 * LIMITS.mapLookAhead)
  })

  test('that wait for a slow one before them are bounded', async () => {
    void map(
      Array.from({ length: 1_000 }, (_, i) => i),
      { atOnce: 2, failover: false },
    )
      .all()
      .catch(() => undefined)
    for (let i = 0; i < 100; i++) {
      await settled()
      for (const entry of underWay()) if (entry.input !== 0) entry.fulfil(entry.input)
    }
    expect(given).toHaveLength(2 * LIMITS.mapLookAhead)
  })

  test('are read once', async () => {
    const run = map([])
    await run.all()
    await expect(run.all()).rejects.toMatchObject({ code: 'INVALID_STATE' })
  })
})

test('as many are under way as the peers that offer it can do, also where more come to it', async () => {
  void map(Array.from({ length: 100 }, (_, i) => i))
    .all()
    .catch(() => undefined)
  await settled()
  expect(underWay()).toHaveLength(2 * LIMITS.mapAtOncePerPeer)
  offers = 3
  clock.advance(1_000)
  await settled()
  expect(underWay()).toHaveLength(3 * LIMITS.mapAtOncePerPeer)
})

describe('one that takes far longer than the others', () => {
  async function withStraggler(options: MapOptions = {}) {
    const all = map([0, 1, 2, 3], { atOnce: 4, ...options }).all()
    all.catch(() => undefined)
    await settled()
    clock.advance(100)
    for (const entry of given.slice(1)) entry.fulfil(entry.input)
    await settled()
    clock.advance(LIMITS.stragglerLeast + 500)
    await settled()
    return all
  }

  test('is given to another peer as well, and the first result counts', async () => {
    const all = withStraggler()
    await settled()
    await settled()
    expect(given.slice(4)).toMatchObject([{ input: 0, without: ['peer 1'] }])
    given[4]?.fulfil('from the second')
    expect(await all).toEqual(['from the second', 1, 2, 3])
    expect(given[0]?.state).toBe('canceled')
    expect(clock.pending).toBe(0)
  })

  test('is told with both its tasks, each by the number of its input', async () => {
    const told: [number, string][] = []
    const all = withStraggler({ onTask: (input, { id }) => told.push([input, id]) })
    await settled()
    await settled()
    given[4]?.fulfil(0)
    await all
    expect(told).toEqual([
      [0, 'peer 1'],
      [1, 'peer 2'],
      [2, 'peer 3'],
      [3, 'peer 4'],
      [0, 'peer 5'],
    ])
  })

  test('fails only where both have failed', async () => {
    const all = withStraggler()
    await settled()
    await settled()
    given[4]?.reject('TASK_LOST')
    await settled()
    given[0]?.fulfil('after all')
    expect(await all).toEqual(['after all', 1, 2, 3])
  })

  test('is left alone where it may not run twice, or nobody else offers it', async () => {
    void withStraggler({ failover: false }).catch(() => undefined)
    for (let i = 0; i < 4; i++) await settled()
    expect(given).toHaveLength(4)
    given = []
    offers = 1
    void withStraggler().catch(() => undefined)
    for (let i = 0; i < 4; i++) await settled()
    expect(given).toHaveLength(4)
  })
})

describe('it ends', () => {
  test('with the first input that fails, and cancels the others', async () => {
    const all = map([1, 2, 3]).all()
    await settled()
    given[1]?.reject('TASK_FAILED')
    await expect(all).rejects.toMatchObject({ code: 'TASK_FAILED' })
    expect(given.map(({ state }) => state)).toEqual(['canceled', 'failed', 'canceled'])
    expect(clock.pending).toBe(0)
  })

  test.each(['signal', 'cancel'])('by %s', async (how) => {
    const controller = new AbortController()
    const run = map([1, 2], { signal: controller.signal })
    const all = run.all()
    await settled()
    if (how === 'signal') controller.abort()
    else run.cancel()
    await expect(all).rejects.toMatchObject({ code: 'TASK_CANCELED' })
    expect([underWay().length, clock.pending]).toEqual([0, 0])
  })

  test('where the source throws, or a listener does', async () => {
    const broken = {
      [Symbol.iterator]: () => ({
        next: () => {
          throw new Error('no more')
        },
      }),
    }
    await expect(map(broken).all()).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    const onProgress = () => {
      throw new Error('oops')
    }
    const all = map([1], { onProgress }).all()
    await settled()
    given[0]?.fulfil(1)
    await expect(all).rejects.toMatchObject({ code: 'LISTENER_FAILED' })
  })

  test.each<[string, unknown, unknown]>([
    ['no inputs', undefined, {}],
    ['a text', 'abc', {}],
    ['none at once', [1], { atOnce: 0 }],
    ['no function', [1], { onProgress: 1 }],
    ['no function for tasks', [1], { onTask: 1 }],
    ['a signal that is none', [1], { signal: 1 }],
    ['options that are none', [1], null],
  ])('at once where it is given %s', async (_, inputs, options) => {
    await expect(map(inputs, options as MapOptions).all()).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    expect(given).toEqual([])
  })
})

test('tells how far it is', async () => {
  const told: unknown[] = []
  const all = map([1, 2], { onProgress: (progress) => told.push(progress) }).all()
  await settled()
  for (const entry of given) entry.fulfil(1)
  await all
  expect(told).toEqual([
    { done: 1, drawn: 2 },
    { done: 2, drawn: 2 },
  ])
})
