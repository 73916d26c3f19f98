import { once } from 'node:events'
import { mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { type IncomingHttpHeaders, request } from 'node:http'
import { connect as connectTcp } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { SIGNALING_CLOSE } from '@tsunagi/protocol/signaling'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { connect, joined, serve } from './serve.fixture.ts'
import type { SignalingServer } from './server.ts'

let folder: string
let webApp: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tsunagi-'))
  webApp = join(folder, 'app')
  await mkdir(join(webApp, 'assets'), { recursive: true })
  await writeFile(join(folder, 'secret.txt'), 'SECRET')
  await writeFile(join(webApp, 'index.html'), '<!doctype html>the page')
  await writeFile(join(webApp, 'assets', 'app-1a2b.js'), 'the script')
  await writeFile(join(webApp, '.env'), 'SECRET')
})

afterAll(() => rm(folder, { recursive: true }))

interface Answer {
  readonly status: number | undefined
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** The path goes out as it is: fetch() would tidy what an attacker leaves untidy. */
async function ask(server: SignalingServer, path: string, method = 'GET', headers = {}): Promise<Answer> {
  const asked = request({ port: server.port, path, method, headers, agent: false }).end()
  const [response] = await once(asked, 'response')
  return { status: response.statusCode, headers: response.headers, body: await text(response) }
}

describe('the web app', () => {
  test('is served at the address the server names, and asked for anew', async () => {
    const server = await serve({ webApp })
    const page = await ask(server, '/?mesh=any')
    expect(page).toMatchObject({ status: 200, body: '<!doctype html>the page' })
    expect(page.headers['content-type']).toMatch(/^text\/html/)
    expect(page.headers['cache-control']).toBe('no-cache')
    expect(server.url).toBe(`http://localhost:${server.port}`)
  })

  test('has files that a browser keeps for ever, since their names change with what is in them', async () => {
    const script = await ask(await serve({ webApp }), '/assets/app-1a2b.js')
    expect(script).toMatchObject({ status: 200, body: 'the script' })
    expect(script.headers['cache-control']).toContain('immutable')
    expect(script.headers['content-type']).toMatch(/^text\/javascript/)
  })

  test('an answer of any kind lets no foreign script run and no other page frame it', async () => {
    const server = await serve({ webApp })
    for (const path of ['/', '/assets/app-1a2b.js', '/nowhere', '/livez', '/%']) {
      const { headers } = await ask(server, path)
      expect(headers['content-security-policy']).toContain("default-src 'self'")
      expect(headers['content-security-policy']).toContain("frame-ancestors 'none'")
      expect(headers['x-content-type-options']).toBe('nosniff')
    }
  })

  const REFUSED: Readonly<Record<string, number>> = {
    '/../secret.txt': 403,
    '/assets/../../secret.txt': 403,
    '/..%2fsecret.txt': 403,
    '/%2e%2e/secret.txt': 403,
    '/%2e%2e%2fsecret.txt': 403,
    '/..%5csecret.txt': 403,
    '//secret.txt': 404,
    '/%00': 400,
    '/index.html%00.js': 400,
    '/%': 400,
    '/.env': 404,
    '/assets': 301,
    '/assets/': 404,
    '/nowhere': 404,
    '/signaling': 404,
    'http://other.example/livez': 404,
    '*': 404,
    [`/${'a'.repeat(5_000)}`]: 404,
    [`/${'a'.repeat(20_000)}`]: 431,
  }
  test.each(Object.entries(REFUSED))('is all that is served: not %s', async (path, status) => {
    const answer = await ask(await serve({ webApp }), path)
    expect(answer.status).toBe(status)
    expect(answer.body).not.toContain('SECRET')
  })

  test.each(['POST', 'PUT', 'DELETE', 'OPTIONS'])('is only read: no %s', async (method) => {
    const answer = await ask(await serve({ webApp }), '/', method)
    expect(answer).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD' } })
  })

  test('that was not built stops the server with a word on how to build it', async () => {
    await expect(serve({ webApp: folder })).rejects.toThrow('pnpm build')
  })
})

describe('health', () => {
  test('is told to who asks, and kept by no cache', async () => {
    const server = await serve()
    for (const path of ['/livez', '/readyz', '/readyz?from=probe']) {
      expect(await ask(server, path)).toMatchObject({ status: 200, headers: { 'cache-control': 'no-store' } })
    }
  })

  test('a stopping server lives, is not ready, lets nobody in, and tells all to come back', async () => {
    const server = await serve()
    const member = await joined(server)
    // Who reads nothing answers nothing, so the server waits for it.
    member.client.socket.pause()
    const stopped = server.close()
    expect((await ask(server, '/livez')).status).toBe(200)
    expect((await ask(server, '/readyz')).status).toBe(503)
    await expect(connect(server).closed).rejects.toThrow('503')
    member.client.socket.resume()
    expect((await member.client.closed).code).toBe(SIGNALING_CLOSE.goingAway)
    await stopped
    await expect(ask(server, '/livez')).rejects.toThrow('ECONNREFUSED')
  })

  test('a stopping server waits no longer than the close timeout for who does not answer', async () => {
    const server = await serve({ limits: { closeTimeout: 20 } })
    const member = await joined(server)
    member.client.socket.pause()
    await server.close()
  })
})

describe('the door', () => {
  const headers = {
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAA==',
    'Sec-WebSocket-Version': '13',
  }
  test.each([
    ['another path', '/', 'GET', headers, 404],
    ['a path below', '/signaling/x', 'GET', headers, 404],
    ['another method', '/signaling', 'POST', headers, 405],
    ['another protocol', '/signaling', 'GET', { ...headers, Upgrade: 'h2c' }, 400],
    ['another version', '/signaling', 'GET', { ...headers, 'Sec-WebSocket-Version': '7' }, 400],
    ['no key', '/signaling', 'GET', { ...headers, 'Sec-WebSocket-Key': '' }, 400],
  ])('is closed to %s', async (_what, path, method, sent, status) => {
    expect((await ask(await serve(), path, method, sent)).status).toBe(status)
  })

  test('holds no more connections than sockets and requests may be, and is open again when one ends', async () => {
    const server = await serve({ limits: { maxConnections: 1, maxRequests: 1 } })
    const held = [connectTcp(server.port, 'localhost'), connectTcp(server.port, 'localhost')]
    await Promise.all(held.map((socket) => once(socket, 'connect')))
    await expect(ask(server, '/livez')).rejects.toThrow(/ECONNRESET|socket hang up/)
    for (const socket of held) socket.destroy()
    await vi.waitFor(() => ask(server, '/livez'))
  })

  test('closes on who says nothing', async () => {
    const server = await serve({ limits: { requestDeadline: 20 } })
    const socket = connectTcp(server.port, 'localhost')
    socket.write('GET / HTTP/1.1\r\n')
    expect(await text(socket)).toMatch(/^HTTP\/1.1 408 /)
  })

  test('closes on who asks and does not read', async () => {
    const large = join(webApp, 'assets', 'large-3c4d.bin')
    await writeFile(large, '')
    await truncate(large, 64 * 1024 * 1024)
    const server = await serve({ webApp, limits: { requestSilence: 20, requestDeadline: 20 } })
    const socket = connectTcp(server.port, 'localhost')
    socket.write('GET /assets/large-3c4d.bin HTTP/1.1\r\nHost: any\r\n\r\n')
    await once(socket, 'readable')
    // Each of these is cut after the same time, so after some the download has been silent for long.
    for (let i = 0; i < 5; i++) await text(connectTcp(server.port, 'localhost'))
    let received = 0
    for await (const chunk of socket) received += chunk.length
    expect(received).toBeLessThan(64 * 1024 * 1024)
  })
})
