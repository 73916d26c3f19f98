/** The signaling server is not trusted (P1): what each of these does costs at most the service, and nothing else. */
import fc from 'fast-check'
import { beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createWebCryptoProvider } from '../crypto/index.ts'
import { LIMITS, PROTOCOL } from '../limits.ts'
import { FakeClock } from '../liveness/fake-clock.fixture.ts'
import { SIGNALING_TYPES } from '../messages.ts'
import { type Bytes, concat, utf8 } from '../wire/bytes.ts'
import { sealOpenFrame } from '../wire/open-frame.ts'
import { hex, Member, PeerUnderTest } from './mesh-peer.fixture.ts'
import { deriveMesh, encodeSignaling, type MeshKeys } from './messages.ts'
import { openPresence, sealPresence } from './presence.ts'
import { ScriptedServer } from './scripted-server.fixture.ts'

const MESH_NAME = 'the kitchen table'
const MESH_SECRET = 'correct horse battery staple'
const DAY = 24 * 3_600_000

const crypto = createWebCryptoProvider()
let mesh: MeshKeys
let victim: Member
/** A key that the server itself made. */
let puppet: Member
let clock: FakeClock
let server: ScriptedServer
let peer: PeerUnderTest

beforeAll(async () => {
  mesh = await deriveMesh(crypto, MESH_NAME, MESH_SECRET)
  victim = await Member.create(crypto, mesh)
  puppet = await Member.create(crypto, mesh)
})

beforeEach(async () => {
  clock = new FakeClock()
  server = new ScriptedServer(clock)
  peer = await PeerUnderTest.create(crypto, mesh, clock, server)
  peer.client.start()
})

/** The introduction key that frames to the member would be sealed to, as an honest peer of that key sees them. */
async function opensWhatIsRelayed(member: Member): Promise<boolean> {
  await peer.client.relay(member.publicKey, utf8('offer'))
  const { payload } = await server.socket.next('relay')
  return member.open(peer.publicKey, payload).then(
    () => true,
    () => false,
  )
}

describe('server-that-claims-anothers-key', () => {
  const forgeries: Record<string, () => Promise<Bytes>> = {
    "its own signature under the victim's key": () => {
      const forger = { publicKey: victim.publicKey, sign: (data: Uint8Array) => puppet.key.sign(data) }
      return sealPresence(crypto, forger, mesh.meshId, {
        introductionKey: puppet.introductionKey.publicKey,
        timestamp: server.now(),
        notAfter: server.now() + DAY,
      })
    },
    "the victim's record with another introduction key in it": async () => {
      const record = await victim.record(server.now())
      const at = Buffer.from(record).indexOf(victim.introductionKey.publicKey)
      record.set(puppet.introductionKey.publicKey, at)
      return record
    },
    "the victim's record of another mesh": () => victim.record(server.now(), server.now() + DAY, new Uint8Array(32)),
    "the victim's record that has expired": () => victim.record(server.now() - 2 * DAY, server.now()),
    'a record that lasts longer than any may': () => victim.record(server.now(), server.now() + 30 * DAY),
    'another frame that the victim signed': () =>
      sealOpenFrame(crypto, victim.key, {
        type: 'error',
        recipient: new Uint8Array(32),
        session: new Uint8Array(16),
        timestamp: server.now(),
        payload: { code: 'PEER_CLOSED', message: '' },
      }),
  }

  test.each(Object.keys(forgeries))('%s makes no member, and is counted', async (name) => {
    const forged = await (forgeries[name] as () => Promise<Bytes>)()
    await server.admit({ members: [forged] })
    server.socket.joined(forged)
    await peer.catchUp()
    expect(peer.news).toEqual([])
    expect(peer.client.hasMember(victim.publicKey)).toBe(false)
    expect(peer.client.refused.records).toBe(2)
    expect(peer.statuses).toEqual(['online'])
  })
})

describe('server-that-rolls-back-presence', () => {
  let renewed: Member
  let older: Bytes

  beforeEach(async () => {
    renewed = await victim.withNewIntroductionKey()
    older = await victim.record(server.now() - DAY)
    await server.admit({ members: [await renewed.record(server.now())] })
    await peer.until('present')
  })

  test('has the newer introduction key used all the same', async () => {
    server.socket.joined(older)
    await peer.catchUp()
    expect(peer.all('joined')).toEqual([])
    expect(peer.client.refused.records).toBe(1)
    expect(await opensWhatIsRelayed(renewed)).toBe(true)
  })

  test('gains nothing by saying first that the member left', async () => {
    server.socket.left(victim.publicKey)
    server.socket.joined(older)
    await peer.catchUp()
    expect(peer.client.hasMember(victim.publicKey)).toBe(false)
    expect(peer.client.refused.records).toBe(1)
  })

  test('gains nothing by a new socket', async () => {
    server.socket.end()
    await server.socket.closed
    clock.advance(LIMITS.backoffFirst)
    await server.admit({ members: [older] })
    await peer.catchUp()
    expect(peer.client.hasMember(victim.publicKey)).toBe(false)
  })

  test('is not suspected where only its clock went back: an older record with the same key is as good', async () => {
    server.socket.joined(await renewed.record(server.now() - 1_000))
    await peer.until('joined')
    expect(await opensWhatIsRelayed(renewed)).toBe(true)
  })
})

test('server-that-floods-members fills a bounded list, from which those longest not heard of go first', async () => {
  const record = await puppet.record(server.now())
  await server.admit({ members: [record, await victim.record(server.now())] })
  await peer.until('present', 2)
  for (let i = 0; i < LIMITS.maxMembers + 10; i++) {
    const invented = await crypto.generateSigningKey()
    server.socket.joined(
      await sealPresence(crypto, invented, mesh.meshId, {
        introductionKey: puppet.introductionKey.publicKey,
        timestamp: server.now(),
        notAfter: server.now() + DAY,
      }),
    )
    // Half of them leave again, which must not leave their records behind for ever.
    if (i % 2) server.socket.left(invented.publicKey)
    if (i === 100) server.socket.joined(record)
  }
  await peer.catchUp()
  expect(peer.all('joined')).toHaveLength(LIMITS.maxMembers + 11)
  expect(peer.client.members.length).toBeLessThanOrEqual(LIMITS.maxMembers)
  expect(peer.client.hasMember(puppet.publicKey)).toBe(true)
  expect(peer.client.hasMember(victim.publicKey)).toBe(false)
  expect(peer.all('left')).toContainEqual({ what: 'left', peer: hex(victim.publicKey) })
})

describe('server-that-sends-faster-than-anyone-reads', () => {
  const half = PROTOCOL.maxSignaling / 2
  const tooMany = LIMITS.maxSignalingBacklog / half + 5

  test('has relayed frames dropped, and that told, for any member could be the cause', async () => {
    await server.admit()
    await peer.until('status')
    for (let i = 0; i < tooMany; i++) server.socket.relay(puppet.publicKey, new Uint8Array(half))
    await peer.until('error')
    await peer.until('error', 2)
    expect(peer.errors).toEqual(['QUEUE_FULL', 'DECRYPTION_FAILED'])
    while (peer.client.refused.frames < tooMany) await new Promise((resolve) => setImmediate(resolve))
    // The backlog is worked off, and what comes then is read again.
    clock.set(LIMITS.complaintSpacing)
    server.socket.relay(puppet.publicKey, new Uint8Array(half))
    await peer.until('error', 3)
    expect(peer.errors.at(-1)).toBe('DECRYPTION_FAILED')
    expect(peer.statuses).toEqual(['online'])
  })

  test('is left where the flood is its own', async () => {
    await server.admit()
    await peer.until('status')
    const record = await puppet.record(server.now())
    for (let i = 0; i * record.length < LIMITS.maxSignalingBacklog; i++) server.socket.joined(record)
    expect(server.socket.closedByPeer).toBe(true)
    expect(peer.statuses).toEqual(['online', 'offline'])
    expect(peer.errors).toEqual(['QUEUE_FULL'])
  })
})

describe('server-that-sends-garbage', () => {
  const challenge = { challenge: new Uint8Array(32), time: 0, max_message: 65_536 }
  const garbage: [string, Bytes][] = [
    ['nothing', new Uint8Array()],
    ['an unknown type', new Uint8Array([99, 1, 2, 3])],
    ['CBOR that ends early', new Uint8Array([SIGNALING_TYPES.presence, 0xa2])],
    ['a presence without a record', concat(new Uint8Array([SIGNALING_TYPES.presence, 0xa0]))],
    ['a relay of nothing', new Uint8Array(33).fill(SIGNALING_TYPES.relay)],
    ['a message larger than any may be', new Uint8Array(PROTOCOL.maxSignaling + 1).fill(SIGNALING_TYPES.relay)],
    ['what only peers send', encodeSignaling({ type: 'ping', payload: new Uint8Array() })],
    ['a second challenge', encodeSignaling({ type: 'challenge', payload: challenge })],
    ['a second welcome', encodeSignaling({ type: 'welcome', payload: { members: [], total: 1, ice_servers: [] } })],
  ]

  test.each(garbage)('%s ends its socket, is counted, and is followed by another try', async (_, bytes) => {
    await server.admit()
    await peer.until('status')
    server.socket.tellBytes(bytes)
    await server.socket.closed
    expect(peer.statuses).toEqual(['online', 'offline'])
    expect(peer.client.refused.messages).toBe(1)
    expect(peer.all('error')).toHaveLength(1)
    clock.advance(LIMITS.backoffFirst)
    expect(server.sockets).toHaveLength(2)
  })

  test('a welcome before the join has nobody come in', async () => {
    server.socket.tell({ type: 'welcome', payload: { members: [], total: 1, ice_servers: [] } })
    await server.socket.closed
    expect(peer.statuses).toEqual(['offline'])
  })

  test('whatever comes in whatever state, nothing throws, and an honest server is served afterwards', async () => {
    const type = fc.constantFrom(...Object.values(SIGNALING_TYPES))
    const message = fc
      .tuple(type, fc.uint8Array({ maxLength: 80 }))
      .map(([first, rest]) => concat(new Uint8Array([first]), rest))
    await fc.assert(
      fc.asyncProperty(fc.boolean(), fc.array(message, { minLength: 1, maxLength: 8 }), async (admitted, messages) => {
        const strange = new ScriptedServer(clock)
        const guest = await PeerUnderTest.create(crypto, mesh, clock, strange)
        guest.client.start()
        if (admitted) {
          await strange.admit()
          await guest.until('status')
        }
        for (const bytes of messages) strange.socket.tellBytes(bytes)
        strange.socket.end()
        await strange.socket.closed
        clock.advance(LIMITS.backoffFirst)
        await strange.admit({ members: [await victim.record(strange.now())] })
        await guest.until('present')
        expect(guest.client.status).toBe('online')
        guest.client.close()
      }),
      { numRuns: 50 },
    )
  })
})

describe('server-that-lies-about-time', () => {
  const lies = { 'the year 2100': 4_102_444_800_000, 'the beginning of 1970': 0, 'a time that cannot be': 2 ** 53 - 1 }

  test.each(Object.entries(lies))('%s: nobody is met, and nothing else happens', async (_, time) => {
    const liar = new ScriptedServer(clock, time - clock.now())
    const guest = await PeerUnderTest.create(crypto, mesh, clock, liar)
    guest.client.start()
    liar.challenge()
    await Promise.race([liar.socket.next('join'), liar.socket.closed])
    if (liar.socket.closedByPeer) return expect(guest.statuses).toEqual(['offline'])
    const members = [await victim.record(clock.now())]
    liar.socket.tell({ type: 'welcome', payload: { members, total: 2, ice_servers: [] } })
    await guest.until('status')
    liar.socket.end()
    await liar.socket.closed
    expect(guest.all('present')).toEqual([])
  })

  test.each([
    ['ahead by years', 100 * 365 * DAY],
    // Not long enough for the record to last longer than any may.
    ['ahead by days', 3 * DAY],
  ])('%s: it gets no record that outranks later ones where the time is right', async (_, ahead) => {
    const liar = new ScriptedServer(clock, ahead)
    const guest = await PeerUnderTest.create(crypto, mesh, clock, liar)
    guest.client.start()
    liar.challenge()
    const { payload } = await liar.socket.next('join')
    const opened = openPresence(crypto, payload.presence, mesh.meshId, clock.now())
    await expect(opened).rejects.toMatchObject({ code: 'CLOCK_SKEW' })
  })
})

describe('server-that-never-answers', () => {
  test('the socket is given up for another, whether it is silent from the start or after the join', async () => {
    const silentAtOnce = server.socket
    clock.advance(LIMITS.signalingSilence)
    expect(silentAtOnce.closedByPeer).toBe(true)
    clock.advance(LIMITS.backoffFirst)
    const silentAfterJoin = server.socket
    expect(silentAfterJoin).not.toBe(silentAtOnce)
    server.challenge()
    await silentAfterJoin.next('join')
    clock.advance(LIMITS.signalingSilence)
    expect(silentAfterJoin.closedByPeer).toBe(true)
    expect(peer.statuses).toEqual(['offline'])
  })

  test('errors instead of a welcome do not keep it', async () => {
    server.challenge()
    await server.socket.next('join')
    const { socket } = server
    for (let passed = 0; passed < LIMITS.signalingSilence; passed += 1_000) {
      expect(socket.closedByPeer).toBe(false)
      socket.tell({ type: 'error', payload: { code: 'INVALID_STATE', message: 'wait' } })
      clock.advance(1_000)
    }
    expect(socket.closedByPeer).toBe(true)
  })
})

describe('server-that-replays-frames', () => {
  test('has each copy passed on: freshness is checked where the signature is, in the handshake', async () => {
    await server.admit({ members: [await victim.record(server.now())] })
    const sealed = await victim.seal(peer.publicKey, peer.introductionKey, utf8('offer'))
    server.socket.relay(victim.publicKey, sealed)
    server.socket.relay(victim.publicKey, sealed)
    await peer.until('frame', 2)
    expect(peer.all('frame')[0]).toEqual(peer.all('frame')[1])
  })

  test("cannot pass a frame on in another's name, to another peer, or in another mesh", async () => {
    const elsewhere = await Member.create(crypto, { meshId: new Uint8Array(32), meshSecret: new Uint8Array() })
    await server.admit()
    const { introductionKey } = peer
    server.socket.relay(puppet.publicKey, await victim.seal(peer.publicKey, introductionKey, utf8('offer')))
    server.socket.relay(victim.publicKey, await victim.seal(puppet.publicKey, introductionKey, utf8('offer')))
    server.socket.relay(elsewhere.publicKey, await elsewhere.seal(peer.publicKey, introductionKey, utf8('offer')))
    await peer.catchUp()
    expect(peer.all('frame')).toEqual([])
    expect(peer.client.refused.frames).toBe(3)
  })
})

test('server-that-records-everything reads keys, sizes and times, and nothing of what peers say', async () => {
  const spoken = [
    'v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\na=fingerprint:sha-256 4A:AD:B9',
    'candidate:842163049 1 udp 1677729535 192.168.1.17 46154 typ srflx',
    'Anna at the kitchen laptop',
    'fractal-tile',
    'see you at eight',
  ]
  await server.admit({ members: [await victim.record(server.now())] })
  await peer.until('present')
  for (const text of spoken) await peer.client.relay(victim.publicKey, utf8(text))
  clock.advance(LIMITS.signalingPing)
  const recorded = Buffer.concat(server.everything).toString('latin1')
  expect(server.socket.count('relay')).toBe(spoken.length)
  for (const text of [...spoken, MESH_NAME, MESH_SECRET]) {
    expect(recorded).not.toContain(text)
    // Nor a part of it, such as an address or a name.
    for (const word of text.split(/[\s:=]+/)) if (word.length > 4) expect(recorded).not.toContain(word)
  }
  expect(new Set(server.socket.received.map(({ type }) => type))).toEqual(new Set(['join', 'relay', 'ping']))
})
