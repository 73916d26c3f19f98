/** Hashes, derivations and AES-GCM by WebCrypto: every browser that can run this library has them, so both providers share them. */
import { TsunagiError } from '../errors.ts'
import type { CryptoProvider, DerivationKey, TrafficKey } from '../ports.ts'
import type { Bytes } from '../wire/bytes.ts'

/** getRandomValues() gives no more at once. */
const MOST_RANDOM = 65_536
/** 255 blocks of SHA-256 (RFC 5869 §2.3). */
const MOST_DERIVED = 8_160
const NONCE_LENGTH = 12
const KEY_LENGTH = 32
const TRAFFIC: readonly KeyUsage[] = ['encrypt', 'decrypt']

/** WebCrypto refuses shared memory: that is copied first, everything else goes as it is. */
export function unshared(view: Uint8Array): Bytes {
  return view.buffer instanceof ArrayBuffer ? (view as Bytes) : new Uint8Array(view)
}

/** @throws TsunagiError NOT_SUPPORTED where the host has no WebCrypto */
export function requireWebCrypto(): void {
  if (globalThis.crypto?.subtle === undefined)
    throw new TsunagiError(
      'NOT_SUPPORTED',
      'This page has no access to cryptography: open it over https:// or from localhost.',
    )
}

function requireWhole(name: string, value: number, least: number, most: number): void {
  if (!Number.isInteger(value) || value < least || value > most)
    throw new TsunagiError('INVALID_ARGUMENT', `${name} must be a whole number from ${least} to ${most}.`)
}

function hmacKey(key: Uint8Array, usage: 'sign' | 'verify'): Promise<CryptoKey> {
  // WebCrypto refuses an empty key; HMAC pads keys with zeros (RFC 2104 §2), so one zero byte is the same key.
  const raw = key.length === 0 ? new Uint8Array(1) : unshared(key)
  return crypto.subtle.importKey('raw', raw, { name: 'HMAC', hash: 'SHA-256' }, false, [usage])
}

class AesGcmKey implements TrafficKey {
  readonly #key: CryptoKey

  constructor(key: CryptoKey) {
    this.#key = key
  }

  #params(nonce: Uint8Array, additionalData: Uint8Array): AesGcmParams {
    if (nonce.length !== NONCE_LENGTH)
      throw new TsunagiError('INVALID_ARGUMENT', `A nonce must be ${NONCE_LENGTH} bytes.`)
    return { name: 'AES-GCM', iv: unshared(nonce), additionalData: unshared(additionalData) }
  }

  async seal(nonce: Uint8Array, additionalData: Uint8Array, plaintext: Uint8Array): Promise<Bytes> {
    const params = this.#params(nonce, additionalData)
    return new Uint8Array(await crypto.subtle.encrypt(params, this.#key, unshared(plaintext)))
  }

  async open(nonce: Uint8Array, additionalData: Uint8Array, ciphertext: Uint8Array): Promise<Bytes> {
    const params = this.#params(nonce, additionalData)
    try {
      return new Uint8Array(await crypto.subtle.decrypt(params, this.#key, unshared(ciphertext)))
    } catch (cause) {
      throw new TsunagiError('DECRYPTION_FAILED', 'The data was altered, cut, or encrypted with another key.', {
        cause,
      })
    }
  }
}

class HkdfKey implements DerivationKey {
  readonly #key: CryptoKey

  constructor(key: CryptoKey) {
    this.#key = key
  }

  #params(salt: Uint8Array, info: Uint8Array): HkdfParams {
    return { name: 'HKDF', hash: 'SHA-256', salt: unshared(salt), info: unshared(info) }
  }

  async derive(salt: Uint8Array, info: Uint8Array, length: number): Promise<Bytes> {
    requireWhole('The number of derived bytes', length, 1, MOST_DERIVED)
    return new Uint8Array(await crypto.subtle.deriveBits(this.#params(salt, info), this.#key, length * 8))
  }

  async trafficKey(salt: Uint8Array, info: Uint8Array): Promise<TrafficKey> {
    const type = { name: 'AES-GCM', length: KEY_LENGTH * 8 }
    return new AesGcmKey(await crypto.subtle.deriveKey(this.#params(salt, info), this.#key, type, false, TRAFFIC))
  }
}

export const symmetric = {
  /** @throws TsunagiError INVALID_ARGUMENT above 65,536 bytes */
  randomBytes(length: number): Bytes {
    requireWhole('The number of random bytes', length, 0, MOST_RANDOM)
    return crypto.getRandomValues(new Uint8Array(length))
  },

  async sha256(data: Uint8Array): Promise<Bytes> {
    return new Uint8Array(await crypto.subtle.digest('SHA-256', unshared(data)))
  },

  async derivationKey(secret: Uint8Array): Promise<DerivationKey> {
    const usages = ['deriveBits', 'deriveKey'] as const
    return new HkdfKey(await crypto.subtle.importKey('raw', unshared(secret), 'HKDF', false, usages))
  },

  async pbkdf2(secret: Uint8Array, salt: Uint8Array, rounds: number): Promise<Bytes> {
    requireWhole('The number of rounds', rounds, 1, 0xffff_ffff)
    const params = { name: 'PBKDF2', hash: 'SHA-256', salt: unshared(salt), iterations: rounds }
    const key = await crypto.subtle.importKey('raw', unshared(secret), 'PBKDF2', false, ['deriveBits'])
    return new Uint8Array(await crypto.subtle.deriveBits(params, key, KEY_LENGTH * 8))
  },

  async hmac(key: Uint8Array, data: Uint8Array): Promise<Bytes> {
    return new Uint8Array(await crypto.subtle.sign('HMAC', await hmacKey(key, 'sign'), unshared(data)))
  },

  async verifyHmac(key: Uint8Array, mac: Uint8Array, data: Uint8Array): Promise<boolean> {
    return crypto.subtle.verify('HMAC', await hmacKey(key, 'verify'), unshared(mac), unshared(data))
  },
} satisfies Partial<CryptoProvider>

/** An AES-256-GCM key of these 32 bytes, for known answers. @throws TsunagiError INVALID_ARGUMENT where they are not 32 */
export async function trafficKeyFrom(key: Uint8Array): Promise<TrafficKey> {
  if (key.length !== KEY_LENGTH)
    throw new TsunagiError('INVALID_ARGUMENT', `A traffic key must be ${KEY_LENGTH} bytes.`)
  return new AesGcmKey(await crypto.subtle.importKey('raw', unshared(key), 'AES-GCM', false, TRAFFIC))
}
