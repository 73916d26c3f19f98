/** What a peer keeps over pages, in IndexedDB (SPEC §5.4): the port SessionStore for one identity slot. */
import * as v from 'valibot'
import type { PeerId } from '../api.ts'
import { TsunagiError } from '../errors.ts'
import { publicKeyOf } from '../identity/peer-id.ts'
import { PROTOCOL } from '../limits.ts'
import type { SessionStore, StoredMessage, StoredState } from '../session/store.ts'
import type { Bytes } from '../wire/bytes.ts'
import { type Database, SESSION_STORES, type SessionStoreName, storageFailure, write } from './database.ts'

const DAMAGED =
  'Some of what this browser kept for this peer was damaged and has been removed: messages that waited may be lost.'

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0))
const uuid = v.pipe(v.string(), v.uuid())
const peer = v.custom<PeerId>(isPeerId)

const storedSession = v.object({
  peer,
  id: v.union([v.literal(''), uuid]),
  shared: v.boolean(),
  createdAt: count,
  activeAt: count,
  epoch: count,
  next: count,
  expected: count,
  durableNext: count,
  durableExpected: count,
})
const storedMessage = v.object({
  peer,
  number: count,
  id: uuid,
  at: count,
  type: count,
  raw: v.boolean(),
  payload: v.custom<Bytes>((value) => value instanceof Uint8Array),
})
/** Numbers begin anew with each session, so that of two messages the one of the older session is the older. */
const inboxMessage = v.object({ ...storedMessage.entries, sessionCreatedAt: count })
const pinnedPeer = v.object({
  peer,
  name: v.pipe(v.string(), v.maxLength(PROTOCOL.maxName)),
  metAt: count,
  seenAt: count,
  introductionKey: v.exactOptional(v.custom<Bytes>((value) => value instanceof Uint8Array && value.length === 32)),
  introductionNotAfter: v.exactOptional(count),
  wokeAt: v.exactOptional(count),
})

/**
 * All slots share one database, and every key begins with the slot, which one tab at a time holds: no record has two
 * writers. A database for each slot would be one more to open, upgrade and watch for its loss. Tabs wait for each other's
 * transactions only as long as the disk takes: each is committed as it is made, so that a tab frozen then holds nobody up.
 * @param slot held by this tab: see takeIdentitySlot()
 * @param onDamaged load() found records that make no sense, and removed them; told once for all of them
 */
export function createSessionStore(
  database: Database,
  slot: number,
  onDamaged: (error: TsunagiError) => void,
): SessionStore {
  // An empty list comes after all texts and numbers.
  const ofSlot = () => IDBKeyRange.bound([slot], [slot, []])
  const ofPeer = (id: PeerId) => IDBKeyRange.bound([slot, id], [slot, id, []])

  async function load(): Promise<StoredState> {
    const transaction = database.transaction(SESSION_STORES)
    const read = async <T>(name: SessionStoreName, schema: v.GenericSchema<unknown, T>): Promise<Found<T>[]> => {
      const store = transaction.objectStore(name)
      const [keys, values] = await Promise.all([store.getAllKeys(ofSlot()), store.getAll(ofSlot())])
      return keys.map((key, i) => ({ name, key, value: valid(schema, values[i]) }))
    }
    const [sessions, outbox, inbox, pinned] = await Promise.all([
      read('sessions', storedSession),
      read('outbox', storedMessage),
      read('inbox', inboxMessage),
      read('pinned', pinnedPeer),
      transaction.done,
    ])
    dropBroken(sessions, outbox)
    const damaged = [...sessions, ...outbox, ...inbox, ...pinned].filter(({ value }) => value === undefined)
    if (damaged.length > 0) remove(damaged)
    return {
      sessions: sound(sessions),
      outbox: sound(outbox),
      inbox: sound(inbox)
        .sort(byArrival)
        .map(({ sessionCreatedAt: _, ...message }) => message),
      pinned: sound(pinned),
    }
  }

  function remove(damaged: readonly Found<unknown>[]): void {
    onDamaged(new TsunagiError('STORAGE_FAILED', DAMAGED))
    write(database, SESSION_STORES, 'relaxed', function* (store) {
      for (const { name, key } of damaged) yield store(name).delete(key)
    }).catch(onDamaged)
  }

  return {
    async load() {
      try {
        return await load()
      } catch (cause) {
        throw storageFailure(cause)
      }
    },
    accept: (session, messages) =>
      write(database, ['sessions', 'outbox'], 'strict', function* (store) {
        yield store('sessions').put({ slot, ...session })
        for (const message of messages) yield store('outbox').put({ slot, ...alone(message) })
      }),
    delivered: (id, number) =>
      write(database, ['outbox'], 'relaxed', function* (store) {
        yield store('outbox').delete(IDBKeyRange.bound([slot, id], [slot, id, number], false, true))
      }),
    take: (session, messages) =>
      write(database, ['sessions', 'inbox'], 'strict', function* (store) {
        const { createdAt: sessionCreatedAt } = session
        yield store('sessions').put({ slot, ...session })
        for (const message of messages) {
          yield store('inbox').put({ slot, sessionCreatedAt, ...alone(message) })
        }
      }),
    handled: (message) =>
      write(database, ['inbox'], 'relaxed', function* (store) {
        yield store('inbox').delete([slot, message.peer, message.id])
      }),
    pin: (pinned) =>
      write(database, ['pinned'], 'relaxed', function* (store) {
        yield store('pinned').put({ slot, ...pinned })
      }),
    unpin: (id) =>
      write(database, ['pinned'], 'relaxed', function* (store) {
        yield store('pinned').delete([slot, id])
      }),
    update: (session) =>
      write(database, ['sessions'], 'relaxed', function* (store) {
        yield store('sessions').put({ slot, ...session })
      }),
    end: (id) =>
      write(database, ['sessions', 'outbox'], 'relaxed', function* (store) {
        yield store('sessions').delete([slot, id])
        yield store('outbox').delete(ofPeer(id))
      }),
  }
}

/** A record as it was read; without a value where it makes no sense. */
interface Found<T> {
  readonly name: SessionStoreName
  readonly key: IDBValidKey[]
  value: T | undefined
}

function sound<T>(found: readonly Found<T>[]): T[] {
  return found.flatMap(({ value }) => (value === undefined ? [] : [value]))
}

/** A session and its outbox go together where anything of them is damaged: the other side waits for a message that is missing. */
function dropBroken(
  sessions: readonly Found<v.InferOutput<typeof storedSession>>[],
  outbox: readonly Found<v.InferOutput<typeof storedMessage>>[],
): void {
  const next = new Map(sound(sessions).map((session) => [session.peer, session.durableNext]))
  const isBroken = ({ value }: (typeof outbox)[number]) =>
    value === undefined || value.number >= (next.get(value.peer) ?? 0)
  const broken = new Set(outbox.filter(isBroken).map(({ key: [, id] }) => id))
  for (const found of [...sessions, ...outbox]) if (broken.has(found.key[1])) found.value = undefined
}

function byArrival(a: v.InferOutput<typeof inboxMessage>, b: v.InferOutput<typeof inboxMessage>): number {
  if (a.peer !== b.peer) return a.peer < b.peer ? -1 : 1
  return a.sessionCreatedAt - b.sessionCreatedAt || a.number - b.number
}

/** A view is stored with all of the buffer it is a part of, which may be a whole frame. */
function alone(message: StoredMessage): StoredMessage {
  const { payload } = message
  return payload.length === payload.buffer.byteLength ? message : { ...message, payload: payload.slice() }
}

function valid<T>(schema: v.GenericSchema<unknown, T>, value: unknown): T | undefined {
  const result = v.safeParse(schema, value)
  return result.success ? result.output : undefined
}

function isPeerId(value: unknown): boolean {
  try {
    publicKeyOf(value)
    return true
  } catch {
    return false
  }
}
