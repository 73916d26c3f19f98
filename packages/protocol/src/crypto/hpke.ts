/**
 * HPKE (RFC 9180) for what is sealed to an introduction key: base mode, X25519, HKDF-SHA256, AES-256-GCM, one message for each
 * encapsulated key. It stands on the primitives that the providers have anyway, and does all at once that does not wait for another
 * step: each is a way to another thread and back.
 */
import { TsunagiError } from '../errors.ts'
import type { EphemeralKey, TrafficKey } from '../ports.ts'
import { type Bytes, concat, utf8 } from '../wire/bytes.ts'
import { symmetric } from './symmetric.ts'

/** Bytes of `enc`, of the shared secret and of the key alike (RFC 9180 §7.1, §7.3). */
const KEY_LENGTH = 32
const NONCE_LENGTH = 12
const NONE = new Uint8Array()
/** mode_base (RFC 9180 §5). */
const MODE = new Uint8Array([0])

/** What stands before each label: `HPKE-v1` and the `suite_id` of RFC 9180 §4.1 or §5.1. */
const KEM = concat(utf8('HPKE-v1KEM'), new Uint8Array([0, 0x20]))
const SUITE = concat(utf8('HPKE-v1HPKE'), new Uint8Array([0, 0x20, 0, 1, 0, 2]))

let constants: ReturnType<typeof prepare> | undefined

/** Key and nonce of the one message. */
interface Context {
  readonly key: TrafficKey
  readonly nonce: Bytes
}

/**
 * @param ephemeral used for nothing else
 * @returns `enc(32) ‖ ciphertext`
 * @throws TsunagiError INVALID_FORMAT where the key is not 32 bytes or of small order
 */
export async function seal(
  ephemeral: EphemeralKey,
  publicKey: Uint8Array,
  info: Uint8Array,
  plaintext: Uint8Array,
): Promise<Bytes> {
  const { key, nonce } = await contextOf(ephemeral.agree(publicKey), ephemeral.publicKey, publicKey, info)
  return concat(ephemeral.publicKey, await key.seal(nonce, NONE, plaintext))
}

/** @throws TsunagiError DECRYPTION_FAILED */
export async function open(recipient: EphemeralKey, info: Uint8Array, sealed: Uint8Array): Promise<Bytes> {
  const enc = sealed.subarray(0, KEY_LENGTH)
  const agreed = recipient.agree(enc).catch((cause: unknown) => {
    throw new TsunagiError('DECRYPTION_FAILED', 'The data does not begin with an X25519 key.', { cause })
  })
  const { key, nonce } = await contextOf(agreed, enc, recipient.publicKey, info)
  return key.open(nonce, NONE, sealed.subarray(KEY_LENGTH))
}

/** Encap() or Decap() after the agreement, and KeySchedule() (RFC 9180 §4.1, §5.1). */
async function contextOf(
  agreed: Promise<Bytes>,
  enc: Uint8Array,
  recipient: Uint8Array,
  info: Uint8Array,
): Promise<Context> {
  constants ??= prepare()
  const [secret, infoHash, { pskIdHash, schedule }] = await Promise.all([
    agreed.then(async (dh) => {
      const extracted = await symmetric.derivationKey(labeled(KEM, 'eae_prk', dh))
      return extracted.derive(NONE, expanding(KEM, 'shared_secret', KEY_LENGTH, enc, recipient), KEY_LENGTH)
    }),
    symmetric.hmac(NONE, labeled(SUITE, 'info_hash', info)),
    constants,
  ])
  const context = [MODE, pskIdHash, infoHash]
  const [key, nonce] = await Promise.all([
    schedule.trafficKey(secret, expanding(SUITE, 'key', KEY_LENGTH, ...context)),
    schedule.derive(secret, expanding(SUITE, 'base_nonce', NONCE_LENGTH, ...context), NONCE_LENGTH),
  ])
  return { key, nonce }
}

/** Where there is no pre-shared key, as in this mode, these are the same for all messages. */
async function prepare() {
  const [pskIdHash, schedule] = await Promise.all([
    symmetric.hmac(NONE, labeled(SUITE, 'psk_id_hash')),
    symmetric.derivationKey(labeled(SUITE, 'secret')),
  ])
  return { pskIdHash, schedule }
}

function labeled(suite: Bytes, label: string, ...parts: Uint8Array[]): Bytes {
  return concat(suite, utf8(label), ...parts)
}

/** What LabeledExpand() hands to HKDF; with the secret and salt of a LabeledExtract() both steps are one (RFC 9180 §4). */
function expanding(suite: Bytes, label: string, length: number, ...parts: Uint8Array[]): Bytes {
  return concat(new Uint8Array([0, length]), labeled(suite, label, ...parts))
}
