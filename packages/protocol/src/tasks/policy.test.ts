import { beforeEach, describe, expect, test } from 'vitest'
import type { CapabilityPolicy, ConsentRequest, TaskContext } from '../api.ts'
import { LIMITS } from '../limits.ts'
import { FakeClock } from '../liveness/fake-clock.fixture.ts'
import { CapabilityRegistry } from './capabilities.ts'
import { newExecutor } from './ends.fixture.ts'
import type { TaskExecutor } from './executor.ts'
import { Outbox, settled, taskId } from './outbox.fixture.ts'
import { UsePolicies } from './policy.ts'

const [ALICE, MALLORY] = ['did:key:z6MkAlice', 'did:key:z6MkMallory']

interface Run {
  readonly context: TaskContext
  readonly fulfil: (output: unknown) => void
}

let clock: FakeClock
let outbox: Outbox
let contacts: Set<string>
let policies: UsePolicies
let executor: TaskExecutor
let runs: Run[]

beforeEach(() => {
  clock = new FakeClock()
  outbox = new Outbox()
  contacts = new Set()
  policies = new UsePolicies((peer) => contacts.has(peer))
  runs = []
  const capabilities = new CapabilityRegistry()
  capabilities.provide(
    { name: 'work', version: '1' },
    (_, context) => new Promise((fulfil) => runs.push({ context, fulfil })),
  )
  executor = newExecutor({
    clock,
    capabilities,
    policies,
    send: outbox.send,
    sendResult: outbox.sendResult,
  })
})

function delegate(number: number, caller = ALICE, input: unknown = null): void {
  executor.handleDelegate(caller, {
    task_id: taskId(number),
    capability: 'work',
    input,
    deadline: 3_600_000,
    priority: 'normal',
  })
}

const reasons = (caller?: string) => outbox.of('task_reject', caller).map(({ reason }) => reason)

describe('who may use a capability', () => {
  test('is everybody where nothing was said', () => {
    delegate(1)
    delegate(2, MALLORY)
    expect(runs).toHaveLength(2)
  })

  test('are the contacts, as they are at the moment', () => {
    policies.set('work', { who: 'contacts' })
    delegate(1)
    contacts.add(ALICE)
    delegate(2)
    delegate(3, MALLORY)
    expect([runs.length, reasons(ALICE), reasons(MALLORY)]).toEqual([1, ['refused'], ['refused']])
  })

  test('is nobody, who learns no more than that', () => {
    policies.set('work', { who: 'nobody' })
    contacts.add(ALICE)
    delegate(1)
    expect(outbox.of('task_reject')).toEqual([
      { task_id: taskId(1), reason: 'refused', message: expect.stringContaining('not do that for you') },
    ])
    expect(executor.tasks).toEqual([])
  })

  test.each<[string, unknown]>([
    ['none', undefined],
    ['an audience that is none', { who: 'friends' }],
    ['one that asks without a function', { who: 'ask' }],
    ['a number that is none', { who: 'mesh', seconds: 'many' }],
    ['nothing at once', { who: 'mesh', tasksAtOnce: 0 }],
  ])('cannot be said by a policy that is %s', (_, policy) => {
    expect(() => policies.set('work', policy as CapabilityPolicy)).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
    )
  })
})

describe('whom the user is asked about', () => {
  let asked: { readonly request: ConsentRequest; readonly answer: (yes: unknown) => void }[]

  beforeEach(() => {
    asked = []
    policies.set('work', {
      who: 'ask',
      ask: (request) =>
        new Promise((answer) => {
          asked.push({ request, answer: answer as (yes: unknown) => void })
        }),
    })
  })

  test('waits, named with what it wants, and runs after a yes', async () => {
    delegate(1, ALICE, 'a text')
    expect(asked[0]?.request).toMatchObject({ caller: ALICE, capability: 'work', input: 'a text', size: 7 })
    expect(outbox.last('task_accept').queue_position).toBe(1)
    expect([runs.length, executor.running]).toEqual([0, 0])
    asked[0]?.answer(true)
    await settled()
    expect([runs.length, executor.tasks[0]?.state]).toEqual([1, 'working'])
    expect(outbox.last('task_progress')).toMatchObject({ task_id: taskId(1), progress: 0 })
  })

  test.each([[false], [undefined], ['yes']])('is refused after %s, which leaves nothing behind', async (answer) => {
    delegate(1)
    asked[0]?.answer(answer)
    await settled()
    expect([runs.length, reasons(), executor.tasks]).toEqual([0, ['refused'], []])
    clock.advance(LIMITS.consentTimeout)
    expect(clock.pending).toBe(0)
    delegate(1)
    expect(asked).toHaveLength(2)
  })

  test('is refused where nobody answers in time, and where asking fails', async () => {
    delegate(1)
    clock.advance(LIMITS.consentTimeout)
    await settled()
    expect(reasons()).toEqual(['refused'])
    expect(asked[0]?.request.signal.aborted).toBe(true)
    asked[0]?.answer(true)
    await settled()
    expect(runs).toEqual([])
    policies.set('work', {
      who: 'ask',
      ask: () => {
        throw new Error('no window')
      },
    })
    delegate(2)
    await settled()
    expect(reasons()).toEqual(['refused', 'refused'])
  })

  test('and gives up meanwhile ends the question', async () => {
    delegate(1)
    executor.handleCancel(ALICE, { task_id: taskId(1) })
    await settled()
    expect(asked[0]?.request.signal.aborted).toBe(true)
    asked[0]?.answer(true)
    await settled()
    expect([runs.length, executor.tasks[0]?.state]).toEqual([0, 'canceled'])
    expect(clock.pending).toBe(0)
  })

  test('cannot flood the user, nor keep another from asking', () => {
    for (let i = 0; i < 100; i++) delegate(i, MALLORY)
    expect(asked).toHaveLength(LIMITS.maxConsentsPerCaller)
    expect(new Set(reasons(MALLORY))).toEqual(new Set(['full']))
    delegate(200, ALICE)
    expect(asked.at(-1)?.request.caller).toBe(ALICE)
    for (let i = 0; i < 100; i++) delegate(1_000 + i, `did:key:z6Mk${i}`)
    expect(asked).toHaveLength(LIMITS.maxConsents)
  })
})

describe('how much one caller may use', () => {
  test('is a number of tasks at once', async () => {
    policies.set('work', { who: 'mesh', tasksAtOnce: 2 })
    for (const number of [1, 2, 3]) delegate(number)
    delegate(4, MALLORY)
    expect([runs.length, reasons(ALICE), reasons(MALLORY)]).toEqual([3, ['full'], []])
    expect(outbox.last('task_reject').retry_after).toBeGreaterThan(0)
    runs[0]?.fulfil(1)
    await settled()
    delegate(5)
    expect(runs).toHaveLength(4)
  })

  test('counts a task that was cancelled until its handler has returned', async () => {
    policies.set('work', { who: 'mesh', tasksAtOnce: 1 })
    delegate(1)
    executor.handleCancel(ALICE, { task_id: taskId(1) })
    delegate(2)
    expect([runs.length, reasons()]).toEqual([1, ['full']])
    runs[0]?.fulfil(1)
    await settled()
    delegate(3)
    expect(runs).toHaveLength(2)
  })

  test('are seconds of running, within which a task ends', async () => {
    policies.set('work', { who: 'mesh', seconds: 10 })
    delegate(1)
    clock.advance(6_000)
    runs[0]?.fulfil(1)
    await settled()
    delegate(2)
    clock.advance(3_999)
    expect(runs[1]?.context.signal.aborted).toBe(false)
    clock.advance(1)
    expect(runs[1]?.context.signal.aborted).toBe(true)
    expect(outbox.last('task_result')).toMatchObject({ state: 'failed', code: 'TASK_REJECTED' })
    runs[1]?.fulfil(1)
    await settled()
    delegate(3)
    delegate(4, MALLORY)
    expect([runs.length, reasons(ALICE)]).toEqual([3, ['refused']])
    clock.advance(outbox.last('task_reject').retry_after ?? 0)
    delegate(5)
    expect(runs).toHaveLength(4)
  })

  test('are bytes of input and output', async () => {
    policies.set('work', { who: 'mesh', bytes: 1_000 })
    delegate(1, ALICE, new Uint8Array(400))
    delegate(2, ALICE, new Uint8Array(700))
    expect([runs.length, reasons()]).toEqual([1, ['refused']])
    runs[0]?.fulfil(new Uint8Array(500))
    await settled()
    delegate(3, ALICE, new Uint8Array(100))
    expect([runs.length, reasons()]).toEqual([1, ['refused', 'refused']])
    delegate(4, MALLORY, new Uint8Array(100))
    expect(runs).toHaveLength(2)
  })
})
