import { encodeSignaling, PROTOCOL, SIGNALING_CLOSE, SIGNALING_TYPES, utf8 } from '@tsunagi/protocol/signaling'
import { expect, test } from 'vitest'
import { connect, crypto, joined, MESH, serve } from './serve.fixture.ts'

test('a newcomer is shown the members, the members the newcomer, and who leaves is told of', async () => {
  const server = await serve()
  const first = await joined(server)
  const second = await joined(server)
  const announced = (await first.client.next('presence')).payload
  expect(second.welcome.total).toBe(2)
  expect(second.welcome.members).toHaveLength(1)

  const third = await joined(server)
  expect(third.welcome.members).toHaveLength(2)
  // A record travels as it was signed: what the first was told of the second is what the third is shown.
  expect(third.welcome.members).toContainEqual(announced.event === 'joined' && announced.presence)
  await first.client.next('presence')
  await second.client.next('presence')

  third.client.socket.close()
  for (const { client } of [first, second]) {
    expect((await client.next('presence')).payload).toEqual({ event: 'left', public_key: third.key.publicKey })
  }
})

test('a newcomer is shown a sample of a large mesh and its whole number', async () => {
  const server = await serve({ limits: { sampleSize: 2 } })
  for (let i = 0; i < 4; i++) await joined(server)
  const { welcome } = await joined(server)
  expect(welcome.members).toHaveLength(2)
  expect(welcome.total).toBe(5)
})

test('what is relayed arrives as it was sent, under the key its sender proved', async () => {
  const server = await serve()
  const [alice, bob, carol] = [await joined(server), await joined(server), await joined(server)]
  await alice.client.next('presence')
  await alice.client.next('presence')
  await bob.client.next('presence')

  const payload = crypto.randomBytes(60_000)
  alice.client.relay(bob.key.publicKey, payload)
  bob.client.relay(alice.key.publicKey, utf8('not even CBOR'))
  expect(await bob.client.next('relay')).toEqual({ type: 'relay', publicKey: alice.key.publicKey, payload })
  expect(await alice.client.next('relay')).toMatchObject({
    publicKey: bob.key.publicKey,
    payload: utf8('not even CBOR'),
  })
  await carol.client.ping()
})

test('a relay of any length arrives whole, also where the head of its frame becomes longer', async () => {
  const server = await serve()
  const [alice, bob] = [await joined(server), await joined(server)]
  for (const length of [34, 125, 126, 65_535, PROTOCOL.maxSignaling]) {
    const payload = crypto.randomBytes(length - 33)
    alice.client.relay(bob.key.publicKey, payload)
    expect((await bob.client.next('relay')).payload).toEqual(payload)
  }
})

test('relays of one peer to another keep their order', async () => {
  const server = await serve()
  const [alice, bob] = [await joined(server), await joined(server)]
  for (let i = 0; i < 100; i++) alice.client.relay(bob.key.publicKey, new Uint8Array([i]))
  for (let i = 0; i < 100; i++) expect((await bob.client.next('relay')).payload).toEqual(new Uint8Array([i]))
})

test('a relay to a key that is not there names that key', async () => {
  const { client } = await joined(await serve())
  const absent = crypto.randomBytes(32)
  client.relay(absent, new Uint8Array([1]))
  expect((await client.next('error')).payload).toMatchObject({ code: 'UNKNOWN_PEER', public_key: absent })
})

test('two meshes of one server never hear of each other', async () => {
  const server = await serve()
  const inside = await joined(server)
  const outside = await joined(server, { meshId: new Uint8Array(32).fill(8) })
  expect(outside.welcome).toMatchObject({ members: [], total: 1 })

  outside.client.relay(inside.key.publicKey, new Uint8Array([1]))
  expect((await outside.client.next('error')).payload.code).toBe('UNKNOWN_PEER')
  inside.client.relay(outside.key.publicKey, new Uint8Array([1]))
  expect((await inside.client.next('error')).payload.code).toBe('UNKNOWN_PEER')

  outside.client.socket.close()
  await outside.client.closed
  await inside.client.ping()
})

test('a key in two meshes stands in each for itself', async () => {
  const server = await serve()
  const here = await joined(server)
  const there = await joined(server, { key: here.key, meshId: new Uint8Array(32).fill(8) })
  await there.client.ping()
  await here.client.ping()
})

test('a newer socket of the same key takes the place of the older, which is told not to come back', async () => {
  const server = await serve()
  const bob = await joined(server)
  const older = await joined(server)
  const record = (await bob.client.next('presence')).payload
  const newer = await joined(server, { key: older.key })
  expect(newer.welcome.total).toBe(2)
  expect((await older.client.closed).code).toBe(SIGNALING_CLOSE.replaced)

  // The others learn the new record and hear of no leaving in between.
  const renewed = (await bob.client.next('presence')).payload
  expect(renewed.event).toBe('joined')
  expect(renewed).not.toEqual(record)
  bob.client.relay(older.key.publicKey, utf8('to the newer'))
  expect((await newer.client.next('relay')).payload).toEqual(utf8('to the newer'))
  await bob.client.ping()
})

test('a ping is answered with its own bytes, also before the join', async () => {
  const client = connect(await serve())
  await client.next('challenge')
  client.send({ type: 'ping', payload: utf8('0123456789abcdef') })
  expect((await client.next('pong')).payload).toEqual(utf8('0123456789abcdef'))
})

const key = new Uint8Array(32)
const NOT_FOR_THE_SERVER: Readonly<Record<string, Uint8Array | string>> = {
  'a text frame, although a ping if it were binary': String.fromCharCode(SIGNALING_TYPES.ping),
  'an empty message': new Uint8Array(0),
  'an unknown type': new Uint8Array([99, 1, 2, 3]),
  'a relay without payload': new Uint8Array([SIGNALING_TYPES.relay, ...key]),
  'a ping that is too long': new Uint8Array(18).fill(SIGNALING_TYPES.ping, 0, 1),
  'a join that is no CBOR': new Uint8Array([SIGNALING_TYPES.join, 255]),
  'a join of nothing': new Uint8Array([SIGNALING_TYPES.join, 0xa0]),
  'a challenge': encodeSignaling({
    type: 'challenge',
    payload: { challenge: key, time: 0, max_message: 0 },
  }),
  'a welcome': encodeSignaling({ type: 'welcome', payload: { members: [], total: 0, ice_servers: [] } }),
  'a presence': encodeSignaling({ type: 'presence', payload: { event: 'left', public_key: key } }),
  'a pong': encodeSignaling({ type: 'pong', payload: new Uint8Array(0) }),
  'an error': encodeSignaling({ type: 'error', payload: { code: 'INVALID_STATE', message: '' } }),
}

test.each(Object.entries(NOT_FOR_THE_SERVER))('%s ends the socket and no other', async (_name, message) => {
  const server = await serve()
  const witness = await joined(server)
  const { client } = await joined(server, { meshId: MESH })
  client.socket.send(message)
  expect((await client.next('error')).payload.code).toBe('INVALID_FORMAT')
  expect((await client.closed).code).toBe(SIGNALING_CLOSE.invalidMessage)
  await witness.client.next('presence')
  await witness.client.next('presence')
  await witness.client.ping()
})
