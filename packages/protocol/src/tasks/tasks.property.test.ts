/** Random interleavings. fast-check prints the seed and the path that repeat a failure: fc.assert(…, { seed, path }). */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { PeerId, Task, TaskHandler, TaskInfo } from '../api.ts'
import { TsunagiError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import { FakeClock } from '../liveness/fake-clock.fixture.ts'
import { PRIORITIES, type SessionPayload, type SessionType } from '../messages.ts'
import { CapabilityRegistry } from './capabilities.ts'
import { newCaller, newExecutor } from './ends.fixture.ts'
import { TaskExecutor } from './executor.ts'
import { noFiles, Outbox, taskId } from './outbox.fixture.ts'
import type { SendMessage } from './payload.ts'
import { UsePolicies } from './policy.ts'
import { isTerminal } from './states.ts'

const CAPABILITIES = [
  { name: 'one', version: '1', concurrency: 1, input: { type: 'integer' } },
  { name: 'three', version: '1', concurrency: 3 },
  { name: 'any', version: '1' },
] as const

const settle = () => new Promise((resolve) => setImmediate(resolve))

/** Handlers that end when told to, and what must hold of them at every moment. */
class Workshop {
  readonly capabilities = new CapabilityRegistry()
  readonly busy: {
    readonly name: string
    readonly end: (ok: boolean) => void
    readonly say: (share: number) => void
  }[] = []
  readonly runs = new Map<string, number>()

  constructor() {
    for (const capability of CAPABILITIES) this.capabilities.provide(capability, this.#handler(capability.name))
  }

  #handler(name: string): TaskHandler {
    return (_, context) => {
      const key = `${context.caller} ${context.taskId}`
      this.runs.set(key, (this.runs.get(key) ?? 0) + 1)
      return new Promise((fulfil, reject) => {
        this.busy.push({
          name,
          end: (ok) => (ok ? fulfil(key) : reject(new Error('no'))),
          say: (share) => context.progress(share),
        })
      })
    }
  }

  endOne(index: number, ok: boolean): void {
    const [ended] = this.busy.splice(index % Math.max(1, this.busy.length), 1)
    ended?.end(ok)
  }

  check(executor: TaskExecutor): void {
    expect(executor.running).toBe(this.busy.length)
    expect(executor.running).toBeLessThanOrEqual(this.capabilities.places)
    for (const { name } of CAPABILITIES) {
      const most = this.capabilities.find(name)?.concurrency ?? 0
      expect(this.busy.filter((busy) => busy.name === name).length).toBeLessThanOrEqual(most)
    }
    expect(executor.queueDepth).toBeLessThanOrEqual(LIMITS.maxQueuedTasks)
    expect(executor.load).toBeGreaterThanOrEqual(0)
    expect(executor.load).toBeLessThanOrEqual(1)
    for (const times of this.runs.values()) expect(times).toBe(1)
  }
}

/** Follows every task through its snapshots: none may change after its end. */
class Watcher {
  readonly latest = new Map<string, TaskInfo>()

  readonly see = (task: TaskInfo): void => {
    const key = `${task.direction} ${task.peer} ${task.id}`
    const before = this.latest.get(key)
    if (before !== undefined && isTerminal(before.state)) throw new Error(`${before.state} became ${task.state}`)
    if (before !== undefined && task.direction === 'out') expect(task.progress).toBeGreaterThanOrEqual(before.progress)
    expect(task.endedAt !== undefined).toBe(isTerminal(task.state))
    this.latest.set(key, task)
  }
}

const share = fc.double({ min: 0, max: 1, noNaN: true })
const capability = fc.constantFrom('one', 'three', 'any', 'none')
const priority = fc.constantFrom(...PRIORITIES)
const deadline = fc.integer({ min: 1, max: 30_000 })
const pass = fc.integer({ min: 1, max: 20_000 })

test('an executor keeps its bounds and ends every task once, whatever callers and handlers do', async () => {
  const caller = fc.constantFrom('did:key:z6MkA', 'did:key:z6MkB')
  const number = fc.integer({ min: 0, max: 12 })
  const operation = fc.oneof(
    fc.record({
      do: fc.constant('delegate' as const),
      caller,
      number,
      capability,
      priority,
      deadline,
      valid: fc.boolean(),
    }),
    fc.record({
      do: fc.constant('flood' as const),
      caller,
      capability,
      priority,
      deadline,
      times: fc.integer({ min: 1, max: 80 }),
    }),
    fc.record({ do: fc.constant('cancel' as const), caller, number }),
    fc.record({ do: fc.constant('end' as const), index: fc.nat(), ok: fc.boolean() }),
    fc.record({ do: fc.constant('progress' as const), share }),
    fc.record({ do: fc.constant('lost' as const), caller }),
    fc.record({ do: fc.constant('pass' as const), ms: pass }),
    fc.record({ do: fc.constant('hold' as const), holds: fc.boolean() }),
    fc.record({ do: fc.constant('acknowledge' as const), ok: fc.boolean() }),
  )

  await fc.assert(
    fc.asyncProperty(fc.array(operation, { maxLength: 60 }), async (operations) => {
      const clock = new FakeClock()
      const outbox = new Outbox()
      const workshop = new Workshop()
      const watcher = new Watcher()
      const onError = (error: TsunagiError) => expect(error.code).toBe('QUEUE_FULL')
      const { capabilities } = workshop
      const executor = new TaskExecutor({
        files: noFiles,
        clock,
        capabilities,
        policies: new UsePolicies(() => false),
        send: outbox.send,
        sendResult: outbox.sendResult,
        store: undefined,
        onChange: watcher.see,
        onError,
      })
      const delegate = (peer: PeerId, id: number, differs: Partial<SessionPayload<'task_delegate'>>) =>
        executor.handleDelegate(peer, {
          task_id: taskId(id),
          capability: 'any',
          input: id,
          deadline: 1_000,
          priority: 'normal',
          ...differs,
        })
      const answer = (ok: boolean) => {
        for (const sent of outbox.sent) {
          if (ok) sent.acknowledge()
          else sent.fail(new TsunagiError('QUEUE_FULL', 'Too much waits for that peer.'))
        }
      }
      let flooded = 1_000

      for (const operation of operations) {
        switch (operation.do) {
          case 'delegate': {
            const { capability, priority, deadline, valid } = operation
            delegate(operation.caller, operation.number, {
              capability,
              priority,
              deadline,
              ...(!valid && { input: 'x' }),
            })
            break
          }
          case 'flood': {
            const { capability, priority, deadline } = operation
            for (let i = 0; i < operation.times; i++)
              delegate(operation.caller, flooded++, { capability, priority, deadline })
            break
          }
          case 'cancel':
            executor.handleCancel(operation.caller, { task_id: taskId(operation.number) })
            break
          case 'end':
            workshop.endOne(operation.index, operation.ok)
            break
          case 'progress':
            for (const { say } of workshop.busy) say(operation.share)
            break
          case 'lost':
            executor.peerLost(operation.caller)
            break
          case 'pass':
            clock.advance(operation.ms)
            break
          case 'hold':
            outbox.holds = operation.holds
            break
          case 'acknowledge':
            answer(operation.ok)
        }
        await settle()
        workshop.check(executor)
      }

      outbox.holds = false
      answer(true)
      await settle()
      while (workshop.busy.length > 0) {
        workshop.endOne(0, true)
        await settle()
        workshop.check(executor)
      }
      expect([executor.running, executor.queueDepth, executor.load, clock.pending]).toEqual([0, 0, 0, 0])
      for (const task of watcher.latest.values()) expect(isTerminal(task.state)).toBe(true)
      expect(executor.tasks.length).toBeLessThanOrEqual(LIMITS.maxEndedTasks)
    }),
    { numRuns: 150 },
  )
}, 60_000)

/** One direction between two peers: in order, delivered when the test says so, lost with the link. */
class Line {
  readonly #waiting: { deliver: () => void; acknowledge: () => void; fail: (error: TsunagiError) => void }[] = []
  readonly #handle: (type: SessionType, payload: never) => void

  constructor(handle: (type: SessionType, payload: never) => void) {
    this.#handle = handle
  }

  readonly send: SendMessage = (_peer, type, payload) =>
    new Promise((acknowledge, fail) => {
      this.#waiting.push({ deliver: () => this.#handle(type, payload as never), acknowledge, fail })
    })

  /** False where nothing waits. */
  deliver(): boolean {
    const next = this.#waiting.shift()
    next?.deliver()
    next?.acknowledge()
    return next !== undefined
  }

  lose(): void {
    for (const { fail } of this.#waiting.splice(0)) fail(new TsunagiError('LINK_LOST', 'The link is lost.'))
  }
}

test('caller and executor agree on every task, and a stranger changes none', async () => {
  const [ALICE, BOB, MALLORY] = ['did:key:z6MkAlice', 'did:key:z6MkBob', 'did:key:z6MkMallory']
  const operation = fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constant('delegate' as const),
        capability,
        priority,
        deadline,
        valid: fc.boolean(),
      }),
    },
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constant('deliver' as const),
        toExecutor: fc.boolean(),
        times: fc.integer({ min: 1, max: 5 }),
      }),
    },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('end' as const), index: fc.nat(), ok: fc.boolean() }) },
    fc.record({ do: fc.constant('again' as const) }),
    fc.record({ do: fc.constant('cancel' as const), index: fc.nat() }),
    fc.record({ do: fc.constant('progress' as const), share }),
    fc.record({ do: fc.constant('pass' as const), ms: pass }),
    fc.record({ do: fc.constant('lose' as const) }),
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constant('forge' as const),
        type: fc.constantFrom('accept', 'reject', 'progress', 'completed', 'failed', 'canceled', 'cancel', 'lost'),
        index: fc.nat(),
      }),
    },
  )

  await fc.assert(
    fc.asyncProperty(fc.array(operation, { maxLength: 80 }), async (operations) => {
      const clock = new FakeClock()
      const workshop = new Workshop()
      const watcher = new Watcher()
      const delegated: SessionPayload<'task_delegate'>[] = []
      const toExecutor = new Line((type, payload: never) => {
        if (type === 'task_delegate') {
          delegated.push(payload)
          executor.handleDelegate(ALICE, payload)
        } else if (type === 'task_query') executor.handleQuery(ALICE, payload)
        else executor.handleCancel(ALICE, payload)
      })
      const toCaller = new Line((type, payload: never) => {
        if (type === 'task_accept') caller.handleAccept(BOB, payload)
        else if (type === 'task_reject') caller.handleReject(BOB, payload)
        else if (type === 'task_progress') caller.handleProgress(BOB, payload)
        else if (type === 'task_renew') caller.handleRenew(BOB, payload)
        else if (type === 'task_state') void caller.handleState(BOB, payload)
        else void caller.handleResult(BOB, payload)
      })
      const executor = newExecutor({
        clock,
        capabilities: workshop.capabilities,
        send: toCaller.send,
        sendResult: (peer, payload) => {
          const delivered = toCaller.send(peer, 'task_result', payload)
          return { accepted: delivered, delivered }
        },
        onChange: watcher.see,
      })
      const caller = newCaller({
        clock,
        send: toExecutor.send,
        choose: () => BOB,
        onChange: watcher.see,
      })
      const tasks: Task[] = []
      const settlements = new Map<string, string[]>()

      const forge = (type: string, index: number) => {
        const task_id = delegated[index % Math.max(1, delegated.length)]?.task_id ?? taskId(1)
        const before = JSON.stringify([...watcher.latest.values()])
        const ignored = caller.ignored + executor.ignored
        if (type === 'accept') caller.handleAccept(MALLORY, { task_id, queue_position: 0 })
        else if (type === 'reject') caller.handleReject(MALLORY, { task_id, reason: 'full', message: '' })
        else if (type === 'progress') caller.handleProgress(MALLORY, { task_id, progress: 1 })
        else if (type === 'completed') void caller.handleResult(MALLORY, { task_id, state: type, output: 'forged' })
        else if (type === 'failed' || type === 'canceled')
          void caller.handleResult(MALLORY, { task_id, state: type, code: 'TASK_FAILED', message: '' })
        else if (type === 'cancel') executor.handleCancel(MALLORY, { task_id })
        else {
          caller.peerLost(MALLORY)
          executor.peerLost(MALLORY)
        }
        expect(JSON.stringify([...watcher.latest.values()])).toBe(before)
        expect(caller.ignored + executor.ignored).toBe(ignored + (type === 'lost' ? 0 : 1))
      }

      for (const operation of operations) {
        switch (operation.do) {
          case 'delegate': {
            const { capability, priority, deadline, valid } = operation
            const task = caller.delegate(capability, valid ? 1 : 'x', { priority, deadline, retries: 0 })
            const outcomes: string[] = []
            settlements.set(task.id, outcomes)
            task.result.then(
              (output) => outcomes.push(`completed ${output}`),
              (error: TsunagiError) => outcomes.push(error.code),
            )
            tasks.push(task)
            break
          }
          case 'deliver':
            for (let i = 0; i < operation.times; i++) (operation.toExecutor ? toExecutor : toCaller).deliver()
            break
          case 'end':
            workshop.endOne(operation.index, operation.ok)
            break
          case 'again': {
            const last = delegated.at(-1)
            if (last !== undefined) executor.handleDelegate(ALICE, last)
            break
          }
          case 'cancel':
            tasks[operation.index % Math.max(1, tasks.length)]?.cancel()
            break
          case 'progress':
            for (const { say } of workshop.busy) say(operation.share)
            break
          case 'pass':
            clock.advance(operation.ms)
            break
          case 'lose':
            toExecutor.lose()
            toCaller.lose()
            caller.peerLost(BOB)
            executor.peerLost(ALICE)
            break
          case 'forge':
            forge(operation.type, operation.index)
        }
        await settle()
        workshop.check(executor)
      }

      for (let busy = true; busy; ) {
        while (toExecutor.deliver() || toCaller.deliver()) await settle()
        busy = workshop.busy.length > 0
        workshop.endOne(0, true)
        await settle()
      }
      while (toExecutor.deliver() || toCaller.deliver()) await settle()
      await settle()

      expect([executor.running, executor.queueDepth, clock.pending]).toEqual([0, 0, 0])
      for (const task of tasks) {
        expect(isTerminal(task.info.state)).toBe(true)
        const here = watcher.latest.get(`in ${ALICE} ${task.id}`)
        // A caller that has the output is one whose executor worked, once, and knows it unless the caller had left.
        const completed = task.info.state === 'completed'
        if (completed) expect(workshop.runs.get(`${ALICE} ${task.id}`)).toBe(1)
        if (completed) expect(here?.state).toBe('completed')
        expect(settlements.get(task.id)).toEqual([
          completed ? `completed ${ALICE} ${task.id}` : expect.not.stringContaining('completed'),
        ])
        expect(task.info.error === undefined).toBe(completed)
      }
    }),
    { numRuns: 200 },
  )
}, 60_000)
