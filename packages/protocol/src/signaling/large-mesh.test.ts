/** What a server for many peers says besides: when to come back, who has a capability, new ICE servers. */
import { beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createWebCryptoProvider } from '../crypto/index.ts'
import { LIMITS } from '../limits.ts'
import { FakeClock } from '../liveness/fake-clock.fixture.ts'
import { SIGNALING_CLOSE } from '../messages.ts'
import type { Bytes } from '../wire/bytes.ts'
import { capabilityTag } from './capability-tag.ts'
import { closeReason } from './close-reason.ts'
import { hex, Member, PeerUnderTest } from './mesh-peer.fixture.ts'
import { deriveMesh, type MeshKeys } from './messages.ts'
import { ScriptedServer } from './scripted-server.fixture.ts'

const crypto = createWebCryptoProvider()
let mesh: MeshKeys
let open: MeshKeys
let other: Member
let tag: Bytes
let clock: FakeClock
let server: ScriptedServer
let peer: PeerUnderTest

beforeAll(async () => {
  mesh = await deriveMesh(crypto, 'kitchen', 'a secret')
  open = await deriveMesh(crypto, 'kitchen', undefined)
  other = await Member.create(crypto, mesh)
  tag = await capabilityTag(crypto, mesh, 'sha256')
})

beforeEach(async () => {
  clock = new FakeClock()
  server = new ScriptedServer(clock)
  peer = await PeerUnderTest.create(crypto, mesh, clock, server)
  peer.client.start()
  await server.admit()
  await peer.until('status')
})

describe('a peer that is sent away', () => {
  test('stays away as long as it was asked to, and then comes back with jitter', async () => {
    server.socket.end(SIGNALING_CLOSE.goingAway, closeReason('The server is stopping.', 4_000))
    await peer.until('status', 2)
    clock.advance(3_999)
    expect(server.sockets).toHaveLength(1)
    clock.advance(1 + LIMITS.backoffFirst)
    expect(server.sockets).toHaveLength(2)
  })

  test('comes back at last, whatever the server asked', async () => {
    server.socket.end(SIGNALING_CLOSE.goingAway, closeReason('For ever.', 999_999_999))
    await peer.until('status', 2)
    clock.advance(LIMITS.longestComeBack + LIMITS.backoffFirst)
    expect(server.sockets).toHaveLength(2)
  })

  test.each([
    '',
    'The server is stopping.',
    'retry after soon ms: x',
    'retry after -5 ms: x',
    'not: retry after 9000 ms: x',
  ])('with the reason "%s" comes back by its own back-off', async (reason) => {
    server.socket.end(SIGNALING_CLOSE.goingAway, reason)
    await peer.until('status', 2)
    clock.advance(LIMITS.backoffFirst)
    expect(server.sockets).toHaveLength(2)
  })
})

describe('a tag', () => {
  test('is the same for the members of a mesh and for nobody else', async () => {
    const [again, otherName, otherMesh, withoutSecret] = await Promise.all([
      capabilityTag(crypto, await deriveMesh(crypto, 'kitchen', 'a secret'), 'sha256'),
      capabilityTag(crypto, mesh, 'sha512'),
      capabilityTag(crypto, await deriveMesh(crypto, 'kitchen', 'another'), 'sha256'),
      capabilityTag(crypto, open, 'sha256'),
    ])
    expect(again).toEqual(tag)
    expect(new Set([tag, otherName, otherMesh, withoutSecret].map(hex)).size).toBe(4)
  })

  test('is announced, and again after the peer came back', async () => {
    peer.client.announce([tag])
    expect((await server.socket.next('announce')).payload.tags).toEqual([tag])
    server.socket.end()
    await peer.until('status', 2)
    clock.advance(LIMITS.backoffFirst)
    await server.admit()
    expect((await server.socket.next('announce')).payload.tags).toEqual([tag])
  })
})

describe('discovering', () => {
  test('answers the members that were found, each a member from then on', async () => {
    const found = peer.client.discover(tag)
    expect((await server.socket.next('discover')).payload.tag).toEqual(tag)
    const forged = (await other.record(server.now())).map((byte, i) => (i === 40 ? byte ^ 1 : byte))
    server.socket.tell({ type: 'found', payload: { tag, members: [forged, await other.record(server.now())] } })
    expect(await found).toEqual([other.publicKey])
    expect(peer.client.hasMember(other.publicKey)).toBe(true)
    expect(peer.client.refused.records).toBe(1)
  })

  test('takes no answer to another question', async () => {
    const found = peer.client.discover(tag)
    server.socket.tell({
      type: 'found',
      payload: { tag: new Uint8Array(32), members: [await other.record(server.now())] },
    })
    server.socket.tell({ type: 'found', payload: { tag, members: [] } })
    expect(await found).toEqual([])
  })

  test('fails with a word where no answer comes, the socket closes, or there is none', async () => {
    const unreachable = expect.objectContaining({ code: 'SIGNALING_UNREACHABLE' })
    const late = expect(peer.client.discover(tag)).rejects.toEqual(unreachable)
    clock.advance(LIMITS.discoverTimeout)
    await late
    const lost = expect(peer.client.discover(tag)).rejects.toEqual(unreachable)
    server.socket.end()
    await lost
    await expect(peer.client.discover(tag)).rejects.toEqual(unreachable)
  })

  test('waits for so many answers and no more', async () => {
    const asked = Array.from({ length: LIMITS.maxDiscoveries }, () => peer.client.discover(tag))
    await expect(peer.client.discover(tag)).rejects.toMatchObject({ code: 'QUEUE_FULL' })
    server.socket.tell({ type: 'found', payload: { tag, members: [] } })
    expect(await Promise.all(asked)).toHaveLength(LIMITS.maxDiscoveries)
  })
})

test('new ICE servers take the place of the old', async () => {
  const urls = ['turn:turn.example:3478']
  server.socket.tell({ type: 'ice_servers', payload: { ice_servers: [{ urls }] } })
  await peer.catchUp()
  expect(peer.client.iceServers).toEqual([{ urls }])
})
