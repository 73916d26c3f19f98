import { expect, test } from 'vitest'
import { createWebCryptoProvider } from '../crypto/index.ts'
import type { Bytes } from '../wire/bytes.ts'
import { KeySchedule } from './key-schedule.ts'
import { Transcript } from './transcript.ts'

const crypto = createWebCryptoProvider()
const bytes = (...values: number[]): Bytes => Uint8Array.from(values)

async function hashOf(initiator: Bytes, responder: Bytes, handshake: Bytes, ...parts: Bytes[]): Promise<string> {
  const transcript = new Transcript(crypto, initiator, responder, handshake)
  for (const part of parts) transcript.add(part)
  return (await transcript.hash()).toString()
}

test('two transcripts have one hash only where every part is the same, in its place and role', async () => {
  const [a, b] = [crypto.randomBytes(32), crypto.randomBytes(32)]
  const hashes = await Promise.all([
    hashOf(a, b, bytes(1, 2), bytes(3)),
    hashOf(b, a, bytes(1, 2), bytes(3)),
    hashOf(a, crypto.randomBytes(32), bytes(1, 2), bytes(3)),
    hashOf(crypto.randomBytes(32), b, bytes(1, 2), bytes(3)),
    hashOf(a, b, bytes(1, 3), bytes(3)),
    hashOf(a, b, bytes(1, 2), bytes(4)),
    // The same bytes, divided otherwise.
    hashOf(a, b, bytes(1), bytes(2, 3)),
    hashOf(a, b, bytes(1, 2, 3)),
    hashOf(a, b, bytes(1, 2), bytes(3), bytes()),
  ])
  expect(new Set(hashes).size).toBe(hashes.length)
  expect(await hashOf(a, b, bytes(1, 2), bytes(3))).toBe(hashes[0])
})

test('keys differ by purpose, by role, by transcript and by mesh secret', async () => {
  const [ours, theirs] = [await crypto.generateEphemeralKey(), await crypto.generateEphemeralKey()]
  const schedule = (secret: Bytes) => KeySchedule.agree(crypto, ours, theirs.publicKey, secret)
  const [none, zeros, ones] = await Promise.all([
    schedule(bytes()),
    schedule(new Uint8Array(32)),
    schedule(new Uint8Array(32).fill(1)),
  ])
  const keys = await Promise.all([
    none.confirmKey('initiator', bytes(1)),
    none.confirmKey('responder', bytes(1)),
    none.confirmKey('initiator', bytes(2)),
    zeros.confirmKey('initiator', bytes(1)),
    ones.confirmKey('initiator', bytes(1)),
  ])
  expect(new Set(keys.map(String)).size).toBe(keys.length)
})
