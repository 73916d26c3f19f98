import { beforeEach, describe, expect, test } from 'vitest'
import type { DelegateOptions, Progress, TaskInfo } from '../api.ts'
import { TsunagiError } from '../errors.ts'
import { LIMITS, PROTOCOL } from '../limits.ts'
import { FakeClock } from '../liveness/fake-clock.fixture.ts'
import type { TaskCaller, TaskCallerOptions } from './caller.ts'
import { newCaller } from './ends.fixture.ts'
import { Outbox, settled } from './outbox.fixture.ts'

const BOB = 'did:key:z6MkBob'
const MALLORY = 'did:key:z6MkMallory'

let clock: FakeClock
let outbox: Outbox
let changes: TaskInfo[]
let errors: TsunagiError[]
let caller: TaskCaller
/** Who is chosen; a test may change it. */
let choose: TaskCallerOptions['choose']

beforeEach(() => {
  clock = new FakeClock()
  outbox = new Outbox()
  changes = []
  errors = []
  choose = (_, to) => to ?? BOB
  caller = newCaller({
    clock,
    send: outbox.send,
    choose: (...about) => choose(...about),
    onChange: (task) => changes.push(task),
    onError: (error) => errors.push(error),
  })
})

/** One try, unless the options say otherwise. */
function delegate(options?: DelegateOptions, input: unknown = 'text') {
  const task = caller.delegate('text.count', input, { retries: 0, ...options })
  return { task, task_id: outbox.of('task_delegate').at(-1)?.task_id ?? new Uint8Array(16) }
}

describe('a task', () => {
  test('goes to the chosen peer and fulfils with its output', async () => {
    const { task, task_id } = delegate({ priority: 'high', deadline: 9_000 })
    expect(outbox.sent[0]?.peer).toBe(BOB)
    expect(outbox.last('task_delegate')).toEqual({
      task_id,
      capability: 'text.count',
      input: 'text',
      deadline: 9_000,
      priority: 'high',
    })
    caller.handleAccept(BOB, { task_id, queue_position: 0 })
    void caller.handleResult(BOB, { task_id, state: 'completed', output: { words: 1 } })
    expect(await task.result).toEqual({ words: 1 })
    expect(changes.map((change) => change.state)).toEqual(['submitted', 'working', 'completed'])
    expect(task.info).toMatchObject({ peer: BOB, direction: 'out', state: 'completed', progress: 1, id: task.id })
    expect(task.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    expect(clock.pending).toBe(0)
  })

  test('waits as submitted while it is in the queue of the other peer', () => {
    const { task, task_id } = delegate()
    caller.handleAccept(BOB, { task_id, queue_position: 3 })
    expect(task.info.state).toBe('submitted')
    caller.handleProgress(BOB, { task_id, progress: 0, note: '' })
    expect(task.info.state).toBe('working')
  })

  test('carries the input as it was when it was handed over', () => {
    const input = { list: [1] }
    delegate({}, input)
    input.list.push(2)
    expect(outbox.last('task_delegate').input).toEqual({ list: [1] })
  })

  test('that fails rejects with the code, the sentence and the peer', async () => {
    const { task, task_id } = delegate()
    void caller.handleResult(BOB, { task_id, state: 'failed', code: 'TASK_FAILED', message: 'no such file' })
    await expect(task.result).rejects.toMatchObject({ code: 'TASK_FAILED', message: 'no such file', peer: BOB })
    expect(task.info).toMatchObject({ state: 'failed', error: { code: 'TASK_FAILED', message: 'no such file' } })
  })

  test.each([
    ['full', 'TASK_REJECTED'],
    ['refused', 'TASK_REJECTED'],
    ['unsupported', 'UNKNOWN_CAPABILITY'],
    ['expired', 'TASK_DEADLINE'],
    ['too_large', 'MESSAGE_TOO_LARGE'],
    ['invalid_input', 'TASK_INPUT_INVALID'],
  ] as const)('that is rejected as %s rejects with %s and when to try again', async (reason, code) => {
    const { task, task_id } = delegate()
    caller.handleReject(BOB, { task_id, reason, message: 'because', retry_after: 250 })
    await expect(task.result).rejects.toMatchObject({
      code,
      retryAfter: 250,
      message: expect.stringContaining('because'),
    })
    expect(task.info.state).toBe('rejected')
  })

  test('that nobody awaits causes no unhandled rejection', async () => {
    // vitest fails the run where one happens.
    const { task_id } = delegate()
    void caller.handleResult(BOB, { task_id, state: 'failed', code: 'TASK_FAILED', message: 'no' })
    await settled()
    expect(caller.tasks[0]?.state).toBe('failed')
  })
})

describe('what cannot be handed over rejects and never throws', () => {
  const cyclic: unknown[] = []
  cyclic.push(cyclic)

  test.each<[string, unknown, unknown, unknown, string, RegExp]>([
    ['no name', undefined, 1, {}, 'INVALID_ARGUMENT', /name of a capability/],
    ['an empty name', '', 1, {}, 'INVALID_ARGUMENT', /name of a capability/],
    ['a long name', 'x'.repeat(PROTOCOL.maxCapabilityName + 1), 1, {}, 'INVALID_ARGUMENT', /1 to 128/],
    ['options that are none', 'a', 1, 'fast', 'INVALID_ARGUMENT', /options/],
    ['options that are null', 'a', 1, null, 'INVALID_ARGUMENT', /options/],
    ['a deadline of 0', 'a', 1, { deadline: 0 }, 'INVALID_ARGUMENT', /deadline/],
    ['a deadline without end', 'a', 1, { deadline: Number.POSITIVE_INFINITY }, 'INVALID_ARGUMENT', /deadline/],
    ['a priority that is none', 'a', 1, { priority: 'urgent' }, 'INVALID_ARGUMENT', /critical, high, normal, low/],
    ['a signal that is none', 'a', 1, { signal: true }, 'INVALID_ARGUMENT', /AbortSignal/],
    ['a listener that is none', 'a', 1, { onProgress: 'log' }, 'INVALID_ARGUMENT', /onProgress/],
    ['a function', 'a', () => 1, {}, 'INVALID_ARGUMENT', /plain objects/],
    ['not a number', 'a', { n: Number.NaN }, {}, 'INVALID_ARGUMENT', /finite numbers/],
    ['a cycle', 'a', cyclic, {}, 'INVALID_ARGUMENT', /The input for a/],
    ['more than a message', 'a', new Uint8Array(PROTOCOL.maxMessage), {}, 'MESSAGE_TOO_LARGE', /16777216/],
  ])('%s', async (_, capability, input, options, code, sentence) => {
    const task = caller.delegate(capability as string, input, options as DelegateOptions)
    await expect(task.result).rejects.toMatchObject({ code, message: expect.stringMatching(sentence) })
    expect(task.info.state).toBe('failed')
    expect(outbox.sent).toEqual([])
    expect(clock.pending).toBe(0)
    task.cancel()
  })

  test('for want of a peer', async () => {
    choose = () => {
      throw new TsunagiError('UNKNOWN_CAPABILITY', 'Nobody offers that.')
    }
    await expect(caller.delegate('a', 1).result).rejects.toMatchObject({ code: 'UNKNOWN_CAPABILITY' })
    expect(changes).toMatchObject([{ state: 'failed', peer: '', error: { code: 'UNKNOWN_CAPABILITY' } }])
  })

  test('for too many tasks under way', async () => {
    for (let i = 0; i < LIMITS.maxDelegatedTasks; i++) delegate()
    await expect(delegate().task.result).rejects.toMatchObject({ code: 'QUEUE_FULL' })
  })

  test('because the message cannot leave', async () => {
    outbox.holds = true
    const { task } = delegate()
    outbox.sent[0]?.fail(new TsunagiError('QUEUE_FULL', 'Too much waits for that peer.'))
    await expect(task.result).rejects.toMatchObject({ code: 'QUEUE_FULL' })
    expect(clock.pending).toBe(0)
  })

  test('because the link was lost on the way: the other peer may have got it', async () => {
    outbox.holds = true
    const { task } = delegate()
    outbox.sent[0]?.fail(new TsunagiError('LINK_LOST', 'The link is lost.'))
    await expect(task.result).rejects.toMatchObject({ code: 'TASK_LOST' })
    expect(task.info.state).toBe('lost')
  })
})

describe('a stranger', () => {
  test('has no effect on the tasks of others, and is counted', async () => {
    const { task, task_id } = delegate()
    caller.handleAccept(MALLORY, { task_id, queue_position: 0 })
    caller.handleReject(MALLORY, { task_id, reason: 'full', message: '' })
    caller.handleProgress(MALLORY, { task_id, progress: 1 })
    void caller.handleResult(MALLORY, { task_id, state: 'completed', output: 'forged' })
    caller.peerLost(MALLORY)
    expect(task.info).toMatchObject({ state: 'submitted', progress: 0 })
    expect(caller.ignored).toBe(4)
    void caller.handleResult(BOB, { task_id, state: 'completed', output: 'real' })
    expect(await task.result).toBe('real')
  })

  test('that invents a task id is counted too', () => {
    void caller.handleResult(MALLORY, { task_id: new Uint8Array(16), state: 'completed', output: 1 })
    expect([caller.ignored, caller.tasks]).toEqual([1, []])
  })
})

test('a second result, and whatever else comes after the end, changes nothing', async () => {
  const { task, task_id } = delegate()
  void caller.handleResult(BOB, { task_id, state: 'completed', output: 1 })
  const { length } = changes
  void caller.handleResult(BOB, { task_id, state: 'completed', output: 2 })
  void caller.handleResult(BOB, { task_id, state: 'failed', code: 'TASK_FAILED', message: 'no' })
  caller.handleProgress(BOB, { task_id, progress: 0.5 })
  caller.handleReject(BOB, { task_id, reason: 'full', message: '' })
  caller.peerLost(BOB)
  task.cancel()
  expect(await task.result).toBe(1)
  expect([changes.length, caller.ignored, outbox.sent.length]).toEqual([length, 0, 1])
})

test('progress never goes back, and a report without a note leaves the note', () => {
  const told: Progress[] = []
  const { task, task_id } = delegate({ onProgress: (progress) => told.push(progress) })
  caller.handleProgress(BOB, { task_id, progress: 0.5, note: 'half' })
  caller.handleProgress(BOB, { task_id, progress: 0.25 })
  caller.handleProgress(BOB, { task_id, progress: 0.75, note: 'more' })
  expect(told).toEqual([
    { progress: 0.5, note: 'half' },
    { progress: 0.5, note: 'half' },
    { progress: 0.75, note: 'more' },
  ])
  expect(task.info).toMatchObject({ state: 'working', progress: 0.75, note: 'more' })
})

test('a listener that throws is reported and stops nothing', async () => {
  const { task, task_id } = delegate({
    onProgress: () => {
      throw new Error('oops')
    },
  })
  caller.handleProgress(BOB, { task_id, progress: 0.5 })
  expect(errors).toMatchObject([{ code: 'LISTENER_FAILED' }])
  void caller.handleResult(BOB, { task_id, state: 'completed', output: 1 })
  expect(await task.result).toBe(1)
})

describe('time', () => {
  test('an unanswered task is lost, counted from when the other peer has it', async () => {
    outbox.holds = true
    const { task, task_id } = delegate()
    clock.advance(LIMITS.taskAnswerTimeout)
    expect(task.info.state).toBe('submitted')
    outbox.sent[0]?.acknowledge()
    await settled()
    clock.advance(LIMITS.taskAnswerTimeout - 1)
    expect(task.info.state).toBe('submitted')
    clock.advance(1)
    await expect(task.result).rejects.toMatchObject({ code: 'TASK_LOST' })
    expect(outbox.last('task_cancel')).toEqual({ task_id })
  })

  test('a task that was accepted has until its deadline; then it fails and the other peer is told to stop', async () => {
    const { task, task_id } = delegate({ deadline: 60_000 })
    await settled()
    caller.handleAccept(BOB, { task_id, queue_position: 1 })
    for (let passed = 0; passed < 50_000; passed += 5_000) {
      clock.advance(5_000)
      caller.handleRenew(BOB, { task_ids: [task_id] })
    }
    clock.advance(9_999)
    expect(task.info.state).toBe('submitted')
    clock.advance(1)
    await expect(task.result).rejects.toMatchObject({
      code: 'TASK_DEADLINE',
      message: expect.stringContaining('60000'),
    })
    expect(task.info.state).toBe('failed')
    expect(outbox.last('task_cancel')).toEqual({ task_id })
    expect(clock.pending).toBe(0)
  })

  test('without a deadline of its own a task has the default one', () => {
    const { task } = delegate()
    expect(task.info.deadlineAt - task.info.createdAt).toBe(LIMITS.defaultDeadline)
    expect(outbox.last('task_delegate').deadline).toBe(LIMITS.defaultDeadline)
  })
})

describe('cancelling', () => {
  test('by the signal ends the task at once and tells the other peer', async () => {
    const controller = new AbortController()
    const { task, task_id } = delegate({ signal: controller.signal })
    controller.abort()
    await expect(task.result).rejects.toMatchObject({ code: 'TASK_CANCELED' })
    expect([task.info.state, outbox.last('task_cancel')]).toEqual(['canceled', { task_id }])
    void caller.handleResult(BOB, { task_id, state: 'canceled', code: 'TASK_CANCELED', message: '' })
    expect([caller.ignored, clock.pending]).toEqual([0, 0])
  })

  test('by a signal that was aborted before sends nothing', async () => {
    const { task } = delegate({ signal: AbortSignal.abort() })
    await expect(task.result).rejects.toMatchObject({ code: 'TASK_CANCELED' })
    expect([task.info.state, outbox.sent.length]).toEqual(['canceled', 0])
  })

  test('twice tells the other peer once', () => {
    const { task } = delegate()
    task.cancel()
    task.cancel()
    expect(outbox.of('task_cancel')).toHaveLength(1)
  })

  test('that cannot be sent is reported while the other peer is there', async () => {
    const { task } = delegate()
    outbox.holds = true
    task.cancel()
    outbox.sent.at(-1)?.fail(new TsunagiError('QUEUE_FULL', 'Too much waits for that peer.'))
    await settled()
    expect(errors).toMatchObject([{ code: 'QUEUE_FULL' }])
  })
})

test('what a lost peer was doing is lost, what others do goes on', async () => {
  const { task } = delegate()
  const other = caller.delegate('text.count', 1, { to: MALLORY })
  caller.peerLost(BOB)
  await expect(task.result).rejects.toMatchObject({ code: 'TASK_LOST', peer: BOB })
  expect([task.info.state, other.info.state]).toEqual(['lost', 'submitted'])
})

test('close() rejects what is under way and what comes later, and sends nothing', async () => {
  const { task } = delegate()
  caller.close()
  await expect(task.result).rejects.toMatchObject({ code: 'PEER_CLOSED' })
  await expect(delegate().task.result).rejects.toMatchObject({ code: 'PEER_CLOSED' })
  expect([outbox.types, clock.pending]).toEqual([['task_delegate'], 0])
})

test('a listener that closes the peer when it sees a task leaves nothing behind', async () => {
  changes.push = () => {
    caller.close()
    return 0
  }
  await expect(delegate().task.result).rejects.toMatchObject({ code: 'PEER_CLOSED' })
  expect([outbox.types, clock.pending]).toEqual([[], 0])
})

test('ended tasks are remembered up to a number, newest first', () => {
  for (let i = 0; i < LIMITS.maxEndedTasks + 10; i++) {
    clock.advance(1)
    delegate().task.cancel()
  }
  const created = caller.tasks.map((task) => task.createdAt)
  expect(created).toHaveLength(LIMITS.maxEndedTasks)
  expect(created).toEqual(created.toSorted((a, b) => b - a))
  expect(created[0]).toBe(clock.now())
})
