import { createHmac } from 'node:crypto'
import { fingerprintOf, peerIdOf } from '@tsunagi/protocol/signaling'
import { expect, test } from 'vitest'
import { FakeClock } from './fake-clock.fixture.ts'
import { joined, serve } from './serve.fixture.ts'

const TURN = { secret: 'shared with coturn', urls: ['turn:turn.example:3478?transport=udp'] }
const STUN = { urls: ['stun:stun.example:3478'] }

test('a proven peer gets credentials that a TURN server of the same secret takes, for its key and a short time', async () => {
  const clock = new FakeClock()
  const { welcome, key } = await joined(await serve({ clock, iceServers: [STUN], turn: TURN }))
  const expiry = Math.floor((clock.now() + 3_600_000) / 1_000)
  const username = `${expiry}:${fingerprintOf(peerIdOf(key.publicKey))}`
  const credential = createHmac('sha1', TURN.secret).update(username).digest('base64')
  expect(welcome.ice_servers).toEqual([STUN, { urls: TURN.urls, username, credential }])
})

test('a peer that stays gets new ones before the old ones expire', async () => {
  const clock = new FakeClock()
  const server = await serve({ clock, turn: TURN, limits: { turnLifetime: 60_000, pingInterval: 5_000 } })
  const { client, welcome } = await joined(server)
  for (let passed = 0; passed < 45_000; passed += 5_000) {
    const pinged = new Promise((resolve) => client.socket.once('ping', resolve))
    clock.advance(5_000)
    await pinged
    if (passed < 40_000) await client.ping()
  }
  const renewed = (await client.next('ice_servers')).payload.ice_servers
  const expiry = ([server]: typeof renewed) => Number.parseInt(server?.username ?? '', 10)
  expect(expiry(renewed)).toBe(expiry(welcome.ice_servers) + 45)
})

test('a key that asks for too many gets none for a while, and is a peer all the same', async () => {
  const server = await serve({ turn: TURN, limits: { turnPerHour: 2 } })
  const first = await joined(server)
  expect((await joined(server, { key: first.key })).welcome.ice_servers).toHaveLength(1)
  expect((await joined(server, { key: first.key })).welcome.ice_servers).toEqual([])
  expect((await joined(server)).welcome.ice_servers).toHaveLength(1)
})
