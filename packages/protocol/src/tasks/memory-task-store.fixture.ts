/** A task store in memory that a test can end with the page, or let fail. */
import type { PeerId, TaskInfo } from '../api.ts'
import { TsunagiError } from '../errors.ts'
import type { Bytes } from '../wire/bytes.ts'
import type { StoredTask, TaskStore } from './store.ts'

interface Kept {
  readonly tasks: Map<string, StoredTask>
  readonly values: Map<string, Bytes>
  readonly blobs: Map<string, readonly Blob[]>
  readonly contacts: Set<PeerId>
}

export class MemoryTaskStore implements TaskStore {
  /** Each call rejects. */
  fails = false
  readonly #kept: Kept
  #crashed = false

  constructor(kept: Kept = { tasks: new Map(), values: new Map(), blobs: new Map(), contacts: new Set() }) {
    this.#kept = kept
  }

  /** The page is gone: no later call takes effect or settles. @returns what the next page finds */
  crash(): MemoryTaskStore {
    this.#crashed = true
    return new MemoryTaskStore(structuredClone(this.#kept))
  }

  load(): Promise<StoredTask[]> {
    return this.#call(({ tasks }) =>
      structuredClone([...tasks.values()]).sort((a, b) => a.info.createdAt - b.info.createdAt),
    )
  }

  put(task: StoredTask, value?: Bytes | null, given: readonly Blob[] = []): Promise<void> {
    return this.#call(({ tasks, values, blobs }) => {
      const key = `${task.info.direction} ${task.key}`
      tasks.set(key, structuredClone(task))
      if (value === undefined) return
      blobs.set(key, given)
      if (value === null) values.delete(key)
      else values.set(key, value.slice())
    })
  }

  value({ info, key }: StoredTask): Promise<Bytes | undefined> {
    return this.#call(({ values }) => values.get(`${info.direction} ${key}`)?.slice())
  }

  blobs({ info, key }: StoredTask): Promise<readonly Blob[]> {
    return this.#call(({ blobs }) => blobs.get(`${info.direction} ${key}`) ?? [])
  }

  remove(direction: TaskInfo['direction'], key: string): Promise<void> {
    return this.#call(({ tasks, values }) => {
      tasks.delete(`${direction} ${key}`)
      values.delete(`${direction} ${key}`)
    })
  }

  contacts(): Promise<readonly PeerId[]> {
    return this.#call(({ contacts }) => [...contacts].sort())
  }

  addContact(peer: PeerId): Promise<void> {
    return this.#call(({ contacts }) => {
      contacts.add(peer)
    })
  }

  removeContact(peer: PeerId): Promise<void> {
    return this.#call(({ contacts }) => {
      contacts.delete(peer)
    })
  }

  async #call<T>(action: (kept: Kept) => T): Promise<T> {
    if (this.#crashed) return new Promise(() => undefined)
    if (this.fails) throw new TsunagiError('STORAGE_FAILED', 'The store failed, as the test wants it.')
    let result: T
    try {
      result = action(this.#kept)
    } catch (cause) {
      throw new TsunagiError('STORAGE_FAILED', 'That cannot be stored.', { cause })
    }
    await Promise.resolve()
    return this.#crashed ? new Promise(() => undefined) : result
  }
}
