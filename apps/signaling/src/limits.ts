/**
 * Every bound of this server, with the attack or the number behind it (SPEC §10, P6). Sizes are bytes, times are
 * milliseconds, rates are per second and connection. main.ts takes each from the environment variable settingName() gives.
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
    /** A key must be proved within this time: two round trips of a slow phone, and little for who only holds a socket. */
    proofDeadline: between(1, DAY, 5_000),
    /** Members of one mesh: each join and leave is told to all of them. */
    maxMembers: between(1, 100_000, 1_024),
    /** Members named in a welcome. The most still fit, with some ICE servers, in one message of PROTOCOL.maxSignaling. */
    sampleSize: between(0, 128, 64),
    /** One message. The protocol's own figure is the most, since no peer takes a larger one. */
    maxMessage: between(1 * KiB, PROTOCOL.maxSignaling, PROTOCOL.maxSignaling),
    /** Frames one message may come in: browsers cut a message into a few, an attacker into thousands of one byte. */
    maxFragments: between(1, 16_384, 64),
    /** Pieces of TCP data one message may wait for: 64 KiB in segments of a 576-byte path are 123. */
    maxChunks: between(16, 262_144, 1_024),
    /** Messages. Meeting 32 peers at once takes an offer or answer and some candidates for each: the burst. */
    messageRate: between(1, 1_000_000, 100),
    messageBurst: between(1, 1_000_000, 400),
    /** Bytes. A sealed offer has about 4 KiB, so the message rate is what an honest peer meets first. */
    byteRate: between(1 * KiB, 1_024 * MiB, 512 * KiB),
    byteBurst: between(1 * KiB, 1_024 * MiB, 2 * MiB),
    /** Messages dropped for their rate within a minute before the socket is closed: a slip is forgiven, a flood is not carried. */
    maxDropped: between(0, 1_000_000, 200),
    /** Bytes that may wait for one reader. A welcome and the joins of a full mesh fit; more means that it does not read. */
    sendHighMark: between(PROTOCOL.maxSignaling, 64 * MiB, 1 * MiB),
    /** WebSocket pings go this often, below the 30 to 60 s after which proxies and NATs forget a quiet connection. */
    pingInterval: between(1, DAY, 10_000),
    /** A socket heard nothing from for this long is closed: two pings lost, and the others still learn it within 30 s. */
    silence: between(1, DAY, 25_000),
    /**
     * A socket we close may take this long to read what waits for it and to answer, then it is cut. So a slow reader holds
     * its buffer no longer, and a stopping server ends within it: below the 10 s after which service managers kill.
     */
    closeTimeout: between(1, DAY, 5_000),
    /** Connections for plain HTTP, beside the sockets: one serves a page, an attacker opens as many as there are. */
    maxRequests: between(1, 1_000_000, 1_000),
    /** An HTTP request's header must be complete within this time: connections that never ask anything end. */
    requestDeadline: between(1, DAY, 5_000),
    /** An HTTP connection on which nothing moves for this long is cut: a file nobody reads is not held open. */
    requestSilence: between(1, DAY, 30_000),
  }),
  v.check((limits) => limits.silence > limits.pingInterval, 'silence must be longer than pingInterval'),
  v.check((limits) => limits.byteBurst >= limits.maxMessage, 'byteBurst must be at least maxMessage'),
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
