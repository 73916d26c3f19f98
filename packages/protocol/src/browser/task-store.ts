/** What a peer keeps of tasks and contacts over pages, in IndexedDB (SPEC §8.4): the port TaskStore for one identity slot. */
import * as v from 'valibot'
import type { PeerId, TaskInfo } from '../api.ts'
import { TsunagiError } from '../errors.ts'
import { LIMITS, PROTOCOL } from '../limits.ts'
import { PRIORITIES } from '../messages.ts'
import type { StoredTask, TaskStore } from '../tasks/store.ts'
import type { Bytes } from '../wire/bytes.ts'
import { type Database, storageFailure, write } from './database.ts'

const DAMAGED =
  'Some of the tasks that this browser kept were damaged and have been removed: what became of them is lost.'

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0))
/** Milliseconds since 1970, of whatever clock the peer has. */
const time = v.pipe(v.number(), v.minValue(0))
const uuid = v.pipe(v.string(), v.uuid())
const text = (most: number) => v.pipe(v.string(), v.maxLength(most))
const taskRecord = v.object({
  key: v.string(),
  info: v.object({
    id: uuid,
    direction: v.picklist(['out', 'in']),
    capability: text(PROTOCOL.maxCapabilityName),
    peer: v.string(),
    state: v.picklist(['submitted', 'working', 'completed', 'failed', 'canceled', 'rejected', 'lost']),
    priority: v.picklist(PRIORITIES),
    progress: v.pipe(v.number(), v.minValue(0), v.maxValue(1)),
    note: v.string(),
    createdAt: time,
    endedAt: v.optional(time),
    deadlineAt: time,
    tries: count,
    error: v.optional(v.object({ code: v.string(), message: v.string() })),
  }),
  size: count,
  ours: v.optional(
    v.object({
      attempt: v.union([v.literal(''), uuid]),
      idempotencyKey: v.optional(text(LIMITS.maxTaskKey)),
      retries: count,
      failover: v.boolean(),
      to: v.optional(v.string()),
    }),
  ),
  partials: v.boolean(),
  // Older versions of this library stored none.
  files: v.optional(
    v.array(
      v.object({
        at: v.array(v.union([v.string(), count])),
        size: count,
        media_type: v.string(),
        name: v.string(),
        transfer: v.string(),
      }),
    ),
    [],
  ),
})
const valueRecord = v.object({
  value: v.custom<Bytes>((value) => value instanceof Uint8Array),
  blobs: v.optional(v.array(v.instance(Blob)), []),
})
const contactRecord = v.object({ peer: v.string() })

/**
 * Keys begin with the slot, as those of createSessionStore() do, for the same reasons. An input or output lies beside its task,
 * so that a task that moves on does not write it again.
 * @param slot held by this tab: see takeIdentitySlot()
 * @param onDamaged load() found records that make no sense, and removed them; told once for all of them
 */
export function createTaskStore(database: Database, slot: number, onDamaged: (error: TsunagiError) => void): TaskStore {
  // An empty list comes after all texts and numbers.
  const ofSlot = () => IDBKeyRange.bound([slot], [slot, []])

  async function read<T>(action: () => Promise<T>): Promise<T> {
    try {
      return await action()
    } catch (cause) {
      throw storageFailure(cause)
    }
  }

  async function load(): Promise<StoredTask[]> {
    const transaction = database.transaction('tasks')
    const [keys, records] = await Promise.all([
      transaction.store.getAllKeys(ofSlot()),
      transaction.store.getAll(ofSlot()),
      transaction.done,
    ])
    const damaged: IDBValidKey[][] = []
    const tasks = keys.flatMap((key, i) => {
      const task = taskOf(records[i])
      if (task === undefined) damaged.push(key)
      return task ?? []
    })
    if (damaged.length > 0) remove(damaged)
    return tasks.sort((a, b) => a.info.createdAt - b.info.createdAt)
  }

  function remove(damaged: readonly IDBValidKey[][]): void {
    onDamaged(new TsunagiError('STORAGE_FAILED', DAMAGED))
    write(database, ['tasks', 'taskValues'], 'relaxed', function* (store) {
      for (const key of damaged) {
        yield store('tasks').delete(key)
        yield store('taskValues').delete(key)
      }
    }).catch(onDamaged)
  }

  return {
    load: () => read(load),
    put: (task, value, blobs = []) =>
      write(database, ['tasks', 'taskValues'], 'relaxed', function* (store) {
        const { direction } = task.info
        yield store('tasks').put({ slot, direction, ...task })
        if (value === null) yield store('taskValues').delete([slot, direction, task.key])
        else if (value !== undefined) {
          yield store('taskValues').put({ slot, direction, key: task.key, value: alone(value), blobs })
        }
      }),
    value: ({ info, key }) =>
      read(async () => {
        const found = v.safeParse(valueRecord, await database.get('taskValues', [slot, info.direction, key]))
        return found.success ? found.output.value : undefined
      }),
    blobs: ({ info, key }) =>
      read(async () => {
        const found = v.safeParse(valueRecord, await database.get('taskValues', [slot, info.direction, key]))
        return found.success ? found.output.blobs : []
      }),
    remove: (direction, key) =>
      write(database, ['tasks', 'taskValues'], 'relaxed', function* (store) {
        yield store('tasks').delete([slot, direction, key])
        yield store('taskValues').delete([slot, direction, key])
      }),
    contacts: () =>
      read(async () => {
        const records: unknown[] = await database.getAll('contacts', ofSlot())
        return records.flatMap((record) => (v.is(contactRecord, record) ? record.peer : []))
      }),
    addContact: (peer: PeerId) =>
      write(database, ['contacts'], 'relaxed', function* (store) {
        yield store('contacts').put({ slot, peer })
      }),
    removeContact: (peer: PeerId) =>
      write(database, ['contacts'], 'relaxed', function* (store) {
        yield store('contacts').delete([slot, peer])
      }),
  }
}

/** Undefined where the record makes no sense. What valibot leaves out where it is absent, the interfaces name. */
function taskOf(record: unknown): StoredTask | undefined {
  const found = v.safeParse(taskRecord, record)
  if (!found.success) return undefined
  const { key, info, size, ours, partials, files } = found.output
  if ((info.direction === 'out') !== (ours !== undefined)) return undefined
  const whole: TaskInfo = { ...info, endedAt: info.endedAt, error: info.error }
  const own = ours && { ...ours, idempotencyKey: ours.idempotencyKey, to: ours.to }
  return { key, info: whole, size, ours: own, partials, files }
}

/** A view is stored with all of the buffer it is a part of. */
function alone(value: Bytes): Bytes {
  return value.length === value.buffer.byteLength ? value : value.slice()
}
