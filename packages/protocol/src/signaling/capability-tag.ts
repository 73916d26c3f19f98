import { PROTOCOL } from '../limits.ts'
import type { CryptoProvider } from '../ports.ts'
import { type Bytes, lengthPrefixed, utf8 } from '../wire/bytes.ts'
import type { MeshKeys } from './messages.ts'

/**
 * What the server knows a capability by, 32 bytes: a hash keyed with the mesh secret, so that it learns no names and cannot
 * compare meshes. A mesh without a secret is open to whoever guesses its name, and so are its tags.
 */
export function capabilityTag(crypto: CryptoProvider, mesh: MeshKeys, name: string): Promise<Bytes> {
  const key = mesh.meshSecret.length > 0 ? mesh.meshSecret : mesh.meshId
  return crypto.hmac(key, lengthPrefixed(utf8(`tsunagi/${PROTOCOL.version}/capability-tag`), utf8(name)))
}
