/** Delegation between whole peers: who gets the work, who gets it next, and what many get done together. */
import { beforeEach, describe, expect, test } from 'vitest'
import type { Capability, TaskContext } from './api.ts'
import { createWebCryptoProvider } from './crypto/index.ts'
import { LIMITS, PROTOCOL } from './limits.ts'
import { Mesh, type MeshPeer, watch } from './mesh.fixture.ts'

interface Run {
  readonly by: string
  readonly input: unknown
  readonly context: TaskContext
  readonly fulfil: (output: unknown) => void
}

const crypto = createWebCryptoProvider()
let mesh: Mesh
let alice: MeshPeer
let runs: Run[]

beforeEach(async () => {
  mesh = await Mesh.create(crypto)
  alice = await mesh.join('alice')
  runs = []
})

/** Peers whose handlers end when the test says so. */
async function helpers(names: readonly string[], differs: Partial<Capability> = {}): Promise<MeshPeer[]> {
  const peers: MeshPeer[] = []
  for (const name of names) {
    const peer = await mesh.join(name)
    peer.service.provide(
      { name: 'work', version: '1', ...differs },
      (input, context) =>
        new Promise((fulfil, reject) => {
          runs.push({ by: name, input, context, fulfil })
          context.signal.addEventListener('abort', () => reject(context.signal.reason))
        }),
    )
    peers.push(peer)
  }
  await mesh.pass(2_000)
  return peers
}

/** Both ends of everything are told: an output comes back. */
async function finish(run: Run | undefined, output: unknown): Promise<void> {
  run?.fulfil(output)
  await mesh.quiet()
}

test('two executors vanish in turn, and the third one does it', async () => {
  const peers = await helpers(['bob', 'carl', 'dora'])
  const task = alice.service.delegate('work', 'input')
  const outcome = watch(task.result)
  await mesh.quiet()
  for (const count of [1, 2]) {
    expect(runs).toHaveLength(count)
    await peers.find(({ service }) => service.name === runs.at(-1)?.by)?.service.close()
    await mesh.pass(1_000)
  }
  expect(new Set(runs.map(({ by }) => by)).size).toBe(3)
  await finish(runs[2], 'done')
  expect(outcome()).toEqual({ value: 'done', settled: true })
  expect(task.info).toMatchObject({ state: 'completed', tries: 3 })
})

test('an executor that falls silent loses the task, stops when it is heard again, and its result counts no more', async () => {
  await helpers(['bob', 'carl'])
  const task = alice.service.delegate('work', 'input')
  const outcome = watch(task.result)
  await mesh.quiet()
  const [first] = runs
  // Its frames go nowhere, and it hears nothing: a tab that stands still.
  mesh.onLinkFrame = (frame, deliver, from) => {
    if (from !== first?.by) deliver(frame)
  }
  await mesh.pass(PROTOCOL.taskLease + LIMITS.taskQueryPatience + 10_000)
  expect(runs.map(({ by }) => by)).toHaveLength(2)
  expect(runs[1]?.by).not.toBe(first?.by)
  mesh.onLinkFrame = (frame, deliver) => deliver(frame)
  first?.fulfil('late')
  await mesh.pass(2_000)
  expect(outcome().settled).toBe(false)
  await finish(runs[1], 'of the second')
  expect(outcome()).toEqual({ value: 'of the second', settled: true })
})

test('with the queue at its bound the next is told when to come again, and its retry lands', async () => {
  const [bob] = await helpers(['bob'], { concurrency: 1 })
  const to = (bob as MeshPeer).id
  const places = 1 + LIMITS.maxQueuedTasks
  for (let i = 0; i < places; i++) alice.service.delegate('work', i, { to }).result.catch(() => undefined)
  await mesh.quiet()
  const refused = watch(alice.service.delegate('work', 'no patience', { to, retries: 0 }).result)
  const patient = watch(alice.service.delegate('work', 'patient', { to, priority: 'critical' }).result)
  await mesh.quiet()
  expect(refused().code).toBe('TASK_REJECTED')
  expect(patient().settled).toBe(false)
  await finish(runs[0], 0)
  await mesh.pass(5_000)
  await finish(runs[1], 1)
  expect(runs.map(({ input }) => input)).toContain('patient')
  await finish(
    runs.find(({ input }) => input === 'patient'),
    'served',
  )
  expect(patient()).toEqual({ value: 'served', settled: true })
})

test('partial results and progress come before the result', async () => {
  await helpers(['bob'])
  const task = alice.service.delegate('work', 'input', { partials: true })
  const read: unknown[] = []
  void (async () => {
    for await (const part of task.partials) read.push(part)
    read.push('end')
  })()
  await mesh.quiet()
  const sent = watch(Promise.all(['Hel', 'lo'].map((part) => runs[0]?.context.partial(part))))
  await mesh.quiet()
  expect([sent().settled, read]).toEqual([true, ['Hel', 'lo']])
  await finish(runs[0], 'Hello')
  expect([await task.result, read]).toEqual(['Hello', ['Hel', 'lo', 'end']])
})

describe('map()', () => {
  test('spreads inputs over all who offer it, keeps their order, and loses none of those who vanish', async () => {
    const peers = await helpers(['bob', 'carl', 'dora'])
    const outputs = watch(
      alice.service
        .map<number>(
          'work',
          Array.from({ length: 40 }, (_, i) => i),
        )
        .all(),
    )
    await mesh.pass(500)
    expect(new Set(runs.map(({ by }) => by))).toEqual(new Set(['bob', 'carl', 'dora']))
    await peers[0]?.service.close()
    for (let done = 0; done < runs.length || !outputs().settled; ) {
      const run = runs[done++]
      if (run === undefined) {
        await mesh.pass(500)
        done--
      } else if (!run.context.signal.aborted) await finish(run, Number(run.input) * 2)
    }
    expect(outputs().value).toEqual(Array.from({ length: 40 }, (_, i) => i * 2))
  })

  test('takes what is slow to another peer', async () => {
    await helpers(['bob', 'carl'])
    const outputs = watch(alice.service.map('work', [0, 1, 2, 3, 4, 5]).all())
    await mesh.pass(500)
    // Which peer begins first is chance.
    const slow = runs.find(({ input }) => input === 0)
    for (const run of runs) if (run !== slow) await finish(run, run.input)
    await mesh.pass(LIMITS.stragglerLeast + 2_000)
    expect(runs).toHaveLength(7)
    expect([runs[6]?.input, runs[6]?.by]).toEqual([0, slow?.by === 'bob' ? 'carl' : 'bob'])
    await finish(runs[6], 'quick')
    expect(outputs().value).toEqual(['quick', 1, 2, 3, 4, 5])
    expect(slow?.context.signal.aborted).toBe(true)
  })
})

test('a capability for contacts alone serves those whom the user marked', async () => {
  const [bob] = await helpers(['bob'], { policy: { who: 'contacts' } })
  const to = (bob as MeshPeer).id
  const stranger = watch(alice.service.delegate('work', 1, { to }).result)
  await mesh.quiet()
  expect(stranger().code).toBe('TASK_REJECTED')
  await bob?.service.contacts.add(alice.id)
  const known = watch(alice.service.delegate('work', 2, { to }).result)
  await mesh.quiet()
  await finish(runs[0], 'for you')
  expect(known().value).toBe('for you')
  bob?.service.policy('work', { who: 'nobody' })
  const nobody = watch(alice.service.delegate('work', 3, { to }).result)
  await mesh.quiet()
  expect(nobody().code).toBe('TASK_REJECTED')
})

test('what the user said of a capability before it was provided counts more than what its provider says', async () => {
  const bob = await mesh.join('bob')
  bob.service.policy('work', { who: 'nobody' })
  bob.service.provide({ name: 'work', version: '1', policy: { who: 'mesh' } }, () => 'done')
  await mesh.pass(2_000)
  const outcome = watch(alice.service.delegate('work', 1).result)
  await mesh.quiet()
  expect(outcome().code).toBe('TASK_REJECTED')
})

test('an executor does not get away with an output that does not fit the caller’s own schema of that version', async () => {
  await helpers(['bob', 'carl'])
  alice.service.provide({ name: 'work', version: '1', output: { type: 'number' } }, () => 1)
  const outcome = watch(alice.service.delegate('work', 1).result)
  await mesh.quiet()
  await finish(runs[0], 'one')
  expect(outcome().settled).toBe(false)
  await finish(runs[1], 1)
  expect(outcome().value).toBe(1)
})
