import type { CryptoProvider } from '../../ports.ts'
import type { Bytes } from '../../wire/bytes.ts'

/** Points of small order on the Montgomery curve (RFC 7748 §6.1): whatever they are multiplied by, the result is zero. */
export const SMALL_ORDER_KEYS: readonly Bytes[] = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
  '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
].map((hex) => new Uint8Array(Buffer.from(hex, 'hex')))

/** Sends such a point as its ephemeral key, and so knows the agreed secret without any key. */
export function withEphemeral(real: CryptoProvider, publicKey: Bytes): CryptoProvider {
  return { ...real, generateEphemeralKey: async () => ({ publicKey, agree: async () => new Uint8Array(32) }) }
}
