import { beforeEach, describe, expect, test } from 'vitest'
import type { DelegateOptions, PeerId, TaskInfo } from '../api.ts'
import { TsunagiError } from '../errors.ts'
import { LIMITS, PROTOCOL } from '../limits.ts'
import { FakeClock } from '../liveness/fake-clock.fixture.ts'
import { uuidText } from '../wire/uuid.ts'
import type { TaskCaller, TaskCallerOptions } from './caller.ts'
import { firstOf, newCaller } from './ends.fixture.ts'
import { Outbox, settled } from './outbox.fixture.ts'
import { compileSchema } from './schema-check.ts'

const [ANNA, BERT, CARL] = ['did:key:z6MkAnna', 'did:key:z6MkBert', 'did:key:z6MkCarl']
const LEASE = PROTOCOL.taskLease

let clock: FakeClock
let outbox: Outbox
/** Who offers the capability, the best one first. */
let here: PeerId[]
let idempotent: boolean
let tried: [PeerId, boolean | undefined][]
let changes: TaskInfo[]
let caller: TaskCaller
let choose: TaskCallerOptions['choose']

beforeEach(() => {
  clock = new FakeClock()
  outbox = new Outbox()
  here = [ANNA, BERT, CARL]
  idempotent = false
  tried = []
  changes = []
  choose = firstOf(() => here)
  caller = newCaller({
    clock,
    send: outbox.send,
    choose: (...about) => choose(...about),
    isIdempotent: () => idempotent,
    outputCheck: (capability) => (capability === 'number' ? compileSchema({ type: 'number' }, 'Output') : undefined),
    onTried: (peer, success) => tried.push([peer, success]),
    onChange: (task) => changes.push(task),
  })
})

const delegate = (options?: DelegateOptions, capability = 'work') => caller.delegate(capability, 1, options)

/** The id under which `peer` was given its latest task. */
function idAt(peer: PeerId): Uint8Array<ArrayBuffer> {
  const id = outbox.of('task_delegate', peer).at(-1)?.task_id
  if (id === undefined) throw new Error(`${peer} was given nothing.`)
  return id
}

const accept = (peer: PeerId) => caller.handleAccept(peer, { task_id: idAt(peer), queue_position: 0 })
const complete = (peer: PeerId, output: unknown) =>
  caller.handleResult(peer, { task_id: idAt(peer), state: 'completed', output })
const fail = (peer: PeerId, code: 'TASK_FAILED' | 'TASK_LOST' = 'TASK_FAILED') =>
  caller.handleResult(peer, { task_id: idAt(peer), state: 'failed', code, message: 'no' })
const reject = (peer: PeerId, reason: 'full' | 'refused' | 'unsupported', retry_after?: number) =>
  caller.handleReject(peer, {
    task_id: idAt(peer),
    reason,
    message: 'no',
    ...(retry_after !== undefined && { retry_after }),
  })

describe('a peer that is silent', () => {
  test('is asked after a lease, and keeps the task where it says that it works', async () => {
    const task = delegate()
    accept(ANNA)
    clock.advance(LEASE - 1)
    expect(outbox.of('task_query')).toEqual([])
    clock.advance(1)
    expect(outbox.of('task_query', ANNA)).toEqual([{ task_id: idAt(ANNA) }])
    const state = { state: 'working', queue_position: 0, progress: 0.5, note: 'half', partials: 0 } as const
    await caller.handleState(ANNA, { task_id: idAt(ANNA), ...state })
    expect(task.info).toMatchObject({ state: 'working', progress: 0.5, note: 'half', peer: ANNA })
    clock.advance(LIMITS.taskQueryPatience)
    expect(outbox.of('task_query')).toHaveLength(2)
    void complete(ANNA, 'late, and in time')
    expect(await task.result).toBe('late, and in time')
  })

  test('that renews is never asked, however long it takes', async () => {
    const task = delegate({ deadline: 3_600_000 })
    accept(ANNA)
    for (let passed = 0; passed < 3_000_000; passed += LEASE / 3) {
      clock.advance(LEASE / 3)
      caller.handleRenew(ANNA, { task_ids: [idAt(ANNA)] })
    }
    expect(outbox.types).toEqual(['task_delegate'])
    void complete(ANNA, 1)
    expect(await task.result).toBe(1)
  })

  test('loses the task to another, is told to stop, and what it reports late means nothing', async () => {
    const task = delegate()
    accept(ANNA)
    clock.advance(LEASE + LIMITS.taskQueryPatience)
    const former = idAt(ANNA)
    expect(outbox.of('task_cancel', ANNA)).toEqual([{ task_id: former }])
    expect(task.info).toMatchObject({ peer: BERT, state: 'submitted', tries: 2 })
    expect(idAt(BERT)).not.toEqual(former)
    accept(BERT)
    const before = JSON.stringify(task.info)
    caller.handleProgress(ANNA, { task_id: former, progress: 0.9, note: 'forgery' })
    caller.handlePartial(ANNA, { task_id: former, index: 0, output: 1 })
    await caller.handleResult(ANNA, { task_id: former, state: 'completed', output: 'of the former' })
    await caller.handleResult(BERT, { task_id: former, state: 'completed', output: 'of the former' })
    expect([JSON.stringify(task.info), caller.ignored]).toEqual([before, 1])
    void complete(BERT, 'of the second')
    expect(await task.result).toBe('of the second')
    expect(tried).toEqual([
      [ANNA, false],
      [BERT, true],
    ])
    expect(clock.pending).toBe(0)
  })

  test('ends the task as lost where only that peer was to be asked', async () => {
    const task = delegate({ to: ANNA })
    accept(ANNA)
    clock.advance(LEASE + LIMITS.taskQueryPatience)
    await expect(task.result).rejects.toMatchObject({ code: 'TASK_LOST', peer: ANNA })
    expect([task.info.state, outbox.of('task_delegate').length]).toEqual(['lost', 1])
  })

  test('never took the task: it goes to another after an answer was due', async () => {
    const task = delegate()
    await settled()
    clock.advance(LIMITS.taskAnswerTimeout)
    expect(task.info.peer).toBe(BERT)
    // The message itself never arrived.
    outbox.holds = true
    clock.advance(LEASE + LIMITS.taskQueryPatience + 1)
    expect(task.info.peer).toBe(CARL)
  })

  test('and knows nothing of the task when it is asked gives way at once', async () => {
    const task = delegate()
    accept(ANNA)
    clock.advance(LEASE)
    const nothing = { state: 'unknown', queue_position: 0, progress: 0, note: '', partials: 0 } as const
    await caller.handleState(BERT, { task_id: idAt(ANNA), ...nothing })
    expect(task.info.peer).toBe(ANNA)
    await caller.handleState(ANNA, { task_id: idAt(ANNA), ...nothing })
    expect(task.info.peer).toBe(BERT)
  })
})

test('two executors vanish in turn: the third one does it', async () => {
  const task = delegate()
  accept(ANNA)
  here = [BERT, CARL]
  caller.peerLost(ANNA)
  accept(BERT)
  here = [CARL]
  caller.peerLost(BERT)
  accept(CARL)
  void complete(CARL, 'done')
  expect(await task.result).toBe('done')
  expect(outbox.of('task_delegate').map(({ input }) => input)).toEqual([1, 1, 1])
  expect(task.info.tries).toBe(3)
})

test('the deadline counts over all tries, and each peer is told what is left of it', async () => {
  const task = delegate({ deadline: 40_000 })
  accept(ANNA)
  clock.advance(LEASE + LIMITS.taskQueryPatience)
  expect(outbox.last('task_delegate').deadline).toBe(40_000 - LEASE - LIMITS.taskQueryPatience)
  clock.advance(10_000)
  await expect(task.result).rejects.toMatchObject({ code: 'TASK_DEADLINE' })
  expect(outbox.of('task_cancel', BERT)).toHaveLength(1)
  expect(clock.pending).toBe(0)
})

test('where nobody is left the task waits a while for somebody, then it is lost', async () => {
  const task = delegate()
  const other = delegate()
  accept(ANNA)
  here = []
  caller.peerLost(ANNA)
  expect([task.info.state, other.info.state]).toEqual(['submitted', 'submitted'])
  clock.advance(LIMITS.nobodyPatience - LIMITS.nobodyPoll)
  await settled()
  other.cancel()
  here = [BERT]
  clock.advance(LIMITS.nobodyPoll)
  await settled()
  expect(task.info).toMatchObject({ peer: BERT, state: 'submitted' })
  here = []
  caller.peerLost(BERT)
  for (let passed = 0; passed <= LIMITS.nobodyPatience; passed += LIMITS.nobodyPoll) {
    clock.advance(LIMITS.nobodyPoll)
    await settled()
  }
  await expect(task.result).rejects.toMatchObject({ code: 'TASK_LOST', peer: BERT })
  expect(clock.pending).toBe(0)
})

test.each([0, 1, 3])('with %i retries it is given away once more than that', async (retries) => {
  const task = delegate({ retries })
  for (let i = 0; i <= retries; i++) caller.peerLost(task.info.peer)
  await expect(task.result).rejects.toMatchObject({ code: 'TASK_LOST' })
  expect(outbox.of('task_delegate')).toHaveLength(retries + 1)
})

describe('where those who offer it do not answer at present', () => {
  /** Whether anybody offers it at all. */
  let isOffered: boolean

  beforeEach(() => {
    here = []
    isOffered = true
    choose = () => {
      if (here[0] !== undefined) return here[0]
      throw new TsunagiError(
        'UNKNOWN_CAPABILITY',
        'Nobody answers.',
        isOffered ? { retryAfter: LIMITS.nobodyPoll } : {},
      )
    }
  })

  test('a new task waits for one', async () => {
    const task = delegate()
    expect(task.info).toMatchObject({ state: 'submitted', peer: '', tries: 0 })
    clock.advance(LIMITS.nobodyPoll)
    here = [ANNA]
    clock.advance(LIMITS.nobodyPoll)
    expect(task.info).toMatchObject({ peer: ANNA, tries: 1 })
    expect(uuidText(idAt(ANNA))).toBe(task.id)
    await complete(ANNA, 'done')
    expect(await task.result).toBe('done')
  })

  test('it fails where none comes in time, or it is not to wait, or there is none to wait for', async () => {
    const patient = delegate()
    await expect(delegate({ retries: 0 }).result).rejects.toMatchObject({ code: 'UNKNOWN_CAPABILITY' })
    for (let waited = 0; waited <= LIMITS.nobodyPatience; waited += LIMITS.nobodyPoll) clock.advance(LIMITS.nobodyPoll)
    await settled()
    expect(patient.info).toMatchObject({ state: 'failed', error: { code: 'UNKNOWN_CAPABILITY' } })
    isOffered = false
    expect(delegate().info.state).toBe('failed')
  })
})

describe('a full peer', () => {
  test('is asked again when it said, and the retry lands', async () => {
    const task = delegate({ to: ANNA })
    reject(ANNA, 'full', 4_000)
    expect(task.info.state).toBe('submitted')
    clock.advance(3_999)
    await settled()
    expect(outbox.of('task_delegate')).toHaveLength(1)
    clock.advance(2_001)
    await settled()
    expect(outbox.of('task_delegate', ANNA)).toHaveLength(2)
    accept(ANNA)
    void complete(ANNA, 'after all')
    expect(await task.result).toBe('after all')
  })

  test('gives way to another one that offers the same', async () => {
    const task = delegate()
    reject(ANNA, 'full', 100)
    clock.advance(1_000)
    await settled()
    expect(task.info.peer).toBe(BERT)
  })

  test('that says "at once" for ever is asked less and less often, until the deadline', async () => {
    const task = delegate({ to: ANNA, deadline: 120_000 })
    for (let i = 0; i < 1_200; i++) {
      if (outbox.of('task_delegate').length > outbox.of('task_cancel').length && task.info.state === 'submitted') {
        reject(ANNA, 'full', 0)
      }
      clock.advance(100)
      await settled()
    }
    await expect(task.result).rejects.toMatchObject({ code: 'TASK_DEADLINE' })
    expect(outbox.of('task_delegate').length).toBeLessThan(20)
  })

  test('is not asked again where there are no retries', async () => {
    const task = delegate({ retries: 0 })
    reject(ANNA, 'full', 250)
    await expect(task.result).rejects.toMatchObject({ code: 'TASK_REJECTED', retryAfter: 250 })
    expect(task.info.state).toBe('rejected')
  })
})

test('a peer that refuses is not asked again; when all have refused the task is rejected', async () => {
  const task = delegate()
  reject(ANNA, 'refused')
  reject(BERT, 'unsupported')
  reject(CARL, 'refused')
  await expect(task.result).rejects.toMatchObject({ code: 'TASK_REJECTED', peer: CARL })
  expect(outbox.of('task_delegate')).toHaveLength(3)
  expect(clock.pending).toBe(0)
})

describe('what failed', () => {
  test('is tried again only where the capability is idempotent', async () => {
    const once = delegate()
    void fail(ANNA)
    await expect(once.result).rejects.toMatchObject({ code: 'TASK_FAILED' })
    idempotent = true
    const again = delegate()
    void fail(ANNA)
    void complete(BERT, 'better')
    expect(await again.result).toBe('better')
    const never = delegate({ failover: false })
    void fail(ANNA)
    await expect(never.result).rejects.toMatchObject({ code: 'TASK_FAILED' })
  })

  test('because the executor lost it goes to another, whatever it is', async () => {
    const task = delegate()
    void fail(ANNA, 'TASK_LOST')
    expect(task.info).toMatchObject({ state: 'submitted', peer: BERT })
  })
})

describe('a peer whose user ends the task', () => {
  const end = (peer: PeerId) =>
    caller.handleResult(peer, { task_id: idAt(peer), state: 'canceled', code: 'TASK_CANCELED', message: 'Not now.' })

  test('cancels it where it may have done a part of it that must not be done twice', async () => {
    const task = delegate()
    accept(ANNA)
    await end(ANNA)
    await expect(task.result).rejects.toMatchObject({ code: 'TASK_CANCELED', message: 'Not now.', peer: ANNA })
    expect(task.info.state).toBe('canceled')
    expect(outbox.of('task_delegate')).toHaveLength(1)
  })

  test('gives way to another where doing it twice is doing it once, is not asked again, and is no worse for it', async () => {
    idempotent = true
    here = [ANNA, BERT]
    const task = delegate()
    accept(ANNA)
    await end(ANNA)
    accept(BERT)
    await fail(BERT)
    expect(outbox.of('task_delegate').map(({ task_id }) => task_id)).toHaveLength(3)
    await complete(BERT, 2)
    expect(await task.result).toBe(2)
    expect(tried).toEqual([
      [ANNA, undefined],
      [BERT, false],
      [BERT, true],
    ])
  })
})

describe('a peer that lies', () => {
  test('with a result that does not fit gives way to another, and is not asked again', async () => {
    const task = delegate({}, 'number')
    void complete(ANNA, 'not a number')
    here = [ANNA, BERT]
    caller.peerLost(BERT)
    await settled()
    expect(outbox.of('task_delegate', ANNA)).toHaveLength(1)
    void complete(BERT, 7)
    expect(await task.result).toBe(7)
  })

  test('is held to the schema that the caller gave', async () => {
    const task = delegate({ to: ANNA, output: { type: 'string' } })
    void complete(ANNA, 7)
    await expect(task.result).rejects.toMatchObject({ code: 'TASK_OUTPUT_INVALID', peer: ANNA })
    expect(task.info.state).toBe('failed')
  })

  test('about what it renews is told to stop, a few at a time, and holds nobody else’s task', async () => {
    const task = delegate()
    accept(ANNA)
    clock.advance(LEASE - 1)
    const invented = Array.from({ length: PROTOCOL.maxRenewed - 1 }, (_, i) => new Uint8Array(16).fill(i))
    caller.handleRenew(BERT, { task_ids: [idAt(ANNA), ...invented] })
    expect(outbox.of('task_cancel', BERT).length).toBeLessThanOrEqual(16)
    expect(outbox.of('task_cancel', BERT).length).toBeGreaterThan(0)
    clock.advance(1)
    expect(outbox.of('task_query', ANNA)).toHaveLength(1)
    expect(task.info.peer).toBe(ANNA)
  })
})

describe('partial results', () => {
  const read = async (partials: AsyncIterable<unknown>) => {
    const values: unknown[] = []
    for await (const value of partials) values.push(value)
    return values
  }
  const partial = (peer: PeerId, index: number, output: unknown = index) =>
    caller.handlePartial(peer, { task_id: idAt(peer), index, output })

  test('come in their order and end with the task', async () => {
    const task = delegate({ partials: true })
    expect(outbox.last('task_delegate').partials).toBe(true)
    const values = read(task.partials)
    for (let index = 0; index < 3; index++) partial(ANNA, index)
    void complete(ANNA, 'all')
    expect(await values).toEqual([0, 1, 2])
  })

  test('go on after those that were taken where another peer has the task', async () => {
    const task = delegate({ partials: true })
    const values = read(task.partials)
    partial(ANNA, 0, 'a0')
    partial(ANNA, 1, 'a1')
    await settled()
    caller.peerLost(ANNA)
    accept(BERT)
    expect(outbox.last('task_credit')).toEqual({ task_id: idAt(BERT), read: 2 })
    for (let index = 0; index < 3; index++) partial(BERT, index, `b${index}`)
    void complete(BERT, 'all')
    expect(await values).toEqual(['a0', 'a1', 'b2'])
  })

  test('without end, or out of order, cost a lying peer the task', async () => {
    const task = delegate({ partials: true })
    for (let index = 0; index <= PROTOCOL.partialWindow; index++) partial(ANNA, index)
    expect([task.info.peer, outbox.of('task_cancel', ANNA).length]).toEqual([BERT, 1])
    partial(BERT, 1)
    expect(task.info.peer).toBe(CARL)
    const other = delegate()
    partial(ANNA, 0)
    expect(other.info.peer).toBe(BERT)
  })

  test('that are read make room for as many more', async () => {
    const task = delegate({ partials: true })
    const values = read(task.partials)
    for (let index = 0; index < 5 * PROTOCOL.partialWindow; index++) {
      partial(ANNA, index)
      await Promise.resolve()
      await settled()
    }
    expect(outbox.last('task_credit').read).toBeGreaterThan(4 * PROTOCOL.partialWindow)
    void complete(ANNA, 1)
    expect(await values).toHaveLength(5 * PROTOCOL.partialWindow)
  })

  test('that nobody asked for throw when they are read, and so do those of a task that failed', async () => {
    await expect(read(delegate().partials)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    const task = delegate({ partials: true, retries: 0 })
    void fail(ANNA)
    await expect(read(task.partials)).rejects.toMatchObject({ code: 'TASK_FAILED' })
  })
})

describe('an idempotency key', () => {
  test('gives the task that has it, under way or ended', async () => {
    const first = delegate({ idempotencyKey: 'report of May' })
    expect(delegate({ idempotencyKey: 'report of May' }).id).toBe(first.id)
    expect(delegate({ idempotencyKey: 'report of June' }).id).not.toBe(first.id)
    expect(outbox.of('task_delegate')).toHaveLength(2)
    first.cancel()
    const again = delegate({ idempotencyKey: 'report of May' })
    expect([again.id, again.info.state]).toEqual([first.id, 'canceled'])
    await expect(again.result).rejects.toMatchObject({ code: 'TASK_CANCELED' })
  })

  test('is free again when its task was forgotten', () => {
    const first = delegate({ idempotencyKey: 'key' })
    first.cancel()
    for (let i = 0; i < LIMITS.maxEndedTasks; i++) delegate().cancel()
    expect(delegate({ idempotencyKey: 'key' }).id).not.toBe(first.id)
  })
})
