/** Blobs of tasks where the other side lies or has no room (SPEC R92). */
import { beforeEach, describe, expect, test } from 'vitest'
import type { IncomingTransfer, TransferOffer } from '../api.ts'
import { TsunagiError } from '../errors.ts'
import { LIMITS, PROTOCOL } from '../limits.ts'
import { FakeClock } from '../liveness/fake-clock.fixture.ts'
import { uuidText } from '../wire/uuid.ts'
import type { TaskCaller } from './caller.ts'
import { CapabilityRegistry } from './capabilities.ts'
import { firstOf, newCaller, newExecutor } from './ends.fixture.ts'
import type { TaskExecutor } from './executor.ts'
import { TaskFileTransfers } from './file-transfers.ts'
import { transferIdOf } from './files.ts'
import { MemoryTaskStore } from './memory-task-store.fixture.ts'
import { Outbox, settled, taskId } from './outbox.fixture.ts'

const [ANNA, BERT] = ['did:key:z6MkAnna', 'did:key:z6MkBert']

/** A transfer that ends as the test says. */
interface Coming {
  readonly transfer: IncomingTransfer
  complete(): void
  fail(error: TsunagiError): void
}

let clock: FakeClock
let outbox: Outbox
let files: TaskFileTransfers
/** What this side received, by transfer id. */
let incoming: Map<string, Coming>
/** What this side offered: peer and transfer id, and how it ends. */
let offered: { peer: string; id: string; complete(): void; fail(error: TsunagiError): void }[]
let discarded: string[]

beforeEach(() => {
  clock = new FakeClock()
  outbox = new Outbox()
  incoming = new Map()
  offered = []
  discarded = []
  files = new TaskFileTransfers(clock, {
    keepsFiles: true,
    offer(id, peer, _, { signal }) {
      let complete: () => void = () => undefined
      let fail: (error: unknown) => void = () => undefined
      const done = new Promise<void>((fulfil, reject) => {
        complete = fulfil
        fail = reject
      })
      done.catch(() => undefined)
      signal?.addEventListener('abort', () => fail(signal.reason))
      offered.push({ peer, id, complete, fail })
      return { id, done, cancel: () => undefined } as unknown as IncomingTransfer
    },
    received: (_, id) => incoming.get(id)?.transfer,
  })
})

/** An offer of `peer`, and what becomes of it once it is accepted. */
function offer(from: string, id: Uint8Array, size: number | undefined = 4): TransferOffer & { accepted: boolean } {
  const text = uuidText(id)
  const made = {
    id: text,
    from,
    name: '',
    type: '',
    size,
    accepted: false,
    accept() {
      made.accepted = true
      let fulfil: () => void = () => undefined
      let reject: (error: unknown) => void = () => undefined
      const done = new Promise<void>((complete, fail) => {
        fulfil = complete
        reject = fail
      })
      done.catch(() => undefined)
      const info = { state: 'running', size }
      const transfer = {
        id: text,
        info,
        done,
        blob: async () => new Blob(['x'.repeat(size ?? 0)]),
        discard: () => discarded.push(text),
      } as unknown as IncomingTransfer
      const complete = () => {
        info.state = 'completed'
        fulfil()
      }
      incoming.set(text, { transfer, complete, fail: reject })
      return transfer
    },
    reject: () => undefined,
  }
  return made
}

const come = (id: Uint8Array) => incoming.get(uuidText(id))
const place = (...at: (string | number)[]) => ({ at, size: 4, media_type: '', name: '' })

describe('the caller', () => {
  let store: MemoryTaskStore
  let caller: TaskCaller

  const callerOn = (store: MemoryTaskStore) =>
    newCaller({
      files,
      clock,
      send: outbox.send,
      choose: firstOf(() => [ANNA, BERT]),
      store,
    })

  beforeEach(() => {
    store = new MemoryTaskStore()
    caller = callerOn(store)
  })

  const idAt = (peer: string) => outbox.of('task_delegate', peer).at(-1)?.task_id ?? new Uint8Array(16)
  const complete = (peer: string, output: unknown, ...places: ReturnType<typeof place>[]) =>
    caller.handleResult(peer, { task_id: idAt(peer), state: 'completed', output, files: places })

  test('has the output when all of its files are here', async () => {
    const task = caller.delegate('work', 1)
    const id = transferIdOf(idAt(ANNA), 'output', 0)
    await caller.takeOffer(offer(ANNA, id))
    come(id)?.complete()
    await complete(ANNA, { file: null }, place('file'))
    expect(((await task.result) as { file: Blob }).file.size).toBe(4)
    expect(discarded).toEqual([])
  })

  test('finds them on the next page, until the task is forgotten', async () => {
    const { id: task } = caller.delegate('work', 1)
    const id = transferIdOf(idAt(ANNA), 'output', 0)
    await caller.takeOffer(offer(ANNA, id))
    come(id)?.complete()
    await complete(ANNA, { file: null }, place('file'))
    store = store.crash()
    caller = callerOn(store)
    caller.restore(await store.load())
    expect(await caller.task(task)?.result).toMatchObject({ file: { size: 4 } })
    expect(discarded).toEqual([])
    for (let n = 0; n < LIMITS.maxEndedTasks; n++) caller.delegate('work', n).cancel()
    expect(caller.task(task)).toBeUndefined()
    expect(discarded).toEqual([uuidText(id)])
  })

  test.each<[string, (peer: string) => Promise<void> | undefined]>([
    ['names a file that never came', (peer) => complete(peer, null, place())],
    [
      'names a place that is none',
      async (peer) => {
        await caller.takeOffer(offer(peer, transferIdOf(idAt(peer), 'output', 0)))
        come(transferIdOf(idAt(peer), 'output', 0))?.complete()
        await complete(peer, {}, place('file'))
      },
    ],
    [
      'sends another size than it says',
      async (peer) => {
        await caller.takeOffer(offer(peer, transferIdOf(idAt(peer), 'output', 0), 5))
        come(transferIdOf(idAt(peer), 'output', 0))?.complete()
        await complete(peer, null, place())
      },
    ],
    [
      'sends a wrong digest',
      async (peer) => {
        await caller.takeOffer(offer(peer, transferIdOf(idAt(peer), 'output', 0)))
        come(transferIdOf(idAt(peer), 'output', 0))?.fail(new TsunagiError('CHUNK_ERROR', 'It lies.'))
        await settled()
      },
    ],
  ])('gives a task to another peer where one %s', async (_, lie) => {
    const [task, other] = [caller.delegate('work', 1), caller.delegate('work', 2)]
    outbox.sent.reverse()
    const former = idAt(ANNA)
    await lie(ANNA)
    expect(outbox.of('task_delegate', BERT)).toHaveLength(1)
    const id = transferIdOf(former, 'output', 0)
    if (incoming.has(uuidText(id))) expect(discarded).toContain(uuidText(id))
    expect([task.info.state, other.info.peer]).toEqual(['submitted', ANNA])
    await complete(BERT, 'honest')
    expect(await task.result).toBe('honest')
  })

  test('takes nothing of a stranger, of a former peer, or beyond the bound', async () => {
    caller.delegate('work', 1)
    const id = transferIdOf(idAt(ANNA), 'output', 0)
    expect(caller.takeOffer(offer(BERT, id))).toBeUndefined()
    expect(caller.takeOffer(offer(ANNA, transferIdOf(taskId(1), 'output', 0)))).toBeUndefined()
    const endless = Object.assign(offer(ANNA, transferIdOf(idAt(ANNA), 'output', 2)), { size: undefined })
    await caller.takeOffer(endless)
    expect(endless.accepted).toBe(false)
    await caller.takeOffer(offer(ANNA, id, LIMITS.maxTaskFileBytes))
    const more = offer(ANNA, transferIdOf(idAt(ANNA), 'output', 1), 1)
    // As Transfers has it: what is offered is known already.
    incoming.set(more.id, {
      ...(come(id) as Coming),
      transfer: { ...come(id)?.transfer, info: { size: 1 } } as IncomingTransfer,
    })
    await caller.takeOffer(more)
    expect(more.accepted).toBe(false)
    caller.peerLost(ANNA)
    expect(caller.takeOffer(offer(ANNA, id))).toBeUndefined()
  })

  test('sends a Blob of the input to each peer that gets the task, a few at once, and no more when the try is over', async () => {
    const many = Array.from({ length: PROTOCOL.maxTaskFiles + 1 }, () => new Blob(['text']))
    await expect(caller.delegate('work', many).result).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    const blobs = many.slice(0, 3)
    caller.delegate('work', blobs)
    await settled()
    const idsAt = (peer: string) => offered.filter((each) => each.peer === peer).map(({ id }) => id)
    const at = (peer: string, n: number) => uuidText(transferIdOf(idAt(peer), 'input', n))
    expect(idsAt(ANNA)).toEqual([at(ANNA, 0), at(ANNA, 1)])
    offered[0]?.complete()
    await settled()
    expect(idsAt(ANNA)).toHaveLength(3)
    caller.peerLost(ANNA)
    await settled()
    expect(idsAt(BERT)).toEqual([at(BERT, 0), at(BERT, 1)])
    // A full peer is tried again, and one that breaks the rules loses the task.
    offered.at(-1)?.fail(new TsunagiError('QUEUE_FULL', 'Too many.'))
    await settled()
    clock.advance(LIMITS.taskTransferRetry)
    await settled()
    expect(idsAt(BERT).filter((id) => id === at(BERT, 1))).toHaveLength(2)
    offered.at(-1)?.fail(new TsunagiError('CHUNK_ERROR', 'It lies.'))
    await settled()
    expect(outbox.last('task_cancel').task_id).toEqual(idAt(BERT))
  })

  test('goes on with the Blobs of the input on the next page', async () => {
    caller.delegate('work', new Blob(['text']))
    await settled()
    store = store.crash()
    caller = callerOn(store)
    caller.restore(await store.load())
    await settled()
    const id = uuidText(transferIdOf(idAt(ANNA), 'input', 0))
    expect(offered.map(({ peer, id }) => [peer, id])).toEqual([
      [ANNA, id],
      [ANNA, id],
    ])
  })
})

describe('the executor', () => {
  let executor: TaskExecutor
  let inputs: unknown[]
  let finish: (output: unknown) => void

  beforeEach(() => {
    inputs = []
    const capabilities = new CapabilityRegistry()
    capabilities.provide({ name: 'work', version: '1' }, (input) => {
      inputs.push(input)
      return 'done'
    })
    capabilities.provide({ name: 'long', version: '1' }, () => new Promise((done) => (finish = done)))
    capabilities.provide({ name: 'draw', version: '1' }, () => new Blob(['text']))
    executor = newExecutor({
      files,
      clock,
      capabilities,
      send: outbox.send,
      sendResult: outbox.sendResult,
    })
  })

  const delegate = (number: number, caller = ANNA, size = 4, capability = 'work') =>
    executor.handleDelegate(caller, {
      task_id: taskId(number << 16),
      capability,
      input: { file: null },
      deadline: 60_000,
      priority: 'normal',
      files: [{ ...place('file'), size }],
    })
  const idOf = (number: number) => transferIdOf(taskId(number << 16), 'input', 0)
  /** One whose output is a Blob. */
  const draw = (number: number) =>
    ({ task_id: taskId(number << 16), capability: 'draw', input: null, deadline: 60_000, priority: 'normal' }) as const

  test('begins when the file is here, and removes it at the end', async () => {
    delegate(1)
    const made = offer(ANNA, idOf(1))
    await executor.takeOffer(made)
    expect([made.accepted, inputs]).toEqual([true, []])
    come(idOf(1))?.complete()
    await settled()
    expect(inputs).toMatchObject([{ file: { size: 4 } }])
    expect(outbox.last('task_result')).toMatchObject({ state: 'completed', output: 'done' })
    expect(discarded).toEqual([made.id])
  })

  test('leaves a handler the file that it may still read, also of a task that is cancelled', async () => {
    delegate(1, ANNA, 4, 'long')
    await executor.takeOffer(offer(ANNA, idOf(1)))
    come(idOf(1))?.complete()
    await settled()
    executor.handleCancel(ANNA, { task_id: taskId(1 << 16) })
    await settled()
    expect([outbox.last('task_result').state, discarded]).toEqual(['canceled', []])
    finish('late')
    await settled()
    expect(discarded).toEqual([uuidText(idOf(1))])
  })

  test('takes no file of a stranger, and none of another size than the task says', async () => {
    delegate(1)
    expect(executor.takeOffer(offer(BERT, idOf(1)))).toBeUndefined()
    expect(executor.takeOffer(offer(ANNA, transferIdOf(taskId(1 << 16), 'input', 1)))).toBeUndefined()
    const larger = offer(ANNA, idOf(1), 5)
    await executor.takeOffer(larger)
    expect(larger.accepted).toBe(false)
  })

  test('fails a task whose file breaks the rules, and no other', async () => {
    delegate(1)
    delegate(2)
    await executor.takeOffer(offer(ANNA, idOf(1)))
    await executor.takeOffer(offer(ANNA, idOf(2)))
    come(idOf(1))?.fail(new TsunagiError('CHUNK_ERROR', 'Wrong digest.'))
    come(idOf(2))?.complete()
    await settled()
    expect(outbox.of('task_result').map((result) => result.state)).toEqual(['failed', 'completed'])
    expect(discarded).toEqual([idOf(1), idOf(2)].map(uuidText))
  })

  test('waits for the files of few tasks of one caller, for no more bytes than there is room, and not for ever', () => {
    for (let n = 1; n <= LIMITS.maxFilesAwaited; n++) delegate(n)
    delegate(100)
    expect(outbox.last('task_reject')).toMatchObject({ reason: 'full', retry_after: expect.any(Number) })
    delegate(200, BERT, LIMITS.maxTaskFileBytes + 1)
    expect(outbox.last('task_reject')).toMatchObject({ reason: 'too_large' })
    delegate(201, BERT, LIMITS.maxTaskFileBytes - 1_000)
    delegate(202, BERT, LIMITS.maxTaskFileBytes - 1_000)
    expect(outbox.of('task_accept', BERT)).toHaveLength(2)
    delegate(203, BERT, 3_000)
    expect(outbox.of('task_reject', BERT)).toHaveLength(2)
    clock.advance(60_000)
    expect(executor.tasks.map(({ state }) => state)).toEqual(
      Array.from({ length: LIMITS.maxFilesAwaited + 2 }, () => 'failed'),
    )
    expect(clock.pending).toBe(0)
  })

  test('has no more tasks wait for files, of all callers together, than may wait for a place', async () => {
    const callers = Array.from({ length: 10 }, (_, n) => `did:key:z6Mk${n}`)
    for (const [n, caller] of callers.entries()) {
      for (let of = 1; of <= LIMITS.maxFilesAwaited; of++) delegate(100 * n + of, caller)
    }
    expect(outbox.of('task_accept')).toHaveLength(LIMITS.maxQueuedTasks)
    expect(outbox.last('task_reject').reason).toBe('full')
    // What needs no file runs all the same while there is a place.
    executor.handleDelegate(ANNA, { ...draw(1), capability: 'long' })
    expect(executor.running).toBe(1)
  })

  test('counts what waits for files with all the bytes that may wait', () => {
    const input = { file: null, more: new Uint8Array(LIMITS.maxQueuedTaskBytes / 2 + 1) }
    for (const [n, caller] of [ANNA, BERT].entries()) {
      executor.handleDelegate(caller, { ...draw(n), capability: 'work', input, files: [place('file')] })
    }
    expect([outbox.of('task_accept', ANNA).length, outbox.last('task_reject').reason]).toEqual([1, 'full'])
  })

  test('keeps few outputs whose files their caller does not take, and none beyond the deadline', async () => {
    for (let n = 1; n <= LIMITS.maxFilesAwaited; n++) {
      executor.handleDelegate(ANNA, draw(n))
      await settled()
    }
    executor.handleDelegate(ANNA, draw(100))
    executor.handleDelegate(BERT, draw(100))
    await settled()
    expect([executor.running, outbox.last('task_reject').reason, outbox.of('task_accept', BERT).length]).toEqual([
      0,
      'full',
      1,
    ])
    clock.advance(60_000)
    await settled()
    const results = outbox.of('task_result')
    expect(results).toHaveLength(LIMITS.maxFilesAwaited + 1)
    expect(new Set(results.map((result) => 'code' in result && result.code))).toEqual(new Set(['TASK_DEADLINE']))
    expect(clock.pending).toBe(0)
  })

  test('refuses an input whose files have no place in it', () => {
    executor.handleDelegate(ANNA, {
      task_id: taskId(1),
      capability: 'work',
      input: 'text',
      deadline: 60_000,
      priority: 'normal',
      files: [place('file')],
    })
    expect(outbox.last('task_reject')).toMatchObject({ reason: 'invalid_input' })
  })
})
