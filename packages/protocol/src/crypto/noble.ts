/** The provider for hosts whose WebCrypto lacks Ed25519 or X25519, or cannot store their keys: the curves in JavaScript. */
import { ed25519, x25519 } from '@noble/curves/ed25519.js'
import { bytesToNumberLE } from '@noble/curves/utils.js'
import { TsunagiError } from '../errors.ts'
import type { EphemeralKey, IntroductionKey, SigningKey } from '../ports.ts'
import { type Bytes, concat, equalBytes } from '../wire/bytes.ts'
import { open, seal } from './hpke.ts'
import {
  damagedKey,
  foreignKey,
  type KeyPurpose,
  parseStoredKey,
  type StorableCrypto,
  type StoredKey,
  unwrapSecret,
  wrapSecret,
} from './stored-key.ts'
import { isStrict } from './strict-signature.ts'
import { requireWebCrypto, symmetric, trafficKeyFrom } from './symmetric.ts'
import type { SecretImport } from './webcrypto.ts'

const { Point } = ed25519

class NobleSigningKey implements SigningKey {
  readonly publicKey: Bytes
  readonly #seed: Uint8Array

  constructor(seed: Uint8Array) {
    this.publicKey = ed25519.getPublicKey(seed)
    this.#seed = seed
  }

  async sign(data: Uint8Array): Promise<Bytes> {
    return ed25519.sign(data, this.#seed)
  }

  toStored(): Promise<StoredKey> {
    return wrapSecret('signing', this.publicKey, this.#seed)
  }
}

class NobleEphemeralKey implements EphemeralKey {
  readonly publicKey: Bytes
  readonly #secret: Uint8Array

  constructor(secret: Uint8Array) {
    this.publicKey = x25519.getPublicKey(secret)
    this.#secret = secret
  }

  async agree(peerPublicKey: Uint8Array): Promise<Bytes> {
    try {
      return x25519.getSharedSecret(this.#secret, peerPublicKey)
    } catch (cause) {
      throw new TsunagiError('INVALID_FORMAT', 'The other side sent a key that is no X25519 key.', { cause })
    }
  }
}

class NobleIntroductionKey extends NobleEphemeralKey implements IntroductionKey {
  readonly #secret: Uint8Array

  constructor(secret: Uint8Array) {
    super(secret)
    this.#secret = secret
  }

  open(info: Uint8Array, sealed: Uint8Array): Promise<Bytes> {
    return open(this, info, sealed)
  }

  toStored(): Promise<StoredKey> {
    return wrapSecret('introduction', this.publicKey, this.#secret)
  }
}

/**
 * Checks [S]B = R + [k]A as WebCrypto's hosts do. The library's own verify() multiplies both sides by eight, which RFC 8032
 * §5.1.7 also allows: by a key made for it, two peers could then disagree about one signature.
 */
async function satisfiesEquation(publicKey: Uint8Array, signature: Uint8Array, data: Uint8Array): Promise<boolean> {
  const encodedR = signature.subarray(0, 32)
  const hash = await crypto.subtle.digest('SHA-512', concat(encodedR, publicKey, data))
  const k = Point.Fn.create(bytesToNumberLE(new Uint8Array(hash)))
  const s = bytesToNumberLE(signature.subarray(32))
  const sB = Point.BASE.multiplyUnsafe(s)
  const kA = Point.fromBytes(publicKey).multiplyUnsafe(k)
  return equalBytes(sB.subtract(kA).toBytes(), encodedR)
}

/** @throws TsunagiError INVALID_FORMAT */
function ownSecret(secret: Uint8Array): Bytes {
  if (secret.length !== 32) throw damagedKey()
  return new Uint8Array(secret)
}

async function recoverSecret(purpose: KeyPurpose, stored: unknown): Promise<{ secret: Bytes; publicKey: Bytes }> {
  const record = parseStoredKey(stored)
  if (record.form === 'native')
    throw new TsunagiError(
      'NOT_SUPPORTED',
      'The stored key needs a browser with Ed25519 and X25519: update it, or clear the data of this site to start anew.',
    )
  return { secret: await unwrapSecret(purpose, record), publicKey: record.publicKey }
}

/** @throws TsunagiError NOT_SUPPORTED where the host has no WebCrypto at all */
export function createNobleProvider(): StorableCrypto & SecretImport {
  requireWebCrypto()

  async function introductionKeyFrom(secret: Uint8Array): Promise<IntroductionKey> {
    return new NobleIntroductionKey(ownSecret(secret))
  }

  async function generateEphemeralKey(): Promise<EphemeralKey> {
    return new NobleEphemeralKey(x25519.utils.randomSecretKey())
  }

  async function signingKeyFrom(seed: Uint8Array, publicKey: Uint8Array): Promise<SigningKey> {
    const key = new NobleSigningKey(ownSecret(seed))
    if (!equalBytes(key.publicKey, publicKey)) throw damagedKey()
    return key
  }

  return {
    ...symmetric,
    name: 'noble',
    signingKeyFrom,
    trafficKeyFrom,
    introductionKeyFrom,
    generateEphemeralKey,

    async generateSigningKey() {
      return new NobleSigningKey(ed25519.utils.randomSecretKey())
    },

    generateIntroductionKey() {
      return introductionKeyFrom(x25519.utils.randomSecretKey())
    },

    async seal(introductionKey, info, plaintext) {
      return seal(await generateEphemeralKey(), introductionKey, info, plaintext)
    },

    async verify(publicKey, signature, data) {
      if (!isStrict(publicKey, signature)) return false
      try {
        return await satisfiesEquation(publicKey, signature, data)
      } catch {
        // The key is no point of the curve.
        return false
      }
    },

    async ephemeralKeyFrom(secret) {
      return new NobleEphemeralKey(ownSecret(secret))
    },

    async storeSigningKey(key) {
      if (!(key instanceof NobleSigningKey)) throw foreignKey()
      return key.toStored()
    },

    async restoreSigningKey(stored) {
      const { secret, publicKey } = await recoverSecret('signing', stored)
      return signingKeyFrom(secret, publicKey)
    },

    async storeIntroductionKey(key) {
      if (!(key instanceof NobleIntroductionKey)) throw foreignKey()
      return key.toStored()
    },

    async restoreIntroductionKey(stored) {
      const { secret } = await recoverSecret('introduction', stored)
      return introductionKeyFrom(secret)
    },
  }
}
