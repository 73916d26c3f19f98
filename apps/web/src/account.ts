/** What this browser did for others and others for it, kept over pages and shared by all tabs. */
import type { Peer, PeerId, TaskInfo } from '@tsunagi/protocol'
import type { PageHost, PagePart } from './page-part.ts'

/** Of one peer. Bytes: what tasks and files carried, as far as it arrived. */
export interface Balance {
  readonly peer: PeerId
  /** As the peer called itself last. */
  readonly name: string
  readonly tasksDone: number
  readonly millisecondsDone: number
  readonly tasksGot: number
  readonly millisecondsGot: number
  readonly bytesSent: number
  readonly bytesReceived: number
  /** Milliseconds since 1970. */
  readonly lastAt: number
}

type Sums = Omit<Balance, 'peer' | 'name' | 'lastAt'>

const DATABASE = 'tsunagi-account'
const STORE = 'balances'
/** Those beyond, last seen longest ago, are added up as one: an account that strangers can make grow has an end. */
const MAX_PEERS = 200
/** A picture of 64 tiles is one change, not 64. */
const SAVE_AFTER = 500
export const OTHERS = 'others'

const NOTHING: Sums = {
  tasksDone: 0,
  millisecondsDone: 0,
  tasksGot: 0,
  millisecondsGot: 0,
  bytesSent: 0,
  bytesReceived: 0,
}

export class Account implements PagePart {
  readonly #host: PageHost
  /** When tasks under way were first seen at work, in milliseconds since 1970. */
  readonly #working = new Map<string, number>()
  readonly #stops: (() => void)[] = []
  readonly #otherTabs = typeof BroadcastChannel === 'undefined' ? undefined : new BroadcastChannel(DATABASE)
  #balances: readonly Balance[] = []
  #database: Promise<IDBDatabase> | undefined
  #peer: Peer | undefined
  /** What was added since the last time it was kept. */
  readonly #unsaved = new Map<PeerId, Sums>()
  #saving: ReturnType<typeof setTimeout> | undefined
  #waiting: Promise<void> = Promise.resolve()

  constructor(host: PageHost) {
    this.#host = host
    this.#otherTabs?.addEventListener('message', () => this.#then(() => this.#load()))
  }

  /** Latest first; that of OTHERS last. */
  get balances(): readonly Balance[] {
    return this.#balances
  }

  get total(): Sums {
    return this.#balances.reduce<Sums>(added, NOTHING)
  }

  attach(peer: Peer): void {
    this.#peer = peer
    for (const task of peer.tasks) if (task.endedAt === undefined) this.#follow(task)
    this.#stops.push(peer.on('task', (task) => this.#follow(task)))
    this.#then(() => this.#load())
  }

  detach(): void {
    this.save()
    for (const stop of this.#stops.splice(0)) stop()
    this.#working.clear()
    this.#peer = undefined
  }

  /** So many bytes went to and came from `peer`. */
  moved(peer: PeerId, bytesSent: number, bytesReceived: number): void {
    this.#add(peer, { bytesSent, bytesReceived })
  }

  /** Forgets everything. */
  clear(): void {
    this.#then(async () => {
      await done((await this.#open()).transaction(STORE, 'readwrite').objectStore(STORE).clear())
      this.#otherTabs?.postMessage('changed')
      await this.#load()
    })
  }

  #follow({ id, direction, peer, state, endedAt }: TaskInfo): void {
    const key = `${direction} ${peer} ${id}`
    if (endedAt === undefined) {
      if (state === 'working' && !this.#working.has(key)) this.#working.set(key, Date.now())
      return
    }
    const started = this.#working.get(key)
    this.#working.delete(key)
    if (state !== 'completed' || started === undefined) return
    const time = Math.max(0, endedAt - started)
    this.#add(
      peer,
      direction === 'in' ? { tasksDone: 1, millisecondsDone: time } : { tasksGot: 1, millisecondsGot: time },
    )
  }

  #add(peer: PeerId, more: Partial<Sums>): void {
    if (peer === '') return
    this.#unsaved.set(peer, added(this.#unsaved.get(peer) ?? NOTHING, { ...NOTHING, ...more }))
    this.#saving ??= setTimeout(() => this.save(), SAVE_AFTER)
  }

  /** Keeps what was added since the last time; what a page adds in its last half second is lost otherwise. */
  save(): void {
    clearTimeout(this.#saving)
    this.#saving = undefined
    if (this.#unsaved.size === 0) return
    const names = new Map(this.#peer?.peers.map(({ id, name }) => [id, name]))
    const unsaved = [...this.#unsaved]
    this.#unsaved.clear()
    this.#then(async () => {
      // One transaction: what several tabs add at the same time is all counted.
      const store = (await this.#open()).transaction(STORE, 'readwrite').objectStore(STORE)
      for (const [peer, more] of unsaved) {
        const known = (await done(store.get(peer))) as Balance | undefined
        const name = names.get(peer) || (known?.name ?? '')
        await done(store.put({ ...added(known ?? NOTHING, more), peer, name, lastAt: Date.now() }))
      }
      await addUpOldest(store)
      this.#otherTabs?.postMessage('changed')
      await this.#load()
    })
  }

  async #load(): Promise<void> {
    const all = (await done((await this.#open()).transaction(STORE).objectStore(STORE).getAll())) as Balance[]
    const rank = ({ peer, lastAt }: Balance) => (peer === OTHERS ? 0 : lastAt)
    this.#balances = all.toSorted((a, b) => rank(b) - rank(a))
    this.#host.changed()
  }

  /** One after the other; a browser that keeps nothing says so once. */
  #then(action: () => Promise<void>): void {
    this.#waiting = this.#waiting.then(action).catch((error) => {
      this.#host.report(
        'What was done for whom',
        new Error('The browser does not keep it for this page.', { cause: error }),
      )
    })
  }

  #open(): Promise<IDBDatabase> {
    this.#database ??= new Promise((fulfil, reject) => {
      const request = indexedDB.open(DATABASE, 1)
      request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: 'peer' })
      request.onsuccess = () => fulfil(request.result)
      request.onerror = () => reject(request.error)
    })
    return this.#database
  }
}

async function addUpOldest(store: IDBObjectStore): Promise<void> {
  const all = (await done(store.getAll())) as Balance[]
  const [others] = all.filter(({ peer }) => peer === OTHERS)
  const byAge = all.filter(({ peer }) => peer !== OTHERS).toSorted((a, b) => b.lastAt - a.lastAt)
  const oldest = byAge.slice(MAX_PEERS)
  if (oldest.length === 0) return
  await done(store.put({ ...oldest.reduce<Sums>(added, others ?? NOTHING), peer: OTHERS, name: '', lastAt: 0 }))
  for (const { peer } of oldest) await done(store.delete(peer))
}

function added(a: Sums, b: Sums): Sums {
  return {
    tasksDone: a.tasksDone + b.tasksDone,
    millisecondsDone: a.millisecondsDone + b.millisecondsDone,
    tasksGot: a.tasksGot + b.tasksGot,
    millisecondsGot: a.millisecondsGot + b.millisecondsGot,
    bytesSent: a.bytesSent + b.bytesSent,
    bytesReceived: a.bytesReceived + b.bytesReceived,
  }
}

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((fulfil, reject) => {
    request.onsuccess = () => fulfil(request.result)
    request.onerror = () => reject(request.error)
  })
}
