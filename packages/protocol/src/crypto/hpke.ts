/** HPKE (RFC 9180) for what is sealed to an introduction key: base mode, X25519, HKDF-SHA256, AES-256-GCM. */
import { Aes256Gcm, CipherSuite, HkdfSha256, type KemInterface } from '@hpke/core'
import { TsunagiError } from '../errors.ts'
import { type Bytes, concat } from '../wire/bytes.ts'

const ENC_LENGTH = 32

export interface Hpke {
  /** @throws TsunagiError INVALID_FORMAT where the key is not 32 bytes or of small order */
  seal(publicKey: Uint8Array, info: Uint8Array, plaintext: Uint8Array): Promise<Bytes>
  /** @throws TsunagiError DECRYPTION_FAILED */
  open(recipientKey: CryptoKeyPair, info: Uint8Array, sealed: Uint8Array): Promise<Bytes>
}

export function createHpke(kem: KemInterface): Hpke {
  const suite = new CipherSuite({ kem, kdf: new HkdfSha256(), aead: new Aes256Gcm() })
  return {
    async seal(publicKey, info, plaintext) {
      try {
        const recipientPublicKey = await kem.deserializePublicKey(publicKey)
        const { enc, ct } = await suite.seal({ recipientPublicKey, info }, plaintext)
        return concat(new Uint8Array(enc), new Uint8Array(ct))
      } catch (cause) {
        throw new TsunagiError('INVALID_FORMAT', 'The introduction key is not an X25519 key.', { cause })
      }
    },

    async open(recipientKey, info, sealed) {
      try {
        const enc = sealed.subarray(0, ENC_LENGTH)
        return new Uint8Array(await suite.open({ recipientKey, enc, info }, sealed.subarray(ENC_LENGTH)))
      } catch (cause) {
        throw new TsunagiError('DECRYPTION_FAILED', 'The data was altered, cut, or sealed to another key.', { cause })
      }
    },
  }
}
