/** What a peer does for others, and for whom (SPEC §8). */
import type { CapabilityDescription } from '../messages.ts'
import type { AbortSignal } from './abort-signal.ts'
import type { PeerId } from './remote-peers.ts'

export interface TaskContext {
  readonly taskId: string
  /** Who asked. */
  readonly caller: PeerId
  /** Aborts when the caller cancels, the deadline passes, or the caller is gone. */
  readonly signal: AbortSignal
  /** Milliseconds since 1970. */
  readonly deadlineAt: number
  /** Tells the caller how far the work is, 0 to 1; merged to a few a second. */
  progress(progress: number, note?: string): void
  /**
   * Sends a part of the result ahead, at most 64 KiB of CBOR; at once done where the caller wants none. Fulfils when the
   * caller has it, which waits until it reads: a handler that awaits this keeps pace; and where the caller's page is gone,
   * whose next one does not get it. Rejects with QUEUE_FULL where too many
   * wait, INVALID_ARGUMENT, MESSAGE_TOO_LARGE, and with why the task ended.
   */
  partial(output: unknown): Promise<void>
}

/**
 * `input` was valid by the capability's schema. What it returns is checked against the output schema and sent. A Blob in
 * either travels as a transfer, of any size: that of the input is here, whole and checked, when the handler begins, and
 * gone when the task has ended.
 */
// biome-ignore lint/suspicious/noExplicitAny: the input's type is what the capability's schema says, which its author knows
export type TaskHandler = (input: any, context: TaskContext) => unknown

export interface Capability extends CapabilityDescription {
  /** Tasks of this capability at once, 1 to 64; default LIMITS.maxRunningTasks. */
  readonly concurrency?: number
  /**
   * What becomes of a task that was running when the page was loaded anew: `restart` runs its handler again, `lost` tells its
   * caller that it is lost. Default `restart` where the capability is idempotent, else `lost`.
   */
  readonly onReload?: 'restart' | 'lost'
  /** Who may use it, and how much, unless policy() says otherwise; default: all of the mesh, as much as there is room for. */
  readonly policy?: CapabilityPolicy
}

/** Who may use a capability: all of the mesh, the contacts, whom the user agrees to each time, or nobody. */
export type Audience = 'mesh' | 'contacts' | 'ask' | 'nobody'

/** Who may use a capability, and how much of it one caller. What is left out is not limited. */
export interface CapabilityPolicy {
  readonly who: Audience
  /**
   * Asks the user, where `who` is `ask`: true lets the task in. Its signal aborts when nobody waits for the answer any more;
   * no answer within LIMITS.consentTimeout, and one that throws, is a no.
   */
  readonly ask?: (request: ConsentRequest) => boolean | Promise<boolean>
  /** Tasks of one caller waiting and running at once. */
  readonly tasksAtOnce?: number
  /** Seconds that handlers run for one caller within an hour. Tasks that begin at the same time have each what is left then. */
  readonly seconds?: number
  /** Bytes of input and output of one caller within an hour. */
  readonly bytes?: number
}

/** Who asks for what. */
export interface ConsentRequest {
  readonly taskId: string
  readonly caller: PeerId
  readonly capability: string
  /** With a {@link TaskFileInfo} for each Blob. */
  readonly input: unknown
  /** Bytes of the input. */
  readonly size: number
  readonly signal: AbortSignal
}

/** The peers the user has marked; kept over pages where the host keeps anything. */
export interface Contacts {
  readonly list: readonly PeerId[]
  has(peer: PeerId): boolean
  /** Fulfils when it is kept. Rejects with INVALID_ARGUMENT, QUEUE_FULL beyond LIMITS.maxContacts, STORAGE_FAILED. */
  add(peer: PeerId): Promise<void>
  remove(peer: PeerId): Promise<void>
}
