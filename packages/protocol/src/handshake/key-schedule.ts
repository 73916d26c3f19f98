/** From the agreed secret to the keys in use (SPEC §4.4): HKDF-SHA256 with the transcript hash as salt. */
import { PROTOCOL } from '../limits.ts'
import type { CryptoProvider, DerivationKey, EphemeralKey, TrafficKey } from '../ports.ts'
import { type Bytes, lengthPrefixed, utf8 } from '../wire/bytes.ts'
import type { Role } from './transcript.ts'

/** The one suite there is; a message names it so that a later one cannot be taken for it. */
export const SUITE = 'Ed25519-X25519-HKDF-SHA256-AES-256-GCM'

/** What a key is for: to prove that its owner has it, or to encrypt what its owner sends. */
type Purpose = 'confirm' | 'traffic'

const KEY_LENGTH = 32

/** Keys of one direction, each from the one before by a way that does not lead back (SPEC §4.5). */
export interface KeyChain {
  readonly key: TrafficKey
  next(): Promise<KeyChain>
}

async function chainFrom(crypto: CryptoProvider, secret: Bytes): Promise<KeyChain> {
  const none = new Uint8Array()
  const label = (purpose: string) => utf8(`tsunagi/${PROTOCOL.version}/${purpose}`)
  const chain = await crypto.derivationKey(secret)
  return {
    key: await chain.trafficKey(none, label('key')),
    next: async () => chainFrom(crypto, await chain.derive(none, label('rekey'), KEY_LENGTH)),
  }
}

export class KeySchedule {
  readonly #crypto: CryptoProvider
  readonly #agreed: DerivationKey

  private constructor(crypto: CryptoProvider, agreed: DerivationKey) {
    this.#crypto = crypto
    this.#agreed = agreed
  }

  /**
   * @param meshSecret empty where the mesh has none
   * @throws TsunagiError INVALID_FORMAT where `theirs` is no key, or one of small order
   */
  static async agree(
    crypto: CryptoProvider,
    ours: EphemeralKey,
    theirs: Bytes,
    meshSecret: Bytes,
  ): Promise<KeySchedule> {
    const secret = lengthPrefixed(await ours.agree(theirs), meshSecret)
    return new KeySchedule(crypto, await crypto.derivationKey(secret))
  }

  /** Key of the MAC by which `owner` proves that it has the agreed secret and the mesh's. */
  confirmKey(owner: Role, transcriptHash: Bytes): Promise<Bytes> {
    return this.#derive('confirm', owner, transcriptHash)
  }

  /** Keys of everything that `sender` sends. */
  async trafficKeys(sender: Role, transcriptHash: Bytes): Promise<KeyChain> {
    return chainFrom(this.#crypto, await this.#derive('traffic', sender, transcriptHash))
  }

  #derive(purpose: Purpose, role: Role, transcriptHash: Bytes): Promise<Bytes> {
    const label = utf8(`tsunagi/${PROTOCOL.version}/${purpose}/${role}`)
    return this.#agreed.derive(transcriptHash, label, KEY_LENGTH)
  }
}
