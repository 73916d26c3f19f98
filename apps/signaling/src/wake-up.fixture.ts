/** Peers that wake others, and peers that went. */
import type { Bytes, SignalingPayload, SigningKey } from '@tsunagi/protocol/signaling'
import { crypto, type Joined, joined } from './serve.fixture.ts'
import type { SignalingServer } from './server.ts'

type WakeUp = SignalingPayload<'wake_up'>

/** @returns how far the server says that it came */
export async function wakeUp(
  { client }: Pick<Joined, 'client'>,
  target: Bytes,
  wakeUp: Partial<Pick<WakeUp, 'priority' | 'expires' | 'sealed'>> = {},
): Promise<SignalingPayload<'wake_step'>['step']> {
  const wakeId = crypto.randomBytes(16)
  const usual = { priority: 'normal' as const, expires: Date.now() + 600_000, sealed: new Uint8Array(100) }
  client.send({ type: 'wake_up', payload: { wake_id: wakeId, public_key: target, ...usual, ...wakeUp } })
  const { payload } = await client.next('wake_step')
  if (!Buffer.from(wakeId).equals(payload.wake_id)) throw new Error('The answer is to another wake-up.')
  return payload.step
}

/** In a mesh where nobody is told who joins: a sample of none. */
export const QUIET = { sampleSize: 0 }

/** A peer that joined a quiet mesh and went, as `witness` saw. @param before what it does while it is there */
export async function absentee(
  server: SignalingServer,
  witness: Joined,
  before: (peer: Joined) => Promise<void> = async () => undefined,
): Promise<SigningKey> {
  const peer = await joined(server)
  // So that the witness is told when it leaves.
  witness.client.relay(peer.key.publicKey, new Uint8Array(1))
  await peer.client.next('relay')
  await before(peer)
  peer.client.socket.close()
  await witness.client.next('presence')
  return peer.key
}
