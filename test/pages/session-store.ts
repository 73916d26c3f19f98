/** A page that keeps sessions and messages: by the store alone, or as a peer. */
import { createPeer, createSessionStore, createTaskStore, openDatabase } from '@tsunagi/protocol/browser'
import { sessionStoreConformance, taskStoreConformance } from '@tsunagi/protocol/conformance'

type Peer = Awaited<ReturnType<typeof createPeer>>
type SessionStore = ReturnType<typeof createSessionStore>

declare global {
  interface Window {
    runStoreCase(name: string): Promise<void>
    runTaskStoreCase(name: string): Promise<void>
    /** Keys of the tasks that are kept. */
    loadTasks(): Promise<string[]>
    /** The store of a slot, and what it and its database told: `CODE: sentence`. */
    openStore(slot?: number): Promise<void>
    store: SessionStore
    problems: string[]
    session: typeof session
    message: typeof message
    /** `kept`, or `CODE: sentence`. */
    outcome(call: Promise<unknown>): Promise<string>
    /** What load() gives, in short. */
    contents(): Promise<{ sessions: number; outbox: number[]; inbox: number[]; pinned: number }>
    /** One request to an object store, past the library. */
    request<T>(name: string, make: (store: IDBObjectStore) => IDBRequest<T>): Promise<T>
    /** Becomes a peer, whose errors are `problems` and whose messages are `received`. */
    startPeer(signaling: string): Promise<string>
    peer: Peer
    received: unknown[]
  }
}

/** Some peer's id, which is real. */
const ANNA = 'did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK'

function session(durableNext = 100) {
  return {
    peer: ANNA,
    id: '3d813cbb-47fb-42ba-91df-831e1593ac29',
    shared: true,
    createdAt: 1,
    activeAt: 1,
    epoch: 1,
    next: 1,
    expected: 1,
    durableNext,
    durableExpected: 1,
  }
}

function message(number: number, size = 3) {
  const id = `3d813cbb-47fb-42ba-91df-${String(number).padStart(12, '0')}`
  // Nothing that a browser could make smaller.
  const payload = new Uint8Array(size)
  for (let at = 0; at < size; at += 65_536) crypto.getRandomValues(payload.subarray(at, at + 65_536))
  return { peer: ANNA, number, id, at: 1, type: 1, raw: true, payload }
}

const told = (error: unknown) =>
  error instanceof Error && 'code' in error ? `${error.code}: ${error.message}` : String(error)

window.session = session
window.message = message
window.problems = []
window.received = []
window.openStore = async (slot = 0) => {
  const problem = (error: unknown) => window.problems.push(told(error))
  window.store = createSessionStore(await openDatabase(problem), slot, problem)
}
window.runStoreCase = async (name) => {
  const found = sessionStoreConformance.find((entry) => entry.name === name)
  if (!found) throw new Error(`There is no case of the name ${name}.`)
  const open = async () => {
    await window.openStore()
    return window.store
  }
  await found.run({ store: await open(), reopen: open })
}
const openTaskStore = async () => {
  const problem = (error: unknown) => window.problems.push(told(error))
  return createTaskStore(await openDatabase(problem), 0, problem)
}
window.runTaskStoreCase = async (name) => {
  const found = taskStoreConformance.find((entry) => entry.name === name)
  if (!found) throw new Error(`There is no case of the name ${name}.`)
  await found.run({ store: await openTaskStore(), reopen: openTaskStore })
}
window.loadTasks = async () => (await (await openTaskStore()).load()).map(({ key }) => key)
window.outcome = (call) => call.then(() => 'kept', told)
window.contents = async () => {
  const { sessions, outbox, inbox, pinned } = await window.store.load()
  const numbers = (messages: typeof outbox) => messages.map(({ number }) => number)
  return { sessions: sessions.length, outbox: numbers(outbox), inbox: numbers(inbox), pinned: pinned.length }
}
window.request = async (name, make) => {
  const settled = <T>(request: IDBRequest<T>) =>
    new Promise<T>((resolve, reject) => {
      request.onsuccess = () => resolve(request.result)
      request.onerror = () => reject(request.error)
    })
  const data = await settled(indexedDB.open('tsunagi'))
  try {
    return await settled(make(data.transaction(name, 'readwrite').objectStore(name)))
  } finally {
    data.close()
  }
}
window.startPeer = async (signaling) => {
  window.peer = await createPeer({ signaling, mesh: 'kitchen' })
  window.peer.on('error', (error) => window.problems.push(told(error)))
  window.peer.on('message', ({ data }) => window.received.push(data))
  return window.peer.id
}
