/** What the core is given by its host (P5): clock, randomness, cryptography, sockets. Links have ports of their own. */
import type { Bytes } from './wire/bytes.ts'

export interface Clock {
  /** Milliseconds since 1970. */
  now(): number
  /** Calls `action` once after at least `delay` milliseconds; the returned function cancels it. */
  after(delay: number, action: () => void): () => void
}

/** An Ed25519 key that signs; the private half never leaves its provider (SPEC §2). */
export interface SigningKey {
  readonly publicKey: Bytes
  sign(data: Uint8Array): Promise<Bytes>
}

/** An X25519 key pair for one handshake. */
export interface EphemeralKey {
  readonly publicKey: Bytes
  /** @throws TsunagiError INVALID_FORMAT where the peer's key is not 32 bytes or the result is all zero (RFC 7748 §6.1) */
  agree(peerPublicKey: Uint8Array): Promise<Bytes>
}

/** A peer's introduction key pair: opens what others sealed to it (HPKE, RFC 9180). */
export interface IntroductionKey {
  readonly publicKey: Bytes
  /** @throws TsunagiError DECRYPTION_FAILED */
  open(info: Uint8Array, sealed: Uint8Array): Promise<Bytes>
}

/** An AES-256-GCM key for one direction and epoch. */
export interface TrafficKey {
  seal(nonce: Uint8Array, additionalData: Uint8Array, plaintext: Uint8Array): Promise<Bytes>
  /** @throws TsunagiError DECRYPTION_FAILED */
  open(nonce: Uint8Array, additionalData: Uint8Array, ciphertext: Uint8Array): Promise<Bytes>
}

/** A secret that others are derived from by HKDF-SHA256 (RFC 5869). */
export interface DerivationKey {
  /** `length` in bytes, 1 to 8160. */
  derive(salt: Uint8Array, info: Uint8Array, length: number): Promise<Bytes>
  /** The key of the 32 bytes that derive() gives. */
  trafficKey(salt: Uint8Array, info: Uint8Array): Promise<TrafficKey>
}

export interface CryptoProvider {
  readonly name: 'webcrypto' | 'noble'
  randomBytes(length: number): Bytes
  sha256(data: Uint8Array): Promise<Bytes>
  derivationKey(secret: Uint8Array): Promise<DerivationKey>
  /** PBKDF2-HMAC-SHA256 (RFC 8018), 32 bytes. */
  pbkdf2(secret: Uint8Array, salt: Uint8Array, rounds: number): Promise<Bytes>
  hmac(key: Uint8Array, data: Uint8Array): Promise<Bytes>
  /** Constant-time. */
  verifyHmac(key: Uint8Array, mac: Uint8Array, data: Uint8Array): Promise<boolean>
  generateSigningKey(): Promise<SigningKey>
  generateEphemeralKey(): Promise<EphemeralKey>
  generateIntroductionKey(): Promise<IntroductionKey>
  /** Strict Ed25519 (RFC 8032 §5.1.7; small-order keys and non-canonical S are refused). Malformed input gives false. */
  verify(publicKey: Uint8Array, signature: Uint8Array, data: Uint8Array): Promise<boolean>
  /**
   * HPKE base mode, X25519, HKDF-SHA256, AES-256-GCM: `enc(32) ‖ ciphertext`.
   * @throws TsunagiError INVALID_FORMAT where the key is not 32 bytes or of small order
   */
  seal(introductionKey: Uint8Array, info: Uint8Array, plaintext: Uint8Array): Promise<Bytes>
}

/** A message socket to the signaling server; `WebSocket` behind three callbacks. */
export interface Socket {
  send(data: Bytes): void
  /** Bytes handed to send() that have not left yet. */
  readonly bufferedAmount: number
  close(code?: number, reason?: string): void
}
export interface SocketEvents {
  open(): void
  message(data: Bytes): void
  /** Called once, also where the socket never opened. `code` is the WebSocket close code. */
  close(code: number, reason: string): void
}
export type OpenSocket = (url: string, events: SocketEvents) => Socket
