/** UUIDv4 (RFC 9562 §5.4) as 16 bytes on the wire and as text for people. */
import type { Bytes } from './bytes.ts'

/** @param random 16 random bytes, which are overwritten in the version and variant bits */
export function uuidV4(random: Bytes): Bytes {
  random[6] = ((random[6] as number) & 0x0f) | 0x40
  random[8] = ((random[8] as number) & 0x3f) | 0x80
  return random
}

export function isUuidV4(bytes: Uint8Array): boolean {
  return bytes.length === 16 && (bytes[6] as number) >> 4 === 4 && (bytes[8] as number) >> 6 === 2
}

export function uuidText(bytes: Uint8Array): string {
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

/** @param text as uuidText() gives it */
export function uuidBytes(text: string): Bytes {
  const hex = text.replaceAll('-', '')
  return Uint8Array.from({ length: 16 }, (_, i) => Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16))
}
