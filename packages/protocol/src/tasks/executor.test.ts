import { beforeEach, describe, expect, test } from 'vitest'
import type { Capability, TaskContext, TaskHandler, TaskInfo } from '../api.ts'
import { TsunagiError } from '../errors.ts'
import { LIMITS, PROTOCOL } from '../limits.ts'
import { FakeClock } from '../liveness/fake-clock.fixture.ts'
import type { SessionPayload } from '../messages.ts'
import { CapabilityRegistry } from './capabilities.ts'
import { newExecutor } from './ends.fixture.ts'
import type { TaskExecutor } from './executor.ts'
import { Outbox, settled, taskId } from './outbox.fixture.ts'
import { UsePolicies } from './policy.ts'

const ALICE = 'did:key:z6MkAlice'
const MALLORY = 'did:key:z6MkMallory'

/** A handler that ends when the test says so. */
interface Run {
  readonly input: unknown
  readonly context: TaskContext
  readonly fulfil: (output: unknown) => void
  readonly reject: (error: unknown) => void
}

let clock: FakeClock
let outbox: Outbox
let capabilities: CapabilityRegistry
let changes: TaskInfo[]
let errors: TsunagiError[]
let policies: UsePolicies
let contacts: Set<string>
let executor: TaskExecutor
let runs: Run[]

const manual: TaskHandler = (input, context) =>
  new Promise((fulfil, reject) => {
    runs.push({ input, context, fulfil, reject })
  })

beforeEach(() => {
  clock = new FakeClock()
  outbox = new Outbox()
  capabilities = new CapabilityRegistry()
  contacts = new Set()
  policies = new UsePolicies((peer) => contacts.has(peer))
  changes = []
  errors = []
  runs = []
  executor = newExecutor({
    clock,
    capabilities,
    policies,
    send: outbox.send,
    sendResult: outbox.sendResult,
    onChange: (task) => changes.push(task),
    onError: (error) => errors.push(error),
  })
})

const offer = (differs: Partial<Capability> = {}, handler = manual) =>
  capabilities.provide({ name: 'work', version: '1.0', ...differs }, handler)

function delegate(number: number, differs: Partial<SessionPayload<'task_delegate'>> = {}, caller = ALICE): void {
  executor.handleDelegate(caller, {
    task_id: taskId(number),
    capability: 'work',
    input: number,
    deadline: 60_000,
    priority: 'normal',
    ...differs,
  })
}

/** Fills every place and every waiting place. */
function fill(): void {
  for (let i = 0; i < LIMITS.maxRunningTasks + LIMITS.maxQueuedTasks; i++) delegate(1_000 + i)
}

const stateOf = (number: number) =>
  executor.tasks.find((task) => Number.parseInt(task.id.slice(0, 8), 16) === number)?.state

describe('a task', () => {
  test('is accepted, runs and is answered with what the handler returned', async () => {
    offer()
    delegate(1, { input: { text: 'a' } })
    expect(outbox.types).toEqual(['task_accept'])
    expect(outbox.last('task_accept').queue_position).toBe(0)
    expect(runs[0]?.input).toEqual({ text: 'a' })
    expect(runs[0]?.context).toMatchObject({ caller: ALICE, deadlineAt: clock.now() + 60_000 })
    runs[0]?.fulfil({ words: 1 })
    await settled()
    expect(outbox.last('task_result')).toEqual({ task_id: taskId(1), state: 'completed', output: { words: 1 } })
    expect(changes.map((task) => task.state)).toEqual(['submitted', 'working', 'completed'])
    expect(clock.pending).toBe(0)
  })

  test('is completed only when its caller has acknowledged the output', async () => {
    offer()
    delegate(1)
    outbox.holds = true
    runs[0]?.fulfil(1)
    await settled()
    expect(stateOf(1)).toBe('working')
    expect(executor.running).toBe(0)
    outbox.sent.at(-1)?.acknowledge()
    await settled()
    expect(stateOf(1)).toBe('completed')
  })

  test('whose output cannot be sent fails, and its caller is told', async () => {
    offer()
    delegate(1)
    outbox.holds = true
    runs[0]?.fulfil(1)
    await settled()
    outbox.sent.at(-1)?.fail(new TsunagiError('QUEUE_FULL', 'Too much waits for that peer.'))
    await settled()
    expect(stateOf(1)).toBe('failed')
    expect(outbox.last('task_result')).toMatchObject({ state: 'failed', code: 'QUEUE_FULL' })
  })

  test('may return nothing, bytes, or a value at once', async () => {
    offer({}, (input) => (input === 1 ? undefined : input === 2 ? new Uint8Array([7]) : 'now'))
    for (const number of [1, 2, 3]) delegate(number)
    await settled()
    expect(outbox.of('task_result').map((result) => result.state === 'completed' && result.output)).toEqual([
      null,
      new Uint8Array([7]),
      'now',
    ])
  })

  test.each<[string, TaskHandler, string]>([
    [
      'throws',
      () => {
        throw new Error('no such file')
      },
      'no such file',
    ],
    ['rejects', () => Promise.reject(new Error('no such file')), 'no such file'],
    [
      'throws something that is no error',
      () => {
        throw 'a secret'
      },
      'The handler of the task failed.',
    ],
    [
      'throws a sentence without end',
      () => {
        throw new Error(`${'😀'.repeat(127)}a😀😀`)
      },
      `${'😀'.repeat(127)}a…`,
    ],
  ])('whose handler %s fails with a short sentence and no stack', async (_, handler, message) => {
    offer({}, handler)
    delegate(1)
    await settled()
    expect(outbox.last('task_result')).toEqual({ task_id: taskId(1), state: 'failed', code: 'TASK_FAILED', message })
    expect(message.length).toBeLessThanOrEqual(256)
    expect(executor.running).toBe(0)
  })

  test.each<[string, unknown, string]>([
    ['does not fit the schema', 'three', 'TASK_OUTPUT_INVALID'],
    ['is no value that can be sent', [() => 1], 'TASK_OUTPUT_INVALID'],
    ['is not a number', Number.NaN, 'TASK_OUTPUT_INVALID'],
    ['holds undefined in a list', [undefined], 'TASK_OUTPUT_INVALID'],
    ['is larger than a message', new Uint8Array(PROTOCOL.maxMessage), 'MESSAGE_TOO_LARGE'],
  ])('whose output %s fails', async (_, output, code) => {
    offer({ output: { type: ['number', 'array'] } }, () => output)
    delegate(1)
    await settled()
    expect(outbox.last('task_result')).toMatchObject({ state: 'failed', code })
    expect(stateOf(1)).toBe('failed')
  })
})

describe('a task is rejected', () => {
  test('where the capability is unknown or withdrawn', () => {
    delegate(1)
    const withdraw = offer()
    withdraw()
    delegate(2)
    expect(outbox.of('task_reject').map((reject) => reject.reason)).toEqual(['unsupported', 'unsupported'])
    expect(executor.tasks).toEqual([])
  })

  test('where its input does not fit, with the place and the reason', () => {
    offer({ input: { type: 'object', properties: { data: { type: 'string', contentEncoding: 'binary' } } } })
    delegate(1, { input: { data: 'text' } })
    expect(outbox.last('task_reject')).toMatchObject({
      reason: 'invalid_input',
      message: expect.stringContaining('/data'),
    })
    delegate(2, { input: { data: new Uint8Array(3) } })
    expect(runs).toHaveLength(1)
  })

  test('where all places are taken, and told when one may be free by what tasks took so far', async () => {
    offer()
    fill()
    expect([executor.running, executor.queueDepth, executor.load]).toEqual([
      LIMITS.maxRunningTasks,
      LIMITS.maxQueuedTasks,
      1,
    ])
    delegate(1)
    expect(outbox.last('task_reject')).toMatchObject({
      reason: 'full',
      retry_after: LIMITS.firstTaskDuration / LIMITS.maxRunningTasks,
    })
    clock.advance(30_000)
    runs[0]?.fulfil(0)
    await settled()
    delegate(2)
    delegate(3)
    expect(outbox.of('task_reject')).toHaveLength(2)
    expect(outbox.last('task_reject').retry_after).toBeGreaterThan(LIMITS.firstTaskDuration)
  })

  test('where the waiting inputs would take more memory than allowed', () => {
    offer({ concurrency: 1 })
    delegate(0)
    for (let i = 1; i <= 6; i++) delegate(i, { input: new Uint8Array(PROTOCOL.maxMessage - 1_000) })
    expect(executor.queueDepth).toBe(4)
    expect(outbox.of('task_reject').map((reject) => reject.reason)).toEqual(['full', 'full'])
  })

  test('without being remembered, so it may be offered again', () => {
    delegate(1)
    offer()
    delegate(1)
    expect(outbox.types).toEqual(['task_reject', 'task_accept'])
  })
})

describe('places', () => {
  test('of one capability never hold back another one', () => {
    offer({ concurrency: 1 })
    offer({ name: 'other' })
    for (const number of [1, 2, 3]) delegate(number)
    delegate(4, { capability: 'other' })
    expect(runs.map((run) => run.input)).toEqual([1, 4])
    expect(outbox.of('task_accept').map((accept) => accept.queue_position)).toEqual([0, 1, 2, 0])
  })

  test('go to the most important task that waits, and its caller learns that it runs', async () => {
    offer({ concurrency: 1 })
    delegate(1)
    delegate(2, { priority: 'low' })
    delegate(3, { priority: 'critical' })
    expect(outbox.of('task_progress')).toEqual([])
    runs[0]?.fulfil(0)
    await settled()
    expect(runs[1]?.input).toBe(3)
    expect(outbox.of('task_progress')).toEqual([{ task_id: taskId(3), progress: 0, note: '' }])
  })

  test('stay taken by a handler that ignores its signal, while its caller is answered at once', async () => {
    offer({ concurrency: 1 })
    delegate(1, { deadline: 1_000 })
    delegate(2)
    clock.advance(1_000)
    expect(outbox.last('task_result')).toMatchObject({ task_id: taskId(1), state: 'failed', code: 'TASK_DEADLINE' })
    expect(runs[0]?.context.signal.aborted).toBe(true)
    expect([executor.running, executor.queueDepth]).toEqual([1, 1])
    runs[0]?.fulfil('too late')
    await settled()
    expect(outbox.of('task_result')).toHaveLength(1)
    expect(runs[1]?.input).toBe(2)
  })

  test('are never more than allowed, whatever deadlines and cancellations do', async () => {
    offer()
    for (let i = 0; i < 200; i++) {
      delegate(i, { deadline: 1 })
      if (i % 3 === 0) executor.handleCancel(ALICE, { task_id: taskId(i) })
      clock.advance(1)
    }
    await settled()
    expect(runs).toHaveLength(LIMITS.maxRunningTasks)
    for (const run of [...runs]) run.fulfil(0)
    await settled()
    expect([executor.running, executor.queueDepth, executor.load, clock.pending]).toEqual([0, 0, 0, 0])
  })

  test('of a withdrawn capability still serve what was accepted', async () => {
    const withdraw = offer({ concurrency: 1 })
    delegate(1)
    delegate(2)
    withdraw()
    runs[0]?.fulfil(0)
    await settled()
    expect(runs[1]?.input).toBe(2)
  })
})

test('load and queue are up to date when a change is told', async () => {
  const told: string[] = []
  offer({ concurrency: 1 })
  changes.push = (task) => told.push(`${task.state} ${executor.running} ${executor.queueDepth}`)
  delegate(1)
  delegate(2)
  executor.handleCancel(ALICE, { task_id: taskId(2) })
  runs[0]?.fulfil(0)
  await settled()
  expect(told).toEqual(['submitted 0 0', 'working 1 0', 'submitted 1 1', 'canceled 1 0', 'completed 0 0'])
})

describe('the same task again', () => {
  test('is answered with its state and runs once', async () => {
    offer({ concurrency: 1 })
    delegate(1)
    delegate(2)
    delegate(1)
    delegate(2)
    expect(outbox.of('task_accept').map((accept) => accept.queue_position)).toEqual([0, 1, 0, 1])
    runs[0]?.reject(new Error('no'))
    await settled()
    delegate(1)
    expect(outbox.last('task_result')).toEqual({
      task_id: taskId(1),
      state: 'failed',
      code: 'TASK_FAILED',
      message: 'no',
    })
    runs[1]?.fulfil('done')
    await settled()
    delegate(2)
    expect(outbox.last('task_result')).toMatchObject({ state: 'failed', code: 'INVALID_STATE' })
    expect(runs).toHaveLength(2)
    expect(stateOf(2)).toBe('completed')
  })

  test('from another caller is another task', () => {
    offer()
    delegate(1)
    delegate(1, {}, MALLORY)
    expect(runs.map((run) => run.context.caller)).toEqual([ALICE, MALLORY])
  })

  test('is forgotten only after as many others have ended', async () => {
    offer({}, () => 0)
    for (let i = 0; i <= LIMITS.maxEndedTasks; i++) {
      delegate(i)
      await Promise.resolve()
    }
    await settled()
    expect(executor.tasks).toHaveLength(LIMITS.maxEndedTasks)
    expect([stateOf(0), stateOf(1)]).toEqual([undefined, 'completed'])
  })
})

describe('cancelling', () => {
  test('aborts the handler and is answered', () => {
    offer()
    delegate(1)
    executor.handleCancel(ALICE, { task_id: taskId(1) })
    expect(runs[0]?.context.signal).toMatchObject({ aborted: true, reason: { code: 'TASK_CANCELED' } })
    expect(outbox.last('task_result')).toMatchObject({ state: 'canceled', code: 'TASK_CANCELED' })
  })

  test('takes a waiting task out of the queue', async () => {
    offer({ concurrency: 1 })
    delegate(1)
    delegate(2)
    executor.handleCancel(ALICE, { task_id: taskId(2) })
    expect(executor.queueDepth).toBe(0)
    runs[0]?.fulfil(0)
    await settled()
    expect(runs).toHaveLength(1)
  })

  test('by a stranger has no effect and is counted', () => {
    offer()
    delegate(1)
    executor.handleCancel(MALLORY, { task_id: taskId(1) })
    expect(executor.ignored).toBe(1)
    expect(stateOf(1)).toBe('working')
    expect(runs[0]?.context.signal.aborted).toBe(false)
    expect(outbox.types).toEqual(['task_accept'])
  })

  test('that crosses the result is no offence', async () => {
    offer({}, () => 0)
    delegate(1)
    await settled()
    executor.handleCancel(ALICE, { task_id: taskId(1) })
    expect(executor.ignored).toBe(0)
    expect(stateOf(1)).toBe('completed')
  })
})

describe('progress', () => {
  test('is merged to a few reports a second, and the last word comes before the result', async () => {
    offer()
    delegate(1)
    for (let i = 1; i <= 1_000; i++) {
      runs[0]?.context.progress(i / 1_000, `${i}`)
      clock.advance(1)
    }
    const reports = outbox.of('task_progress').length
    expect(reports).toBeGreaterThanOrEqual(LIMITS.progressRate)
    expect(reports).toBeLessThanOrEqual(LIMITS.progressRate + 1)
    runs[0]?.context.progress(1, 'writing')
    runs[0]?.fulfil(0)
    await settled()
    expect(outbox.types.slice(-2)).toEqual(['task_progress', 'task_result'])
    expect(outbox.last('task_progress')).toEqual({ task_id: taskId(1), progress: 1, note: 'writing' })
  })

  test('is told once', async () => {
    offer()
    delegate(1)
    runs[0]?.context.progress(0.5)
    clock.advance(10_000)
    expect(outbox.of('task_progress')).toEqual([{ task_id: taskId(1), progress: 0.5, note: '' }])
  })

  test('after the handler has returned is not sent', async () => {
    offer()
    delegate(1)
    outbox.holds = true
    runs[0]?.fulfil(0)
    await settled()
    runs[0]?.context.progress(0.5)
    clock.advance(1_000)
    expect(outbox.of('task_progress')).toEqual([])
  })

  test.each([[-0.1], [1.1], [Number.NaN], ['half'], [undefined]])('%s is refused with a sentence', (progress) => {
    offer()
    delegate(1)
    expect(() => runs[0]?.context.progress(progress as number)).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', message: expect.stringContaining('0 to 1') }),
    )
  })
})

describe('a caller that is gone', () => {
  test('takes its own tasks along and nobody else’s, and is told nothing', async () => {
    offer({ concurrency: 1 })
    delegate(1)
    delegate(2, {}, MALLORY)
    delegate(3)
    executor.peerLost(ALICE)
    expect([stateOf(1), stateOf(2), stateOf(3)]).toEqual(['canceled', 'submitted', 'canceled'])
    expect(runs[0]?.context.signal.aborted).toBe(true)
    expect(outbox.of('task_result')).toEqual([])
    runs[0]?.reject(runs[0].context.signal.reason)
    await settled()
    expect(stateOf(2)).toBe('working')
  })

  test('while its output is on the way has not completed', async () => {
    offer()
    delegate(1)
    outbox.holds = true
    runs[0]?.fulfil(0)
    await settled()
    executor.peerLost(ALICE)
    outbox.sent.at(-1)?.fail(new TsunagiError('LINK_LOST', 'The link is lost.'))
    await settled()
    expect(stateOf(1)).toBe('canceled')
    expect(errors).toEqual([])
  })
})

test('close() aborts everything, says nothing and takes nothing more', async () => {
  offer({ concurrency: 1 })
  delegate(1)
  delegate(2)
  outbox.holds = true
  delegate(1)
  executor.close()
  executor.close()
  delegate(3)
  outbox.sent.at(-1)?.fail(new TsunagiError('PEER_CLOSED', 'This peer was closed.'))
  expect([stateOf(1), stateOf(2), stateOf(3)]).toEqual(['canceled', 'canceled', undefined])
  expect(runs[0]?.context.signal).toMatchObject({ aborted: true, reason: { code: 'PEER_CLOSED' } })
  runs[0]?.fulfil(0)
  await settled()
  expect(outbox.types).toEqual(['task_accept', 'task_accept', 'task_accept'])
  expect([runs.length, clock.pending, errors]).toEqual([1, 0, []])
})

test.each([1, 2])('a listener that closes the peer when it sees task %s leaves nothing behind', (number) => {
  offer({ concurrency: 1 })
  changes.push = (task) => {
    if (task.id.startsWith(`0000000${number}`)) executor.close()
    return 0
  }
  delegate(1)
  delegate(2)
  expect([stateOf(1), stateOf(2)]).toEqual(['canceled', number === 2 ? 'canceled' : undefined])
  expect([executor.running, executor.queueDepth, clock.pending]).toEqual([number - 1, 0, 0])
})

test('a deadline further off than a timer can count does not end the task at once', () => {
  offer()
  delegate(1, { deadline: Number.MAX_SAFE_INTEGER })
  clock.advance(LIMITS.maxDeadline - 1)
  expect(stateOf(1)).toBe('working')
  clock.advance(1)
  expect(stateOf(1)).toBe('failed')
})

test('an answer that cannot be sent to a caller that is there is reported', async () => {
  outbox.holds = true
  delegate(1)
  outbox.sent[0]?.fail(new TsunagiError('QUEUE_FULL', 'Too much waits for that peer.'))
  await settled()
  expect(errors).toMatchObject([{ code: 'QUEUE_FULL' }])
})

describe('what a caller hears without asking', () => {
  test('is that its tasks are still here, every third of a lease, in one message', () => {
    offer({ concurrency: 1 })
    for (const number of [1, 2]) delegate(number)
    delegate(3, {}, MALLORY)
    for (let i = 0; i < 3; i++) clock.advance(PROTOCOL.taskLease / 3)
    expect(outbox.of('task_renew', ALICE)).toEqual(Array(3).fill({ task_ids: [taskId(1), taskId(2)] }))
    expect(outbox.of('task_renew', MALLORY)).toEqual(Array(3).fill({ task_ids: [taskId(3)] }))
  })

  test('ends with its tasks', () => {
    offer()
    delegate(1)
    executor.handleCancel(ALICE, { task_id: taskId(1) })
    clock.advance(PROTOCOL.taskLease)
    expect(outbox.of('task_renew')).toEqual([])
    expect(clock.pending).toBe(0)
  })

  test('comes at once where it has a link again', () => {
    offer()
    delegate(1)
    executor.peerBack(MALLORY)
    executor.peerBack(ALICE)
    expect(outbox.of('task_renew')).toEqual([{ task_ids: [taskId(1)] }])
  })
})

describe('a question', () => {
  test('is answered with all there is to know', async () => {
    offer({ concurrency: 1 })
    for (const number of [1, 2]) delegate(number)
    runs[0]?.context.progress(0.5, 'half')
    for (const number of [1, 2]) executor.handleQuery(ALICE, { task_id: taskId(number) })
    expect(outbox.of('task_state')).toEqual([
      { task_id: taskId(1), state: 'working', queue_position: 0, progress: 0.5, note: 'half', partials: 0 },
      { task_id: taskId(2), state: 'submitted', queue_position: 1, progress: 0, note: '', partials: 0 },
    ])
    runs[0]?.reject(new Error('no'))
    await settled()
    executor.handleQuery(ALICE, { task_id: taskId(1) })
    expect(outbox.last('task_state')).toMatchObject({ state: 'failed', code: 'TASK_FAILED', message: 'no' })
  })

  test('of a stranger, and about what never was, learns nothing', () => {
    offer()
    delegate(1)
    executor.handleQuery(MALLORY, { task_id: taskId(1) })
    executor.handleQuery(ALICE, { task_id: taskId(2) })
    expect(outbox.of('task_state').map(({ state }) => state)).toEqual(['unknown', 'unknown'])
    expect(executor.ignored).toBe(2)
  })
})

describe('the user of this peer', () => {
  const idOf = (number: number) =>
    executor.tasks.find(({ id }) => Number.parseInt(id.slice(0, 8), 16) === number)?.id ?? ''

  test('ends a task that runs: its handler is told, and its caller with a code and the reason', async () => {
    offer()
    delegate(1)
    expect(executor.stop(ALICE, idOf(1), 'I need my computer.')).toBe(true)
    expect(runs[0]?.context.signal.aborted).toBe(true)
    expect(outbox.last('task_result')).toEqual({
      task_id: taskId(1),
      state: 'canceled',
      code: 'TASK_CANCELED',
      message: 'I need my computer.',
    })
    expect(stateOf(1)).toBe('canceled')
    expect(executor.stop(ALICE, idOf(1), 'Again.')).toBe(false)
    runs[0]?.fulfil(1)
    await settled()
    expect(outbox.of('task_result')).toHaveLength(1)
  })

  test('ends a task that waits, which never runs and may go to another peer', async () => {
    offer({ concurrency: 1 })
    delegate(1)
    delegate(2)
    expect(executor.stop(ALICE, idOf(2), 'No.')).toBe(true)
    expect(outbox.last('task_reject')).toEqual({ task_id: taskId(2), reason: 'refused', message: 'No.' })
    expect(executor.queueDepth).toBe(0)
    runs[0]?.fulfil(1)
    await settled()
    expect(runs).toHaveLength(1)
    // Where the refusal was lost, the question finds the end.
    executor.handleQuery(ALICE, { task_id: taskId(2) })
    expect(outbox.last('task_state')).toMatchObject({ state: 'canceled', code: 'TASK_CANCELED' })
  })

  test('ends nothing by a task id of another caller', () => {
    offer()
    delegate(1)
    expect(executor.stop(MALLORY, idOf(1), 'No.')).toBe(false)
    expect(stateOf(1)).toBe('working')
  })
})

describe('partial results', () => {
  const partials = (from: number, count: number) =>
    Array.from({ length: count }, (_, i) => ({ task_id: taskId(1), index: from + i, output: from + i }))

  test('go as the caller reads, and the handler can wait for that', async () => {
    offer()
    delegate(1, { partials: true })
    const sent: number[] = []
    const all = PROTOCOL.partialWindow + 10
    for (let i = 0; i < all; i++) void runs[0]?.context.partial(i).then(() => sent.push(i))
    await settled()
    expect(outbox.of('task_partial')).toEqual(partials(0, PROTOCOL.partialWindow))
    expect(sent).toHaveLength(PROTOCOL.partialWindow)
    executor.handleCredit(MALLORY, { task_id: taskId(1), read: 5 })
    await settled()
    expect(sent).toHaveLength(PROTOCOL.partialWindow)
    executor.handleCredit(ALICE, { task_id: taskId(1), read: 5 })
    await settled()
    expect(outbox.of('task_partial')).toEqual(partials(0, PROTOCOL.partialWindow + 5))
    // One that says more than it can have read gets no more than if it had read all.
    executor.handleCredit(ALICE, { task_id: taskId(1), read: Number.MAX_SAFE_INTEGER })
    await settled()
    expect(sent).toHaveLength(all)
    executor.handleQuery(ALICE, { task_id: taskId(1) })
    expect(outbox.last('task_state').partials).toBe(all)
  })

  test('do not fail a handler whose caller is away', async () => {
    offer()
    delegate(1, { partials: true })
    outbox.holds = true
    const sent = runs[0]?.context.partial(1)
    outbox.sent.at(-1)?.fail(new TsunagiError('UNKNOWN_PEER', 'It is not here.'))
    await sent
    const refused = runs[0]?.context.partial(2)
    outbox.sent.at(-1)?.fail(new TsunagiError('QUEUE_FULL', 'Too much waits for that peer.'))
    await expect(refused).rejects.toMatchObject({ code: 'QUEUE_FULL' })
  })

  test('that nobody wants are done at once and not sent', async () => {
    offer()
    delegate(1)
    await runs[0]?.context.partial(1)
    expect(outbox.of('task_partial')).toEqual([])
  })

  test('that pile up, or cannot be sent, are refused; those of a task that ended reject', async () => {
    offer()
    delegate(1, { partials: true })
    const { context } = runs[0] as Run
    await expect(context.partial(() => 1)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    await expect(context.partial(new Uint8Array(PROTOCOL.maxControl))).rejects.toMatchObject({
      code: 'MESSAGE_TOO_LARGE',
    })
    const waiting = Array.from({ length: PROTOCOL.partialWindow + LIMITS.maxPartialsWaiting }, () => context.partial(1))
    await expect(context.partial(1)).rejects.toMatchObject({ code: 'QUEUE_FULL' })
    executor.handleCancel(ALICE, { task_id: taskId(1) })
    await expect(waiting.at(-1)).rejects.toMatchObject({ code: 'TASK_CANCELED' })
    await expect(context.partial(1)).rejects.toMatchObject({ code: 'INVALID_STATE' })
    expect((await Promise.allSettled(waiting)).filter(({ status }) => status === 'fulfilled')).toHaveLength(
      PROTOCOL.partialWindow,
    )
  })
})

test('high overtakes low, and low still ends, however many high ones come', async () => {
  offer({ concurrency: 1 })
  delegate(1)
  delegate(2, { priority: 'low' })
  const order: unknown[] = []
  for (let i = 0; i < 100 && !order.includes(2); i++) {
    delegate(100 + i, { priority: 'high', deadline: 600_000 })
    clock.advance(1_000)
    const run = runs.at(-1)
    order.push(run?.input)
    run?.fulfil(0)
    await settled()
  }
  expect(order.slice(0, 3)).toEqual([1, 100, 101])
  expect(order.at(-1)).toBe(2)
})
