/** Numbers both sides must share: changing one needs a new protocol version. Sizes are bytes, times are milliseconds, unless a name says otherwise. */

const KiB = 1024
const MiB = 1024 * KiB

/** Version text carried in every open frame and offered in the handshake. */
export const version = '1.1'
/** Open frames whose timestamp is further off than this are refused: bounds what the nonce memory must cover. */
export const clockSkew = 60_000
/** One SCTP message of a browser's data channel (Chromium's announced maximum). */
export const maxFrame = 262_144
/** Frames that every link takes, also one that is relayed in messages of maxSignaling, less their seals and addresses. */
export const commonFrame = 62 * KiB
/** A record's share of one frame: the frame less header, signature, counters and tag, rounded down. */
export const maxRecord = 261_000
/** A handshake, acknowledgement or candidate frame: an SDP is 1 to 3 KiB, a few dozen candidates 10 KiB. */
export const maxOpenFrame = 32 * KiB
/** A frame whose body has no more bytes is signed as it is, a larger one by its SHA-256: some messages of a task fit. */
export const signedWhole = 512
/** A message, over as many records as it needs. Larger data belongs to a bulk transfer. */
export const maxMessage = 16 * MiB
/** A CBOR control payload (everything but application data and task values): attacker-made structure stays small. */
export const maxControl = 64 * KiB
/** Nesting of a CBOR value: deeper input exists only to exhaust the stack. */
export const maxDepth = 32
/** A signaling message: one sealed open frame and its address. */
export const maxSignaling = 64 * KiB
/** Length of a display name in UTF-16 units: one line in a list. */
export const maxName = 64
/** Length of a mesh name in UTF-16 units. */
export const maxMeshName = 128
/** Length of a mesh secret in UTF-16 units. */
export const maxSecret = 256
/** Capabilities one peer may announce: a response stays under maxControl. */
export const maxCapabilities = 64
/** Length of a capability name and of its version. */
export const maxCapabilityName = 128
export const maxCapabilityVersion = 32
/** Length of a transfer's name, and of its media type (RFC 6838 §4.2), in UTF-16 units. */
export const maxTransferName = 256
export const maxMediaType = 255
/** Bytes of one chunk of a transfer, and the number that its index stays below. */
export const maxChunk = 1 * MiB
export const maxChunks = 0xffff_ffff
/** PBKDF2-SHA256 rounds over a mesh secret: OWASP's figure; makes guessing a chosen word from the mesh id dear. */
export const meshSecretRounds = 600_000
/** An executor renews each task every third of this; a caller that heard nothing of one for so long asks. */
export const taskLease = 15_000
/** Tasks in one task_renew: more than an executor takes from one caller. */
export const maxRenewed = 256
/** Partial results of one task on their way or not yet read: a reader that is slow slows the handler, and neither piles up. */
export const partialWindow = 32
/** Blobs in the input of a task, and in its output: a transfer each. */
export const maxTaskFiles = 16
/** Length of a wake-up's reason in UTF-16 units: one line of a notification. */
export const maxWakeReason = 128
/** A sealed wake-up behind its sender's presence record: what a server keeps of each, for people who may never come back. */
export const maxWakeUp = 2 * KiB
/** No wake-up is good for longer, however far off it says it expires: as a session, which it would go on with. */
export const maxWakeLife = 24 * 3_600_000
/** Life of an introduction key: bounds what its theft opens. */
export const introductionKeyLife = 7 * 24 * 3_600_000
