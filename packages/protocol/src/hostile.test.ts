/** Whole peers at a signaling server that does not do its duty (P1), and among peers that are not what they say. */
import { beforeEach, describe, expect, test } from 'vitest'
import { createWebCryptoProvider } from './crypto/index.ts'
import { claimKey } from './handshake/hostile/peer-that-claims-anothers-key.fixture.ts'
import { nameAnotherSender } from './hostile/server-that-names-another-sender.fixture.ts'
import { recordEverything } from './hostile/server-that-records-everything.fixture.ts'
import { reflect } from './hostile/server-that-reflects.fixture.ts'
import { replay } from './hostile/server-that-replays.fixture.ts'
import { splice } from './hostile/server-that-splices.fixture.ts'
import { substituteKeys } from './hostile/server-that-substitutes-keys.fixture.ts'
import { swapPresence } from './hostile/server-that-swaps-presence.fixture.ts'
import { LIMITS } from './limits.ts'
import type { LinkTransport } from './links/link.ts'
import { Mesh, type MeshPeer } from './mesh.fixture.ts'
import type { Relay } from './mesh-server.fixture.ts'
import { deriveMesh } from './signaling/messages.ts'
import { type Bytes, concat, utf8 } from './wire/bytes.ts'

const crypto = createWebCryptoProvider()
let mesh: Mesh

beforeEach(async () => {
  mesh = await Mesh.create(crypto)
})

const established = (peer: MeshPeer) => peer.service.peers.filter(({ session }) => session?.state === 'established')

/** Each peer reaches those it has a session with, and nobody else hears a word of it. */
async function expectSpokenToWhoIsMeant(peers: readonly MeshPeer[]): Promise<void> {
  const nameOf = (id: string) => peers.find((peer) => peer.id === id)?.service.name
  for (const peer of peers) {
    for (const { id } of established(peer)) {
      await Promise.all([peer.service.send(id, `${peer.service.name} to ${nameOf(id)}`), mesh.quiet()])
    }
  }
  for (const peer of peers) {
    const expected = peers.filter((other) => established(other).some(({ id }) => id === peer.id))
    expect(peer.messages.map(({ from, data }) => [nameOf(from), data]).sort()).toEqual(
      expected.map(({ service }) => [service.name, `${service.name} to ${peer.service.name}`]).sort(),
    )
  }
}

async function expectSessionsOfEachWithEach(peers: readonly MeshPeer[]): Promise<void> {
  for (const peer of peers) expect(established(peer)).toHaveLength(peers.length - 1)
  await expectSpokenToWhoIsMeant(peers)
}

describe('server-that-swaps-presence', () => {
  test('cannot make one member pass for another', async () => {
    const keys = await Promise.all([crypto.generateSigningKey(), crypto.generateSigningKey()])
    swapPresence(mesh.server, keys[0].publicKey, keys[1].publicKey)
    const a = await mesh.join('a', { key: keys[0] })
    const b = await mesh.join('b', { key: keys[1] })
    const c = await mesh.join('c')
    await mesh.pass(LIMITS.handshakeTimeout * 3)
    expect(c.service.peers).toHaveLength(2)
    await expectSpokenToWhoIsMeant([a, b, c])
  })
})

describe('server-that-substitutes-keys', () => {
  test('puts nobody in the mesh and reads nothing', async () => {
    const own = await crypto.generateIntroductionKey()
    const introductionKeys: Bytes[] = []
    substituteKeys(mesh.server, introductionKeys, own.publicKey)
    const relays: Relay[] = []
    mesh.server.onRelay = (relay) => relays.push(relay)
    const peers: MeshPeer[] = []
    for (const name of ['a', 'b', 'c']) {
      const introductionKey = await crypto.generateIntroductionKey()
      introductionKeys.push(introductionKey.publicKey)
      peers.push(await mesh.join(name, { introductionKey }))
    }
    await mesh.pass(LIMITS.handshakeTimeout)
    for (const peer of peers) expect(peer.service.peers).toEqual([])
    expect(relays).toEqual([])
  })
})

describe('server-that-replays', () => {
  test('makes no session twice and ends none, and says again only what was refused before', async () => {
    const again = replay(mesh.server)
    const peers = await mesh.joinAll('a', 'b', 'c')
    const sessions = () => peers.map((peer) => established(peer).map(({ session }) => session?.id))
    const before = sessions()
    again()
    await mesh.pass(LIMITS.handshakeTimeout * 2)
    again()
    await mesh.pass(LIMITS.handshakeTimeout * 2)
    expect(sessions()).toEqual(before)
    expect(mesh.net.openEnds).toBe(6)
    await expectSessionsOfEachWithEach(peers)
  })

  test('cannot bring a peer back that has left', async () => {
    const again = replay(mesh.server)
    const [a, b] = await mesh.joinAll('a', 'b')
    await Promise.all([b.service.close(), mesh.pass(LIMITS.closeGrace)])
    again()
    await mesh.pass(LIMITS.handshakeTimeout * 2)
    expect(a.service.peers).toEqual([])
    expect(mesh.net.openEnds).toBe(0)
    expect(mesh.net.openAttempts).toBe(0)
  })
})

describe.each([
  ['server-that-reflects', reflect],
  ['server-that-splices', splice],
] as const)('%s', (_, corrupt) => {
  test('changes nothing: each has one session with each, and speaks to the one it means', async () => {
    corrupt(mesh.server)
    const peers = await mesh.joinAll('a', 'b', 'c')
    await mesh.pass(LIMITS.handshakeTimeout * 2)
    await expectSessionsOfEachWithEach(peers)
  })
})

describe('server-that-names-another-sender', () => {
  test('gives the one no session as the other', async () => {
    const [victim] = await mesh.joinAll('victim')
    const key = await crypto.generateSigningKey()
    nameAnotherSender(mesh.server, key.publicKey, victim.key.publicKey)
    const a = await mesh.join('a')
    const mallory = await mesh.join('mallory', { key })
    await mesh.pass(LIMITS.handshakeTimeout * 2)
    expect(a.sees(mallory)?.session?.state).not.toBe('established')
    expect(a.sees(victim)?.session?.state).toBe('established')
    await expectSpokenToWhoIsMeant([victim, a, mallory])
  })
})

describe('peer-that-claims-anothers-key', () => {
  test('gets no session and disturbs none, although the server lets it in', async () => {
    const [a, victim] = await mesh.joinAll('a', 'victim')
    const session = a.sees(victim)?.session?.id
    const own = await crypto.generateSigningKey()
    mesh.server.replaces = false
    const mallory = await mesh.join('mallory', { key: claimKey(victim.key, own) })
    await mesh.pass(LIMITS.handshakeTimeout * 2)
    expect(established(mallory)).toEqual([])
    expect(mallory.messages).toEqual([])
    expect(a.sees(victim)?.session).toMatchObject({ id: session, state: 'established' })
    await a.service.send(victim.id, 'for you alone')
    expect([victim.heard(), mallory.heard()]).toEqual([['for you alone'], []])
  })
})

describe('peer-without-the-mesh-secret', () => {
  test('is not met, since it does not know what the mesh is called', async () => {
    const withSecret = new Mesh(crypto, await deriveMesh(crypto, 'kitchen', 'a secret'))
    const a = await withSecret.join('a')
    const stranger = await withSecret.join('stranger', { keys: await deriveMesh(crypto, 'kitchen', 'another secret') })
    await withSecret.pass(LIMITS.handshakeTimeout * 2)
    expect([a.service.peers, stranger.service.peers]).toEqual([[], []])
  })

  test('gets no session where it has learnt what the mesh is called, and both are told why', async () => {
    const keys = await deriveMesh(crypto, 'kitchen', 'a secret')
    const withSecret = new Mesh(crypto, keys)
    const a = await withSecret.join('a')
    const stranger = await withSecret.join('stranger', { keys: { ...keys, meshSecret: new Uint8Array() } })
    await withSecret.pass(1_000)
    for (const peer of [a, stranger]) {
      expect(established(peer)).toEqual([])
      expect(peer.codes.length).toBeGreaterThan(0)
      for (const error of peer.errors) {
        expect(['MESH_SECRET_MISMATCH', 'CHALLENGE_INVALID']).toContain(error.code)
        expect(error.message).toMatch(/secret/)
      }
    }
    const waiting = a.send(stranger, 'psst')
    await withSecret.pass(LIMITS.linkPatience)
    expect(waiting().code).toBe('LINK_LOST')
    expect(stranger.messages).toEqual([])
  })
})

describe('server-that-records-everything', () => {
  test('has seen no description of a link, no candidate, no name, no capability and no payload', async () => {
    const occurrences = recordEverything(mesh.server)
    const described: Bytes[] = []
    const transport = (real: LinkTransport): LinkTransport => ({
      kind: real.kind,
      fingerprintOf: (data) => real.fingerprintOf(data),
      offer: (onCandidates, servers) => observed(real.offer(observing(onCandidates), servers)),
      answer: (offer, onCandidates, servers) => observed(real.answer(offer, observing(onCandidates), servers)),
    })
    const observed = (attempt: ReturnType<LinkTransport['offer']>) => {
      void attempt.description.then(({ data, fingerprint }) => described.push(data, fingerprint))
      return attempt
    }
    const observing = (onCandidates: (candidates: Bytes[]) => void) => (candidates: Bytes[]) => {
      described.push(...candidates)
      onCandidates(candidates)
    }
    const a = await mesh.join('Ada of the kitchen', { transport })
    const b = await mesh.join('Bertrand of the cellar', { transport })
    b.service.provide(
      { name: 'potato.peel', version: '7.7.7', description: 'Peels a potato.' },
      () => 'a peeled potato',
    )
    await mesh.pass(1_000)
    a.send(b, 'the key is under the mat')
    const task = a.delegate(b, 'potato.peel', 'a raw potato')
    // Another handshake, for a session that goes on.
    mesh.net.cut()
    await mesh.pass(5_000)
    expect([task().value, b.heard()]).toEqual(['a peeled potato', ['the key is under the mat']])

    const said = ['Ada of', 'Bertrand of', 'potato', '7.7.7', 'Peels', 'under the mat', 'kitchen']
    for (const text of said) expect([text, occurrences(utf8(text))]).toEqual([text, 0])
    // Two ends, two handshakes: description, fingerprint and candidates of each.
    expect(described).toHaveLength(12)
    for (const part of described) expect(occurrences(part)).toBe(0)
    const session = a.sees(b)?.session?.id.replaceAll('-', '') ?? ''
    expect(occurrences(new Uint8Array(Buffer.from(session, 'hex')))).toBe(0)
    // It does see what it needs to see, so this test can see something.
    expect(occurrences(concat(a.key.publicKey))).toBeGreaterThan(0)
  })
})
