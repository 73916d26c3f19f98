/** What the caller keeps of its tasks over pages (SPEC R68), and finds again by id or idempotency key. */
import { TsunagiError, toTsunagiError } from '../errors.ts'
import type { Bytes } from '../wire/bytes.ts'
import { decodeCbor } from '../wire/cbor.ts'
import type { StoredTask, TaskStore } from './store.ts'

export class TaskArchive {
  readonly #store: TaskStore | undefined
  readonly #onError: (error: TsunagiError) => void
  /** What the store has of each task, under way or ended. */
  readonly #records = new Map<string, StoredTask>()
  /** Tasks by idempotency key. */
  readonly #byKey = new Map<string, string>()

  /** @param store undefined where the host keeps nothing: then only idempotency keys are remembered, as long as the page */
  constructor(store: TaskStore | undefined, onError: (error: TsunagiError) => void) {
    this.#store = store
    this.#onError = onError
  }

  get keepsValues(): boolean {
    return this.#store !== undefined
  }

  /** A page before this one kept it. */
  recall(record: StoredTask): void {
    this.#records.set(record.key, record)
    if (record.ours?.idempotencyKey !== undefined) this.#byKey.set(record.ours.idempotencyKey, record.key)
  }

  /** The task with that idempotency key. */
  findByKey(idempotencyKey: string): string | undefined {
    return this.#byKey.get(idempotencyKey)
  }

  bind(idempotencyKey: string, task: string): void {
    this.#byKey.set(idempotencyKey, task)
  }

  /** As TaskStore.put(), whose promise it gives; a failure is told of and does not reject. */
  async keep(record: StoredTask, value?: Bytes | null, blobs: readonly Blob[] = []): Promise<void> {
    if (this.#store === undefined) return
    this.#records.set(record.key, record)
    try {
      await this.#store.put(record, value, blobs)
    } catch (cause) {
      this.#onError(
        toTsunagiError(cause, 'STORAGE_FAILED', 'A task could not be kept; it would not outlive this page.'),
      )
    }
  }

  forget(task: string): void {
    for (const [key, of] of this.#byKey) if (of === task) this.#byKey.delete(key)
    if (!this.#records.delete(task)) return
    this.#store?.remove('out', task).catch((cause: unknown) => {
      this.#onError(toTsunagiError(cause, 'STORAGE_FAILED', 'An old task could not be removed.'))
    })
  }

  /** Of a task that is remembered. */
  find(task: string): StoredTask | undefined {
    return this.#records.get(task)
  }

  /** The Blobs of the input of a task under way. Rejects with INVALID_STATE where not all are kept, STORAGE_FAILED. */
  async blobs(task: string, count: number): Promise<readonly Blob[]> {
    const record = this.#records.get(task)
    const blobs = (record && count > 0 && (await this.#store?.blobs(record))) || []
    if (blobs.length < count) throw new TsunagiError('INVALID_STATE', 'What belongs to the task is not kept any more.')
    return blobs
  }

  /** The input of a task under way, the output of one that is completed. Rejects with INVALID_STATE where it is not kept, STORAGE_FAILED. */
  async value(task: string): Promise<unknown> {
    const record = this.#records.get(task)
    const bytes = record && (await this.#store?.value(record))
    if (bytes === undefined) throw new TsunagiError('INVALID_STATE', 'What belongs to the task is not kept any more.')
    return decodeCbor(bytes)
  }
}
