/** A page that becomes somebody: its slot, its database, its keys. */
import { type Database, loadIdentity, openDatabase, takeIdentitySlot } from '@tsunagi/protocol/browser'
import { createCryptoProvider, loadNobleProvider } from '@tsunagi/protocol/crypto'

/** What of an identity a test can look at: keys as hexadecimal text. */
export interface Who {
  readonly id: string
  /** Whether what it signs verifies under its id. */
  readonly signs: boolean
  readonly introduction: string
  readonly notAfter: number
  readonly previous: string | undefined
  readonly persistent: boolean
  readonly failure: string | undefined
}

/** The answer of a call that may fail: `CODE: sentence` where it did. */
export type Answer<T> = { readonly value: T } | { readonly error: string }

/** What of a stored identity a test damages. */
export interface StoredIdentity {
  readonly signingKey: { readonly publicKey: Uint8Array }
  readonly introductionKey: { readonly key: unknown }
}

declare global {
  interface Window {
    takeSlot(): Promise<Answer<number>>
    releaseSlot(): void
    openData(): Promise<Answer<void>>
    /** The identity of the slot taken, at `now` (default: the present), by the browser's crypto unless `noble` is asked for. */
    become(options?: { now?: number; noble?: boolean }): Promise<Answer<Who>>
    /** Takes a slot, opens the database, becomes. */
    arrive(): Promise<{ slot: number; who: Who }>
    /** Why the database was lost. */
    losses: string[]
    /** One request to the stored identities, past the library. */
    stored<T>(request: (store: IDBObjectStore) => IDBRequest<T>): Promise<T>
    /** Puts something else in place of the stored identity of slot 0. */
    change(change: (identity: StoredIdentity) => unknown): Promise<void>
  }
}

let slot: Awaited<ReturnType<typeof takeIdentitySlot>> | undefined
let database: Database | undefined

window.losses = []
window.takeSlot = () =>
  answer(async () => {
    slot = await takeIdentitySlot()
    return slot.number
  })
window.releaseSlot = () => slot?.release()
window.openData = () =>
  answer(async () => {
    database = await openDatabase(({ code, message }) => window.losses.push(`${code}: ${message}`))
  })
window.become = ({ now = Date.now(), noble = false } = {}) =>
  answer(async () => {
    const crypto = await (noble ? loadNobleProvider() : createCryptoProvider())
    const identity = await loadIdentity(database, slot?.number ?? 0, crypto, now)
    const { signingKey, introductionKey, previousIntroductionKey, storageFailure } = identity
    const data = crypto.randomBytes(64)
    return {
      id: hex(signingKey.publicKey),
      signs: await crypto.verify(signingKey.publicKey, await signingKey.sign(data), data),
      introduction: hex(introductionKey.publicKey),
      notAfter: identity.introductionKeyNotAfter,
      previous: previousIntroductionKey && hex(previousIntroductionKey.publicKey),
      persistent: identity.persistent,
      failure: storageFailure && `${storageFailure.code}: ${storageFailure.message}`,
    }
  })
window.arrive = async () => {
  const number = value(await window.takeSlot())
  value(await window.openData())
  return { slot: number, who: value(await window.become()) }
}

window.stored = async (request) => {
  const data = await fulfilled(indexedDB.open('tsunagi'))
  try {
    return await fulfilled(request(data.transaction('identities', 'readwrite').objectStore('identities')))
  } finally {
    data.close()
  }
}

window.change = async (change) => {
  const changed = change(await window.stored((store) => store.get(0)))
  await window.stored((store) => store.put(changed, 0))
}

function fulfilled<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
}

async function answer<T>(call: () => Promise<T>): Promise<Answer<T>> {
  try {
    return { value: await call() }
  } catch (error) {
    if (error instanceof Error && 'code' in error) return { error: `${error.code}: ${error.message}` }
    throw error
  }
}

function value<T>(answered: Answer<T>): T {
  if ('error' in answered) throw new Error(answered.error)
  return answered.value
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
