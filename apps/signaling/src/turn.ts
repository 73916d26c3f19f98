/**
 * Credentials for a TURN server that shares a secret with this one, such as coturn with `use-auth-secret`: the user name is
 * `expiry:fingerprint`, in seconds since 1970, and the password its HMAC-SHA1 under the secret. coturn counts its user
 * quota by user name, and so do we by key: see turnPerHour.
 */
import { createHmac } from 'node:crypto'
import { type Bytes, fingerprintOf, type IceServer, peerIdOf } from '@tsunagi/protocol/signaling'

export interface TurnOptions {
  /** coturn's `static-auth-secret`. */
  readonly secret: string
  /** Like `turn:turn.example:3478?transport=udp`. */
  readonly urls: readonly string[]
}

/**
 * @param lifetime milliseconds
 * @param now milliseconds since 1970
 */
export function turnServer({ secret, urls }: TurnOptions, publicKey: Bytes, lifetime: number, now: number): IceServer {
  const expiry = Math.floor((now + lifetime) / 1_000)
  const username = `${expiry}:${fingerprintOf(peerIdOf(publicKey))}`
  const credential = createHmac('sha1', secret).update(username).digest('base64')
  return { urls: [...urls], username, credential }
}
