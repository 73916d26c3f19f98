import { beforeEach, expect, test } from 'vitest'
import type { TsunagiError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import { FakeClock } from '../liveness/fake-clock.fixture.ts'
import { Part } from './part.ts'

type Loaded = (part: string[]) => void

let clock: FakeClock
let loads: { fulfil: Loaded; reject: (cause: Error) => void }[]
let errors: string[]
let ended: string[]
let part: Part<string[]>

beforeEach(() => {
  clock = new FakeClock()
  loads = []
  errors = []
  ended = []
  part = new Part<string[]>({
    clock,
    load: () => new Promise((fulfil, reject) => loads.push({ fulfil, reject })),
    close: (_, { code }) => ended.push(code),
    onError: ({ code }) => errors.push(code),
  })
})

const log: string[] = []
const note = (what: string) => (done: string[]) => void done.push(what)
const code = (error: TsunagiError) => void log.push(error.code)
const settled = () => new Promise((fulfil) => setImmediate(fulfil))

beforeEach(() => {
  log.length = 0
})

test('it is loaded once, when it is first needed, and what waited is done in its order', async () => {
  part.tell(note('before anybody needs it'))
  expect(loads).toHaveLength(0)
  part.use(note('one'), code)
  part.take('peer', 10, note('two'), code)
  part.tell(note('three'))
  expect(loads).toHaveLength(1)
  const done: string[] = []
  loads[0]?.fulfil(done)
  await settled()
  part.use(note('four'), code)
  expect(done).toEqual(['one', 'two', 'three', 'four'])
  expect(part.here).toBe(done)
  clock.advance(LIMITS.partPatience)
  expect([log, errors, loads.length]).toEqual([[], [], 1])
})

test('where it cannot be loaded what waited fails, and the next that needs it tries again', async () => {
  part.use(note('one'), code)
  loads[0]?.reject(new Error('no network'))
  await settled()
  expect([log, errors]).toEqual([['LOAD_FAILED'], ['LOAD_FAILED']])
  const got = part.get()
  loads[1]?.fulfil([])
  expect(await got).toEqual([])
})

test('a peer that goes on asking does not have it asked for again at once', async () => {
  part.take('peer', 1, note('one'), code)
  loads[0]?.reject(new Error('no network'))
  await settled()
  part.take('peer', 1, note('two'), code)
  expect([log, loads.length]).toEqual([['LOAD_FAILED', 'LOAD_FAILED'], 1])
  clock.advance(LIMITS.partPatience)
  part.take('peer', 1, note('three'), code)
  expect(loads).toHaveLength(2)
})

test('what does not come is not waited for without end; where it comes later it is used then', async () => {
  part.use(note('one'), code)
  clock.advance(LIMITS.partPatience)
  expect(log).toEqual(['LOAD_FAILED'])
  part.use(note('two'), code)
  expect(loads).toHaveLength(1)
  const done: string[] = []
  loads[0]?.fulfil(done)
  await settled()
  expect(done).toEqual(['two'])
})

test('one peer fills no more than its share, and keeps no other out', async () => {
  for (let n = 0; n < LIMITS.maxInboxMessagesPerPeer; n++) part.take('loud', 1, note('loud'), code)
  part.take('loud', 1, note('too much'), code)
  part.take('large', LIMITS.maxInboxBytesPerPeer, note('large'), code)
  part.take('large', 1, note('too large'), code)
  part.take('quiet', 1, note('quiet'), code)
  expect(log).toEqual(['QUEUE_FULL', 'QUEUE_FULL'])
  const done: string[] = []
  loads[0]?.fulfil(done)
  await settled()
  expect(done.slice(-2)).toEqual(['large', 'quiet'])
  expect(done).toHaveLength(LIMITS.maxInboxMessagesPerPeer + 2)
})

test('closed, it fails what waits and what comes, and a part that arrives then is ended', async () => {
  part.use(note('one'), code)
  const error = Object.assign(new Error('closed'), { code: 'PEER_CLOSED' }) as TsunagiError
  part.close(error)
  part.use(note('two'), code)
  loads[0]?.fulfil([])
  await settled()
  expect([log, ended, errors]).toEqual([['PEER_CLOSED', 'PEER_CLOSED'], ['PEER_CLOSED'], []])
  expect(part.here).toBeUndefined()
})
