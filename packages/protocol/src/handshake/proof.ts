/** How each side proves its identity and its keys in messages 2 and 3 (SPEC §4.3). */
import { TsunagiError } from '../errors.ts'
import { PROTOCOL } from '../limits.ts'
import type { OpenPayload } from '../messages.ts'
import type { CryptoProvider, SigningKey } from '../ports.ts'
import { type Bytes, lengthPrefixed, utf8 } from '../wire/bytes.ts'
import type { KeySchedule } from './key-schedule.ts'
import type { Role } from './transcript.ts'

/** `challenge_response`: a signature over the transcript in one's role. `mac`: that the same side has the keys. */
export type Proof = OpenPayload<'handshake_confirm'>

/** The role keeps a proof from being sent back as the other side's own; the domain keeps it from being anything else. */
function signedBytes(role: Role, transcriptHash: Bytes): Bytes {
  return lengthPrefixed(utf8(`tsunagi/${PROTOCOL.version}/challenge-response`), utf8(role), transcriptHash)
}

export async function prove(
  crypto: CryptoProvider,
  key: SigningKey,
  schedule: KeySchedule,
  role: Role,
  transcriptHash: Bytes,
): Promise<Proof> {
  const [response, confirmKey] = await Promise.all([
    key.sign(signedBytes(role, transcriptHash)),
    schedule.confirmKey(role, transcriptHash),
  ])
  return { challenge_response: response, mac: await crypto.hmac(confirmKey, response) }
}

/**
 * The signature first: where it holds, both sides agree on the transcript with both ephemeral keys in it, so that only
 * the mesh secret is left to differ.
 * @param role of the other side
 * @throws TsunagiError CHALLENGE_INVALID, MESH_SECRET_MISMATCH
 */
export async function checkProof(
  crypto: CryptoProvider,
  peer: Bytes,
  schedule: KeySchedule,
  role: Role,
  transcriptHash: Bytes,
  proof: Proof,
): Promise<void> {
  const [isSigned, confirmKey] = await Promise.all([
    crypto.verify(peer, proof.challenge_response, signedBytes(role, transcriptHash)),
    schedule.confirmKey(role, transcriptHash),
  ])
  if (!isSigned) {
    throw new TsunagiError('CHALLENGE_INVALID', 'The peer did not prove that it took part in this handshake.')
  }
  if (!(await crypto.verifyHmac(confirmKey, proof.mac, proof.challenge_response))) {
    throw new TsunagiError(
      'MESH_SECRET_MISMATCH',
      'The peer has another mesh secret: use the same invite link on both.',
    )
  }
}
