import { beforeEach, describe, expect, test } from 'vitest'
import type { Capability, DelegateOptions, TaskContext } from '../api.ts'
import type { TsunagiError } from '../errors.ts'
import { LIMITS, PROTOCOL } from '../limits.ts'
import { FakeClock } from '../liveness/fake-clock.fixture.ts'
import type { TaskCaller } from './caller.ts'
import { CapabilityRegistry } from './capabilities.ts'
import { firstOf, newCaller, newExecutor } from './ends.fixture.ts'
import type { TaskExecutor } from './executor.ts'
import { MemoryTaskStore } from './memory-task-store.fixture.ts'
import { Outbox, settled, taskId } from './outbox.fixture.ts'

const [ALICE, BOB, CARL] = ['did:key:z6MkAlice', 'did:key:z6MkBob', 'did:key:z6MkCarl']

let clock: FakeClock
let store: MemoryTaskStore
let outbox: Outbox
let errors: TsunagiError[]

beforeEach(() => {
  clock = new FakeClock()
  store = new MemoryTaskStore()
  outbox = new Outbox()
  errors = []
})

/** The next page begins: it finds what this one kept, and nothing else. */
function reload(): void {
  store = store.crash()
  outbox = new Outbox()
  // Timers of the page before are gone with it.
  const now = clock.now()
  clock = new FakeClock(now)
}

describe('the caller', () => {
  let here: string[]
  let caller: TaskCaller

  async function page(): Promise<void> {
    caller = newCaller({
      clock,
      send: outbox.send,
      choose: firstOf(() => here),
      store,
      onError: (error) => errors.push(error),
    })
    caller.restore(await store.load())
  }

  async function reloaded(): Promise<void> {
    await settled()
    reload()
    await page()
  }

  const delegate = (options?: DelegateOptions) => caller.delegate('work', { text: 'input' }, options)
  const idAt = (peer: string) => outbox.of('task_delegate', peer).at(-1)?.task_id ?? new Uint8Array(16)

  beforeEach(async () => {
    here = [BOB, CARL]
    await page()
  })

  test('finds its tasks again, and attaches to them', async () => {
    const { id } = delegate({ priority: 'high' })
    const task_id = idAt(BOB)
    caller.handleProgress(BOB, { task_id, progress: 0.25 })
    await reloaded()
    expect(caller.tasks).toMatchObject([{ id, state: 'submitted', peer: BOB, priority: 'high', capability: 'work' }])
    const task = caller.task(id)
    const told: unknown[] = []
    task?.onProgress((progress) => told.push(progress))
    caller.peerBack(BOB)
    expect(outbox.of('task_query', BOB)).toEqual([{ task_id }])
    const working = { state: 'working', queue_position: 0, progress: 0.5, note: 'half', partials: 0 } as const
    await caller.handleState(BOB, { task_id, ...working })
    expect(told).toEqual([{ progress: 0.5, note: 'half' }])
    await caller.handleResult(BOB, { task_id, state: 'completed', output: 'done' })
    expect(await task?.result).toBe('done')
    expect(outbox.of('task_delegate')).toEqual([])
  })

  test('gives a task away again with its input where the peer that had it knows nothing of it', async () => {
    const { id } = delegate()
    const task_id = idAt(BOB)
    await reloaded()
    const nothing = { state: 'unknown', queue_position: 0, progress: 0, note: '', partials: 0 } as const
    await caller.handleState(BOB, { task_id, ...nothing })
    await settled()
    expect(outbox.of('task_delegate', CARL)).toMatchObject([{ input: { text: 'input' }, capability: 'work' }])
    await caller.handleResult(CARL, { task_id: idAt(CARL), state: 'completed', output: 1 })
    expect(await caller.task(id)?.result).toBe(1)
  })

  test('asks one that does not come back for no longer than any other', async () => {
    const { id } = delegate({ to: BOB })
    await reloaded()
    clock.advance(PROTOCOL.taskLease + LIMITS.taskQueryPatience)
    await expect(caller.task(id)?.result).rejects.toMatchObject({ code: 'TASK_LOST' })
    await reloaded()
    expect(caller.task(id)?.info.state).toBe('lost')
    expect(clock.pending).toBe(0)
  })

  test('takes the result of a try that was made on another page, and none of a former try', async () => {
    const { id } = delegate()
    const former = idAt(BOB)
    caller.peerLost(BOB)
    const task_id = idAt(CARL)
    await reloaded()
    await caller.handleResult(BOB, { task_id: former, state: 'completed', output: 'late' })
    await caller.handleResult(CARL, { task_id, state: 'completed', output: 'right' })
    expect(await caller.task(id)?.result).toBe('right')
    expect(caller.task(id)?.info).toMatchObject({ tries: 2, peer: CARL })
  })

  test('has the output of a task that ended on the page before, and its error', async () => {
    const [done, failed] = [delegate(), delegate({ retries: 0 })]
    const [first, second] = outbox.of('task_delegate').map(({ task_id }) => task_id) as [never, never]
    await caller.handleResult(BOB, { task_id: first, state: 'completed', output: { words: 7 } })
    await caller.handleResult(BOB, { task_id: second, state: 'failed', code: 'TASK_FAILED', message: 'no' })
    await reloaded()
    expect(await caller.task(done.id)?.result).toEqual({ words: 7 })
    await expect(caller.task(failed.id)?.result).rejects.toMatchObject({ code: 'TASK_FAILED', message: 'no' })
    await expect(caller.task(failed.id)?.partials[Symbol.asyncIterator]().next()).rejects.toMatchObject({
      code: 'TASK_FAILED',
    })
    // What comes of it again, since the page ended before that was noted, is not applied.
    await caller.handleResult(BOB, { task_id: second, state: 'completed', output: 'other' })
    expect(caller.task(failed.id)?.info.state).toBe('failed')
  })

  test('knows an idempotency key again', async () => {
    const { id } = delegate({ idempotencyKey: 'May' })
    await reloaded()
    expect(caller.delegate('work', 1, { idempotencyKey: 'May' }).id).toBe(id)
    expect(outbox.of('task_delegate')).toEqual([])
  })

  test('ends what is overdue, and counts what is left of the others', async () => {
    const [short, long] = [delegate({ deadline: 10_000 }), delegate({ deadline: 60_000 })]
    clock.advance(5_000)
    await settled()
    reload()
    clock.sleep(15_000)
    await page()
    await expect(caller.task(short.id)?.result).rejects.toMatchObject({ code: 'TASK_DEADLINE' })
    caller.peerLost(BOB)
    await settled()
    expect(outbox.last('task_delegate').deadline).toBe(40_000)
    expect(caller.task(long.id)?.info.state).toBe('submitted')
  })

  test('goes on with partial results from where the peer is', async () => {
    const { id } = delegate({ partials: true })
    const task_id = idAt(BOB)
    caller.handlePartial(BOB, { task_id, index: 0, output: 'of the page before' })
    await reloaded()
    const reading = caller.task(id)?.partials[Symbol.asyncIterator]()
    caller.peerBack(BOB)
    const working = { state: 'working', queue_position: 0, progress: 0, note: '', partials: 7 } as const
    await caller.handleState(BOB, { task_id, ...working })
    expect(outbox.last('task_credit')).toEqual({ task_id, read: 7 })
    caller.handlePartial(BOB, { task_id, index: 7, output: 'next' })
    expect(await reading?.next()).toEqual({ done: false, value: 'next' })
  })

  test('that closes has ended its tasks for good', async () => {
    const { id } = delegate()
    caller.close()
    await reloaded()
    expect(caller.task(id)?.info).toMatchObject({ state: 'canceled', error: { code: 'PEER_CLOSED' } })
  })

  test('forgets what it kept of the oldest, and says where the store fails', async () => {
    for (let i = 0; i < LIMITS.maxEndedTasks + 5; i++) delegate().cancel()
    await settled()
    expect(await store.load()).toHaveLength(LIMITS.maxEndedTasks)
    store.fails = true
    const task = delegate()
    await settled()
    expect(errors).toMatchObject([{ code: 'STORAGE_FAILED' }])
    await caller.handleResult(BOB, { task_id: idAt(BOB), state: 'completed', output: 1 })
    expect(await task.result).toBe(1)
  })
})

describe('the executor', () => {
  interface Run {
    readonly input: unknown
    readonly context: TaskContext
    readonly fulfil: (output: unknown) => void
  }
  let capabilities: CapabilityRegistry
  let executor: TaskExecutor
  let runs: Run[]
  let accepts: () => void

  async function page(): Promise<void> {
    capabilities = new CapabilityRegistry()
    runs = []
    executor = newExecutor({
      clock,
      capabilities,
      send: outbox.send,
      sendResult: (peer, payload) => ({
        accepted: new Promise((accept) => {
          accepts = accept
        }),
        delivered: outbox.send(peer, 'task_result', payload),
      }),
      store,
      onError: (error) => errors.push(error),
    })
    await executor.restore(await store.load())
  }

  async function reloaded(): Promise<void> {
    await settled()
    reload()
    await page()
  }

  function offer(differs: Partial<Capability> = {}): void {
    capabilities.provide(
      { name: 'work', version: '1', concurrency: 1, ...differs },
      (input, context) => new Promise((fulfil) => runs.push({ input, context, fulfil })),
    )
    executor.provided('work')
  }

  const delegate = (number: number, deadline = 600_000) =>
    executor.handleDelegate(ALICE, {
      task_id: taskId(number),
      capability: 'work',
      input: number,
      deadline,
      priority: 'normal',
    })

  beforeEach(page)

  test('goes on with the tasks that waited, in their order, when it offers the capability again', async () => {
    offer()
    for (const number of [1, 2, 3]) delegate(number)
    executor.handleCancel(ALICE, { task_id: taskId(1) })
    await settled()
    await reloaded()
    executor.peerBack(ALICE)
    expect(outbox.of('task_renew')).toEqual([{ task_ids: [taskId(2), taskId(3)] }])
    offer({ onReload: 'lost' })
    expect(runs.map(({ input }) => input)).toEqual([2])
    runs[0]?.fulfil('two')
    await settled()
    expect(outbox.of('task_result')).toEqual([{ task_id: taskId(2), state: 'completed', output: 'two' }])
    expect(runs.map(({ input }) => input)).toEqual([2, 3])
  })

  test.each([
    ['runs again', { onReload: 'restart' }, [1]],
    ['runs again where the capability is idempotent', { idempotent: true }, [1]],
    ['is lost', { onReload: 'lost' }, []],
    ['is lost where nothing is said', {}, []],
  ] as const)('a task that was running %s', async (_, declares, inputs) => {
    offer(declares)
    delegate(1)
    await reloaded()
    offer(declares)
    expect(runs.map(({ input }) => input)).toEqual(inputs)
    if (inputs.length > 0) {
      runs[0]?.fulfil('done')
      await settled()
      expect(outbox.last('task_result')).toMatchObject({ task_id: taskId(1), state: 'completed' })
    } else {
      expect(outbox.last('task_result')).toMatchObject({ task_id: taskId(1), state: 'failed', code: 'TASK_LOST' })
    }
  })

  test('a task whose result was accepted for delivery is done, and does not run again', async () => {
    offer({ onReload: 'restart' })
    delegate(1)
    outbox.holds = true
    runs[0]?.fulfil('done')
    await settled()
    accepts()
    await reloaded()
    offer({ onReload: 'restart' })
    expect([runs.length, executor.tasks[0]?.state]).toEqual([0, 'completed'])
    delegate(1)
    expect(runs).toEqual([])
  })

  test('a task that is given again meanwhile is the same task', async () => {
    offer()
    delegate(1)
    delegate(2)
    await reloaded()
    delegate(2)
    expect(outbox.of('task_accept')).toEqual([{ task_id: taskId(2), queue_position: 1 }])
    offer({ onReload: 'restart' })
    delegate(1)
    expect(runs.map(({ input }) => input)).toEqual([1])
    expect(outbox.last('task_accept')).toEqual({ task_id: taskId(1), queue_position: 0 })
  })

  test('a task whose capability does not come back is lost after a while, and one that is overdue ends', async () => {
    offer()
    delegate(1)
    delegate(2, 20_000)
    await reloaded()
    clock.advance(20_000)
    expect(outbox.last('task_result')).toMatchObject({ task_id: taskId(2), code: 'TASK_DEADLINE' })
    clock.advance(LIMITS.restorePatience - 20_000)
    expect(outbox.last('task_result')).toMatchObject({ task_id: taskId(1), code: 'TASK_LOST' })
    expect(clock.pending).toBe(0)
  })

  test('an input that no longer fits the schema ends its task', async () => {
    offer()
    delegate(1)
    delegate(2)
    await reloaded()
    offer({ onReload: 'restart', input: { type: 'string' } })
    expect(outbox.of('task_result').map((result) => result.state === 'failed' && result.code)).toEqual([
      'TASK_INPUT_INVALID',
      'TASK_INPUT_INVALID',
    ])
    expect(runs).toEqual([])
  })

  test('a store that fails is told of, and the work goes on', async () => {
    offer()
    store.fails = true
    delegate(1)
    runs[0]?.fulfil('done')
    await settled()
    expect(outbox.last('task_result')).toMatchObject({ state: 'completed', output: 'done' })
    expect(new Set(errors.map(({ code }) => code))).toEqual(new Set(['STORAGE_FAILED']))
  })
})
