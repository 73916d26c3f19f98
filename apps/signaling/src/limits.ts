/**
 * Every bound of this server, with the attack or the number behind it (SPEC §10, P6). Sizes are bytes, times are
 * milliseconds, rates are per second. main.ts takes each from the environment variable that settingName() gives, or from
 * `limits` of the configuration file.
 */
import { PROTOCOL, TsunagiError } from '@tsunagi/protocol/signaling'
import * as v from 'valibot'

const KiB = 1024
const MiB = 1024 * KiB
const DAY = 24 * 3_600_000

const between = (least: number, most: number, usual: number) =>
  v.optional(v.pipe(v.number(), v.safeInteger(), v.minValue(least), v.maxValue(most)), usual)

const limitsSchema = v.pipe(
  v.strictObject({
    /** Sockets in all. A quiet one costs about 10 KB and a file descriptor; most systems allow some ten thousand. */
    maxConnections: between(1, 1_000_000, 10_000),
    /** Sockets that have not proved a key: strangers who never join take this much of the above at most. */
    maxUnproven: between(1, 1_000_000, 1_000),
    /** Sockets of one address (of IPv6: one /64): an office or a mobile network behind one address, not the whole server. */
    maxConnectionsPerAddress: between(1, 1_000_000, 256),
    maxUnprovenPerAddress: between(1, 1_000_000, 64),
    /** Attempts of one address to open a socket: the burst is an office that comes back after a restart. */
    attemptRate: between(1, 1_000_000, 5),
    attemptBurst: between(1, 1_000_000, 300),
    /** Addresses, and keys, of which is remembered what they used up: some 300 bytes each. */
    maxRemembered: between(1, 10_000_000, 50_000),
    /** What a socket may send before it has proved a key: one join, and pings while it is signed. */
    unprovenMessages: between(2, 1_000_000, 16),
    unprovenBytes: between(2 * KiB, 1_024 * MiB, 8 * KiB),
    /** A key must be proved within this time: two round trips of a slow phone, and little for who only holds a socket. */
    proofDeadline: between(1, DAY, 5_000),
    /** Members of one mesh: a join costs by sampleSize, whatever their number, so only memory bounds it. */
    maxMembers: between(1, 1_000_000, 10_000),
    /** Meshes one key may be in at once, each with a socket of its own: a browser profile has as many tabs. */
    maxMeshesPerKey: between(1, 1_000_000, 16),
    /**
     * Members named in a welcome, drawn at random, and told of the newcomer: as many as a tab keeps links, of which it opens
     * 24 unasked. The most still fit, with some ICE servers, in one message of PROTOCOL.maxSignaling.
     */
    sampleSize: between(0, 128, 32),
    /** Members one peer hears of and is told the leaving of: as many as a peer remembers. Older ones make room. */
    maxAcquainted: between(1, 100_000, 1_024),
    /** Members named in one answer to `discover`, drawn at random; an answer counts as so many messages of who asks. */
    discoverSize: between(1, 64, 16),
    /** One message. The protocol's own figure is the most, since no peer takes a larger one. */
    maxMessage: between(1 * KiB, PROTOCOL.maxSignaling, PROTOCOL.maxSignaling),
    /** Frames one message may come in: browsers cut a message into a few, an attacker into thousands of one byte. */
    maxFragments: between(1, 16_384, 64),
    /** Pieces of TCP data one message may wait for: 64 KiB in segments of a 576-byte path are 123. */
    maxChunks: between(16, 262_144, 1_024),
    /** Messages of one socket. Meeting 32 peers at once takes an offer or answer and some candidates for each: the burst. */
    messageRate: between(1, 1_000_000, 200),
    messageBurst: between(1, 1_000_000, 800),
    /** Bytes. A sealed offer has about 4 KiB, so the message rate is what an honest peer meets first. */
    byteRate: between(1 * KiB, 1_024 * MiB, 1 * MiB),
    byteBurst: between(1 * KiB, 1_024 * MiB, 4 * MiB),
    /** The same of one key, over all its sockets and those it had before: coming back buys no new burst. */
    keyMessageRate: between(1, 1_000_000, 400),
    keyMessageBurst: between(1, 1_000_000, 1_600),
    keyByteRate: between(1 * KiB, 1_024 * MiB, 2 * MiB),
    keyByteBurst: between(1 * KiB, 1_024 * MiB, 8 * MiB),
    /** And from one socket to one addressee, which a session without a direct link may need: nobody is buried by a single peer. */
    pairMessageRate: between(1, 1_000_000, 100),
    pairMessageBurst: between(1, 1_000_000, 400),
    pairByteRate: between(1 * KiB, 1_024 * MiB, 512 * KiB),
    pairByteBurst: between(1 * KiB, 1_024 * MiB, 2 * MiB),
    /** Addressees of one socket for which that is remembered, and as many before them, while it sends more than half of one's share. */
    maxPairs: between(1, 100_000, 64),
    /**
     * Messages dropped for their rate within a minute before the socket is closed, each 4 KiB counted as one more: a slip is
     * forgiven, a flood is not carried.
     */
    maxDropped: between(0, 1_000_000, 200),
    /** Bytes that may wait for one reader. A welcome and the joins of a full mesh fit; more means that it does not read. */
    sendHighMark: between(PROTOCOL.maxSignaling, 64 * MiB, 1 * MiB),
    /** What was handed to a socket must have left within this time: who reads, but too slowly for what comes, holds its queue no longer. */
    writeDeadline: between(1, DAY, 15_000),
    /**
     * Bytes that may wait for all readers together. Above it the longest queues are closed. All sockets are looked over this
     * often, or as often as the shortest of their times is long; by one such step may what ends with time end later.
     */
    maxQueued: between(PROTOCOL.maxSignaling, 1_024 * 1_024 * MiB, 256 * MiB),
    queueSweep: between(1, DAY, 1_000),
    /** WebSocket pings go this often, below the 30 to 60 s after which proxies and NATs forget a quiet connection. */
    pingInterval: between(1, DAY, 10_000),
    /** A socket heard nothing from for this long is closed: two pings lost, and the others still learn it within 30 s. */
    silence: between(1, DAY, 25_000),
    /**
     * A socket we close may take this long to read what waits for it and to answer, then it is cut. So a slow reader holds
     * its buffer no longer.
     */
    closeTimeout: between(1, DAY, 5_000),
    /** A stopping server sends its peers away over this time, so that they do not come to another, or back, all at once. */
    drainSpread: between(0, DAY, 3_000),
    /** And after this it ends whoever is still there: below the 10 s after which service managers kill. */
    drainDeadline: between(1, DAY, 9_000),
    /** A peer sent away because there was too much of it, or no room, is asked to stay away this long. */
    comeBackAfter: between(0, 60_000, 5_000),
    /** Connections for plain HTTP, beside the sockets: one serves a page, an attacker opens as many as there are. */
    maxRequests: between(1, 1_000_000, 1_000),
    maxRequestsPerAddress: between(1, 1_000_000, 64),
    /** A connection must have sent the whole header of a request within this time: those that never ask anything end. */
    requestDeadline: between(1, DAY, 5_000),
    /** From then on a connection on which nothing moves for this long is cut: a file nobody reads is not held open. */
    requestSilence: between(1, DAY, 30_000),
    /** TURN credentials are good for this long, which is what a stolen one is worth; a peer that stays gets new ones in time. */
    turnLifetime: between(60_000, DAY, 3_600_000),
    /** TURN credentials given to one key in an hour: a page reloaded now and then, not one that collects them. */
    turnPerHour: between(1, 1_000_000, 30),
    /** Wake-ups of one key: to each of the peers that a tab keeps links to, and again. */
    wakesPerMinute: between(1, 1_000_000, 60),
    /** And to one target: three tries and some more, as many as a target listens to. */
    pairWakesPerMinute: between(1, 1_000_000, 10),
    /** Wake-ups that wait for one peer, of as many senders, and their bytes: it gets them all when it comes back. */
    maxMail: between(1, 256, 32),
    maxMailBytes: between(PROTOCOL.maxWakeUp, 512 * KiB, 48 * KiB),
    /** Peers for whom mail may wait: times maxMailBytes, and a third for its form, the most that mail takes of disk or Redis. */
    maxMailboxes: between(1, 10_000_000, 10_000),
    /** Who has proved a key in a mesh within this time can be left mail; nobody fills the disk with mail to made-up keys. */
    knownPeerLife: between(60_000, 365 * DAY, 30 * DAY),
    /** Of so many that is known: some 200 bytes each, 2 KB with a push subscription. Those not seen for longest make room. */
    maxKnownPeers: between(1, 100_000_000, 100_000),
    /** What has expired is removed this often. */
    storeSweep: between(1_000, DAY, 60_000),
    /** One pair of peers gets one push within this time, and one peer one for each of so many others: it may ring each time. */
    pushSpacing: between(1_000, DAY, 60_000),
    maxPushSenders: between(1, 64, 8),
    /** A push service must answer within this time. */
    pushTimeout: between(1, DAY, 5_000),
    /** Pushes under way, and those that may wait for them: a push service that does not answer takes no more. */
    maxPushesAtOnce: between(1, 10_000, 32),
    maxPushesWaiting: between(0, 1_000_000, 1_000),
  }),
  v.check((limits) => limits.silence > limits.pingInterval, 'silence must be longer than pingInterval'),
  v.check(
    ({ byteBurst, keyByteBurst, pairByteBurst, maxMessage }) =>
      Math.min(byteBurst, keyByteBurst, pairByteBurst) >= maxMessage,
    'byteBurst, keyByteBurst and pairByteBurst must be at least maxMessage',
  ),
  v.check((limits) => limits.messageBurst >= limits.discoverSize, 'messageBurst must be at least discoverSize'),
  v.check((limits) => limits.drainDeadline > limits.drainSpread, 'drainDeadline must be longer than drainSpread'),
)

export type SignalingLimits = v.InferOutput<typeof limitsSchema>
export type LimitName = keyof SignalingLimits

/** @throws TsunagiError INVALID_ARGUMENT with a sentence that names the limit and what it may be */
export function checkLimits(limits: Partial<SignalingLimits>): SignalingLimits {
  const result = v.safeParse(limitsSchema, limits, { abortEarly: true })
  if (result.success) return result.output
  const [issue] = result.issues
  const name = v.getDotPath(issue)
  throw new TsunagiError(
    'INVALID_ARGUMENT',
    name === null
      ? `These limits cannot be: ${issue.message}.`
      : `The limit ${name} (${settingName(name)}) cannot be ${issue.received}; it must be a whole number${rangeOf(issue)}.`,
  )
}

export const LIMIT_NAMES = Object.keys(limitsSchema.pipe[0].entries) as LimitName[]

/** The environment variable of a limit: `maxMembers` is `TSUNAGI_MAX_MEMBERS`. */
export function settingName(limit: string): string {
  return `TSUNAGI_${limit.replace(/[A-Z]/g, '_$&').toUpperCase()}`
}

function rangeOf(issue: v.BaseIssue<unknown>): string {
  if (issue.type === 'min_value') return ` of at least ${issue.requirement}`
  if (issue.type === 'max_value') return ` of at most ${issue.requirement}`
  return ''
}
