/** Joins that must not open the door, each with what it tries. */
import { type Bytes, type CryptoProvider, PROTOCOL, type SigningKey, sealOpenFrame } from '@tsunagi/protocol/signaling'
import { type Join, presenceRecord, signedJoin } from './client.fixture.ts'

export interface Scene {
  readonly crypto: CryptoProvider
  /** The attacker's own. */
  readonly key: SigningKey
  /** Of another peer, whose public traffic the attacker has seen. */
  readonly victim: SigningKey
  /** What the server asked on this socket. */
  readonly challenge: Bytes
  readonly origin: string
  readonly meshId: Bytes
  readonly now: number
}

/** All in order but what `differs` changes before the attacker signs. */
async function join(
  scene: Scene,
  differs: Partial<{ challenge: Bytes; origin: string; presence: Bytes }> = {},
  signer = scene.key,
): Promise<Join> {
  const presence = await presenceRecord(scene.crypto, signer, scene.meshId, scene.now)
  return signedJoin(signer, { ...scene, presence, ...differs })
}

const otherMesh = (meshId: Bytes): Bytes => meshId.map((byte) => byte ^ 1)
const flipLastBit = (bytes: Bytes): Bytes => bytes.map((byte, i) => (i === bytes.length - 1 ? byte ^ 1 : byte))

export const HOSTILE_JOINS: Readonly<Record<string, (scene: Scene) => Promise<Join>>> = {
  "names another's key": async (scene) => {
    const presence = await presenceRecord(scene.crypto, scene.victim, scene.meshId, scene.now)
    const own = await join(scene, { presence })
    return { ...own, public_key: scene.victim.publicKey }
  },
  'replays a join that its owner signed for another challenge': (scene) =>
    join(scene, { challenge: scene.crypto.randomBytes(32) }, scene.victim),
  'passes on a join that its owner signed for another server': (scene) =>
    join(scene, { origin: 'wss://other.example' }, scene.victim),
  'passes on a join for another server under our name': async (scene) => ({
    ...(await join(scene, { origin: 'wss://other.example' }, scene.victim)),
    origin: scene.origin,
  }),
  'moves a signed join to another mesh': async (scene) => ({
    ...(await join(scene)),
    mesh_id: otherMesh(scene.meshId),
  }),
  'changes one bit of the signature': async (scene) => {
    const honest = await join(scene)
    return { ...honest, signature: flipLastBit(honest.signature) }
  },
  'has a key of small order, whose signatures fit any message': async (scene) => {
    const identity = new Uint8Array(32).fill(1, 0, 1)
    return { ...(await join(scene)), public_key: identity, signature: new Uint8Array(64).fill(1, 0, 1) }
  },
  "shows another's presence record": async (scene) =>
    join(scene, { presence: await presenceRecord(scene.crypto, scene.victim, scene.meshId, scene.now) }),
  'shows a presence record for another mesh': async (scene) =>
    join(scene, { presence: await presenceRecord(scene.crypto, scene.key, otherMesh(scene.meshId), scene.now) }),
  'shows a presence record that has expired': async (scene) =>
    join(scene, { presence: await presenceRecord(scene.crypto, scene.key, scene.meshId, scene.now, scene.now) }),
  'shows a presence record for longer than keys live': async (scene) => {
    const notAfter = scene.now + 2 * PROTOCOL.introductionKeyLife + 60_000
    return join(scene, { presence: await presenceRecord(scene.crypto, scene.key, scene.meshId, scene.now, notAfter) })
  },
  'shows a presence record that was altered': async (scene) => {
    const presence = await presenceRecord(scene.crypto, scene.key, scene.meshId, scene.now)
    return join(scene, { presence: flipLastBit(presence) })
  },
  'shows a signed frame of another kind': async (scene) => {
    const presence = await sealOpenFrame(scene.crypto, scene.key, {
      type: 'error',
      recipient: new Uint8Array(32),
      session: new Uint8Array(16),
      timestamp: scene.now,
      payload: { code: 'INVALID_STATE', message: '' },
    })
    return join(scene, { presence })
  },
  'shows no frame at all': (scene) => join(scene, { presence: new Uint8Array(1_024) }),
}
