/** Numbers of this implementation: a peer may choose its own without breaking the other. Sizes are bytes, times are milliseconds, unless a name says otherwise. */

const KiB = 1024
const MiB = 1024 * KiB

/** A handshake state may last this long; then HANDSHAKE_TIMEOUT. */
export const handshakeTimeout = 10_000
/** Handshakes under way in all: each costs a peer connection and two signatures. */
export const maxHalfOpen = 64
/** Links kept at once, and opened unasked to those who are met: Chromium has at most 500 peer connections that are not garbage collected. */
export const maxLinks = 32
export const neighbours = 24
/** A link over which nothing but liveness went for this long is closed; they are looked over this often. */
export const linkIdle = 300_000
export const linkSweep = 30_000
/** Open frames a server-proven sender may have checked, per second and in a burst: before any curve operation. */
export const openFrameRate = 20
export const openFrameBurst = 60
/** Handshakes a server-proven sender may begin: each takes one of a tab's 500 peer connections, which closed ones leave at the next garbage collection. */
export const openHandshakeRate = 1
export const openHandshakeBurst = 10
/** Open frames that may wait to be checked, from all senders: 8 MiB at most. */
export const maxOpenFramesWaiting = 256
/** Errors told to one sender before a session, per second and in a burst: each costs a signature. */
export const openErrorRate = 1
export const openErrorBurst = 5
/** How long a nonce is remembered: longer than twice the clock skew. */
export const nonceMemory = 300_000
/** Nonces remembered per sender and senders remembered: an attacker's memory is bounded, others' is not touched. */
export const maxNoncesPerSender = 1_024
export const maxNonceSenders = 1_024
/** Bytes and messages that may wait for one peer before send() answers QUEUE_FULL. */
export const maxQueuedBytes = 32 * MiB
export const maxQueuedMessages = 100_000
/** Bytes a peer may have on their way to us, not yet processed: 1 MiB fills 80 Mbit/s over 100 ms; 4 MiB leaves room. */
export const receiveWindow = 4 * MiB
/** Records one frame may hold: bounds the work of one decryption. */
export const maxRecordsPerFrame = 4_096
/**
 * Bytes of one message that travel in one record. Less than PROTOCOL.commonFrame, since a session that moves to another link
 * sends there what it cut for the last one.
 */
export const recordSize = 60 * KiB
/** A link is given what it carries in so many milliseconds ahead, in two frames: what is urgent waits for that at most. */
export const linkAhead = 20
/** Its rate in bytes a millisecond until it is known, and the milliseconds over which it is measured. */
export const firstLinkRate = 4 * KiB
export const linkRateStretch = 20
/** Most bytes in the link's own buffer above which no further frame is sealed, however quick it is. */
export const linkHighMark = 512 * KiB
/** Bytes of records in a frame: less costs a slow link more by what each frame has besides; more, a quick one does not carry. */
export const leastFrameTarget = 16 * KiB
export const frameTarget = 250 * KiB
/** Messages missing before one that came, up to which they are waited for: one lost frame of the smallest messages. */
export const maxSequenceGap = 4_096
/** What is missing is asked for again after this long. */
export const resendSpacing = 1_000
/** A peer that was there first leaves the handshake to the one that came, this long. */
export const newcomerPatience = 5_000
/** The sender goes on to the next key after so many frames or bytes, or so long: far below where AES-GCM wears out. */
export const rekeyFrames = 2 ** 20
export const rekeyBytes = 1_024 * MiB
export const rekeyAfter = 3_600_000
/** Without a link this long, nothing but durable messages is waited for. */
export const linkPatience = 30_000
/** A session ends without a frame for the first, and in any case after the second; counted also while no page is open. */
export const sessionIdle = 3_600_000
export const sessionAge = 24 * 3_600_000
/** Peers once met that the next page still knows: those seen last. */
export const maxPinned = 4_096
/** Milliseconds until one that was met is written down, with the name that it tells first: not while its first messages are on their way. */
export const pinDelay = 100
/** Sessions are looked over, and their state is stored, this often. */
export const sessionSweep = 60_000
/** Durable messages of others that may wait, stored, for a listener to handle them. */
export const maxInboxBytes = 64 * MiB
export const maxInboxMessages = 10_000
/** Of these, what one peer may fill: the results of others' tasks need room as well. */
export const maxInboxBytesPerPeer = 8 * MiB
export const maxInboxMessagesPerPeer = 1_000
/** What needs a part of the library waits this long for it to be loaded: as for a link. */
export const partPatience = 30_000
/** Durable messages that may wait for one peer: a reloaded page holds them all. */
export const maxOutboxBytes = 32 * MiB
export const maxOutboxMessages = 10_000
/** The state of a session that changed with its link is written after this long. */
export const storeAfter = 5
/** A peer told that the session is closed has this long to close the link itself. */
export const closeGrace = 1_000
/** Acknowledgements that nobody waits for go after this long, or with an eighth of the window consumed, or so many records. */
export const ackDelay = 20
export const ackRecords = 512
/** Without other traffic a heartbeat goes this often, and a ping measures the round trip. */
export const heartbeatInterval = 5_000
/** No answer by page code for this long: degraded, then unreachable (SPEC §7). */
export const degradedAfter = 7_500
export const unreachableAfter = 14_000
/** Both grow with the measured round trip, unreachable to this at most. */
export const unreachableMost = 15_000
/** Pings to one peer that may wait for their pong. */
export const maxPings = 16
/** A status_report goes this often although nothing changed. */
export const statusInterval = 60_000
/** Changes of status that follow each other faster go as one report. */
export const statusSpacing = 500
/** Changes of a peer's health that are remembered: a peer that comes and goes every few seconds has some minutes in it. */
export const healthChanges = 64
/** A wake-up is sent so often. An answer is waited for this long, then twice as long, each a fifth more or less. */
export const wakeTries = 3
export const wakePatience = 5_000
export const wakeJitter = 0.2
/** A wake-up is good for this long unless its caller says otherwise: as a session that nobody uses. */
export const wakeLife = 3_600_000
/** Wake-ups of ours under way at once. */
export const maxWakeUps = 64
/** The server says within this time how far a wake-up came, and whether it will push. */
export const wakeStepTimeout = 5_000
/** Wake-ups of one verified sender that are looked at, a minute and in a burst: three for each of its tries. */
export const wakeUpsPerMinute = 10
/** Senders whose wake-ups are remembered until they have expired, and of each so many, to be answered again alike. */
export const maxWakeSenders = 1_024
export const maxWakesPerSender = 16
/**
 * A peer with work waiting is woken unasked when it was gone for the first: a reload is over by then. Where nobody
 * answered, again after the second; what the server keeps is not sent again before it has expired.
 */
export const wakeAfter = 10_000
export const wakeSpacing = 60_000
/** Round trips kept for the median and the 95th percentile. */
export const roundTripSamples = 64
/** Tasks that may wait at an executor, and run at once, unless the capability says less. */
export const maxQueuedTasks = 64
export const maxRunningTasks = 4
/** The most a capability may ask to run at once. */
export const maxConcurrency = 64
/** Bytes of input that may wait at an executor: 64 inputs of the largest size would end a tab. */
export const maxQueuedTaskBytes = 64 * MiB
/** A waiting task counts as come this much later for each class below critical: important ones go first, and low ones still go. */
export const taskAgeing = 10_000
/** What `retry_after` takes for the length of a task before one has ended. */
export const firstTaskDuration = 1_000
/** Tasks of ours under way at other peers: each holds its input until it is acknowledged. */
export const maxDelegatedTasks = 4_096
/** Tasks remembered after their end, for the list of tasks. */
export const maxEndedTasks = 256
/** Progress messages per task and second; faster ones are merged into the newest. */
export const progressRate = 10
/** A task without a deadline of its own ends after this long. */
export const defaultDeadline = 300_000
/** No deadline is further off: what a timer of 31 bits can count, and the age of a session. */
export const maxDeadline = 24 * 3_600_000
/** An answer to task_delegate (accept or reject) must come within this time. */
export const taskAnswerTimeout = 15_000
/** A task_query must be answered within this time: with the lease before it, as long as a session waits for a link. */
export const taskQueryPatience = 15_000
/** A peer that has not acknowledged a task after lease and patience, and the time its bytes take at this many a millisecond, has it not. */
export const slowestTaskBytes = 50
/** How often a task is given away again, unless its caller says otherwise; not counted where a peer was full. */
export const taskRetries = 5
export const maxTaskRetries = 1_000
/** A full peer is asked again no sooner and no later than this, whatever its retry_after says. */
export const fullWaitLeast = 100
export const fullWaitMost = 30_000
/** A task that must go to another peer waits this long for one, and looks for one this often. */
export const nobodyPatience = 30_000
export const nobodyPoll = 1_000
/** Bytes of input kept here for tasks under way, so that they can be given to another peer. */
export const maxDelegatedBytes = 256 * MiB
/** Bytes of output kept, stored, for tasks that ended: what a page that was loaded anew may still ask for. */
export const maxKeptOutputBytes = 64 * MiB
/** Length of an idempotency key in UTF-16 units. */
export const maxTaskKey = 128
/** Partial results a handler may have waiting for its caller to read before partial() refuses more. */
export const maxPartialsWaiting = 256
/** Tasks of a page before this one wait so long for their capability to be provided again. */
export const restorePatience = 30_000
/** Transfers of tasks to one peer at once: half of all, so that an app's own need not wait. Without room it is tried again after so long. */
export const taskTransfersPerPeer = 2
export const taskTransferRetry = 1_000
/** Bytes of the Blobs of one task, each way; and of all tasks that wait or run here. */
export const maxTaskFileBytes = 4_096 * MiB
export const maxHeldFileBytes = 8_192 * MiB
/** Tasks of one caller that may wait here for their Blobs to come, and as many whose output's Blobs it has yet to take. */
export const maxFilesAwaited = 16
/** A worker whose task has ended has this long to stop by itself. */
export const workerGrace = 1_000
/** A person asked for consent has this long; so many requests may wait in all, and from one caller. */
export const consentTimeout = 60_000
export const maxConsents = 16
export const maxConsentsPerCaller = 4
/** What a caller may use of a capability is counted anew after this long; for so many callers at once. */
export const policyWindow = 3_600_000
export const maxPolicyUses = 1_024
/** Peers a user may mark as contacts. */
export const maxContacts = 1_024
/** Of a map(): tasks under way for each peer that offers the capability, and in all, unless the caller says otherwise. */
export const mapAtOncePerPeer = 4
export const maxMapAtOnce = 256
/** Of a map(): results kept that wait for a slower one before them, for each task under way. */
export const mapLookAhead = 4
/** Of a map(): a task is given to a second peer when it took so many times the median, and longer than this. */
export const stragglerFactor = 3
export const stragglerLeast = 1_000
/** First and largest wait of the full-jitter back-off towards signaling and peers. */
export const backoffFirst = 500
export const backoffMost = 30_000
/** The signaling client sends a ping this often and gives up on a socket silent for the second figure. */
export const signalingPing = 10_000
export const signalingSilence = 25_000
/** Asked whether it still lives (the page woke, the network came back), a socket has this long to answer. */
export const signalingProbe = 5_000
/** A socket that lived this long after its welcome was a good one: the next back-off begins anew. */
export const signalingStable = 5_000
/** What a server asks a peer to wait before it comes back counts up to this: one that lies keeps nobody away for long. */
export const longestComeBack = 60_000
/** An answer to `discover` must come within this time; and so many may be waited for. */
export const discoverTimeout = 10_000
export const maxDiscoveries = 64
/** Of those who are found for a capability, links are opened to so many; who is sought for a waiting task is asked for this often. */
export const maxSought = 8
export const seekSpacing = 5_000
/** Capability tags remembered: what a peer offers itself, and as many that it looks for. */
export const maxKnownTags = 128
/** Members remembered: a server tells of fewer in a large mesh, and no more count however many one invents. */
export const maxMembers = 1_024
/** Bytes from the server that may wait to be verified: a welcome, and relayed offers of a few hundred peers. */
export const maxSignalingBacklog = 1 * MiB
/** Bytes towards the server that may wait before relay() answers QUEUE_FULL: offers to every peer a tab can meet at once. */
export const maxSignalingQueue = 1 * MiB
/** Messages and bytes to the server, per second and in a burst: four fifths of what it grants from one peer to another. */
export const relayMessageRate = 80
export const relayMessageBurst = 320
export const relayByteRate = 400 * KiB
export const relayByteBurst = 1_600 * KiB
/** With more than this in the socket's buffer nothing is added; then it is looked at again after so long. */
export const relaySocketMark = 128 * KiB
export const relaySocketPoll = 20
/** Bytes on their way over one relay link: what a slow reader leaves waiting in the server, which cuts it off at 1 MiB. */
export const relayWindow = 256 * KiB
/** As linkHighMark, for a relay link: 160 ms of its rate, and one frame of the target size. */
export const relayHighMark = 64 * KiB
/** Frames of one relay link that may wait here; a session stops long before. */
export const maxRelayBuffer = 8 * MiB
/** Frames for relay links that are no more, answered per second and in a burst. */
export const relayGoneRate = 1
export const relayGoneBurst = 10
/** Without a direct link after this long a relayed one is opened, which ends the attempt at the other: most are up in a second. */
export const relayAfter = 3_000
/** A relayed session tries for a direct link after this long, four times as long after each failure, and at most the last: each
 * try is one of a tab's 500 peer connections. */
export const upgradeFirst = 2_000
export const upgradeMost = 600_000
/** Bytes of a chunk with its head: four records that each fill a frame of the target size, so that no frame goes half empty. */
export const chunkFrameSize = 4 * 60 * KiB
/** Bytes of one transfer that may be on their way, or wait to be kept: both ends hold no more. 20 MB/s over 200 ms. */
export const transferWindow = 4 * MiB
/** Transfers with one peer at once, each way, and with all: what a stranger can make a page hold is the window times this. */
export const maxTransfersPerPeer = 4
export const maxTransfers = 64
/** Chunks that may be asked for again in one transfer: more is a peer that wastes what others send. */
export const maxChunkResends = 16
/** What a stream that names no size may bring, unless its receiver says otherwise: an endless one fills no disk. */
export const maxUnannouncedBytes = 1_024 * MiB
/** A full queue towards the peer is tried again after this long. */
export const transferRetry = 200
/** Transfers remembered after their end. */
export const maxEndedTransfers = 64
/** A received file that nobody discarded is removed with the first page that is opened after this. */
export const receivedFileLife = 24 * 3_600_000
/** The same complaint is told once in this time, and so many different ones: who causes them must not flood the listener. */
export const complaintSpacing = 60_000
export const maxComplaints = 64
