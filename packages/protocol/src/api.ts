/** The public shape of a peer: what createPeer() gives and what an app may rely on. */
import type { TsunagiError } from './errors.ts'
import type { LinkKind, LinkRoute } from './links/link.ts'
import type { CapabilityDescription, Priority, WakeState } from './messages.ts'

/** `did:key` text of an Ed25519 public key, `did:key:z6Mk…` (SPEC §2). */
export type PeerId = string

/** `connecting`: not introduced yet. `online`: the server knows us. `offline`: trying to come back; sessions go on. */
export type PeerStatus = 'connecting' | 'online' | 'offline' | 'closed'

/**
 * `connecting`: no session yet. `idle`: its link was closed because nothing was said, and opens when something is; or it said
 * that its page is hidden before it fell silent. The others: what was heard from page code of that peer (SPEC §7).
 */
export type Health = 'connecting' | 'healthy' | 'degraded' | 'idle' | 'unreachable'

export interface HealthChange {
  readonly health: Health
  /** Milliseconds since 1970. */
  readonly at: number
}

export interface PeerStatistics {
  readonly messagesSent: number
  readonly messagesReceived: number
  readonly bytesSent: number
  readonly bytesReceived: number
  /** Messages the other side has acknowledged. */
  readonly delivered: number
  /** Messages that were rejected to their sender. */
  readonly failed: number
  /** Frames refused: altered, repeated, foreign, unsigned. */
  readonly framesRejected: number
  /** Milliseconds; undefined before the first pong. */
  readonly roundTripMedian: number | undefined
  readonly roundTripP95: number | undefined
  /** Milliseconds since 1970. */
  readonly lastSeen: number | undefined
  readonly lastError: { readonly code: string; readonly message: string; readonly at: number } | undefined
}

export interface SessionInfo {
  /** UUIDv4 text; '' before the first handshake. */
  readonly id: string
  readonly state: 'new' | 'handshaking' | 'established' | 'suspended' | 'expired' | 'closed'
  /** Milliseconds since 1970 at which this page first had a link for it. */
  readonly since: number | undefined
  /** Milliseconds since 1970; a session outlives pages. */
  readonly createdAt: number
  readonly sent: number
  readonly received: number
  /** Messages sent and not yet acknowledged, or not yet sent. */
  readonly waiting: number
}

/** A snapshot: a new object whenever something about the peer changes. */
export interface PeerInfo {
  readonly id: PeerId
  /** The name the peer gives itself, told inside the session; '' before that. Never an identifier. */
  readonly name: string
  readonly health: Health
  /** How its health changed on this page, oldest first: the latest LIMITS.healthChanges. The last one is `health`. */
  readonly healthChanges: readonly HealthChange[]
  /** Median of the latest round trips in milliseconds. */
  readonly roundTrip: number | undefined
  /** Undefined without a link. */
  readonly link: LinkKind | undefined
  /** What messages pass on their way: nothing, a TURN server, or the signaling server. Undefined while it is not known. */
  readonly route: LinkRoute | undefined
  /** Milliseconds since 1970 at which this identity first had a session with it; undefined where it never had one. */
  readonly metAt: number | undefined
  /** Share of the peer's task places in use, 0 to 1. */
  readonly load: number
  readonly capabilities: readonly CapabilityDescription[]
  readonly session: SessionInfo | undefined
  readonly statistics: PeerStatistics
}

/** States of A2A 1.0, and `lost`: the executor is gone and what became of the task is unknown. */
export type TaskState = 'submitted' | 'working' | 'completed' | 'failed' | 'canceled' | 'rejected' | 'lost'

/** A Blob that belongs to a task, as long as only its size is known. */
export interface TaskFileInfo {
  readonly size: number
  readonly type: string
  /** As the peer calls it: a text to show, never a path. */
  readonly name: string
}

/** A snapshot of one task, ours at another peer (`out`) or another peer's here (`in`). */
export interface TaskInfo {
  /** UUIDv4 text. */
  readonly id: string
  readonly direction: 'out' | 'in'
  readonly capability: string
  readonly peer: PeerId
  readonly state: TaskState
  readonly priority: Priority
  /** 0 to 1. */
  readonly progress: number
  readonly note: string
  /** Milliseconds since 1970. */
  readonly createdAt: number
  readonly endedAt: number | undefined
  readonly deadlineAt: number
  /** Of ours: how often it was given to a peer. Of another's: 1. */
  readonly tries: number
  readonly error: { readonly code: string; readonly message: string } | undefined
}

export interface Progress {
  /** 0 to 1. */
  readonly progress: number
  readonly note: string
}

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

/** What the core needs of an AbortSignal; every host's is one. */
export interface AbortSignal {
  readonly aborted: boolean
  readonly reason: unknown
  addEventListener(type: 'abort', listener: () => void, options?: { once?: boolean }): void
  removeEventListener(type: 'abort', listener: () => void): void
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

export interface DelegateOptions {
  /** The peer to ask; without it one that has the capability is chosen by health, past success, load and round trip. */
  readonly to?: PeerId
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: Progress) => void
  /** Milliseconds from now; default LIMITS.defaultDeadline. */
  readonly deadline?: number
  readonly priority?: Priority
  /** Partial results are wanted: `task.partials` then gives them. */
  readonly partials?: boolean
  /**
   * How often it may be given away again, 0 to 1,000; default LIMITS.taskRetries. A full peer is asked again when it says so,
   * until the deadline, unless this is 0. One that refuses, or does not know the capability, gives way to another.
   */
  readonly retries?: number
  /**
   * Whether a task may run a second time, with another peer: where it is lost, where its result does not fit, and, of an
   * idempotent capability, where it failed. Default: true without `to`, else false.
   */
  readonly failover?: boolean
  /** JSON Schema that the output must fit; default: that of the capability of this name and version which this peer provides itself. */
  readonly output?: Record<string, unknown>
  /** While a task of this key is under way or remembered, also from a page before, it is returned and none is made. */
  readonly idempotencyKey?: string
}

export interface Task<Output = unknown> {
  readonly id: string
  readonly info: TaskInfo
  /**
   * Fulfils with the output. A Blob in it is there as long as the task is in the list of tasks. Rejects with TASK_REJECTED, TASK_FAILED, TASK_CANCELED, TASK_DEADLINE, TASK_LOST,
   * UNKNOWN_CAPABILITY, …; with INVALID_STATE where the task ended long ago and its output is not kept any more.
   */
  readonly result: Promise<Output>
  /**
   * Partial results in their order, for one reader. Where the task goes to another peer it goes on after those that were
   * taken; after a reload of this page, after those that were sent before it asked: what must not be missed belongs into the
   * output. Ends when the task is completed, and throws where that ends otherwise or `partials` was not asked for.
   */
  readonly partials: AsyncIterable<unknown>
  /** The returned function removes the listener. */
  onProgress(listener: (progress: Progress) => void): () => void
  cancel(): void
}

export interface MapOptions extends Omit<DelegateOptions, 'to' | 'onProgress' | 'partials' | 'idempotencyKey'> {
  /** Tasks under way at once, 1 to 256; default LIMITS.mapAtOncePerPeer for each peer that offers the capability. */
  readonly atOnce?: number
  /** Called for each input that is done. */
  readonly onProgress?: (progress: { readonly done: number; readonly drawn: number }) => void
  /**
   * Called with each task that is given away, and the number of its input, from 0: its result is there before that of the
   * inputs before it. An input may have two, of which the first result counts.
   */
  readonly onTask?: (input: number, task: Task) => void
}

/**
 * The results of a map() in the order of its inputs, read once: by `for await`, or by all(). Inputs are drawn as results are
 * read, so an endless source is fine. The first input that fails ends it, and cancels what is under way.
 */
export interface MapRun<Output = unknown> extends AsyncIterable<Output> {
  all(): Promise<Output[]>
  cancel(): void
}

/** A file, a stream, or bytes: whatever is to be moved, however large. A stream is read as it goes and is locked meanwhile. */
export type TransferSource = Uint8Array | Blob | ReadableStream<Uint8Array>

/** Where received bytes go, in their order; a writer of a WritableStream and a FileSystemWritableFileStream are such. */
export interface TransferSink {
  /** More is written when the promise is fulfilled, and more is asked of the sender. */
  write(bytes: Uint8Array<ArrayBuffer>): unknown
  /** All was written, and its digest is right. */
  close(): unknown
  /** No more will come. */
  abort(reason?: unknown): unknown
}

/** `interrupted`: the page that sent it was loaded anew, and resumeTransfer() goes on with it. */
export type TransferState = 'offered' | 'running' | 'interrupted' | 'completed' | 'failed'

/** A snapshot of one transfer, ours to another peer (`out`) or another peer's to us (`in`). */
export interface TransferInfo {
  /** UUIDv4 text, made by its sender. */
  readonly id: string
  readonly direction: 'out' | 'in'
  readonly peer: PeerId
  /** As its sender calls it: a text to show, never a path. */
  readonly name: string
  /** Media type that its sender claims, or ''. */
  readonly type: string
  /** Bytes; undefined while only the end of a stream will tell. */
  readonly size: number | undefined
  /** It is a file in the input or output of a task, and no app is asked about it. */
  readonly ofTask: boolean
  readonly state: TransferState
  /** Bytes that the receiver has kept. */
  readonly bytes: number
  /** Milliseconds since 1970. */
  readonly createdAt: number
  readonly endedAt: number | undefined
  readonly error: { readonly code: string; readonly message: string } | undefined
}

export interface Transfer {
  readonly id: string
  readonly info: TransferInfo
  /**
   * Fulfils when the receiver has all of it and its digest is right. Rejects with TRANSFER_REJECTED, TRANSFER_CANCELED,
   * CHUNK_ERROR where one side broke the rules or the source changed, STORAGE_FAILED, LINK_LOST where it was never
   * answered, and with what ended the session.
   */
  readonly done: Promise<void>
  /** Gives it up on both sides. */
  cancel(): void
}

export interface IncomingTransfer extends Transfer {
  /**
   * What was received, backed by a file where the browser has a place for it; there until discard(), also after a reload, for
   * LIMITS.receivedFileLife at most. Rejects as `done` does, and with INVALID_STATE where it went to a sink or was discarded.
   */
  blob(): Promise<Blob>
  /** Removes what was received; cancels what is still coming. */
  discard(): void
}

export interface TransferOptions {
  /** At most PROTOCOL.maxTransferName characters; default that of the File, or ''. */
  readonly name?: string
  /** Media type; default that of the Blob, or ''. */
  readonly type?: string
  readonly signal?: AbortSignal
  readonly onProgress?: (transfer: TransferInfo) => void
}

export interface AcceptOptions {
  /** Bytes; more than that fail the transfer. Default the size announced, or LIMITS.maxUnannouncedBytes. */
  readonly maxBytes?: number
  readonly signal?: AbortSignal
  readonly onProgress?: (transfer: TransferInfo) => void
}

/** Another peer would send something. It is rejected unless a listener accepts it before its promise is settled. */
export interface TransferOffer {
  readonly id: string
  readonly from: PeerId
  readonly name: string
  readonly type: string
  readonly size: number | undefined
  /**
   * Without a sink the bytes are kept for blob(), and only then does the transfer go on after a reload of this page.
   * @throws TsunagiError INVALID_STATE where it was decided already, NOT_SUPPORTED where the host keeps no files
   */
  accept(sink?: TransferSink, options?: AcceptOptions): IncomingTransfer
  reject(): void
}

/**
 * How far a wake-up climbed (SPEC §7.1). `session`: over the open link. `socket`: to the target's page by the signaling server.
 * `push`: the server has it and a push service was told. `mailbox`: the server has it until the target comes. `none`: nowhere.
 */
export type WakeStep = 'none' | 'session' | 'socket' | 'push' | 'mailbox'

/**
 * What the target answered: `active`, it is awake; `waking`, it opens its link; `refused`, its user lets this peer not wake it;
 * `expired`, it came too late. Where it did not: `kept`, it gets the wake-up when it is back before that expires;
 * `unanswered`, it gets it no more; `expired`, as above.
 */
export type WakeOutcome = WakeState | 'kept' | 'unanswered'

/**
 * `silent`: it was sent, and nobody answered. The others say why it could not be sent higher: `offline`, the signaling server
 * cannot be reached; `unknown_peer`, it was never met, or so long ago that nobody can write to it; `rate_limited` and `full`,
 * the server takes no more of them; `unavailable`, it cannot keep any now.
 */
export type WakeFailure = 'silent' | 'offline' | 'unknown_peer' | 'rate_limited' | 'full' | 'unavailable'

export interface WakeUpResult {
  readonly outcome: WakeOutcome
  /** The highest step that was taken: where the target answered, the one that reached it. */
  readonly step: WakeStep
  /** From the call to the outcome. */
  readonly ms: number
  /** Undefined where the target answered. */
  readonly why: WakeFailure | undefined
}

export interface WakeUpOptions {
  /** Shown to the target's user, at most PROTOCOL.maxWakeReason characters; default ''. */
  readonly reason?: string
  /** Default `normal`. */
  readonly priority?: Priority
  /** Milliseconds from now after which nobody need be woken any more, 1 to PROTOCOL.maxWakeLife; default LIMITS.wakeLife. */
  readonly expires?: number
  readonly signal?: AbortSignal
}

/** Whose wake-ups have an effect here. */
export type WakePolicy = 'mesh' | 'contacts' | 'nobody'

/** What became of wake-ups of others, and of answers to ours. */
export interface WakeUpCounts {
  /** Had an effect. */
  readonly taken: number
  /** Came again, and were only answered again. */
  readonly repeated: number
  /** Without effect: forged, replayed, expired, misaddressed, not allowed by the policy, too many; answers to nothing. */
  readonly refused: number
}

/**
 * Whether this peer can be woken while no page of it is open. `unsupported`: not in this browser, or not where nothing is
 * kept. `denied`: the user forbade notifications of this site.
 */
export type ReachabilityState = 'unsupported' | 'denied' | 'off' | 'on'

export interface Reachability {
  readonly state: ReachabilityState
  /**
   * Asks the user's permission, subscribes to pushes and tells the server; call it from a click. Kept over pages until
   * disable(). The page that a click on the notification opens is the one of `url`; default the address of this one.
   * Rejects with NOT_SUPPORTED, INVALID_STATE where the user declined, SIGNALING_UNREACHABLE, STORAGE_FAILED.
   */
  enable(url?: string): Promise<void>
  /** Idempotent. Rejects with STORAGE_FAILED. */
  disable(): Promise<void>
}

/** One message as the inspector shows it. */
export interface TraceEntry {
  readonly at: number
  readonly peer: PeerId
  readonly direction: 'out' | 'in'
  readonly type: string
  /** 0 for open frames, which have no number. */
  readonly sequence: number
  /** Bytes of the message itself. */
  readonly size: number
  /** Outgoing: signed by us. Incoming: signature, session and number checked; false for a frame that was refused. */
  readonly verified: boolean
  readonly session: string
  readonly epoch: number
  readonly counter: number
  /** Why a frame was refused. */
  readonly refused: string | undefined
}

export interface SendOptions {
  /**
   * The message is stored before it counts as accepted and sent until the other side has stored it, over lost links, reloads
   * and crashes of either side, once and in order among the durable ones; default false: it survives a lost link, not a page.
   */
  readonly durable?: boolean
}

/** Fulfils when the other side has the message. */
export interface Delivery extends Promise<void> {
  /** UUIDv4 text that the other side is told; '' where the message is not durable. */
  readonly id: string
  /** Fulfils when the message will be delivered as far as it depends on this side: stored where it is durable, else queued. */
  readonly accepted: Promise<void>
}

/** A durable message of ours, also of a page before this one. */
export interface DeliveryInfo {
  readonly id: string
  readonly to: PeerId
  readonly state: 'accepted' | 'delivered' | 'failed'
  /** Milliseconds since 1970. */
  readonly acceptedAt: number
  /** Bytes. */
  readonly size: number
  readonly error: { readonly code: string; readonly message: string } | undefined
}

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
