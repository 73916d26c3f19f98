/**
 * What both sides have said so far (SPEC §4.3). All three messages enter with every byte, and with them both identities,
 * both challenges, all versions and suites offered, both fingerprints in role order, and the offer to resume: whoever
 * altered, left out, reflected or spliced any of it ends with another hash, and so with other keys.
 */
import { PROTOCOL } from '../limits.ts'
import type { CryptoProvider } from '../ports.ts'
import { type Bytes, lengthPrefixed, utf8 } from '../wire/bytes.ts'

export type Role = 'initiator' | 'responder'

export class Transcript {
  readonly #crypto: CryptoProvider
  readonly #parts: Bytes[]

  /**
   * @param initiator and `responder` are Ed25519 keys
   * @param handshake the whole frame of message 1
   */
  constructor(crypto: CryptoProvider, initiator: Bytes, responder: Bytes, handshake: Bytes) {
    this.#crypto = crypto
    const domain = utf8(`tsunagi/${PROTOCOL.version}/transcript`)
    this.#parts = [domain, utf8('initiator'), initiator, utf8('responder'), responder, handshake]
  }

  /**
   * In this order: the offer of message 2, which its proof covers; the whole of message 2, which the proof of message 3
   * covers; the whole of message 3, which the traffic keys cover.
   */
  add(part: Bytes): void {
    this.#parts.push(part)
  }

  /** SHA-256 over the parts, each behind its length. */
  hash(): Promise<Bytes> {
    return this.#crypto.sha256(lengthPrefixed(...this.#parts))
  }
}
