/** What every TaskStore must do (tasks/store.ts). */
import type { PeerId, TaskInfo } from '../api.ts'
import { peerIdOf } from '../identity/peer-id.ts'
import type { StoredTask, TaskStore } from '../tasks/store.ts'
import type { Bytes } from '../wire/bytes.ts'
import { uuidText, uuidV4 } from '../wire/uuid.ts'
import { type ConformanceCase, check, rejects } from './case.ts'

export interface TaskStoreImplementation {
  /** Empty. */
  readonly store: TaskStore
  /** The store as the next page finds it; the one before is used no more. */
  reopen(): Promise<TaskStore>
}

/** What every host of a store has, and the core does not name. */
type TextBlob = Blob & { text(): Promise<string> }
interface BlobHost {
  readonly Blob: new (parts: string[]) => TextBlob
}

/** The first is the one whose id sorts first. */
const [ANNA, BERT] = [1, 2].map((n) => peerIdOf(new Uint8Array(32).fill(n))).sort() as [PeerId, PeerId]
const NOW = Date.UTC(2030, 0, 1)

const idOf = (number: number) => uuidText(uuidV4(new Uint8Array(16).fill(number)))

function info(number: number, direction: TaskInfo['direction'], changed: Partial<TaskInfo> = {}): TaskInfo {
  return {
    id: idOf(number),
    direction,
    capability: 'text.count',
    peer: ANNA,
    state: 'submitted',
    priority: 'normal',
    progress: 0.5,
    note: 'half',
    createdAt: NOW + number,
    endedAt: undefined,
    deadlineAt: NOW + 60_000,
    tries: 1,
    error: undefined,
    ...changed,
  }
}

function ours(number: number, changed: Partial<TaskInfo> = {}): StoredTask {
  return {
    key: idOf(number),
    info: info(number, 'out', changed),
    size: 3,
    ours: { attempt: idOf(number), idempotencyKey: undefined, retries: 2, failover: true, to: BERT },
    partials: true,
    files: [],
  }
}

function theirs(number: number, changed: Partial<TaskInfo> = {}): StoredTask {
  return {
    key: `${ANNA} ${idOf(number)}`,
    info: info(number, 'in', changed),
    size: 3,
    ours: undefined,
    partials: false,
    files: [{ at: ['file', 0], size: 3, media_type: 'text/plain', name: 'a.txt', transfer: idOf(number + 100) }],
  }
}

/** Its fields in one order, so that any two are told apart that differ in one. */
const text = (value: unknown): string =>
  JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  )

async function checkTasks(store: TaskStore, expected: readonly StoredTask[]): Promise<void> {
  const found = await store.load()
  check(text(found) === text(expected), `the tasks: ${text(found)} is ${text(expected)}`)
}

async function checkValue(store: TaskStore, task: StoredTask, expected: string | undefined): Promise<void> {
  const found = (await store.value(task))?.join()
  check(found === expected, `the value of ${task.key}: ${found} is ${expected}`)
}

const bytes = (...values: number[]) => new Uint8Array(values)
/** The structured clone of a function fails, which no write survives. */
const unstorable = (task: StoredTask): StoredTask => ({
  ...task,
  info: { ...task.info, note: (() => '') as unknown as string },
})

export const taskStoreConformance: readonly ConformanceCase<TaskStoreImplementation>[] = [
  {
    name: 'an empty store gives nothing',
    async run({ store, reopen }) {
      for (const open of [async () => store, reopen]) {
        const each = await open()
        await checkTasks(each, [])
        await checkValue(each, ours(1), undefined)
        check((await each.contacts()).length === 0, 'there are no contacts')
      }
    },
  },

  {
    name: 'the next page finds all that was stored, whole, oldest first',
    async run({ store, reopen }) {
      const ended = ours(3, {
        state: 'failed',
        endedAt: NOW + 9,
        error: { code: 'TASK_FAILED', message: 'No.' },
      })
      await store.put(ended, null)
      await store.put(theirs(2), bytes(4, 5))
      await store.put(ours(1), bytes(1, 2, 3))
      const next = await reopen()
      await checkTasks(next, [ours(1), theirs(2), ended])
      await checkValue(next, ours(1), '1,2,3')
      await checkValue(next, theirs(2), '4,5')
      await checkValue(next, ended, undefined)
    },
  },

  {
    name: 'a task is as it was last put; its value stays where none is given, and goes where null is',
    async run({ store, reopen }) {
      await store.put(ours(1), bytes(1))
      await store.put(ours(1, { state: 'working' }))
      await checkTasks(store, [ours(1, { state: 'working' })])
      await checkValue(store, ours(1), '1')
      await store.put(ours(1, { state: 'completed', endedAt: NOW }), bytes(2))
      await checkValue(store, ours(1), '2')
      await store.put(ours(1, { state: 'completed', endedAt: NOW }), null)
      const next = await reopen()
      await checkTasks(next, [ours(1, { state: 'completed', endedAt: NOW })])
      await checkValue(next, ours(1), undefined)
    },
  },

  {
    name: 'what is removed goes with its value, and nothing of the other direction or of another key',
    async run({ store, reopen }) {
      const same: StoredTask = { ...theirs(1), key: ours(1).key }
      await store.put(ours(1), bytes(1))
      await store.put(same, bytes(2))
      await store.put(ours(2), bytes(3))
      await store.remove('out', ours(1).key)
      await store.remove('out', ours(1).key)
      const next = await reopen()
      await checkTasks(next, [same, ours(2)])
      await checkValue(next, ours(1), undefined)
      await checkValue(next, same, '2')
      await checkValue(next, ours(2), '3')
    },
  },

  {
    name: 'calls take effect in their order, also where nobody waits for one before the next',
    async run({ store, reopen }) {
      const calls: Promise<unknown>[] = []
      for (let tries = 1; tries <= 20; tries++) calls.push(store.put(ours(1, { tries }), bytes(tries)))
      calls.push(store.put(ours(2), bytes(1)), store.remove('out', ours(2).key), store.put(ours(2), bytes(2)))
      calls.push(store.addContact(ANNA), store.removeContact(ANNA), store.addContact(BERT))
      await checkTasks(store, [ours(1, { tries: 20 }), ours(2)])
      await Promise.all(calls)
      const next = await reopen()
      await checkTasks(next, [ours(1, { tries: 20 }), ours(2)])
      await checkValue(next, ours(1), '20')
      await checkValue(next, ours(2), '2')
      check((await next.contacts()).join() === BERT, 'the contacts')
    },
  },

  {
    name: 'a task that cannot be stored fails its call, and hinders none of those around it',
    async run({ store, reopen }) {
      const calls = [
        store.put(ours(1), bytes(1)),
        store.put(unstorable(ours(1)), bytes(2)),
        store.put(ours(2), bytes(3)),
      ] as const
      await rejects('STORAGE_FAILED', calls[1])
      await Promise.all([calls[0], calls[2]])
      const next = await reopen()
      await checkTasks(next, [ours(1), ours(2)])
      await checkValue(next, ours(1), '1')
    },
  },

  {
    name: 'a value is stored as it is at the call, and without the buffer it is a part of',
    async run({ store, reopen }) {
      const frame: Bytes = new Uint8Array(100_000).fill(1)
      const call = store.put(ours(1), frame.subarray(10, 13))
      frame.fill(2)
      await call
      const found = await (await reopen()).value(ours(1))
      check(found?.join() === '1,1,1', 'the value is that of the call')
      check(found.buffer.byteLength === 3, 'nothing else of the buffer is kept')
    },
  },

  {
    name: 'the Blobs of a value are kept, go and stay with it',
    async run({ store, reopen }) {
      const textOf = async (open: TaskStore) =>
        (await Promise.all((await open.blobs(ours(1))).map((blob) => (blob as TextBlob).text()))).join()
      const { Blob: TextBlob } = globalThis as unknown as BlobHost
      const given = ['a', 'b'].map((text) => new TextBlob([text]))
      await store.put(ours(1), bytes(1), given)
      await store.put(ours(1, { tries: 2 }))
      const next = await reopen()
      check((await textOf(next)) === 'a,b', 'they are kept')
      await next.put(ours(1), bytes(2))
      check((await textOf(next)) === '', 'they go with the value')
    },
  },

  {
    name: 'contacts are kept, each once',
    async run({ store, reopen }) {
      await store.addContact(BERT)
      await store.addContact(ANNA)
      await store.addContact(ANNA)
      check([...(await store.contacts())].sort().join() === [ANNA, BERT].join(), 'both are there')
      await store.removeContact(BERT)
      await store.removeContact(BERT)
      check((await (await reopen()).contacts()).join() === ANNA, 'the one removed is gone')
    },
  },
]
