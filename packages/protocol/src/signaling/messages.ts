/** The signaling wire: `type(1) ‖ body`, what a join proves, and what a mesh is called (SPEC §10). */
import { TsunagiError } from '../errors.ts'
import { PROTOCOL } from '../limits.ts'
import { SIGNALING_TYPES, type SignalingPayload, type SignalingType, signalingPayloads } from '../messages.ts'
import type { CryptoProvider } from '../ports.ts'
import { type Bytes, concat, lengthPrefixed, utf8 } from '../wire/bytes.ts'
import { decodeAs, encodeCbor } from '../wire/cbor.ts'

type Encoded = keyof typeof signalingPayloads

/** A decoded signaling message. `publicKey` of a relay is its addressee on the way up and its sender on the way down. */
export type SignalingMessage =
  | { [T in Encoded]: { readonly type: T; readonly payload: SignalingPayload<T> } }[Encoded]
  | { readonly type: 'relay'; readonly publicKey: Bytes; readonly payload: Bytes }
  | { readonly type: 'ping' | 'pong'; readonly payload: Bytes }

/** Bytes of a relay before its payload: type and key. */
export const RELAY_HEAD = 33
const MAX_PING = 16

const typeNames = new Map<number, SignalingType>(
  (Object.entries(SIGNALING_TYPES) as [SignalingType, number][]).map(([name, number]) => [number, name]),
)

export function encodeSignaling(message: SignalingMessage): Bytes {
  const type = new Uint8Array([SIGNALING_TYPES[message.type]])
  switch (message.type) {
    case 'relay':
      return concat(type, message.publicKey, message.payload)
    case 'ping':
    case 'pong':
      return concat(type, message.payload)
    default:
      return concat(type, encodeCbor(message.payload))
  }
}

/** Views into `bytes`, no copies. @throws TsunagiError INVALID_FORMAT, MISSING_FIELDS, MESSAGE_TOO_LARGE */
export function decodeSignaling(bytes: Bytes): SignalingMessage {
  if (bytes.length > PROTOCOL.maxSignaling) {
    throw new TsunagiError(
      'MESSAGE_TOO_LARGE',
      `A signaling message has ${bytes.length} bytes, at most ${PROTOCOL.maxSignaling} are allowed.`,
    )
  }
  const type = typeNames.get(bytes[0] ?? 0)
  if (type === undefined) throw new TsunagiError('INVALID_FORMAT', 'A signaling message has an unknown type.')
  switch (type) {
    case 'relay':
      if (bytes.length <= RELAY_HEAD) throw new TsunagiError('INVALID_FORMAT', 'A relay has no payload.')
      return { type, publicKey: bytes.subarray(1, RELAY_HEAD), payload: bytes.subarray(RELAY_HEAD) }
    case 'ping':
    case 'pong':
      if (bytes.length > 1 + MAX_PING)
        throw new TsunagiError('INVALID_FORMAT', `A ${type} carries at most ${MAX_PING} bytes.`)
      return { type, payload: bytes.subarray(1) }
    default:
      return { type, payload: decodeAs(signalingPayloads[type], bytes.subarray(1), type) } as SignalingMessage
  }
}

/**
 * What a join's signature covers. `origin` is the server as the peer addressed it (`ws://host:port`), so that a server
 * cannot pass another server's challenge on and join there as the peer.
 */
export function signalingProof(
  challenge: Uint8Array,
  join: Pick<SignalingPayload<'join'>, 'origin' | 'mesh_id' | 'public_key' | 'presence'>,
): Bytes {
  return lengthPrefixed(
    utf8(`tsunagi/${PROTOCOL.version}/signaling-join`),
    challenge,
    utf8(join.origin),
    join.mesh_id,
    join.public_key,
    join.presence,
  )
}

/** Bytes a relay message adds to the frame in it: type, key, encapsulated key and tag (RFC 9180). */
export const RELAY_OVERHEAD = RELAY_HEAD + 32 + 16

/** HPKE `info` of a relayed frame: sealed for one recipient in one mesh, it opens only as the named sender's. */
export function relayInfo(meshId: Uint8Array, sender: Uint8Array, recipient: Uint8Array): Bytes {
  return lengthPrefixed(utf8(`tsunagi/${PROTOCOL.version}/signaling-relay`), meshId, sender, recipient)
}

export interface MeshKeys {
  /** What the server knows the mesh by, 32 bytes. */
  readonly meshId: Bytes
  /** Mixed into every handshake; 32 bytes derived from the secret, empty where the mesh has none. */
  readonly meshSecret: Bytes
}

/** The mesh id is a hash of name and secret; without the secret neither id nor handshake key can be computed. */
export async function deriveMesh(crypto: CryptoProvider, name: string, secret: string | undefined): Promise<MeshKeys> {
  const domain = `tsunagi/${PROTOCOL.version}/mesh`
  if (secret === undefined) {
    return { meshId: await crypto.sha256(lengthPrefixed(utf8(domain), utf8(name))), meshSecret: new Uint8Array() }
  }
  const stretched = await crypto.pbkdf2(
    utf8(secret),
    lengthPrefixed(utf8(domain), utf8(name)),
    PROTOCOL.meshSecretRounds,
  )
  const key = await crypto.derivationKey(stretched)
  const derive = (purpose: string) => key.derive(new Uint8Array(), utf8(`${domain}/${purpose}`), 32)
  return { meshId: await derive('id'), meshSecret: await derive('secret') }
}
