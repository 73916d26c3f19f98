import { beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createWebCryptoProvider } from '../crypto/index.ts'
import { LIMITS, PROTOCOL } from '../limits.ts'
import { FakeClock } from '../liveness/fake-clock.fixture.ts'
import { OPEN_TYPES, SIGNALING_CLOSE } from '../messages.ts'
import type { CryptoProvider } from '../ports.ts'
import { type Bytes, concat, utf8 } from '../wire/bytes.ts'
import { Member, PeerUnderTest } from './mesh-peer.fixture.ts'
import { deriveMesh, type MeshKeys, RELAY_OVERHEAD, signalingProof } from './messages.ts'
import { introduce, LONGEST_PRESENCE, openPresence, readIntroduction } from './presence.ts'
import { ScriptedServer } from './scripted-server.fixture.ts'

const crypto = createWebCryptoProvider()
let mesh: MeshKeys
let other: Member
let clock: FakeClock
let server: ScriptedServer
let peer: PeerUnderTest

beforeAll(async () => {
  mesh = await deriveMesh(crypto, 'kitchen', 'a secret')
  other = await Member.create(crypto, mesh)
})

beforeEach(async () => {
  clock = new FakeClock()
  server = new ScriptedServer(clock)
  peer = await PeerUnderTest.create(crypto, mesh, clock, server)
  peer.client.start()
})

const record = (member = other, age = 0) => member.record(server.now() - age)
const hexOf = (bytes: Bytes) => Buffer.from(bytes).toString('hex')

/** Lets everything run that waits for nothing outside: here, what follows a signature check. */
async function drained(): Promise<void> {
  await crypto.verify(other.publicKey, new Uint8Array(64), utf8('x'))
  await new Promise((resolve) => setImmediate(resolve))
}

/** Comes back after a lost socket; full jitter waits no longer than the first bound. */
async function comeBack(...args: Parameters<ScriptedServer['admit']>): Promise<void> {
  clock.advance(LIMITS.backoffFirst)
  await server.admit(...args)
  await peer.until('status', peer.statuses.length + 1)
}

describe('joining', () => {
  test('proves the key for this challenge, at this server, with a presence record of this hour', async () => {
    server.challenge()
    const { payload: join } = await server.socket.next('join')
    expect(join.version).toBe(PROTOCOL.version)
    expect(join.origin).toBe('ws://mesh.example:8787')
    expect(join.public_key).toEqual(peer.publicKey)
    expect(join.mesh_id).toEqual(mesh.meshId)
    const challenge = new Uint8Array(32).fill(7)
    expect(await crypto.verify(peer.publicKey, join.signature, signalingProof(challenge, join))).toBe(true)
    expect(await openPresence(crypto, join.presence, mesh.meshId, server.now())).toEqual({
      publicKey: peer.publicKey,
      introductionKey: peer.introductionKey,
      timestamp: server.now(),
      notAfter: server.now() + PROTOCOL.introductionKeyLife,
    })
  })

  test('takes the time from the server, so that a wrong clock of its own keeps nobody out', async () => {
    const late = new ScriptedServer(clock, 5 * 365 * 24 * 3_600_000)
    const wrong = await PeerUnderTest.create(crypto, mesh, clock, late)
    wrong.client.start()
    late.challenge()
    const { payload: join } = await late.socket.next('join')
    expect(wrong.client.serverNow()).toBe(late.now())
    const { notAfter } = await openPresence(crypto, join.presence, mesh.meshId, late.now())
    expect(notAfter).toBe(late.now() + PROTOCOL.introductionKeyLife)
  })

  test('says nothing before the challenge', () => {
    clock.advance(LIMITS.signalingPing)
    expect(server.socket.received).toEqual([])
  })

  test('is online with the welcome, and knows the ICE servers by then', async () => {
    const iceServers = [{ urls: ['turn:turn.example:3478'], username: 'u', credential: 'c' }]
    expect(peer.client.status).toBe('connecting')
    await server.admit({ iceServers })
    await peer.until('status')
    expect(peer.statuses).toEqual(['online'])
    expect(peer.client.iceServers).toEqual(iceServers)
  })
})

describe('members', () => {
  test('of the welcome were there before us, later ones join, and the server may hint that one left', async () => {
    const later = await Member.create(crypto, mesh)
    await server.admit({ members: [await record()] })
    server.socket.joined(await record(later))
    server.socket.left(other.publicKey)
    await peer.until('left')
    expect(peer.news).toEqual([
      { what: 'present', peer: hexOf(other.publicKey) },
      { what: 'joined', peer: hexOf(later.publicKey) },
      { what: 'left', peer: hexOf(other.publicKey) },
    ])
    expect(peer.client.members).toEqual([later.publicKey])
    expect(peer.client.hasMember(later.publicKey)).toBe(true)
    expect(peer.client.hasMember(other.publicKey)).toBe(false)
  })

  test('who are not known cannot leave', async () => {
    await server.admit()
    server.socket.left(other.publicKey)
    await peer.catchUp()
    expect(peer.news).toEqual([])
  })

  test('are never oneself', async () => {
    await server.admit({ members: [await record(peer.member)] })
    server.socket.joined(await record(peer.member))
    await peer.catchUp()
    expect(peer.news).toEqual([])
    expect(peer.client.refused.records).toBe(0)
  })

  test('who left while we were away are told, where the new welcome names all', async () => {
    const stayed = await Member.create(crypto, mesh)
    await server.admit({ members: [await record(), await record(stayed)] })
    await peer.until('present', 2)
    server.socket.end()
    await peer.until('status', 2)
    await comeBack({ members: [await record(stayed)] })
    await peer.until('left')
    expect(peer.news.slice(2)).toEqual([
      { what: 'present', peer: hexOf(stayed.publicKey) },
      { what: 'left', peer: hexOf(other.publicKey) },
    ])
  })

  test('stay where the new welcome names only some', async () => {
    await server.admit({ members: [await record()] })
    await peer.until('present')
    server.socket.end()
    await peer.until('status', 2)
    await comeBack({ members: [], total: 65 })
    await peer.catchUp()
    expect(peer.all('left')).toEqual([])
    expect(peer.client.hasMember(other.publicKey)).toBe(true)
  })
})

describe('relay', () => {
  beforeEach(async () => {
    await server.admit({ members: [await record()] })
    await peer.until('present')
  })

  test('seals to the introduction key of the verified record, and the addressee can open it as ours', async () => {
    await peer.client.relay(other.publicKey, utf8('v=0 offer'))
    const { publicKey, payload } = await server.socket.next('relay')
    expect(publicKey).toEqual(other.publicKey)
    expect(await other.open(peer.publicKey, payload)).toEqual(utf8('v=0 offer'))
  })

  test('seals to the newer key once a member has one', async () => {
    const renewed = await other.withNewIntroductionKey()
    clock.advance(1)
    server.socket.joined(await record(renewed))
    await peer.until('joined')
    await peer.client.relay(other.publicKey, utf8('hello'))
    const { payload } = await server.socket.next('relay')
    expect(await renewed.open(peer.publicKey, payload)).toEqual(utf8('hello'))
  })

  test('keeps the order of the calls', async () => {
    const frames = Array.from({ length: 20 }, (_, i) => new Uint8Array(i % 2 ? 10 : 30_000).fill(100 + i))
    await Promise.all(frames.map((frame) => peer.client.relay(other.publicKey, frame)))
    for (const frame of frames) {
      const { payload } = await server.socket.next('relay')
      expect(await other.open(peer.publicKey, payload)).toEqual(frame)
    }
  })

  test('to a stranger, or to a member whose record has expired, is UNKNOWN_PEER', async () => {
    const stranger = await crypto.generateSigningKey()
    await expect(peer.client.relay(stranger.publicKey, utf8('x'))).rejects.toMatchObject({ code: 'UNKNOWN_PEER' })
    const brief = await Member.create(crypto, mesh)
    server.socket.joined(await brief.record(server.now(), server.now() + 1_000))
    await peer.until('joined')
    clock.advance(1_000)
    await expect(peer.client.relay(brief.publicKey, utf8('x'))).rejects.toMatchObject({ code: 'UNKNOWN_PEER' })
  })

  test('takes a frame as large as the server allows and none larger', async () => {
    const most = server.maxMessage - RELAY_OVERHEAD
    await peer.client.relay(other.publicKey, new Uint8Array(most))
    const tooLarge = peer.client.relay(other.publicKey, new Uint8Array(most + 1))
    await expect(tooLarge).rejects.toMatchObject({ code: 'MESSAGE_TOO_LARGE' })
    expect(server.socket.bytes.at(-1)).toHaveLength(server.maxMessage)
  })

  test('is QUEUE_FULL where too much waits, whether sealed or not, and works again once it has left', async () => {
    const frame = new Uint8Array(60_000)
    server.socket.bufferedAmount = LIMITS.maxSignalingQueue - 100_000
    const [first, second] = await Promise.allSettled([
      peer.client.relay(other.publicKey, frame),
      peer.client.relay(other.publicKey, frame),
    ])
    expect(first).toMatchObject({ status: 'fulfilled' })
    expect(second).toMatchObject({ status: 'rejected', reason: { code: 'QUEUE_FULL' } })
    await peer.client.relay(other.publicKey, frame)
  })

  test('is SIGNALING_UNREACHABLE without a socket, also where that was lost while the frame was sealed', async () => {
    const relayed = peer.client.relay(other.publicKey, utf8('x'))
    server.socket.end()
    await expect(relayed).rejects.toMatchObject({ code: 'SIGNALING_UNREACHABLE' })
    await expect(peer.client.relay(other.publicKey, utf8('x'))).rejects.toMatchObject({ code: 'SIGNALING_UNREACHABLE' })
    expect(server.socket.count('relay')).toBe(0)
  })

  test('slows down where the server says that it was too fast', async () => {
    server.socket.tell({ type: 'error', payload: { code: 'RATE_LIMITED', message: 'too fast' } })
    await peer.until('error')
    const timers = clock.pending
    const sent = peer.client.relay(other.publicKey, utf8('x'))
    expect(clock.pending).toBe(timers + 1)
    clock.advance(1_000)
    await sent
  })

  test('that the server cannot deliver is told, and the peer is no member until it joins again', async () => {
    const payload = { code: 'UNKNOWN_PEER', message: 'gone', public_key: other.publicKey } as const
    server.socket.tell({ type: 'error', payload })
    await peer.until('unknown')
    expect(peer.client.hasMember(other.publicKey)).toBe(false)
    server.socket.joined(await record())
    await peer.until('joined')
    expect(peer.client.hasMember(other.publicKey)).toBe(true)
  })
})

describe('a handshake', () => {
  const handshake = concat(Uint8Array.of(OPEN_TYPES.handshake), utf8('…'))
  const introduced = async (record: Bytes, from = other) => {
    const sealed = await from.seal(peer.publicKey, peer.introductionKey, introduce(record, handshake))
    server.socket.relay(from.publicKey, sealed)
  }

  test('takes our record along, so that one who was not told of us can answer', async () => {
    await server.admit({ members: [await record()] })
    await peer.until('present')
    await peer.client.relay(other.publicKey, handshake)
    const { payload } = await server.socket.next('relay')
    const { record: ours, rest } = readIntroduction(await other.open(peer.publicKey, payload)) ?? {}
    expect(rest).toEqual(handshake)
    expect(await openPresence(crypto, ours ?? new Uint8Array(), mesh.meshId, server.now())).toMatchObject({
      publicKey: peer.publicKey,
      introductionKey: peer.introductionKey,
    })
  })

  test('of a member that the welcome did not name makes it known before it is told', async () => {
    await server.admit({ members: [], total: 100 })
    await introduced(await record())
    await peer.until('frame')
    expect(peer.news).toEqual([
      { what: 'joined', peer: hexOf(other.publicKey) },
      { what: 'frame', peer: hexOf(other.publicKey), frame: hexOf(handshake) },
    ])
    await peer.client.relay(other.publicKey, utf8('an answer'))
    const { payload } = await server.socket.next('relay')
    expect(await other.open(peer.publicKey, payload)).toEqual(utf8('an answer'))
  })

  test('of a member that is known is told, and its record is not looked at again', async () => {
    await server.admit({ members: [await record()] })
    await peer.until('present')
    await introduced(utf8('no record'))
    await peer.until('frame')
    expect(peer.all('joined')).toEqual([])
    expect(peer.client.refused.records).toBe(0)
  })

  test('with a record that is no record, another’s, or of another mesh makes nobody known', async () => {
    const third = await Member.create(crypto, mesh)
    const elsewhere = await deriveMesh(crypto, 'cellar', undefined)
    await server.admit({ members: [], total: 100 })
    await introduced(utf8('no record'))
    await introduced(await record(third))
    await introduced(await other.record(server.now(), undefined, elsewhere.meshId))
    await peer.until('frame', 3)
    expect(peer.all('joined')).toEqual([])
    expect(peer.client.refused.records).toBe(3)
    expect([other, third].map(({ publicKey }) => peer.client.hasMember(publicKey))).toEqual([false, false])
  })

  test('cut within its record is dropped and counted', async () => {
    await server.admit()
    const whole = introduce(await record(), handshake)
    for (const length of [1, 2, 3, 100, whole.length - handshake.length]) {
      const sealed = await other.seal(peer.publicKey, peer.introductionKey, whole.slice(0, length))
      server.socket.relay(other.publicKey, sealed)
    }
    await peer.catchUp()
    expect(peer.all('frame')).toEqual([])
    expect(peer.client.refused.frames).toBe(5)
  })
})

describe('relayed frames', () => {
  test('come after the news of their sender, in the order of the server', async () => {
    await server.admit()
    server.socket.joined(await record())
    for (const text of ['one', 'two', 'three']) {
      server.socket.relay(other.publicKey, await other.seal(peer.publicKey, peer.introductionKey, utf8(text)))
    }
    await peer.until('frame', 3)
    const frame = (text: string) => ({ what: 'frame', peer: hexOf(other.publicKey), frame: hexOf(utf8(text)) })
    expect(peer.news).toEqual([
      { what: 'joined', peer: hexOf(other.publicKey) },
      frame('one'),
      frame('two'),
      frame('three'),
    ])
  })

  test('sealed to the previous introduction key still open', async () => {
    const before = peer.introductionKey
    await peer.changeIntroductionKey()
    await server.admit()
    server.socket.relay(other.publicKey, await other.seal(peer.publicKey, before, utf8('x')))
    await peer.until('frame')
    expect(peer.introductionKey).not.toEqual(before)
  })

  test('that cannot be opened are counted, and told once a minute for each sender', async () => {
    const lost = await crypto.generateIntroductionKey()
    await server.admit()
    const send = async (member: Member) => {
      server.socket.relay(member.publicKey, await member.seal(peer.publicKey, lost.publicKey, utf8('x')))
    }
    const third = await Member.create(crypto, mesh)
    await send(other)
    await send(other)
    await send(third)
    await peer.catchUp()
    expect(peer.errors).toEqual(['DECRYPTION_FAILED', 'DECRYPTION_FAILED'])
    clock.set(LIMITS.complaintSpacing)
    await send(other)
    await peer.catchUp()
    expect(peer.errors).toHaveLength(3)
    expect(peer.client.refused.frames).toBe(4)
  })
})

describe('the socket', () => {
  test('is asked for a sign of life at its interval, and given up once silent for too long', async () => {
    await server.admit()
    await peer.until('status')
    const { socket } = server
    clock.advance(LIMITS.signalingSilence - 1)
    expect(socket.count('ping')).toBe(2)
    expect(socket.closedByPeer).toBe(false)
    clock.advance(1)
    expect(socket.closedByPeer).toBe(true)
    expect(peer.statuses).toEqual(['online', 'offline'])
  })

  test('lives as long as pongs come', async () => {
    await server.admit()
    await peer.until('status')
    for (let pings = 1; pings <= 20; pings++) {
      clock.advance(LIMITS.signalingPing)
      await server.socket.next('ping')
      server.socket.tell({ type: 'pong', payload: new Uint8Array() })
    }
    expect(peer.statuses).toEqual(['online'])
  })

  test('is not given up because somebody set the clock', async () => {
    await server.admit()
    await peer.until('status')
    clock.set(-3_600_000)
    clock.set(7_200_000)
    clock.advance(LIMITS.signalingPing)
    expect(peer.statuses).toEqual(['online'])
  })

  test('has to answer soon when the page wakes, however often that is asked', async () => {
    await server.admit()
    await peer.until('status')
    const { socket } = server
    peer.client.reconnectNow()
    clock.advance(LIMITS.signalingProbe - 1)
    peer.client.reconnectNow()
    expect(socket.closedByPeer).toBe(false)
    clock.advance(1)
    expect(socket.closedByPeer).toBe(true)
  })

  test('that answers when the page wakes is kept', async () => {
    await server.admit()
    await peer.until('status')
    peer.client.reconnectNow()
    await server.socket.next('ping')
    server.socket.tell({ type: 'pong', payload: new Uint8Array() })
    clock.advance(LIMITS.signalingProbe)
    expect(peer.statuses).toEqual(['online'])
  })
})

describe('coming back', () => {
  /** The largest waits that back-off can choose, in milliseconds. */
  const LONGEST = [499, 999, 1_999, 3_999, 7_999, 15_999, 29_999, 29_999]

  /** Another peer, whose back-off always chooses the longest wait. */
  async function unlucky(): Promise<PeerUnderTest> {
    const longest = { ...crypto, randomBytes: (length: number) => new Uint8Array(length).fill(255) }
    const slow = await PeerUnderTest.create(longest, mesh, clock, server)
    slow.client.start()
    return slow
  }

  /** Ends the newest socket and asserts that the next one is opened after `wait` milliseconds, no sooner and no later. */
  async function expectReturnAfter(wait: number): Promise<void> {
    const sockets = server.sockets.length
    server.socket.end()
    await server.socket.closed
    clock.advance(wait - 1)
    expect(server.sockets).toHaveLength(sockets)
    clock.advance(1)
    expect(server.sockets).toHaveLength(sockets + 1)
  }

  test('is tried ever less often while no server answers', async () => {
    peer.client.close()
    const slow = await unlucky()
    for (const wait of LONGEST) await expectReturnAfter(wait)
    expect(slow.statuses).toEqual(['offline'])
  })

  test('begins anew only after a socket that lived for some seconds', async () => {
    peer.client.close()
    const slow = await unlucky()
    await expectReturnAfter(499)
    await server.admit()
    await slow.until('status', 2)
    await expectReturnAfter(999)
    await server.admit()
    await slow.until('status', 4)
    clock.advance(LIMITS.signalingStable)
    await expectReturnAfter(499)
  })

  test('happens at once when the network is back', async () => {
    server.socket.end()
    await peer.until('status')
    peer.client.reconnectNow()
    peer.client.reconnectNow()
    expect(server.sockets).toHaveLength(2)
    await server.admit()
    await peer.until('status', 2)
    expect(peer.statuses).toEqual(['offline', 'online'])
    clock.advance(LIMITS.backoffFirst)
    expect(server.sockets).toHaveLength(2)
  })

  test.each([
    ['goingAway', 4000],
    ['a code of the same range', 4099],
    ['a lost connection', 1006],
    ['a code beyond the ranges', 4200],
  ])('follows %s', async (_, code) => {
    await server.admit()
    await peer.until('status')
    server.socket.end(code)
    await peer.until('status', 2)
    clock.advance(LIMITS.backoffFirst)
    expect(server.sockets).toHaveLength(2)
    expect(peer.errors).toEqual([])
  })

  test.each([
    ['replaced', SIGNALING_CLOSE.replaced, /another tab or window/],
    ['notProven', SIGNALING_CLOSE.notProven, /TSUNAGI_ORIGINS/],
    ['invalidMessage', SIGNALING_CLOSE.invalidMessage, /Reload/],
    ['wrongVersion', SIGNALING_CLOSE.wrongVersion, /Reload/],
    ['a give-up code of a later server', 4199, /4199/],
  ])('never follows %s, and a sentence says why', async (_, code, sentence) => {
    await server.admit()
    await peer.until('status')
    server.socket.end(code)
    await peer.until('error')
    expect(peer.statuses).toEqual(['online', 'closed'])
    expect(peer.all('error')[0]?.error).toMatchObject({
      code: 'SIGNALING_REFUSED',
      message: expect.stringMatching(sentence),
    })
    peer.client.reconnectNow()
    expect(clock.pending).toBe(0)
    expect(server.sockets).toHaveLength(1)
  })

  test('is due when the introduction key expires, with the new one', async () => {
    await server.admit()
    await peer.until('status')
    const { socket } = server
    const before = peer.introductionKey
    for (let left: number = PROTOCOL.introductionKeyLife; left > 0; left -= LIMITS.signalingPing) {
      expect(socket.closedByPeer).toBe(false)
      socket.tell({ type: 'pong', payload: new Uint8Array() })
      clock.advance(Math.min(left, LIMITS.signalingPing))
    }
    await socket.closed
    await peer.changeIntroductionKey()
    clock.advance(LIMITS.backoffFirst)
    server.challenge()
    const { payload } = await server.socket.next('join')
    const { introductionKey } = await openPresence(crypto, payload.presence, mesh.meshId, server.now())
    expect(introductionKey).toEqual(peer.introductionKey)
    expect(introductionKey).not.toEqual(before)
  })
})

describe('what is told of the server', () => {
  test('drops for their rate are told once, whatever the server adds to it', async () => {
    await server.admit()
    for (let i = 0; i < 3; i++) {
      server.socket.tell({ type: 'error', payload: { code: 'RATE_LIMITED', message: 'call 555-1234' } })
    }
    await peer.catchUp()
    expect(peer.errors).toEqual(['RATE_LIMITED'])
    expect(peer.all('error')[0]?.error.message).not.toContain('555')
  })

  test('what it said before it closed is heard before the end', async () => {
    await server.admit()
    server.socket.joined(await record())
    server.socket.end(SIGNALING_CLOSE.replaced)
    await peer.until('error')
    expect(peer.told.map(({ what }) => what)).toEqual(['status', 'joined', 'status', 'error'])
  })
})

describe('close', () => {
  test('ends the socket and every timer, and nothing is told after it', async () => {
    await server.admit()
    await peer.until('status')
    server.socket.joined(await record())
    const told = peer.told.length
    peer.client.close()
    peer.client.close()
    expect(server.socket.closedByPeer).toBe(true)
    expect(clock.pending).toBe(0)
    peer.client.reconnectNow()
    await expect(peer.client.relay(other.publicKey, utf8('x'))).rejects.toMatchObject({ code: 'SIGNALING_UNREACHABLE' })
    expect(peer.told.slice(told)).toEqual([{ what: 'status', status: 'closed' }])
    expect(server.sockets).toHaveLength(1)
  })

  /** A peer that is closed by `close` while its crypto is at work. */
  async function closedMeanwhile(work: (close: () => void) => Partial<CryptoProvider>): Promise<PeerUnderTest> {
    const interrupted = await PeerUnderTest.create(
      { ...crypto, ...work(() => interrupted.client.close()) },
      mesh,
      clock,
      server,
    )
    interrupted.client.start()
    await server.admit()
    await interrupted.until('status')
    return interrupted
  }

  test('while a record is verified, its peer is not told', async () => {
    const interrupted = await closedMeanwhile((close) => ({
      verify(...args) {
        close()
        return crypto.verify(...args)
      },
    }))
    server.socket.joined(await record())
    await interrupted.until('status', 2)
    await drained()
    expect(interrupted.news).toEqual([])
  })

  test('while a frame is opened, that is not told', async () => {
    const interrupted = await closedMeanwhile((close) => ({
      async generateIntroductionKey() {
        const { publicKey } = await crypto.generateIntroductionKey()
        return {
          publicKey,
          async open() {
            close()
            return utf8('opened')
          },
        }
      },
    }))
    server.socket.relay(other.publicKey, utf8('sealed'))
    await interrupted.until('status', 2)
    await drained()
    expect(interrupted.news).toEqual([])
  })

  test('while waiting to come back, nothing comes back', async () => {
    server.socket.end()
    await peer.until('status')
    peer.client.close()
    clock.advance(LIMITS.backoffMost)
    expect(server.sockets).toHaveLength(1)
    expect(clock.pending).toBe(0)
  })
})

test('a record may last for the key in use and the one after it, and no longer', async () => {
  const now = clock.now()
  await openPresence(crypto, await other.record(now, now + LONGEST_PRESENCE), mesh.meshId, now)
  const longer = await other.record(now, now + LONGEST_PRESENCE + PROTOCOL.clockSkew + 1)
  await expect(openPresence(crypto, longer, mesh.meshId, now)).rejects.toMatchObject({ code: 'CLOCK_SKEW' })
})
