/** The provider on the host's own Ed25519 and X25519: several times faster than JavaScript, keys that no script can read. */
import { TsunagiError } from '../errors.ts'
import type { EphemeralKey, IntroductionKey, SigningKey, TrafficKey } from '../ports.ts'
import { type Bytes, concat, equalBytes, utf8 } from '../wire/bytes.ts'
import { open, seal } from './hpke.ts'
import {
  damagedKey,
  foreignKey,
  parseStoredKey,
  type StorableCrypto,
  type StoredKey,
  unwrapSecret,
} from './stored-key.ts'
import { isStrict } from './strict-signature.ts'
import { requireWebCrypto, symmetric, trafficKeyFrom, unshared } from './symmetric.ts'

type Curve = 'Ed25519' | 'X25519'

/** Two for each open session; a stranger's frames can only push keys out, which costs one import each. */
const CACHED_KEYS = 64
/** u = 9 (RFC 7748 §4.1). */
const BASE_POINT = Uint8Array.from({ length: 32 }, (_, i) => (i === 0 ? 9 : 0))
/** PKCS #8 around a 32-byte private key: last byte of the object identifier 1.3.101.x (RFC 8410 §3). */
const OBJECT_IDENTIFIER: Record<Curve, number> = { Ed25519: 112, X25519: 110 }

function importPublic(curve: Curve, publicKey: Uint8Array): Promise<CryptoKey> {
  return crypto.subtle.importKey('raw', unshared(publicKey), curve, true, curve === 'Ed25519' ? ['verify'] : [])
}

async function exportPublic(key: CryptoKey): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.exportKey('raw', key))
}

async function importPrivate(curve: Curve, secret: Uint8Array): Promise<CryptoKey> {
  if (secret.length !== 32) throw damagedKey()
  const header = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, OBJECT_IDENTIFIER[curve], 4, 0x22, 4, 0x20]
  const usage = curve === 'Ed25519' ? 'sign' : 'deriveBits'
  return crypto.subtle.importKey('pkcs8', concat(new Uint8Array(header), secret), curve, false, [usage])
}

async function agree(privateKey: CryptoKey, publicKey: Uint8Array): Promise<Bytes> {
  return new Uint8Array(
    await crypto.subtle.deriveBits(
      { name: 'X25519', public: await importPublic('X25519', publicKey) },
      privateKey,
      256,
    ),
  )
}

class WebCryptoSigningKey implements SigningKey {
  readonly publicKey: Bytes
  readonly #privateKey: CryptoKey

  constructor(publicKey: Bytes, privateKey: CryptoKey) {
    this.publicKey = publicKey
    this.#privateKey = privateKey
  }

  async sign(data: Uint8Array): Promise<Bytes> {
    return new Uint8Array(await crypto.subtle.sign('Ed25519', this.#privateKey, unshared(data)))
  }

  toStored(): StoredKey {
    return { form: 'native', publicKey: this.publicKey, privateKey: this.#privateKey }
  }
}

class WebCryptoEphemeralKey implements EphemeralKey {
  readonly publicKey: Bytes
  readonly #privateKey: CryptoKey

  constructor(publicKey: Bytes, privateKey: CryptoKey) {
    this.publicKey = publicKey
    this.#privateKey = privateKey
  }

  async agree(peerPublicKey: Uint8Array): Promise<Bytes> {
    let secret: Bytes
    try {
      secret = await agree(this.#privateKey, peerPublicKey)
    } catch (cause) {
      throw new TsunagiError('INVALID_FORMAT', 'The other side sent a key that is no X25519 key.', { cause })
    }
    // Hosts should refuse this themselves; not all did from the start.
    if (secret.every((byte) => byte === 0))
      throw new TsunagiError('INVALID_FORMAT', 'The other side sent a key of small order.')
    return secret
  }
}

class WebCryptoIntroductionKey extends WebCryptoEphemeralKey implements IntroductionKey {
  readonly #privateKey: CryptoKey

  constructor(publicKey: Bytes, privateKey: CryptoKey) {
    super(publicKey, privateKey)
    this.#privateKey = privateKey
  }

  open(info: Uint8Array, sealed: Uint8Array): Promise<Bytes> {
    return open(this, info, sealed)
  }

  toStored(): StoredKey {
    return { form: 'native', publicKey: this.publicKey, privateKey: this.#privateKey }
  }
}

/** Imported verification keys, the least recently used goes first. A key that the host refuses is not kept. */
class VerificationKeys {
  readonly #keys = new Map<string, CryptoKey>()

  async get(publicKey: Uint8Array): Promise<CryptoKey> {
    const name = String.fromCharCode(...publicKey)
    const key = this.#keys.get(name) ?? (await importPublic('Ed25519', publicKey))
    this.#keys.delete(name)
    this.#keys.set(name, key)
    if (this.#keys.size > CACHED_KEYS) this.#keys.delete(this.#keys.keys().next().value as string)
    return key
  }
}

async function generatePair(curve: Curve): Promise<CryptoKeyPair> {
  const usages: KeyUsage[] = curve === 'Ed25519' ? ['sign', 'verify'] : ['deriveBits']
  return (await crypto.subtle.generateKey(curve, false, usages)) as CryptoKeyPair
}

/** @throws TsunagiError INVALID_FORMAT where the halves of the pair do not belong together */
async function restoredSigningKey(publicKey: Bytes, privateKey: CryptoKey): Promise<SigningKey> {
  const sample = utf8('tsunagi: do these two halves belong together?')
  try {
    const signature = await crypto.subtle.sign('Ed25519', privateKey, sample)
    const verified = await crypto.subtle.verify('Ed25519', await importPublic('Ed25519', publicKey), signature, sample)
    if (verified) return new WebCryptoSigningKey(publicKey, privateKey)
  } catch (cause) {
    throw damagedKey(cause)
  }
  throw damagedKey()
}

/**
 * Keys from their secret halves, for known-answer tests and for keys that another provider wrapped.
 * @throws TsunagiError INVALID_FORMAT where a half is not 32 bytes or not the half of the other
 */
export interface SecretImport {
  /** RFC 8032 §5.1.5. */
  signingKeyFrom(seed: Uint8Array, publicKey: Uint8Array): Promise<SigningKey>
  /** RFC 7748 §5: the secret is clamped on use. */
  ephemeralKeyFrom(secret: Uint8Array): Promise<EphemeralKey>
  /** RFC 7748 §5: the secret is clamped on use. */
  introductionKeyFrom(secret: Uint8Array): Promise<IntroductionKey>
  /** @throws TsunagiError INVALID_ARGUMENT where the key is not 32 bytes */
  trafficKeyFrom(key: Uint8Array): Promise<TrafficKey>
}

/** @throws TsunagiError NOT_SUPPORTED where the host has no WebCrypto; its keys fail where it lacks Ed25519 or X25519 */
export function createWebCryptoProvider(): StorableCrypto & SecretImport {
  requireWebCrypto()
  const verificationKeys = new VerificationKeys()

  async function introductionKey(privateKey: CryptoKey): Promise<IntroductionKey> {
    return new WebCryptoIntroductionKey(await agree(privateKey, BASE_POINT), privateKey)
  }

  async function generateEphemeralKey(): Promise<EphemeralKey> {
    const pair = await generatePair('X25519')
    return new WebCryptoEphemeralKey(await exportPublic(pair.publicKey), pair.privateKey)
  }

  async function signingKeyFrom(seed: Uint8Array, publicKey: Uint8Array): Promise<SigningKey> {
    return restoredSigningKey(new Uint8Array(publicKey), await importPrivate('Ed25519', seed))
  }

  return {
    ...symmetric,
    name: 'webcrypto',
    signingKeyFrom,
    trafficKeyFrom,
    generateEphemeralKey,

    async generateSigningKey() {
      const pair = await generatePair('Ed25519')
      return new WebCryptoSigningKey(await exportPublic(pair.publicKey), pair.privateKey)
    },

    async generateIntroductionKey() {
      const pair = await generatePair('X25519')
      return new WebCryptoIntroductionKey(await exportPublic(pair.publicKey), pair.privateKey)
    },

    async seal(introductionKey, info, plaintext) {
      return seal(await generateEphemeralKey(), introductionKey, info, plaintext)
    },

    async verify(publicKey, signature, data) {
      if (!isStrict(publicKey, signature)) return false
      try {
        const key = await verificationKeys.get(publicKey)
        return await crypto.subtle.verify('Ed25519', key, unshared(signature), unshared(data))
      } catch {
        // Some hosts answer a key that is no point of the curve with an error, at import or here.
        return false
      }
    },

    async ephemeralKeyFrom(secret) {
      const privateKey = await importPrivate('X25519', secret)
      return new WebCryptoEphemeralKey(await agree(privateKey, BASE_POINT), privateKey)
    },

    async introductionKeyFrom(secret) {
      return introductionKey(await importPrivate('X25519', secret))
    },

    async storeSigningKey(key) {
      if (!(key instanceof WebCryptoSigningKey)) throw foreignKey()
      return key.toStored()
    },

    async restoreSigningKey(stored) {
      const record = parseStoredKey(stored)
      if (record.form === 'native') return restoredSigningKey(record.publicKey, record.privateKey)
      return signingKeyFrom(await unwrapSecret('signing', record), record.publicKey)
    },

    async storeIntroductionKey(key) {
      if (!(key instanceof WebCryptoIntroductionKey)) throw foreignKey()
      return key.toStored()
    },

    async restoreIntroductionKey(stored) {
      const record = parseStoredKey(stored)
      let key: IntroductionKey
      try {
        key = await introductionKey(
          record.form === 'native'
            ? record.privateKey
            : await importPrivate('X25519', await unwrapSecret('introduction', record)),
        )
      } catch (cause) {
        throw damagedKey(cause)
      }
      if (!equalBytes(key.publicKey, record.publicKey)) throw damagedKey()
      return key
    },
  }
}
