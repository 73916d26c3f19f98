/** Keys as IndexedDB keeps them: the private half is never there in the clear, and no script can read it out. */
import * as v from 'valibot'
import { TsunagiError } from '../errors.ts'
import type { CryptoProvider, IntroductionKey, SigningKey } from '../ports.ts'
import { type Bytes, concat, utf8 } from '../wire/bytes.ts'
import { unshared } from './symmetric.ts'

const key = v.custom<Bytes>((value) => value instanceof Uint8Array && value.length === 32)
const cryptoKey = v.custom<CryptoKey>((value) => value instanceof CryptoKey)

const storedKey = v.variant('form', [
  /** A non-extractable key of WebCrypto itself. */
  v.strictObject({ form: v.literal('native'), publicKey: key, privateKey: cryptoKey }),
  /** Seed or scalar of a key in JavaScript, encrypted with a non-extractable AES-256-GCM key of its own. */
  v.strictObject({
    form: v.literal('wrapped'),
    publicKey: key,
    wrappingKey: cryptoKey,
    nonce: v.instance(Uint8Array<ArrayBuffer>),
    secret: v.instance(Uint8Array<ArrayBuffer>),
  }),
])
/** Opaque outside the providers; made to be cloned into IndexedDB. */
export type StoredKey = v.InferOutput<typeof storedKey>
export type WrappedKey = Extract<StoredKey, { form: 'wrapped' }>

export type KeyPurpose = 'signing' | 'introduction'

/** A provider whose long-lived keys outlive the page. */
export interface StorableCrypto extends CryptoProvider {
  /** @throws TsunagiError INVALID_ARGUMENT where another provider made the key */
  storeSigningKey(key: SigningKey): Promise<StoredKey>
  /** @throws TsunagiError INVALID_FORMAT where `stored` is damaged, NOT_SUPPORTED where this provider cannot use it */
  restoreSigningKey(stored: unknown): Promise<SigningKey>
  /** @throws TsunagiError INVALID_ARGUMENT where another provider made the key */
  storeIntroductionKey(key: IntroductionKey): Promise<StoredKey>
  /** @throws TsunagiError INVALID_FORMAT where `stored` is damaged, NOT_SUPPORTED where this provider cannot use it */
  restoreIntroductionKey(stored: unknown): Promise<IntroductionKey>
}

export function damagedKey(cause?: unknown): TsunagiError {
  return new TsunagiError('INVALID_FORMAT', 'The stored key is damaged: clear the data of this site to start anew.', {
    cause,
  })
}

export function foreignKey(): TsunagiError {
  return new TsunagiError('INVALID_ARGUMENT', 'Another crypto provider made this key; only that one can store it.')
}

/** @throws TsunagiError INVALID_FORMAT */
export function parseStoredKey(stored: unknown): StoredKey {
  const result = v.safeParse(storedKey, stored)
  if (!result.success) throw damagedKey(result.issues)
  return result.output
}

/** Binds a wrapped secret to its use and public half, so that records cannot be swapped for each other. */
function wrapParams(purpose: KeyPurpose, publicKey: Bytes, nonce: Bytes): AesGcmParams {
  return { name: 'AES-GCM', iv: nonce, additionalData: concat(utf8(`tsunagi ${purpose} key`), publicKey) }
}

export async function wrapSecret(purpose: KeyPurpose, publicKey: Bytes, secret: Uint8Array): Promise<WrappedKey> {
  const wrappingKey = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt'])
  const nonce = crypto.getRandomValues(new Uint8Array(12))
  const params = wrapParams(purpose, publicKey, nonce)
  const sealed = await crypto.subtle.encrypt(params, wrappingKey, unshared(secret))
  return { form: 'wrapped', publicKey, wrappingKey, nonce, secret: new Uint8Array(sealed) }
}

/** @throws TsunagiError INVALID_FORMAT */
export async function unwrapSecret(purpose: KeyPurpose, stored: WrappedKey): Promise<Bytes> {
  const params = wrapParams(purpose, stored.publicKey, stored.nonce)
  try {
    return new Uint8Array(await crypto.subtle.decrypt(params, stored.wrappingKey, stored.secret))
  } catch (cause) {
    throw damagedKey(cause)
  }
}
