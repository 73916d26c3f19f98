/** A peer: what createPeer() takes and gives (SPEC §1). */
import type { TsunagiError } from '../errors.ts'
import type { Priority } from '../messages.ts'
import type { Capability, CapabilityPolicy, Contacts, TaskHandler } from './capabilities.ts'
import type { Delivery, DeliveryInfo, SendOptions, TraceEntry } from './messages.ts'
import type { PeerId, PeerInfo } from './remote-peers.ts'
import type { DelegateOptions, MapOptions, MapRun, Task, TaskInfo } from './tasks.ts'
import type {
  IncomingTransfer,
  Transfer,
  TransferInfo,
  TransferOffer,
  TransferOptions,
  TransferSource,
} from './transfers.ts'
import type {
  Reachability,
  ReachabilityState,
  WakePolicy,
  WakeStep,
  WakeUpCounts,
  WakeUpOptions,
  WakeUpResult,
} from './wake-ups.ts'

/** `connecting`: not introduced yet. `online`: the server knows us. `offline`: trying to come back; sessions go on. */
export type PeerStatus = 'connecting' | 'online' | 'offline' | 'closed'

export interface PeerEvents {
  /**
   * Application data from a peer: a Uint8Array where it sent bytes, else the value it sent. A durable message has the id that
   * its sender gave it, and counts as handled when all listeners have returned and the promises they returned are settled; a
   * page that ends before that gets it again, and knows it by its id.
   */
  message: { readonly from: PeerId; readonly data: unknown; readonly id: string | undefined }
  /** What became of a durable message of ours. */
  delivery: DeliveryInfo
  /** Something about a peer changed, or it is new. */
  peer: PeerInfo
  /** A peer is no longer there. */
  peerleft: PeerInfo
  task: TaskInfo
  /** A peer would send a file or a stream. */
  transfer: TransferOffer
  /** A transfer changed: a new snapshot. */
  transferprogress: TransferInfo
  status: PeerStatus
  /** A peer woke this one. `outcome`: what it was answered. */
  wakeup: {
    readonly from: PeerId
    /** In its sender's words. */
    readonly reason: string
    readonly priority: Priority
    /** How it came. */
    readonly step: Exclude<WakeStep, 'none' | 'push'>
    readonly outcome: 'active' | 'waking'
  }
  reachability: ReachabilityState
  /** Something went wrong that no call can report: a refused handshake, a listener that threw. */
  error: TsunagiError
  /** Every message in and out. Costs nothing while nobody listens. */
  trace: TraceEntry
}

export interface Peer {
  readonly id: PeerId
  readonly name: string
  readonly mesh: string
  readonly status: PeerStatus
  readonly peers: readonly PeerInfo[]
  /** Durable messages accepted and not yet delivered, oldest first for each peer; those of pages before this one, too. */
  readonly outbox: readonly DeliveryInfo[]
  /** Tasks under way and the latest that ended, newest first. */
  readonly tasks: readonly TaskInfo[]
  /** Offers a capability; the returned function withdraws it. @throws TsunagiError INVALID_ARGUMENT, PEER_CLOSED */
  provide(capability: Capability, handler: TaskHandler): () => void
  /** Never throws: a wrong argument rejects `result` with INVALID_ARGUMENT. */
  delegate<Output = unknown>(capability: string, input: unknown, options?: DelegateOptions): Task<Output>
  /** A task of ours under way or remembered, also of a page before this one; undefined where there is none of that id. */
  task<Output = unknown>(id: string): Task<Output> | undefined
  /**
   * Spreads inputs over all peers that offer the capability. A task that takes far longer than the others is given to a
   * second peer as well, unless `failover` is false; the first result counts. Never throws: wrong arguments reject its reading.
   */
  map<Output = unknown>(
    capability: string,
    inputs: Iterable<unknown> | AsyncIterable<unknown>,
    options?: MapOptions,
  ): MapRun<Output>
  /**
   * Ends a task that another peer gave to this one, as the user of this peer may at any time: its handler's signal aborts, and
   * its caller is told `reason` (at most 256 characters) with TASK_CANCELED, or with TASK_REJECTED where it had not begun; it
   * may go to another peer by the caller's rules. False where there is no such task under way. @throws TsunagiError INVALID_ARGUMENT
   */
  stopTask(task: Pick<TaskInfo, 'peer' | 'id'>, reason?: string): boolean
  /** From now on who may use a capability, and how much, whether or not it is provided yet. @throws TsunagiError INVALID_ARGUMENT */
  policy(capability: string, policy: CapabilityPolicy): void
  readonly contacts: Contacts
  /**
   * Asks the server who announced a capability, in a mesh too large to be told of everybody, and opens links to some of them;
   * `peer` events tell what they offer. A task without `to` for which nobody is known does so by itself.
   * Rejects with INVALID_ARGUMENT, SIGNALING_UNREACHABLE, QUEUE_FULL, PEER_CLOSED.
   */
  discover(capability: string): Promise<readonly PeerId[]>
  /**
   * Fulfils when the other side has acknowledged. `data` is a Uint8Array or any value CBOR carries.
   * Rejects with UNKNOWN_PEER, INVALID_ARGUMENT, MESSAGE_TOO_LARGE, QUEUE_FULL, LINK_LOST, PEER_CLOSED, SESSION_NOT_FOUND and
   * SESSION_EXPIRED where the session ended, STORAGE_FAILED where a durable message could not be stored.
   */
  send(to: PeerId, data: unknown, options?: SendOptions): Delivery
  /** Transfers under way, received files that were not discarded, and the latest that ended, newest first. */
  readonly transfers: readonly (Transfer | IncomingTransfer)[]
  /**
   * Offers `source` to a peer and sends it in chunks when that accepts. Goes on after lost links, and after a reload of the
   * receiver's page. Never throws: `done` rejects with INVALID_ARGUMENT, UNKNOWN_PEER, QUEUE_FULL, PEER_CLOSED, and as said there.
   */
  transfer(to: PeerId, source: TransferSource, options?: TransferOptions): Transfer
  /** Goes on with a transfer of a page before this one, which had the same source. Never throws. */
  resumeTransfer(id: string, source: TransferSource, options?: TransferOptions): Transfer
  /**
   * Wakes a peer that closed its links, whose page sleeps, or that has no page open, by the first step that it answers. It then
   * opens its link, and the session goes on. Fulfils with what became of it, after LIMITS.wakeTries tries at the latest; a call
   * while one for the same peer is under way shares its outcome. Rejects with INVALID_ARGUMENT, PEER_CLOSED, QUEUE_FULL where
   * too many are under way, WAKE_UP_CANCELED where `signal` aborts.
   */
  wakeUp(id: PeerId, options?: WakeUpOptions): Promise<WakeUpResult>
  /** Default `mesh`; kept over pages. @throws TsunagiError INVALID_ARGUMENT where it is set to something else */
  wakePolicy: WakePolicy
  readonly wakeUps: WakeUpCounts
  readonly reachability: Reachability
  /** Round trip in milliseconds through page code of the other side. Rejects as send() does. */
  ping(to: PeerId): Promise<number>
  /** The returned function removes the listener. A listener that throws is reported as LISTENER_FAILED. */
  on<E extends keyof PeerEvents>(event: E, listener: (detail: PeerEvents[E]) => void): () => void
  /** Says goodbye, closes all, rejects what is waiting with PEER_CLOSED. Idempotent. */
  close(): Promise<void>
}

/** What createPeer() takes. */
export interface PeerOptions {
  /** ws: or wss: address of the signaling server. */
  readonly signaling: string
  /** Name of the mesh, 1 to 128 characters. */
  readonly mesh: string
  /** Shared by the members and never sent: who lacks it can neither find the mesh nor finish a handshake. */
  readonly secret?: string
  /** How this peer is called in others' lists, at most 64 characters. */
  readonly name?: string
  /**
   * Milliseconds, 1,000 to 86,400,000, after which a link that nobody used is closed; it opens again when something is to be
   * said. Default LIMITS.linkIdle.
   */
  readonly linkIdle?: number
  /**
   * True loads all of the library before createPeer() fulfils. Default false: what does tasks, and what does transfers, is loaded
   * when it is first needed, which fails with LOAD_FAILED where the network is gone or a newer version took the page's place.
   */
  readonly preload?: boolean
}
