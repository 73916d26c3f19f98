/** What the caller keeps of its tasks over pages (SPEC R68), and finds again by id or idempotency key. */
import type { IncomingTransfer, Task, TaskInfo } from '../api.ts'
import { TsunagiError, toTsunagiError } from '../errors.ts'
import type { Bytes } from '../wire/bytes.ts'
import { decodeCbor } from '../wire/cbor.ts'
import { uuidText } from '../wire/uuid.ts'
import { attachTo } from './blobs.ts'
import type { TaskFileTransfers } from './file-transfers.ts'
import { transferIdOf } from './files.ts'
import type { OutgoingTask, Try } from './outgoing-task.ts'
import { PartialStream } from './partials.ts'
import { isTerminal } from './states.ts'
import type { StoredTask, TaskStore } from './store.ts'
import { errorOf } from './task-errors.ts'

export class CallerArchive {
  readonly #store: TaskStore | undefined
  readonly #files: TaskFileTransfers
  readonly #onError: (error: TsunagiError) => void
  /** What the store has of each task, under way or ended. */
  readonly #records = new Map<string, StoredTask>()
  /** Tasks by idempotency key. */
  readonly #byKey = new Map<string, string>()

  /** @param store undefined where the host keeps nothing: then only idempotency keys are remembered, as long as the page */
  constructor(store: TaskStore | undefined, files: TaskFileTransfers, onError: (error: TsunagiError) => void) {
    this.#store = store
    this.#files = files
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

  /**
   * As TaskStore.put(), whose promise it gives; a failure is told of and does not reject.
   * @param by whose output `value` is; undefined where it is none
   */
  async keep(task: OutgoingTask, value?: Bytes | null, blobs: readonly Blob[] = [], by?: Try): Promise<void> {
    if (this.#store === undefined) return
    const record = recordOf(task, by)
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
    for (const transfer of this.#outputFiles(task)) transfer?.discard()
    for (const [key, of] of this.#byKey) if (of === task) this.#byKey.delete(key)
    if (!this.#records.delete(task)) return
    this.#store?.remove('out', task).catch((cause: unknown) => {
      this.#onError(toTsunagiError(cause, 'STORAGE_FAILED', 'An old task could not be removed.'))
    })
  }

  /** The input of a task under way, with so many Blobs. Rejects with INVALID_STATE where not all is kept, STORAGE_FAILED. */
  async input(task: string, files: number): Promise<NonNullable<OutgoingTask['input']>> {
    const value = await this.#value(task)
    return { value, blobs: await this.#inputBlobs(task, files) }
  }

  /** What is left of a task that ended: its output is with the store, if anywhere. */
  handle(info: TaskInfo): Task {
    const result = this.#result(info)
    result.catch(() => undefined)
    const partials = new PartialStream(() => undefined)
    partials.end(info.error && errorOf(info))
    return { id: info.id, info, result, partials, onProgress: () => () => undefined, cancel: () => undefined }
  }

  async #result(info: TaskInfo): Promise<unknown> {
    if (info.error !== undefined) throw errorOf(info)
    const output = await this.#value(info.id)
    const files = this.#records.get(info.id)?.files ?? []
    const blobs = this.#outputFiles(info.id).map((transfer) => transfer?.blob())
    if (blobs.includes(undefined))
      throw new TsunagiError('INVALID_STATE', 'The files of the output are not kept any more.')
    return attachTo(output, files, await Promise.all(blobs))
  }

  /** What came with the output of a task that is remembered. */
  #outputFiles(task: string): readonly (IncomingTransfer | undefined)[] {
    const record = this.#records.get(task)
    if (record?.info.state !== 'completed') return []
    return record.files.map(({ transfer }) => this.#files.find(record.info.peer, transfer))
  }

  async #inputBlobs(task: string, count: number): Promise<readonly Blob[]> {
    const record = this.#records.get(task)
    const blobs = (record && count > 0 && (await this.#store?.blobs(record))) || []
    if (blobs.length < count) throw new TsunagiError('INVALID_STATE', NOT_KEPT)
    return blobs
  }

  /** The input of a task under way, the output of one that is completed. */
  async #value(task: string): Promise<unknown> {
    const record = this.#records.get(task)
    const bytes = record && (await this.#store?.value(record))
    if (bytes === undefined) throw new TsunagiError('INVALID_STATE', NOT_KEPT)
    return decodeCbor(bytes)
  }
}

const NOT_KEPT = 'What belongs to the task is not kept any more.'

function recordOf(task: OutgoingTask, by: Try | undefined): StoredTask {
  const files = isTerminal(task.info.state) && by === undefined ? [] : task.files
  return {
    key: task.key,
    info: task.info,
    size: task.size,
    ours: { ...task.rules, attempt: task.current?.key ?? '', idempotencyKey: task.idempotencyKey },
    partials: task.wantsPartials,
    files: files.map((place, n) => ({ ...place, transfer: by ? uuidText(transferIdOf(by.id, 'output', n)) : '' })),
  }
}
