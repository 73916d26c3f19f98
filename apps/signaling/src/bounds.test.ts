import { setImmediate as nextTurn } from 'node:timers/promises'
import { PROTOCOL, SIGNALING_CLOSE, SIGNALING_TYPES } from '@tsunagi/protocol/signaling'
import { beforeEach, expect, test, vi } from 'vitest'
import { FakeClock } from './fake-clock.fixture.ts'
import { connect, crypto, joined, MESH, serve } from './serve.fixture.ts'

/** For who tests another limit. */
const UNLIMITED = {
  messageRate: 1_000_000,
  keyMessageRate: 1_000_000,
  pairMessageRate: 1_000_000,
  byteRate: 2 ** 30,
  byteBurst: 2 ** 30,
  keyByteRate: 2 ** 30,
  keyByteBurst: 2 ** 30,
  pairByteRate: 2 ** 30,
  pairByteBurst: 2 ** 30,
}

let clock: FakeClock

beforeEach(() => {
  clock = new FakeClock()
})

test('the largest message passes, and one byte more ends the socket', async () => {
  const server = await serve()
  const [alice, bob] = [await joined(server), await joined(server)]
  await alice.client.next('presence')
  const largest = new Uint8Array(PROTOCOL.maxSignaling - 33)
  alice.client.relay(bob.key.publicKey, largest)
  expect((await bob.client.next('relay')).payload).toHaveLength(largest.length)
  alice.client.relay(bob.key.publicKey, new Uint8Array(largest.length + 1))
  expect((await alice.client.closed).code).toBe(1009)
  expect((await bob.client.next('presence')).payload.event).toBe('left')
})

test('a message in a few fragments passes, one in thousands ends the socket', async () => {
  const { client } = await joined(await serve())
  const sendInFragments = (count: number) => {
    const byte = new Uint8Array([SIGNALING_TYPES.ping])
    for (let i = 1; i <= count; i++) client.socket.send(byte, { fin: i === count })
  }
  sendInFragments(10)
  expect((await client.next('pong')).payload).toHaveLength(9)
  sendInFragments(10_000)
  expect((await client.closed).code).toBe(1008)
})

test('messages beyond the rate are dropped and said to be; the rate comes back with time', async () => {
  const server = await serve({ clock, limits: { messageBurst: 3, messageRate: 1, maxDropped: 10, discoverSize: 3 } })
  const { client } = await joined(server, { autoPong: false })
  for (let i = 0; i < 3; i++) await client.ping()
  client.send({ type: 'ping', payload: new Uint8Array(0) })
  expect((await client.next('error')).payload.code).toBe('RATE_LIMITED')
  clock.advance(1_000)
  await client.ping()
  client.send({ type: 'ping', payload: new Uint8Array(0) })
  expect((await client.next('error')).payload.code).toBe('RATE_LIMITED')
})

test.each([
  ['its socket', { messageBurst: 4, messageRate: 1, discoverSize: 4 }],
  ['its key', { keyMessageBurst: 4, keyMessageRate: 1 }],
  ['it and the other', { pairMessageBurst: 4, pairMessageRate: 1 }],
])('who was quiet for a second has what the rate of %s gives in that, and no new burst', async (_whose, limits) => {
  const server = await serve({ clock, limits })
  const [alice, bob] = [await joined(server, { autoPong: false }), await joined(server)]
  await alice.client.next('presence')
  const relay = () => alice.client.relay(bob.key.publicKey, new Uint8Array([1]))
  for (let i = 0; i < 5; i++) relay()
  expect((await alice.client.next('error')).payload.code).toBe('RATE_LIMITED')
  clock.advance(1_000)
  for (let i = 0; i < 2; i++) relay()
  expect((await alice.client.next('error')).payload.code).toBe('RATE_LIMITED')
  for (let i = 0; i < 5; i++) await bob.client.next('relay')
})

test('a WebSocket ping is answered with its bytes', async () => {
  const { client } = await joined(await serve())
  const answer = new Promise((resolve) => client.socket.once('pong', resolve))
  client.socket.ping('how are you?')
  expect(String(await answer)).toBe('how are you?')
})

test('bytes beyond their rate are dropped and never relayed', async () => {
  const server = await serve({ clock, limits: { byteBurst: PROTOCOL.maxSignaling } })
  const [alice, bob] = [await joined(server), await joined(server)]
  await alice.client.next('presence')
  for (let i = 0; i < 2; i++) alice.client.relay(bob.key.publicKey, new Uint8Array(40_000).fill(i))
  expect((await alice.client.next('error')).payload.code).toBe('RATE_LIMITED')
  expect((await bob.client.next('relay')).payload[0]).toBe(0)
  await bob.client.ping()
})

const FLOODS = {
  messages: (client: ReturnType<typeof connect>) => client.send({ type: 'ping', payload: new Uint8Array(0) }),
  'WebSocket pings': (client: ReturnType<typeof connect>) => client.socket.ping(),
  'WebSocket pongs': (client: ReturnType<typeof connect>) => client.socket.pong(),
}
test.each(Object.entries(FLOODS))('a flood of %s ends the socket, which may come back', async (_name, send) => {
  const server = await serve({ clock, limits: { messageBurst: 5, maxDropped: 5, discoverSize: 5 } })
  const { client } = await joined(server)
  for (let i = 0; i < 11; i++) send(client)
  expect((await client.closed).code).toBe(SIGNALING_CLOSE.rateLimited)
})

test('who does not read is closed once too much waits for it, and the others go on', async () => {
  const server = await serve({ limits: UNLIMITED })
  const [alice, bob, slow] = [await joined(server), await joined(server), await joined(server)]
  await alice.client.next('presence')
  await alice.client.next('presence')
  await bob.client.next('presence')
  slow.client.socket.pause()
  let isClosed = false
  const left = alice.client.next('presence').finally(() => {
    isClosed = true
  })
  // As much as the system's own buffers take, and then what this server keeps.
  while (!isClosed) {
    alice.client.relay(slow.key.publicKey, new Uint8Array(60_000))
    await nextTurn()
  }
  expect((await left).payload).toEqual({ event: 'left', public_key: slow.key.publicKey })
  expect((await bob.client.next('presence')).payload.event).toBe('left')
  bob.client.relay(alice.key.publicKey, new Uint8Array([1]))
  await vi.waitFor(() => alice.client.next('relay'))
  slow.client.socket.resume()
  expect((await slow.client.closed).code).toBe(SIGNALING_CLOSE.tooSlow)
})

test('a socket that never proves a key is closed, however lively it is', async () => {
  const client = connect(await serve({ clock }))
  await client.next('challenge')
  clock.advance(4_999)
  await client.ping()
  clock.advance(1)
  expect((await client.closed).code).toBe(SIGNALING_CLOSE.silent)
})

test('a socket that answers no ping is closed, and one that does stays', async () => {
  const server = await serve({ clock })
  const lively = await joined(server)
  const silent = await joined(server, { autoPong: false })
  await lively.client.next('presence')
  for (let passed = 0; passed < 60_000; passed += 10_000) {
    const pinged = new Promise((resolve) => lively.client.socket.once('ping', resolve))
    clock.advance(10_000)
    await pinged
    // A round trip of a third socket, so that the answer to the ping has been read.
    const third = connect(server)
    await third.next('challenge')
    third.socket.close()
    await third.closed
  }
  expect((await silent.client.closed).code).toBe(SIGNALING_CLOSE.silent)
  expect((await lively.client.next('presence')).payload.event).toBe('left')
  await lively.client.ping()
})

test('a full mesh takes no new key, but the newer socket of one that is in it; other meshes have room', async () => {
  const server = await serve({ limits: { maxMembers: 2 } })
  const first = await joined(server)
  await joined(server)
  const late = connect(server)
  const payload = await late.joinFor(crypto, await crypto.generateSigningKey(), MESH)
  late.send({ type: 'join', payload })
  expect((await late.closed).code).toBe(SIGNALING_CLOSE.overloaded)
  expect((await joined(server, { key: first.key })).welcome.total).toBe(2)
  expect((await joined(server, { meshId: new Uint8Array(32) })).welcome.total).toBe(1)
})

test('with all places taken a socket is refused at the door, and let in when one is free', async () => {
  const server = await serve({ limits: { maxConnections: 1 } })
  const first = await joined(server)
  await expect(connect(server).closed).rejects.toThrow('503')
  first.client.socket.close()
  await vi.waitFor(() => joined(server))
})

test('strangers who prove nothing take a part of the places only', async () => {
  const server = await serve({ limits: { maxUnproven: 1 } })
  const stranger = connect(server)
  await stranger.next('challenge')
  await expect(connect(server).closed).rejects.toThrow('503')
  const key = await crypto.generateSigningKey()
  stranger.socket.close()
  await vi.waitFor(() => joined(server, { key }))
  await joined(server)
})

test('who has not proved a key may send little, and is asked to come back later', async () => {
  const client = connect(await serve({ limits: { unprovenMessages: 3, maxDropped: 0, comeBackAfter: 700 } }))
  await client.next('challenge')
  for (let i = 0; i < 3; i++) await client.ping()
  client.send({ type: 'ping', payload: new Uint8Array(0) })
  expect(await client.closed).toEqual({
    code: SIGNALING_CLOSE.rateLimited,
    reason: 'retry after 700 ms: Too many messages, for too long.',
  })
})

test('a key has its budget whatever sockets it opens', async () => {
  const server = await serve({ clock, limits: { keyMessageRate: 1, keyMessageBurst: 4 } })
  const first = await joined(server, { autoPong: false })
  for (let i = 0; i < 3; i++) await first.client.ping()
  const second = await joined(server, { key: first.key, autoPong: false })
  await second.client.ping()
  second.client.send({ type: 'ping', payload: new Uint8Array(0) })
  expect((await second.client.next('error')).payload.code).toBe('RATE_LIMITED')
  const other = await joined(server)
  await other.client.ping()
})

test('one peer cannot use up more of another than its share, and may go on to a third', async () => {
  const server = await serve({ clock, limits: { pairMessageBurst: 2, pairMessageRate: 1 } })
  const [alice, bob, carol] = [await joined(server), await joined(server), await joined(server)]
  await alice.client.next('presence')
  await alice.client.next('presence')
  for (let i = 0; i < 3; i++) alice.client.relay(bob.key.publicKey, new Uint8Array([i]))
  const { code, public_key } = (await alice.client.next('error')).payload
  expect({ code, public_key }).toEqual({ code: 'RATE_LIMITED', public_key: bob.key.publicKey })
  alice.client.relay(carol.key.publicKey, new Uint8Array([9]))
  expect((await carol.client.next('relay')).payload).toEqual(new Uint8Array([9]))
})

test('a key is in so many meshes at once, and in another when it has left one', async () => {
  const server = await serve({ limits: { maxMeshesPerKey: 1, comeBackAfter: 900 } })
  const here = await joined(server)
  const there = connect(server)
  there.send({ type: 'join', payload: await there.joinFor(crypto, here.key, new Uint8Array(32)) })
  const { code, reason } = await there.closed
  expect(code).toBe(SIGNALING_CLOSE.overloaded)
  expect(reason).toMatch(/^retry after 900 ms: /)
  // Its own place a newer socket always gets.
  const again = await joined(server, { key: here.key })
  again.client.socket.close()
  await again.client.closed
  await vi.waitFor(() => joined(server, { key: here.key, meshId: new Uint8Array(32) }))
})

test('who reads, but not what it was sent in time, is closed', async () => {
  const server = await serve({ clock, limits: { ...UNLIMITED, sendHighMark: 2 ** 26, silence: 100_000 } })
  const [alice, slow] = [await joined(server), await joined(server)]
  await alice.client.next('presence')
  slow.client.socket.pause()
  // More than the system's own buffers take.
  for (let i = 0; i < 200; i++) alice.client.relay(slow.key.publicKey, new Uint8Array(60_000))
  await alice.client.ping()
  clock.advance(14_999)
  await alice.client.ping()
  clock.advance(15_001)
  expect((await alice.client.next('presence')).payload.event).toBe('left')
  slow.client.socket.resume()
  expect((await slow.client.closed).code).toBe(SIGNALING_CLOSE.tooSlow)
})

test('when too much waits for all together, those for whom most waits are closed', async () => {
  const limits = { ...UNLIMITED, sendHighMark: 2 ** 26, maxQueued: 3_000_000, queueSweep: 10 }
  const server = await serve({ limits })
  const [alice, slow, slower] = [await joined(server), await joined(server), await joined(server)]
  await alice.client.next('presence')
  await alice.client.next('presence')
  slow.client.socket.pause()
  slower.client.socket.pause()
  for (let i = 0; i < 100; i++) alice.client.relay(slow.key.publicKey, new Uint8Array(60_000))
  for (let i = 0; i < 200; i++) alice.client.relay(slower.key.publicKey, new Uint8Array(60_000))
  const left = (await alice.client.next('presence')).payload
  expect(left).toEqual({ event: 'left', public_key: slower.key.publicKey })
  slower.client.socket.resume()
  expect((await slower.client.closed).code).toBe(SIGNALING_CLOSE.tooSlow)
})
