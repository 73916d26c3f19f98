/** What a join must prove before its socket counts as a peer (SPEC §10). */
import {
  type Bytes,
  type CryptoProvider,
  equalBytes,
  openOpenFrame,
  PROTOCOL,
  type SignalingPayload,
  signalingProof,
  TsunagiError,
  type VerifiedOpen,
} from '@tsunagi/protocol/signaling'

/** What this server asked, and what it knows of itself. */
export interface JoinTerms {
  /** The 32 bytes sent to this socket and to no other. */
  readonly challenge: Bytes
  /** The addresses that are this server's own, as `ws://host:port`. */
  readonly origins: ReadonlySet<string>
  /** Milliseconds since 1970. */
  readonly now: number
}

/** A presence record's `recipient_id`: it is for everybody in the mesh. */
const EVERYBODY = new Uint8Array(32)

/** The introduction key in use and the one prepared to follow it. */
const LONGEST_PRESENCE = 2 * PROTOCOL.introductionKeyLife

/** Cheap checks come first. @throws TsunagiError INVALID_VERSION or INVALID_SIGNATURE */
export async function verifyJoin(
  crypto: CryptoProvider,
  join: SignalingPayload<'join'>,
  terms: JoinTerms,
): Promise<void> {
  if (join.version !== PROTOCOL.version) {
    throw new TsunagiError('INVALID_VERSION', `This server speaks version ${PROTOCOL.version}; reload the page.`)
  }
  // Not compared with the Host header: a server in the middle that passes our challenge on writes that header itself.
  if (!terms.origins.has(join.origin)) {
    throw new TsunagiError(
      'INVALID_SIGNATURE',
      'The join was made for an address that this server does not know as its own; its operator can add it to TSUNAGI_ORIGINS.',
    )
  }
  if (!(await crypto.verify(join.public_key, join.signature, signalingProof(terms.challenge, join)))) {
    throw new TsunagiError('INVALID_SIGNATURE', 'The join is not signed, for this challenge, by the key it names.')
  }
  await verifyPresence(crypto, join, terms.now)
}

async function verifyPresence(crypto: CryptoProvider, join: SignalingPayload<'join'>, now: number): Promise<void> {
  let record: VerifiedOpen
  try {
    record = await openOpenFrame(crypto, join.presence, EVERYBODY)
  } catch (cause) {
    if (!(cause instanceof TsunagiError)) throw cause
    throw new TsunagiError('INVALID_SIGNATURE', 'The presence record is not a signed discovery.', { cause })
  }
  if (
    record.type !== 'discovery' ||
    !equalBytes(record.envelope.sender_id, join.public_key) ||
    !equalBytes(record.payload.mesh_id, join.mesh_id)
  ) {
    throw new TsunagiError('INVALID_SIGNATURE', 'The presence record is of another peer, mesh or kind.')
  }
  const { not_after } = record.payload
  if (not_after <= now || not_after > now + LONGEST_PRESENCE) {
    throw new TsunagiError(
      'INVALID_SIGNATURE',
      'The presence record has expired or lasts too long; take the time from the challenge, not from a wrong clock.',
    )
  }
}
