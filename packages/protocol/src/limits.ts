/**
 * Every number of the protocol and of this implementation, with its reason (SPEC §12, P6).
 * Sizes are bytes, times are milliseconds, unless a name says otherwise.
 */

const KiB = 1024
const MiB = 1024 * KiB

/** Numbers both sides must share: changing one needs a new protocol version. */
export const PROTOCOL = {
  /** Version text carried in every open frame and offered in the handshake. */
  version: '1.1',
  /** Open frames whose timestamp is further off than this are refused: bounds what the nonce memory must cover. */
  clockSkew: 60_000,
  /** One SCTP message of a browser's data channel (Chromium's announced maximum). */
  maxFrame: 262_144,
  /** Frames that every link takes, also one that is relayed in messages of maxSignaling, less their seals and addresses. */
  commonFrame: 62 * KiB,
  /** A record's share of one frame: the frame less header, signature, counters and tag, rounded down. */
  maxRecord: 261_000,
  /** A handshake, acknowledgement or candidate frame: an SDP is 1 to 3 KiB, a few dozen candidates 10 KiB. */
  maxOpenFrame: 32 * KiB,
  /** A frame whose body has no more bytes is signed as it is, a larger one by its SHA-256: some messages of a task fit. */
  signedWhole: 512,
  /** A message, over as many records as it needs. Larger data belongs to a bulk transfer. */
  maxMessage: 16 * MiB,
  /** A CBOR control payload (everything but application data and task values): attacker-made structure stays small. */
  maxControl: 64 * KiB,
  /** Nesting of a CBOR value: deeper input exists only to exhaust the stack. */
  maxDepth: 32,
  /** A signaling message: one sealed open frame and its address. */
  maxSignaling: 64 * KiB,
  /** Length of a display name in UTF-16 units: one line in a list. */
  maxName: 64,
  /** Length of a mesh name in UTF-16 units. */
  maxMeshName: 128,
  /** Length of a mesh secret in UTF-16 units. */
  maxSecret: 256,
  /** Capabilities one peer may announce: a response stays under maxControl. */
  maxCapabilities: 64,
  /** Length of a capability name and of its version. */
  maxCapabilityName: 128,
  maxCapabilityVersion: 32,
  /** Length of a transfer's name, and of its media type (RFC 6838 §4.2), in UTF-16 units. */
  maxTransferName: 256,
  maxMediaType: 255,
  /** Bytes of one chunk of a transfer, and the number that its index stays below. */
  maxChunk: 1 * MiB,
  maxChunks: 0xffff_ffff,
  /** PBKDF2-SHA256 rounds over a mesh secret: OWASP's figure; makes guessing a chosen word from the mesh id dear. */
  meshSecretRounds: 600_000,
  /** An executor renews each task every third of this; a caller that heard nothing of one for so long asks. */
  taskLease: 15_000,
  /** Tasks in one task_renew: more than an executor takes from one caller. */
  maxRenewed: 256,
  /** Partial results of one task on their way or not yet read: a reader that is slow slows the handler, and neither piles up. */
  partialWindow: 32,
  /** Blobs in the input of a task, and in its output: a transfer each. */
  maxTaskFiles: 16,
  /** Length of a wake-up's reason in UTF-16 units: one line of a notification. */
  maxWakeReason: 128,
  /** A sealed wake-up behind its sender's presence record: what a server keeps of each, for people who may never come back. */
  maxWakeUp: 2 * KiB,
  /** No wake-up is good for longer, however far off it says it expires: as a session, which it would go on with. */
  maxWakeLife: 24 * 3_600_000,
  /** Life of an introduction key: bounds what its theft opens. */
  introductionKeyLife: 7 * 24 * 3_600_000,
} as const

/** Numbers of this implementation: a peer may choose its own without breaking the other. */
export const LIMITS = {
  /** A handshake state may last this long; then HANDSHAKE_TIMEOUT. */
  handshakeTimeout: 10_000,
  /** Handshakes under way in all: each costs a peer connection and two signatures. */
  maxHalfOpen: 64,
  /** Links kept at once, and opened unasked to those who are met: Chromium has at most 500 peer connections that are not garbage collected. */
  maxLinks: 32,
  neighbours: 24,
  /** A link over which nothing but liveness went for this long is closed; they are looked over this often. */
  linkIdle: 300_000,
  linkSweep: 30_000,
  /** Open frames a server-proven sender may have checked, per second and in a burst: before any curve operation. */
  openFrameRate: 20,
  openFrameBurst: 60,
  /** Handshakes a server-proven sender may begin: each takes one of a tab's 500 peer connections, which closed ones leave at the next garbage collection. */
  openHandshakeRate: 1,
  openHandshakeBurst: 10,
  /** Open frames that may wait to be checked, from all senders: 8 MiB at most. */
  maxOpenFramesWaiting: 256,
  /** Errors told to one sender before a session, per second and in a burst: each costs a signature. */
  openErrorRate: 1,
  openErrorBurst: 5,
  /** How long a nonce is remembered: longer than twice the clock skew. */
  nonceMemory: 300_000,
  /** Nonces remembered per sender and senders remembered: an attacker's memory is bounded, others' is not touched. */
  maxNoncesPerSender: 1_024,
  maxNonceSenders: 1_024,
  /** Bytes and messages that may wait for one peer before send() answers QUEUE_FULL. */
  maxQueuedBytes: 32 * MiB,
  maxQueuedMessages: 100_000,
  /** Bytes a peer may have on their way to us, not yet processed: 1 MiB fills 80 Mbit/s over 100 ms; 4 MiB leaves room. */
  receiveWindow: 4 * MiB,
  /** Records one frame may hold: bounds the work of one decryption. */
  maxRecordsPerFrame: 4_096,
  /**
   * Bytes of one message that travel in one record. Less than PROTOCOL.commonFrame, since a session that moves to another link
   * sends there what it cut for the last one.
   */
  recordSize: 60 * KiB,
  /** A link is given what it carries in so many milliseconds ahead, in two frames: what is urgent waits for that at most. */
  linkAhead: 20,
  /** Its rate in bytes a millisecond until it is known, and the milliseconds over which it is measured. */
  firstLinkRate: 4 * KiB,
  linkRateStretch: 20,
  /** Most bytes in the link's own buffer above which no further frame is sealed, however quick it is. */
  linkHighMark: 512 * KiB,
  /** Bytes of records in a frame: less costs a slow link more by what each frame has besides; more, a quick one does not carry. */
  leastFrameTarget: 16 * KiB,
  frameTarget: 250 * KiB,
  /** Messages missing before one that came, up to which they are waited for: one lost frame of the smallest messages. */
  maxSequenceGap: 4_096,
  /** What is missing is asked for again after this long. */
  resendSpacing: 1_000,
  /** A peer that was there first leaves the handshake to the one that came, this long. */
  newcomerPatience: 5_000,
  /** The sender goes on to the next key after so many frames or bytes, or so long: far below where AES-GCM wears out. */
  rekeyFrames: 2 ** 20,
  rekeyBytes: 1_024 * MiB,
  rekeyAfter: 3_600_000,
  /** Without a link this long, nothing but durable messages is waited for. */
  linkPatience: 30_000,
  /** A session ends without a frame for the first, and in any case after the second; counted also while no page is open. */
  sessionIdle: 3_600_000,
  sessionAge: 24 * 3_600_000,
  /** Peers once met that the next page still knows: those seen last. */
  maxPinned: 4_096,
  /** Sessions are looked over, and their state is stored, this often. */
  sessionSweep: 60_000,
  /** Durable messages of others that may wait, stored, for a listener to handle them. */
  maxInboxBytes: 64 * MiB,
  maxInboxMessages: 10_000,
  /** Of these, what one peer may fill: the results of others' tasks need room as well. */
  maxInboxBytesPerPeer: 8 * MiB,
  maxInboxMessagesPerPeer: 1_000,
  /** What needs a part of the library waits this long for it to be loaded: as for a link. */
  partPatience: 30_000,
  /** Durable messages that may wait for one peer: a reloaded page holds them all. */
  maxOutboxBytes: 32 * MiB,
  maxOutboxMessages: 10_000,
  /** A peer told that the session is closed has this long to close the link itself. */
  closeGrace: 1_000,
  /** Acknowledgements that nobody waits for go after this long, or with an eighth of the window consumed. */
  ackDelay: 20,
  /** Without other traffic a heartbeat goes this often, and a ping measures the round trip. */
  heartbeatInterval: 5_000,
  /** No answer by page code for this long: degraded, then unreachable (SPEC §7). */
  degradedAfter: 7_500,
  unreachableAfter: 14_000,
  /** Both grow with the measured round trip, unreachable to this at most. */
  unreachableMost: 15_000,
  /** Pings to one peer that may wait for their pong. */
  maxPings: 16,
  /** A status_report goes this often although nothing changed. */
  statusInterval: 60_000,
  /** Changes of status that follow each other faster go as one report. */
  statusSpacing: 500,
  /** Changes of a peer's health that are remembered: a peer that comes and goes every few seconds has some minutes in it. */
  healthChanges: 64,
  /** A wake-up is sent so often. An answer is waited for this long, then twice as long, each a fifth more or less. */
  wakeTries: 3,
  wakePatience: 5_000,
  wakeJitter: 0.2,
  /** A wake-up is good for this long unless its caller says otherwise: as a session that nobody uses. */
  wakeLife: 3_600_000,
  /** Wake-ups of ours under way at once. */
  maxWakeUps: 64,
  /** The server says within this time how far a wake-up came, and whether it will push. */
  wakeStepTimeout: 5_000,
  /** Wake-ups of one verified sender that are looked at, a minute and in a burst: three for each of its tries. */
  wakeUpsPerMinute: 10,
  /** Senders whose wake-ups are remembered until they have expired, and of each so many, to be answered again alike. */
  maxWakeSenders: 1_024,
  maxWakesPerSender: 16,
  /**
   * A peer with work waiting is woken unasked when it was gone for the first: a reload is over by then. Where nobody
   * answered, again after the second; what the server keeps is not sent again before it has expired.
   */
  wakeAfter: 10_000,
  wakeSpacing: 60_000,
  /** Round trips kept for the median and the 95th percentile. */
  roundTripSamples: 64,
  /** Tasks that may wait at an executor, and run at once, unless the capability says less. */
  maxQueuedTasks: 64,
  maxRunningTasks: 4,
  /** The most a capability may ask to run at once. */
  maxConcurrency: 64,
  /** Bytes of input that may wait at an executor: 64 inputs of the largest size would end a tab. */
  maxQueuedTaskBytes: 64 * MiB,
  /** A waiting task counts as come this much later for each class below critical: important ones go first, and low ones still go. */
  taskAgeing: 10_000,
  /** What `retry_after` takes for the length of a task before one has ended. */
  firstTaskDuration: 1_000,
  /** Tasks of ours under way at other peers: each holds its input until it is acknowledged. */
  maxDelegatedTasks: 4_096,
  /** Tasks remembered after their end, for the list of tasks. */
  maxEndedTasks: 256,
  /** Progress messages per task and second; faster ones are merged into the newest. */
  progressRate: 10,
  /** A task without a deadline of its own ends after this long. */
  defaultDeadline: 300_000,
  /** No deadline is further off: what a timer of 31 bits can count, and the age of a session. */
  maxDeadline: 24 * 3_600_000,
  /** An answer to task_delegate (accept or reject) must come within this time. */
  taskAnswerTimeout: 15_000,
  /** A task_query must be answered within this time: with the lease before it, as long as a session waits for a link. */
  taskQueryPatience: 15_000,
  /** A peer that has not acknowledged a task after lease and patience, and the time its bytes take at this many a millisecond, has it not. */
  slowestTaskBytes: 50,
  /** How often a task is given away again, unless its caller says otherwise; not counted where a peer was full. */
  taskRetries: 5,
  maxTaskRetries: 1_000,
  /** A full peer is asked again no sooner and no later than this, whatever its retry_after says. */
  fullWaitLeast: 100,
  fullWaitMost: 30_000,
  /** A task that must go to another peer waits this long for one, and looks for one this often. */
  nobodyPatience: 30_000,
  nobodyPoll: 1_000,
  /** Bytes of input kept here for tasks under way, so that they can be given to another peer. */
  maxDelegatedBytes: 256 * MiB,
  /** Bytes of output kept, stored, for tasks that ended: what a page that was loaded anew may still ask for. */
  maxKeptOutputBytes: 64 * MiB,
  /** Length of an idempotency key in UTF-16 units. */
  maxTaskKey: 128,
  /** Partial results a handler may have waiting for its caller to read before partial() refuses more. */
  maxPartialsWaiting: 256,
  /** Tasks of a page before this one wait so long for their capability to be provided again. */
  restorePatience: 30_000,
  /** Transfers of tasks to one peer at once: half of all, so that an app's own need not wait. Without room it is tried again after so long. */
  taskTransfersPerPeer: 2,
  taskTransferRetry: 1_000,
  /** Bytes of the Blobs of one task, each way; and of all tasks that wait or run here. */
  maxTaskFileBytes: 4_096 * MiB,
  maxHeldFileBytes: 8_192 * MiB,
  /** Tasks of one caller that may wait here for their Blobs to come. */
  maxFilesAwaited: 16,
  /** A worker whose task has ended has this long to stop by itself. */
  workerGrace: 1_000,
  /** A person asked for consent has this long; so many requests may wait in all, and from one caller. */
  consentTimeout: 60_000,
  maxConsents: 16,
  maxConsentsPerCaller: 4,
  /** What a caller may use of a capability is counted anew after this long; for so many callers at once. */
  policyWindow: 3_600_000,
  maxPolicyUses: 1_024,
  /** Peers a user may mark as contacts. */
  maxContacts: 1_024,
  /** Of a map(): tasks under way for each peer that offers the capability, and in all, unless the caller says otherwise. */
  mapAtOncePerPeer: 4,
  maxMapAtOnce: 256,
  /** Of a map(): results kept that wait for a slower one before them, for each task under way. */
  mapLookAhead: 4,
  /** Of a map(): a task is given to a second peer when it took so many times the median, and longer than this. */
  stragglerFactor: 3,
  stragglerLeast: 1_000,
  /** First and largest wait of the full-jitter back-off towards signaling and peers. */
  backoffFirst: 500,
  backoffMost: 30_000,
  /** The signaling client sends a ping this often and gives up on a socket silent for the second figure. */
  signalingPing: 10_000,
  signalingSilence: 25_000,
  /** Asked whether it still lives (the page woke, the network came back), a socket has this long to answer. */
  signalingProbe: 5_000,
  /** A socket that lived this long after its welcome was a good one: the next back-off begins anew. */
  signalingStable: 5_000,
  /** What a server asks a peer to wait before it comes back counts up to this: one that lies keeps nobody away for long. */
  longestComeBack: 60_000,
  /** An answer to `discover` must come within this time; and so many may be waited for. */
  discoverTimeout: 10_000,
  maxDiscoveries: 64,
  /** Of those who are found for a capability, links are opened to so many; who is sought for a waiting task is asked for this often. */
  maxSought: 8,
  seekSpacing: 5_000,
  /** Capability tags remembered: what a peer offers itself, and as many that it looks for. */
  maxKnownTags: 128,
  /** Members remembered: a server tells of fewer in a large mesh, and no more count however many one invents. */
  maxMembers: 1_024,
  /** Bytes from the server that may wait to be verified: a welcome, and relayed offers of a few hundred peers. */
  maxSignalingBacklog: 1 * MiB,
  /** Bytes towards the server that may wait before relay() answers QUEUE_FULL: offers to every peer a tab can meet at once. */
  maxSignalingQueue: 1 * MiB,
  /** Messages and bytes to the server, per second and in a burst: four fifths of what it grants from one peer to another. */
  relayMessageRate: 80,
  relayMessageBurst: 320,
  relayByteRate: 400 * KiB,
  relayByteBurst: 1_600 * KiB,
  /** With more than this in the socket's buffer nothing is added; then it is looked at again after so long. */
  relaySocketMark: 128 * KiB,
  relaySocketPoll: 20,
  /** Bytes on their way over one relay link: what a slow reader leaves waiting in the server, which cuts it off at 1 MiB. */
  relayWindow: 256 * KiB,
  /** As linkHighMark, for a relay link: 160 ms of its rate, and one frame of the target size. */
  relayHighMark: 64 * KiB,
  /** Frames of one relay link that may wait here; a session stops long before. */
  maxRelayBuffer: 8 * MiB,
  /** Frames for relay links that are no more, answered per second and in a burst. */
  relayGoneRate: 1,
  relayGoneBurst: 10,
  /** Without a direct link after this long a relayed one is opened, which ends the attempt at the other: most are up in a second. */
  relayAfter: 3_000,
  /** A relayed session tries for a direct link after this long, four times as long after each failure, and at most the last: each
   * try is one of a tab's 500 peer connections. */
  upgradeFirst: 2_000,
  upgradeMost: 600_000,
  /** Bytes of a chunk with its head: four records that each fill a frame of the target size, so that no frame goes half empty. */
  chunkFrameSize: 4 * 60 * KiB,
  /** Bytes of one transfer that may be on their way, or wait to be kept: both ends hold no more. 20 MB/s over 200 ms. */
  transferWindow: 4 * MiB,
  /** Transfers with one peer at once, each way, and with all: what a stranger can make a page hold is the window times this. */
  maxTransfersPerPeer: 4,
  maxTransfers: 64,
  /** Chunks that may be asked for again in one transfer: more is a peer that wastes what others send. */
  maxChunkResends: 16,
  /** What a stream that names no size may bring, unless its receiver says otherwise: an endless one fills no disk. */
  maxUnannouncedBytes: 1_024 * MiB,
  /** A full queue towards the peer is tried again after this long. */
  transferRetry: 200,
  /** Transfers remembered after their end. */
  maxEndedTransfers: 64,
  /** A received file that nobody discarded is removed with the first page that is opened after this. */
  receivedFileLife: 24 * 3_600_000,
  /** The same complaint is told once in this time, and so many different ones: who causes them must not flood the listener. */
  complaintSpacing: 60_000,
  maxComplaints: 64,
} as const
