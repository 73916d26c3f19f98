/** Every wire type of the protocol and its schema (SPEC §3, §10). A payload field not named here is an error. */
import * as v from 'valibot'
import { ERROR_CODES } from './errors.ts'
import { PROTOCOL } from './limits.ts'
import type { Bytes } from './wire/bytes.ts'

const bytes = (size: number) =>
  v.custom<Bytes>((value) => value instanceof Uint8Array && value.length === size, `must be ${size} bytes`)
const bytesUpTo = (most: number) =>
  v.custom<Bytes>((value) => value instanceof Uint8Array && value.length <= most, `must be at most ${most} bytes`)
const text = (most: number) => v.pipe(v.string(), v.maxLength(most))
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0))
const share = v.pipe(v.number(), v.minValue(0), v.maxValue(1))

/** From 1, per direction of a session. */
const sequence = v.pipe(v.number(), v.safeInteger(), v.minValue(1))
const epoch = v.pipe(v.number(), v.safeInteger(), v.minValue(1), v.maxValue(0xffff_ffff))

/** Where one side of a session stands (SPEC §5.5). */
const resumption = v.strictObject({
  /** The sequence number of its next message. */
  next: sequence,
  /** The next sequence number it expects; absent where its page was loaded anew and does not know what had come. */
  expected: v.optional(sequence),
  /** The number of the next durable message it expects. */
  durable: sequence,
})
export type ResumptionPoint = v.InferOutput<typeof resumption>

/** How frames travel between two peers (SPEC §6); `memory` within one program. */
export const LINK_KINDS = ['memory', 'webrtc', 'relay'] as const
export type LinkKind = (typeof LINK_KINDS)[number]

const key = bytes(32)
const uuid = bytes(16)
const nonce = bytes(16)
const signature = bytes(64)
const digest = bytes(32)

export const PRIORITIES = ['critical', 'high', 'normal', 'low'] as const
export type Priority = (typeof PRIORITIES)[number]

/** What a wake-up says, before a session and in one. `expires`: milliseconds since 1970 by the server's clock. */
const wakeUp = { reason: text(PROTOCOL.maxWakeReason), priority: v.picklist(PRIORITIES), expires: count }

/**
 * The target's answer to the wake-up of that nonce: `waking`, it opens a link; `active`, it was awake; `refused`, by its policy;
 * `expired`, it came too late.
 */
export const WAKE_STATES = ['waking', 'active', 'refused', 'expired'] as const
export type WakeState = (typeof WAKE_STATES)[number]
const wakeUpAck = { wake_nonce: nonce, state: v.picklist(WAKE_STATES) }

// ---------------------------------------------------------------------------------------------------------------
// Open frames: before or outside a session

/** Numbers of the open frames on the wire; session frames are 1. */
export const OPEN_TYPES = {
  handshake: 16,
  handshake_ack: 17,
  handshake_confirm: 18,
  link_candidates: 19,
  discovery: 20,
  error: 21,
  wake_up: 22,
  wake_up_ack: 23,
} as const
export type OpenType = keyof typeof OPEN_TYPES

/** Envelope fields of an open frame. An id is the raw Ed25519 key; `recipient_id` of a discovery is all zero. */
export const openEnvelope = v.strictObject({
  version: v.string(),
  msg_type: v.picklist(Object.keys(OPEN_TYPES) as OpenType[]),
  sender_id: key,
  recipient_id: key,
  session_id: uuid,
  sequence_num: v.literal(0),
  timestamp: count,
  nonce,
  payload: v.record(v.string(), v.unknown()),
})
export type OpenEnvelope = v.InferOutput<typeof openEnvelope>

/** What the proof in a handshake_ack covers besides message 1, carried as bytes so that there is one encoding of it. */
export const ackOffer = v.strictObject({
  ephemeral: key,
  new_challenge: bytes(32),
  version: text(8),
  suite: text(64),
  /** Of the certificate at the responder's end of the link, as `answer` states it. */
  fingerprint: digest,
  answer: bytesUpTo(16_384),
  /** Number of the traffic keys that this handshake makes; no lower than any number of this session used before. */
  epoch,
  /** Present where the offered session goes on. */
  resume: v.optional(resumption),
})
export type AckOffer = v.InferOutput<typeof ackOffer>

export const openPayloads = {
  handshake: v.strictObject({
    ephemeral: key,
    challenge: bytes(32),
    versions: v.pipe(v.array(text(8)), v.minLength(1), v.maxLength(8)),
    suites: v.pipe(v.array(text(64)), v.minLength(1), v.maxLength(8)),
    link: v.picklist(LINK_KINDS),
    /** Of the certificate at the initiator's end of the link, as `offer` states it. */
    fingerprint: digest,
    offer: bytesUpTo(16_384),
    /** The session the initiator would go on with, and the lowest epoch it can use. */
    resume: v.optional(v.strictObject({ session_id: uuid, epoch, at: resumption })),
  }),
  handshake_ack: v.strictObject({ offer: bytesUpTo(20_000), challenge_response: signature, mac: digest }),
  handshake_confirm: v.strictObject({ challenge_response: signature, mac: digest }),
  link_candidates: v.strictObject({
    candidates: v.pipe(v.array(bytesUpTo(1_024)), v.minLength(1), v.maxLength(16)),
  }),
  discovery: v.strictObject({ mesh_id: digest, introduction_key: key, not_after: count }),
  error: v.strictObject({ code: v.picklist(ERROR_CODES), message: text(256) }),
  /** The envelope's nonce is the wake-up's; it is taken until it expires, however old its timestamp. */
  wake_up: v.strictObject(wakeUp),
  wake_up_ack: v.strictObject(wakeUpAck),
} satisfies Record<OpenType, v.GenericSchema>
export type OpenPayload<T extends OpenType> = v.InferOutput<(typeof openPayloads)[T]>

// ---------------------------------------------------------------------------------------------------------------
// Session frames: everything else

/** Type byte of a session frame. */
export const SESSION_FRAME = 1

/** Numbers of the messages inside session frames. */
export const SESSION_TYPES = {
  message: 1,
  ping: 2,
  pong: 3,
  heartbeat: 4,
  status_report: 5,
  capability_query: 6,
  capability_response: 7,
  task_delegate: 8,
  task_accept: 9,
  task_reject: 10,
  task_progress: 11,
  task_result: 12,
  task_cancel: 13,
  error: 14,
  session_close: 15,
  session_suspend: 16,
  task_query: 17,
  task_state: 18,
  task_renew: 19,
  task_partial: 20,
  task_credit: 21,
  wake_up: 22,
  wake_up_ack: 23,
  chunk_init: 32,
  chunk: 33,
  chunk_ack: 34,
  chunk_resend: 35,
  chunk_complete: 36,
} as const
export type SessionType = keyof typeof SESSION_TYPES

export const TASK_REJECT_REASONS = ['full', 'unsupported', 'refused', 'expired', 'too_large', 'invalid_input'] as const
export type TaskRejectReason = (typeof TASK_REJECT_REASONS)[number]

/** A JSON Schema as plain data (draft 2020-12). */
const jsonSchema = v.record(v.string(), v.unknown())

export const capabilityDescription = v.strictObject({
  name: v.pipe(text(PROTOCOL.maxCapabilityName), v.minLength(1)),
  version: v.pipe(text(PROTOCOL.maxCapabilityVersion), v.minLength(1)),
  description: v.optional(text(512)),
  input: v.optional(jsonSchema),
  output: v.optional(jsonSchema),
  /** Doing the same task twice does no more than doing it once, so that one that failed may be tried again. */
  idempotent: v.optional(v.boolean()),
})
/** A capability as others see it: what it is called and what goes in and comes out. */
export type CapabilityDescription = v.InferOutput<typeof capabilityDescription>

const capabilities = v.pipe(v.array(capabilityDescription), v.maxLength(PROTOCOL.maxCapabilities))

/** Where in a value, which holds null there, a Blob stands that travels as a transfer (SPEC R92). */
const taskFilePlace = v.strictObject({
  at: v.pipe(v.array(v.union([text(PROTOCOL.maxTransferName), count])), v.maxLength(PROTOCOL.maxDepth)),
  size: count,
  media_type: text(PROTOCOL.maxMediaType),
  name: text(PROTOCOL.maxTransferName),
})
export type TaskFilePlace = v.InferOutput<typeof taskFilePlace>
const taskFiles = v.optional(v.pipe(v.array(taskFilePlace), v.minLength(1), v.maxLength(PROTOCOL.maxTaskFiles)))

/** How many chunks of a transfer came before something; the index of the chunk after them. */
const chunks = v.pipe(count, v.maxValue(PROTOCOL.maxChunks))

export const sessionPayloads = {
  /** Application data: its payload is any CBOR value, or raw bytes where the record says so. */
  message: v.unknown(),
  ping: v.strictObject({ nonce: count }),
  pong: v.strictObject({ nonce: count }),
  heartbeat: v.strictObject({ load: share, queue_depth: count, last_sequence: count }),
  status_report: v.strictObject({
    name: text(PROTOCOL.maxName),
    uptime: count,
    load: share,
    running: count,
    queue_depth: count,
    capabilities_digest: digest,
    /** Its page is hidden, so that the browser may freeze it without a word. */
    hidden: v.optional(v.literal(true)),
  }),
  capability_query: v.strictObject({}),
  capability_response: v.strictObject({ capabilities, digest }),
  task_delegate: v.strictObject({
    task_id: uuid,
    capability: text(PROTOCOL.maxCapabilityName),
    input: v.unknown(),
    deadline: v.pipe(count, v.minValue(1)),
    priority: v.picklist(PRIORITIES),
    /** Partial results are wanted. */
    partials: v.optional(v.literal(true)),
    files: taskFiles,
  }),
  task_accept: v.strictObject({ task_id: uuid, queue_position: count }),
  task_reject: v.strictObject({
    task_id: uuid,
    reason: v.picklist(TASK_REJECT_REASONS),
    message: text(256),
    retry_after: v.optional(count),
  }),
  task_progress: v.strictObject({ task_id: uuid, progress: share, note: v.optional(text(256)) }),
  task_result: v.variant('state', [
    v.strictObject({ task_id: uuid, state: v.literal('completed'), output: v.unknown(), files: taskFiles }),
    v.strictObject({
      task_id: uuid,
      state: v.picklist(['failed', 'canceled']),
      code: v.picklist(ERROR_CODES),
      message: text(256),
    }),
  ]),
  task_cancel: v.strictObject({ task_id: uuid }),
  /** Caller to executor: what became of it? */
  task_query: v.strictObject({ task_id: uuid }),
  /** The whole answer to a task_query. `unknown`: this peer never had it, or forgot it. `partials`: how many were sent. */
  task_state: v.strictObject({
    task_id: uuid,
    state: v.picklist(['unknown', 'submitted', 'working', 'completed', 'failed', 'canceled']),
    queue_position: count,
    progress: share,
    note: text(256),
    partials: count,
    code: v.optional(v.picklist(ERROR_CODES)),
    message: v.optional(text(256)),
  }),
  /** Executor to caller, every third of PROTOCOL.taskLease: these of yours are still here. */
  task_renew: v.strictObject({
    task_ids: v.pipe(v.array(uuid), v.minLength(1), v.maxLength(PROTOCOL.maxRenewed)),
  }),
  /** `index` counts from 0 for each task. */
  task_partial: v.strictObject({ task_id: uuid, index: count, output: v.unknown() }),
  /** Caller to executor: so many partial results were read; PROTOCOL.partialWindow more may come. */
  task_credit: v.strictObject({ task_id: uuid, read: count }),
  error: v.strictObject({ code: v.picklist(ERROR_CODES), message: text(256) }),
  session_close: v.strictObject({ code: v.picklist(ERROR_CODES), message: text(256) }),
  /** The link is closed on purpose and the session goes on later: `leaving`, the page goes; `idle`, nothing was said for long. */
  session_suspend: v.strictObject({ reason: v.picklist(['leaving', 'idle']) }),
  wake_up: v.strictObject({ nonce, ...wakeUp }),
  wake_up_ack: v.strictObject(wakeUpAck),
  /** A transfer is offered, or its sender asks from which chunk to go on. Each link carries one for each transfer (SPEC §9). */
  chunk_init: v.strictObject({
    transfer_id: uuid,
    name: text(PROTOCOL.maxTransferName),
    media_type: text(PROTOCOL.maxMediaType),
    /** Absent where only the end of the source will tell. */
    size: v.optional(count),
    /** Bytes of every chunk but the last, which may have fewer. */
    chunk_size: v.pipe(count, v.minValue(1), v.maxValue(PROTOCOL.maxChunk)),
    /** The first chunk that the sender can still send. */
    from: chunks,
    /** Which chunk_init of the transfer this is; the answer names it. */
    round: count,
    /** It is a Blob of a task: where there is none such any more, nobody else is offered it. */
    task: v.optional(v.literal(true)),
  }),
  /** Raw bytes always: see bulk/chunk.ts. */
  chunk: v.custom<Bytes>((value) => value instanceof Uint8Array),
  /** All chunks below `next` are kept, and `window` more may be sent. */
  chunk_ack: v.strictObject({ transfer_id: uuid, next: chunks, window: chunks }),
  /** As chunk_ack; and what was sent from `next` on, if anything, did not come. `digest`: of all chunks below. */
  chunk_resend: v.strictObject({ transfer_id: uuid, next: chunks, window: chunks, digest, round: count }),
  chunk_complete: v.variant('state', [
    /** From the sender: that was all. From the receiver: all of it is kept, and the digest is right. */
    v.strictObject({ transfer_id: uuid, state: v.literal('completed'), chunks, size: count, digest }),
    /** From either side: it is given up. */
    v.strictObject({
      transfer_id: uuid,
      state: v.literal('failed'),
      code: v.picklist(ERROR_CODES),
      message: text(256),
    }),
  ]),
} satisfies Record<SessionType, v.GenericSchema>
export type SessionPayload<T extends SessionType> = v.InferOutput<(typeof sessionPayloads)[T]>

// ---------------------------------------------------------------------------------------------------------------
// Signaling: between a peer and the server

/** First byte of each signaling message. After it comes CBOR, except for relay (32-byte key, then opaque bytes), ping and pong. */
export const SIGNALING_TYPES = {
  challenge: 1,
  join: 2,
  welcome: 3,
  presence: 4,
  relay: 5,
  ping: 6,
  pong: 7,
  error: 8,
  announce: 9,
  discover: 10,
  found: 11,
  ice_servers: 12,
  wake_up: 13,
  wake_step: 14,
  mail: 15,
  mail_taken: 16,
  push_subscribe: 17,
  push_state: 18,
} as const
export type SignalingType = keyof typeof SIGNALING_TYPES

/**
 * First byte of what is sealed into a relay, a wake-up or mail, where it is no open frame. `introduction`: length(2) and the sender's presence
 * record, then an open frame. `link_frame`: the end(16) of a relay link it is for, then the frame; an empty one opens the
 * link. `link_close`: the end(16) of the sender's that is closed.
 */
export const RELAYED_TYPES = { introduction: 2, link_frame: 3, link_close: 4 } as const

export const SIGNALING_ERRORS = [
  'INVALID_FORMAT',
  'INVALID_SIGNATURE',
  'INVALID_STATE',
  'INVALID_VERSION',
  'MESSAGE_TOO_LARGE',
  'RATE_LIMITED',
  'UNKNOWN_PEER',
] as const

const presenceRecord = bytesUpTo(1_024)
const iceServer = v.strictObject({
  urls: v.pipe(v.array(text(256)), v.minLength(1), v.maxLength(8)),
  username: v.optional(text(256)),
  credential: v.optional(text(256)),
})
export type IceServer = v.InferOutput<typeof iceServer>
const iceServers = v.pipe(v.array(iceServer), v.maxLength(16))

export const signalingPayloads = {
  /** Server to peer, first: prove your key by signing this. `time` is the server's clock in ms since 1970. */
  challenge: v.strictObject({ challenge: bytes(32), time: count, max_message: count }),
  /** Peer to server: `signature` as signalingProof() says; `presence` is a signed discovery frame. */
  join: v.strictObject({
    version: text(8),
    origin: text(256),
    mesh_id: digest,
    public_key: key,
    presence: presenceRecord,
    signature,
  }),
  welcome: v.strictObject({
    members: v.pipe(v.array(presenceRecord), v.maxLength(256)),
    total: count,
    ice_servers: iceServers,
    /** The server's VAPID key (RFC 8292 §3.2), an uncompressed point of P-256; absent where it sends no pushes. */
    vapid_key: v.optional(bytes(65)),
  }),
  presence: v.variant('event', [
    v.strictObject({ event: v.literal('joined'), presence: presenceRecord }),
    v.strictObject({ event: v.literal('left'), public_key: key }),
  ]),
  error: v.strictObject({ code: v.picklist(SIGNALING_ERRORS), message: text(256), public_key: v.optional(key) }),
  /** Peer to server: by which capability tags it is found from now on; they take the place of those it announced before. */
  announce: v.strictObject({ tags: v.pipe(v.array(digest), v.maxLength(PROTOCOL.maxCapabilities)) }),
  /** Peer to server: who announced this tag? */
  discover: v.strictObject({ tag: digest }),
  /** Server to peer, for each discover: some of them, drawn at random where there are many. */
  found: v.strictObject({ tag: digest, members: v.pipe(v.array(presenceRecord), v.maxLength(64)) }),
  /** Server to peer: take the place of those it was given, whose credentials are about to expire. */
  ice_servers: v.strictObject({ ice_servers: iceServers }),
  /**
   * Peer to server: a wake-up for one who may not be there, sealed as a relayed frame. `wake_id` names it in the answer. It is
   * kept until it expires, and takes the place of one that the same sender left there before.
   */
  wake_up: v.strictObject({
    wake_id: uuid,
    public_key: key,
    priority: v.picklist(PRIORITIES),
    expires: count,
    sealed: bytesUpTo(PROTOCOL.maxWakeUp),
  }),
  /**
   * Server to peer, for each wake_up: how far it came. `socket`: handed to the socket the target has, and kept until that says
   * it has it. `push`: kept, and the push service took a push for it. `mailbox`: kept. The others: not kept, though a socket may
   * have been handed it; `unavailable`: the server has nothing to keep it in now.
   */
  wake_step: v.strictObject({
    wake_id: uuid,
    step: v.picklist(['socket', 'push', 'mailbox', 'rate_limited', 'full', 'expired', 'unknown_peer', 'unavailable']),
  }),
  /** Server to peer: a wake-up that was kept for it, from the peer of this key as far as the server knows. */
  mail: v.strictObject({ mail_id: uuid, public_key: key, sealed: bytesUpTo(PROTOCOL.maxWakeUp) }),
  /** Peer to server: it need not be kept any more. */
  mail_taken: v.strictObject({ mail_id: uuid }),
  /**
   * Peer to server: where its browser takes pushes (RFC 8030; keys of RFC 8291), in the place of what it said before; without
   * `subscription` nowhere. A push carries `label`, by which the peer's own service worker knows which peer it is for.
   */
  push_subscribe: v.strictObject({
    subscription: v.optional(
      v.strictObject({ endpoint: text(1_024), p256dh: bytes(65), auth: bytes(16), label: bytes(16) }),
    ),
  }),
  /** Server to peer, for each push_subscribe: whether it will push from now on. */
  push_state: v.strictObject({ subscribed: v.boolean() }),
} satisfies Partial<Record<SignalingType, v.GenericSchema>>
export type SignalingPayload<T extends keyof typeof signalingPayloads> = v.InferOutput<(typeof signalingPayloads)[T]>

/**
 * Close codes of the signaling socket (SPEC §10). 4000 to 4099: come back after the delay that the reason may name
 * (close-reason.ts) and a full-jitter back-off.
 * 4100 to 4199: do not come back as you are, something must change first.
 */
export const SIGNALING_CLOSE = {
  goingAway: 4000,
  overloaded: 4001,
  tooSlow: 4002,
  silent: 4003,
  rateLimited: 4004,
  invalidMessage: 4100,
  notProven: 4101,
  replaced: 4102,
  wrongVersion: 4103,
} as const
