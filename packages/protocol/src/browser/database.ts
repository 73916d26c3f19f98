/** What this site keeps in IndexedDB, and how an older state of it becomes the present one. */
import {
  type DBSchema,
  type IDBPDatabase,
  type IDBPObjectStore,
  type IDBPTransaction,
  openDB,
  type StoreNames,
} from 'idb'
import { TsunagiError, toTsunagiError } from '../errors.ts'

/** An older tab that is frozen keeps an upgrade waiting for ever, and no event tells that apart from a slow disk. */
const OPEN_TIMEOUT = 10_000
const TOOK_TOO_LONG =
  'The browser does not open the data of this site: close its other tabs, or restart the browser, then reload this page.'
const LOST = 'The data of this site were cleared or updated while this page was open: reload it.'

/** Stored values may be damaged or of another version: whoever reads one checks it. */
interface Schema extends DBSchema {
  /** By number of the identity slot. */
  identities: { key: number; value: unknown }
  /** What sessions leave to the next page: by the fields KEYS names, the number of the slot first. */
  sessions: { key: IDBValidKey[]; value: unknown }
  outbox: { key: IDBValidKey[]; value: unknown }
  inbox: { key: IDBValidKey[]; value: unknown }
  pinned: { key: IDBValidKey[]; value: unknown }
  /** Tasks, their inputs and outputs, and contacts: by the fields TASK_KEYS names, the number of the slot first. */
  tasks: { key: IDBValidKey[]; value: unknown }
  taskValues: { key: IDBValidKey[]; value: unknown }
  contacts: { key: IDBValidKey[]; value: unknown }
  /** Transfers that a reload interrupts, and received files: by slot, direction, peer and id. */
  transfers: { key: IDBValidKey[]; value: unknown }
  /** What the user decided for a peer: by slot and name. */
  settings: { key: IDBValidKey[]; value: unknown }
}
export type Database = IDBPDatabase<Schema>

type Upgrade = IDBPTransaction<Schema, StoreNames<Schema>[], 'versionchange'>

const KEYS = {
  sessions: ['slot', 'peer'],
  outbox: ['slot', 'peer', 'number'],
  inbox: ['slot', 'peer', 'id'],
  pinned: ['slot', 'peer'],
} as const
export type SessionStoreName = keyof typeof KEYS
export const SESSION_STORES = Object.keys(KEYS) as SessionStoreName[]

const TASK_KEYS = {
  tasks: ['slot', 'direction', 'key'],
  taskValues: ['slot', 'direction', 'key'],
  contacts: ['slot', 'peer'],
} as const

/** Step n leads from version n to version n + 1. Steps are only ever added: each may have run in some browser. */
const STEPS: readonly ((database: Database, transaction: Upgrade) => void)[] = [
  (database) => {
    database.createObjectStore('identities')
  },
  (database) => {
    for (const name of SESSION_STORES) database.createObjectStore(name, { keyPath: [...KEYS[name]] })
  },
  (database) => {
    for (const name of ['tasks', 'taskValues', 'contacts'] as const) {
      database.createObjectStore(name, { keyPath: [...TASK_KEYS[name]] })
    }
  },
  (database) => {
    database.createObjectStore('transfers', { keyPath: ['slot', 'direction', 'peer', 'id'] })
  },
  (database) => {
    database.createObjectStore('settings', { keyPath: ['slot', 'name'] })
  },
]

/** What a browser's refusals mean to a person, by the name of the DOMException. */
const SENTENCES: Record<string, string> = {
  QuotaExceededError:
    'The browser has no room left for the data of this site: free some disk space and reload this page.',
  VersionError: 'The data of this site are of a newer version than this page: reload it.',
  InvalidStateError: LOST,
  SecurityError: 'The browser keeps no data for this page: allow site data for it, or leave private browsing.',
}

/** Turns what IndexedDB threw into STORAGE_FAILED with a sentence that says what helps. */
export function storageFailure(cause: unknown): TsunagiError {
  const known = cause instanceof DOMException ? SENTENCES[cause.name] : undefined
  const sentence =
    known ??
    'The browser could not read or write the data of this site: check its free disk space and reload this page.'
  return toTsunagiError(cause, 'STORAGE_FAILED', sentence)
}

/**
 * Makes changes in one transaction, all or none. Nothing is awaited before all of it was asked for and the transaction is on its way,
 * which a page that ends does not stop; so calls that share a store take effect in their order.
 * Rejects with STORAGE_FAILED.
 */
export async function write<Name extends StoreNames<Schema>>(
  database: Database,
  names: Name[],
  durability: IDBTransactionDurability,
  change: (store: (name: Name) => IDBPObjectStore<Schema, Name[], Name, 'readwrite'>) => Iterable<Promise<unknown>>,
): Promise<void> {
  try {
    const transaction = database.transaction(names, 'readwrite', { durability })
    const requests: Promise<unknown>[] = [transaction.done]
    try {
      for (const request of change((name) => transaction.objectStore(name))) requests.push(request)
    } catch (cause) {
      // What cannot be stored is refused at once, and what came before it would be committed without it.
      transaction.abort()
      await Promise.allSettled(requests)
      throw cause
    }
    transaction.commit()
    await Promise.all(requests)
  } catch (cause) {
    throw storageFailure(cause)
  }
}

/**
 * Opens the database of this site, made or upgraded where need be.
 * @param onLost told once where the open database goes away under the page: its data were cleared, or another tab has a
 *   newer version of the app. Every later use fails; a reload helps.
 * @throws TsunagiError STORAGE_FAILED
 */
export async function openDatabase(onLost: (reason: TsunagiError) => void): Promise<Database> {
  const lost = () => onLost(new TsunagiError('STORAGE_FAILED', LOST))
  let timer: ReturnType<typeof setTimeout> | undefined
  try {
    const opening = openDB<Schema>('tsunagi', STEPS.length, {
      upgrade(database, oldVersion, _newVersion, transaction) {
        for (const step of STEPS.slice(oldVersion)) step(database, transaction)
      },
      blocking(_oldVersion, _newVersion, event) {
        // Otherwise this tab would keep another from upgrading or clearing.
        const database = event.target as IDBDatabase
        database.close()
        lost()
      },
      terminated: lost,
    })
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        reject(new TsunagiError('STORAGE_FAILED', TOOK_TOO_LONG))
        // Nobody waits for it any more, and open it would hold others up.
        opening.then((database) => database.close()).catch(() => undefined)
      }, OPEN_TIMEOUT)
    })
    return await Promise.race([opening, late])
  } catch (cause) {
    throw storageFailure(cause)
  } finally {
    clearTimeout(timer)
  }
}

/** Whether a slot has notes of no transfer. Rejects with STORAGE_FAILED. */
export async function hasNoTransfers(database: Database, slot: number): Promise<boolean> {
  try {
    return (await database.count('transfers', IDBKeyRange.bound([slot], [slot, []]))) === 0
  } catch (cause) {
    throw storageFailure(cause)
  }
}
