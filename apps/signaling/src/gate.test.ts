import { once } from 'node:events'
import { request } from 'node:http'
import { connect as connectTcp } from 'node:net'
import { text } from 'node:stream/consumers'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { FakeClock } from './fake-clock.fixture.ts'
import { connect, joined, serve } from './serve.fixture.ts'
import type { SignalingServer } from './server.ts'

const UPGRADE = {
  Connection: 'Upgrade',
  Upgrade: 'websocket',
  'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAA==',
  'Sec-WebSocket-Version': '13',
}

/** What the door answers: 101 with a socket, which stays open until the test ends, or a status and when to try again. */
async function knock(server: SignalingServer, headers: Readonly<Record<string, string | string[]>> = {}) {
  const asked = request({
    port: server.port,
    path: '/signaling',
    headers: { ...UPGRADE, ...headers },
    agent: false,
  }).end()
  const [response, socket] = await Promise.race([once(asked, 'upgrade'), once(asked, 'response')])
  onTestFinished(() => socket?.destroy())
  return { status: response.statusCode, retryAfter: response.headers['retry-after'] }
}

describe('a page', () => {
  test('of another origin gets no socket unless it is listed', async () => {
    const server = await serve({ host: '127.0.0.1', proxies: ['192.0.2.1'], pageOrigins: ['https://app.example'] })
    expect(await knock(server, { Origin: 'https://evil.example' })).toEqual({ status: 403, retryAfter: undefined })
    expect(await knock(server, { Origin: 'http://localhost:5173' })).toMatchObject({ status: 403 })
    expect(await knock(server, { Origin: 'https://app.example' })).toMatchObject({ status: 101 })
    expect(await knock(server, { Origin: server.url })).toMatchObject({ status: 101 })
  })

  test('of this machine does where only this machine comes', async () => {
    const server = await serve()
    expect(await knock(server, { Origin: 'http://localhost:5173' })).toMatchObject({ status: 101 })
    expect(await knock(server, { Origin: 'https://evil.example' })).toMatchObject({ status: 403 })
  })
})

describe('an address', () => {
  test('has so many sockets, and another one when one closes', async () => {
    const server = await serve({ limits: { maxConnectionsPerAddress: 2 } })
    const first = await joined(server)
    await joined(server)
    expect(await knock(server)).toEqual({ status: 429, retryAfter: '5' })
    first.client.socket.close()
    await first.client.closed
    await vi.waitFor(() => joined(server))
  })

  test('has so many attempts, and learns when the next one is due', async () => {
    const clock = new FakeClock()
    const server = await serve({ clock, limits: { attemptRate: 1, attemptBurst: 3, maxUnproven: 1 } })
    connect(server)
    // A refused attempt is one, too.
    for (const status of [503, 503]) await vi.waitFor(async () => expect((await knock(server)).status).toBe(status))
    expect(await knock(server)).toEqual({ status: 429, retryAfter: '1' })
    clock.advance(1_000)
    expect((await knock(server)).status).toBe(503)
  })

  test('has few sockets without a proved key, and proves them one after the other', async () => {
    const server = await serve({ limits: { maxUnprovenPerAddress: 1 } })
    for (let i = 0; i < 3; i++) await joined(server)
    const stranger = connect(server)
    await stranger.next('challenge')
    expect(await knock(server)).toMatchObject({ status: 429 })
  })

  test('has so many connections, whatever it does with them, and others are served', async () => {
    const server = await serve({ host: '::', limits: { maxConnectionsPerAddress: 1, maxRequestsPerAddress: 1 } })
    const held = [connectTcp(server.port, '127.0.0.1'), connectTcp(server.port, '127.0.0.1')]
    await Promise.all(held.map((socket) => once(socket, 'connect')))
    for (const socket of held) socket.write('GET /signaling HTTP/1.1\r\nUpgrade: websocket\r\n')
    const third = connectTcp(server.port, '127.0.0.1')
    await once(third, 'close')
    // The same machine by its other name is another address.
    expect((await fetch(`http://[::1]:${server.port}/livez`)).status).toBe(200)
    for (const socket of held) socket.destroy()
  })

  test('has a connection for as many sockets and requests, each counted once, and room again when one has closed', async () => {
    const server = await serve({ limits: { maxConnectionsPerAddress: 1, maxRequestsPerAddress: 1 } })
    const isTaken = async () => {
      const socket = connectTcp(server.port, '127.0.0.1')
      socket.on('error', () => undefined)
      socket.end('GET /livez HTTP/1.1\r\nHost: any\r\nConnection: close\r\n\r\n')
      return (await text(socket).catch(() => '')).startsWith('HTTP/1.1 200')
    }
    const peer = connect(server)
    await peer.next('challenge')
    expect(await isTaken()).toBe(true)
    const held = connectTcp(server.port, '127.0.0.1')
    await once(held, 'connect')
    expect(await isTaken()).toBe(false)
    peer.socket.terminate()
    await expect.poll(isTaken).toBe(true)
    held.destroy()
  })

  test.each([
    ['of two customers counts for itself', '192.0.2.1', '192.0.2.2', 101],
    ['of the same IPv6 network counts as the same', '2001:db8::1', '2001:db8::2:3:4:5', 429],
    ['of another IPv6 network counts for itself', '2001:db8:0:1::1', '2001:db8:0:2::1', 101],
    ['of IPv4 in IPv6 clothes is that of IPv4', '192.0.2.1', '::ffff:192.0.2.1', 429],
    ['that a client puts before its own does not count', '192.0.2.1', '192.0.2.9, 192.0.2.1', 429],
    ['behind two proxies is what the first one saw', '192.0.2.1', '192.0.2.9, 192.0.2.1, 10.1.2.3', 429],
  ])('behind a listed proxy, %s', async (_what, one, other, status) => {
    const server = await serve({
      proxies: ['127.0.0.1', '::1', '10.0.0.0/8'],
      limits: { maxConnectionsPerAddress: 1 },
    })
    expect(await knock(server, { 'X-Forwarded-For': one })).toMatchObject({ status: 101 })
    expect(await knock(server, { 'X-Forwarded-For': other })).toMatchObject({ status })
  })

  test('in the header of anybody else is not believed', async () => {
    const server = await serve({ limits: { maxConnectionsPerAddress: 1 } })
    expect(await knock(server, { 'X-Forwarded-For': '192.0.2.1' })).toMatchObject({ status: 101 })
    expect(await knock(server, { 'X-Forwarded-For': '192.0.2.2' })).toMatchObject({ status: 429 })
  })

  test('of a listed proxy is the proxy itself where its header says nothing of use', async () => {
    const server = await serve({ proxies: ['127.0.0.1', '::1'], limits: { maxConnectionsPerAddress: 1 } })
    expect(await knock(server, { 'X-Forwarded-For': 'unknown' })).toMatchObject({ status: 101 })
    expect(await knock(server)).toMatchObject({ status: 429 })
  })

  test('is forgotten where there are too many to remember, but not while it has a socket', async () => {
    const server = await serve({
      proxies: ['127.0.0.1', '::1'],
      limits: { maxRemembered: 2, maxConnectionsPerAddress: 1 },
    })
    expect(await knock(server, { 'X-Forwarded-For': '192.0.2.1' })).toMatchObject({ status: 101 })
    for (let i = 2; i < 20; i++) {
      // These are refused for their origin and hold nothing.
      await knock(server, { 'X-Forwarded-For': `192.0.2.${i}`, Origin: 'https://evil.example' })
    }
    expect(await knock(server, { 'X-Forwarded-For': '192.0.2.1' })).toMatchObject({ status: 429 })
  })
})

test.each(['10.0.0.0/33', 'proxy.example', ''])('a proxy cannot be "%s"', async (proxy) => {
  await expect(serve({ proxies: [proxy] })).rejects.toThrow('TSUNAGI_PROXIES')
})
