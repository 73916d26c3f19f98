import { type CryptoProvider, PROTOCOL, SIGNALING_CLOSE } from '@tsunagi/protocol/signaling'
import { describe, expect, test } from 'vitest'
import { HOSTILE_JOINS } from './hostile-joins.fixture.ts'
import { connect, crypto, joined, MESH, serve } from './serve.fixture.ts'

test('a key proved with its challenge is welcomed, with the ICE servers of this server', async () => {
  const iceServers = [{ urls: ['stun:stun.example:3478'] }]
  const { welcome } = await joined(await serve({ iceServers }))
  expect(welcome).toEqual({ members: [], total: 1, ice_servers: iceServers, vapid_key: expect.any(Uint8Array) })
})

test('no two sockets are asked the same', async () => {
  const server = await serve()
  const asked = await Promise.all([1, 2].map(async () => (await connect(server).next('challenge')).payload))
  expect(asked[0]?.challenge).not.toEqual(asked[1]?.challenge)
  expect(asked[0]).toMatchObject({ max_message: PROTOCOL.maxSignaling })
})

test('a join through a proxy counts where the server was told of that address', async () => {
  const server = await serve({ origins: ['wss://mesh.example'] })
  const client = connect(server)
  const payload = await client.joinFor(crypto, await crypto.generateSigningKey(), MESH, 'wss://mesh.example')
  client.send({ type: 'join', payload })
  await client.next('welcome')
})

describe('is refused for good and unseen by the mesh: who', () => {
  test.each(Object.entries(HOSTILE_JOINS))('%s', async (_name, attack) => {
    const server = await serve()
    const member = await joined(server)
    const attacker = connect(server)
    const { challenge, time } = (await attacker.next('challenge')).payload
    const payload = await attack({
      crypto,
      key: await crypto.generateSigningKey(),
      victim: await crypto.generateSigningKey(),
      challenge,
      origin: attacker.origin,
      meshId: MESH,
      now: time,
    })
    attacker.send({ type: 'join', payload })
    expect((await attacker.next('error')).payload.code).toBe('INVALID_SIGNATURE')
    expect((await attacker.closed).code).toBe(SIGNALING_CLOSE.notProven)
    await member.client.ping()
  })
})

test('another version is told which one is spoken here', async () => {
  const client = connect(await serve())
  const join = await client.joinFor(crypto, await crypto.generateSigningKey(), MESH)
  client.send({ type: 'join', payload: { ...join, version: '2.0' } })
  const { code, message } = (await client.next('error')).payload
  expect(code).toBe('INVALID_VERSION')
  expect(message).toContain(PROTOCOL.version)
  expect((await client.closed).code).toBe(SIGNALING_CLOSE.wrongVersion)
})

test('a second join is refused, also while the first is checked, and the first stands', async () => {
  const client = connect(await serve())
  const payload = await client.joinFor(crypto, await crypto.generateSigningKey(), MESH)
  client.send({ type: 'join', payload })
  client.send({ type: 'join', payload })
  expect((await client.next('error')).payload.code).toBe('INVALID_STATE')
  await client.next('welcome')
  client.send({ type: 'join', payload })
  expect((await client.next('error')).payload.code).toBe('INVALID_STATE')
  await client.ping()
})

test('nothing is relayed for who has not proved a key', async () => {
  const server = await serve()
  const member = await joined(server)
  const stranger = connect(server)
  await stranger.next('challenge')
  stranger.relay(member.key.publicKey, new Uint8Array([1]))
  expect((await stranger.next('error')).payload.code).toBe('INVALID_STATE')
  await member.client.ping()
})

test('who leaves while its join is checked is not announced', async () => {
  const server = await serve()
  const member = await joined(server)
  const client = connect(server)
  const payload = await client.joinFor(crypto, await crypto.generateSigningKey(), MESH)
  client.send({ type: 'join', payload })
  client.socket.send('text ends the socket at once')
  expect((await client.closed).code).toBe(SIGNALING_CLOSE.invalidMessage)
  expect((await joined(server)).welcome.total).toBe(2)
  await member.client.next('presence')
  await member.client.ping()
})

test('a fault of the server ends the socket that met it, which may come back, and no other', async () => {
  const broken: CryptoProvider = Object.assign(Object.create(crypto), {
    verify: () => Promise.reject(new Error('out of order')),
  })
  const server = await serve({ crypto: broken })
  const witness = connect(server)
  await witness.next('challenge')
  const client = connect(server)
  client.send({ type: 'join', payload: await client.joinFor(crypto, await crypto.generateSigningKey(), MESH) })
  expect((await client.closed).code).toBe(SIGNALING_CLOSE.overloaded)
  await witness.ping()
})
