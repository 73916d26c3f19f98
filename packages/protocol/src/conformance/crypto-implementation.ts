import type { CryptoProvider, EphemeralKey, IntroductionKey, SigningKey, TrafficKey } from '../ports.ts'
import type { Bytes } from '../wire/bytes.ts'
import type { ConformanceCase } from './case.ts'

/** A provider with keys that outlive the page and, for known answers, keys made of given bytes. */
export interface StorableProvider extends CryptoProvider {
  /** What comes out is opaque, but a plain object; the private half cannot be read from it. */
  storeSigningKey(key: SigningKey): Promise<unknown>
  restoreSigningKey(stored: unknown): Promise<SigningKey>
  storeIntroductionKey(key: IntroductionKey): Promise<unknown>
  restoreIntroductionKey(stored: unknown): Promise<IntroductionKey>
  signingKeyFrom(seed: Uint8Array, publicKey: Uint8Array): Promise<SigningKey>
  ephemeralKeyFrom(secret: Uint8Array): Promise<EphemeralKey>
  introductionKeyFrom(secret: Uint8Array): Promise<IntroductionKey>
  trafficKeyFrom(key: Uint8Array): Promise<TrafficKey>
}

export interface CryptoImplementation {
  readonly provider: StorableProvider
  /** What `provider` must agree with; the same one again proves less. */
  readonly other: StorableProvider
  /** What a store gives back for a key put into it: a structured clone. */
  keep(stored: unknown): Promise<unknown>
}

export type CryptoCase = ConformanceCase<CryptoImplementation>

/** Copies with one bit changed, the highest of a byte, once for each byte: in a curve's key that is the bit that is easy to lose. */
export function* altered(bytes: Uint8Array): Generator<Bytes> {
  for (let i = 0; i < bytes.length; i++) {
    const copy = new Uint8Array(bytes)
    copy[i] = (copy[i] as number) ^ 0x80
    yield copy
  }
}

/** Copies that are empty, one byte shorter and one byte longer. */
export function wrongLengths(bytes: Uint8Array): Bytes[] {
  const longer = new Uint8Array(bytes.length + 1)
  longer.set(bytes)
  return [new Uint8Array(0), new Uint8Array(bytes.subarray(0, -1)), longer]
}
