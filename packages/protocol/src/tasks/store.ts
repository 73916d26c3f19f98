/**
 * What outlives a page of tasks and contacts (SPEC §8.4): ours under way and ended, those of others that were accepted. A
 * host without storage gives none, and then tasks last as long as the page.
 */
import type { PeerId, TaskInfo } from '../api.ts'
import type { TaskFilePlace } from '../messages.ts'
import type { Bytes } from '../wire/bytes.ts'
import type { RetryRules } from './retry.ts'

/** One task. Its value, the CBOR of its input while it is under way and of its output once it is completed, is kept beside it. */
export interface StoredTask {
  /** Of ours its id; of another's its caller and id. Unique for each direction. */
  readonly key: string
  readonly info: TaskInfo
  /** Bytes of its value; 0 where there is none. */
  readonly size: number
  /** Undefined for those of others. */
  readonly ours: OwnTask | undefined
  readonly partials: boolean
  /** The Blobs of its value. */
  readonly files: readonly StoredFile[]
}

/** `transfer`: UUIDv4 text of the one by which it came here; '' for one of our own input. */
export interface StoredFile extends TaskFilePlace {
  readonly transfer: string
}

/** What only the caller of a task knows. */
export interface OwnTask extends RetryRules {
  /** UUIDv4 text: the id under which `info.peer` has it; '' while no peer has it. */
  readonly attempt: string
  readonly idempotencyKey: string | undefined
}

/** Every method rejects with STORAGE_FAILED where the host cannot keep its word. Calls take effect in their order. */
export interface TaskStore {
  /** Oldest first. */
  load(): Promise<readonly StoredTask[]>
  /**
   * The task is as given. `value`, with the Blobs that belong to it, takes the place of its value, null removes it, and
   * undefined leaves it. Made before it
   * returns: a page that ends after that leaves it to the next one.
   */
  put(task: StoredTask, value?: Bytes | null, blobs?: readonly Blob[]): Promise<void>
  /** Undefined where there is none. */
  value(task: StoredTask): Promise<Bytes | undefined>
  /** Those that its value was put with; fewer where they are not there any more. */
  blobs(task: StoredTask): Promise<readonly Blob[]>
  /** The task and its value go. */
  remove(direction: TaskInfo['direction'], key: string): Promise<void>
  contacts(): Promise<readonly PeerId[]>
  /** Idempotent, as removeContact() is. */
  addContact(peer: PeerId): Promise<void>
  removeContact(peer: PeerId): Promise<void>
}
