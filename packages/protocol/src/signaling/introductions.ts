/** Our introduction keys and our record, and what is sealed by such records (SPEC §10): frames of others to us, and ours to them. */
import { isTsunagiError } from '../errors.ts'
import type { Clock, CryptoProvider, IntroductionKey, SigningKey } from '../ports.ts'
import type { Bytes } from '../wire/bytes.ts'
import { type MeshKeys, relayInfo } from './messages.ts'
import { introduce, LONGEST_PRESENCE, type Presence, sealPresence } from './presence.ts'

/** What others seal to, and until when. */
export interface IntroductionKeys {
  readonly current: IntroductionKey
  /** Milliseconds since 1970 by the client's clock. */
  readonly notAfter: number
  /** The key before: it still opens what was sealed by its record. */
  readonly previous?: IntroductionKey
}

export interface IntroductionsHost {
  readonly clock: Clock
  readonly crypto: CryptoProvider
  readonly key: SigningKey
  readonly mesh: MeshKeys
  /** Asked before each join, at the latest when a key expires; gives a new one where the last has little time left. */
  readonly introductionKeys: () => Promise<IntroductionKeys>
}

export class Introductions {
  readonly #host: IntroductionsHost
  #keys: IntroductionKeys | undefined
  #record: Bytes = new Uint8Array()

  constructor(host: IntroductionsHost) {
    this.#host = host
  }

  /** Milliseconds for which the record is good. */
  get life(): number {
    return (this.#keys?.notAfter ?? 0) - this.#host.clock.now()
  }

  /** Our own record, made anew. @param serverNow milliseconds since 1970 by the server's clock */
  async renew(serverNow: () => number): Promise<Bytes> {
    const { crypto, key, mesh, introductionKeys } = this.#host
    this.#keys = await introductionKeys()
    const timestamp = serverNow()
    this.#record = await sealPresence(crypto, key, mesh.meshId, {
      introductionKey: this.#keys.current.publicKey,
      timestamp,
      notAfter: timestamp + Math.min(this.life, LONGEST_PRESENCE),
    })
    return this.#record
  }

  /** The frame behind our record, for those the server does not tell of us. */
  introduce(frame: Bytes): Bytes {
    return introduce(this.#record, frame)
  }

  /** Rejects with INVALID_FORMAT where the recipient's introduction key is none. */
  seal(recipient: Pick<Presence, 'publicKey' | 'introductionKey'>, frame: Bytes): Promise<Bytes> {
    const { crypto, key, mesh } = this.#host
    return crypto.seal(recipient.introductionKey, relayInfo(mesh.meshId, key.publicKey, recipient.publicKey), frame)
  }

  /** Undefined where it is not what that peer sealed to us: altered, or by a key that is gone. */
  async open(sender: Bytes, sealed: Bytes): Promise<Bytes | undefined> {
    const { key, mesh } = this.#host
    const info = relayInfo(mesh.meshId, sender, key.publicKey)
    for (const introduction of [this.#keys?.current, this.#keys?.previous]) {
      try {
        if (introduction !== undefined) return await introduction.open(info, sealed)
      } catch (error) {
        if (!isTsunagiError(error, 'DECRYPTION_FAILED')) throw error
      }
    }
    return undefined
  }
}
