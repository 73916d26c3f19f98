import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { get } from 'node:https'
import { connect as connectTcp } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TLSSocket, connect as tlsConnect } from 'node:tls'
import { SIGNALING_CLOSE } from '@tsunagi/protocol/signaling'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { checkLimits } from './limits.ts'
import { connect, crypto, joined, MESH, serve } from './serve.fixture.ts'
import type { SignalingServer } from './server.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tsunagi-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

test('the limits are public', async () => {
  const server = await serve({ limits: { maxMembers: 7 } })
  const answer = await fetch(`${server.url}/limits`)
  expect(await answer.json()).toEqual(checkLimits({ drainSpread: 0, maxMembers: 7 }))
})

describe('metrics', () => {
  const metricsOf = async (server: SignalingServer): Promise<Map<string, number>> => {
    const text = await (await fetch(`http://127.0.0.1:${server.metricsPort}/metrics`)).text()
    const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
    return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))]))
  }

  test('count what happens, on a port of their own', async () => {
    const server = await serve({ metrics: { port: 0, host: '127.0.0.1' }, limits: { pairMessageBurst: 1 } })
    const [alice, bob] = [await joined(server), await joined(server)]
    const stranger = connect(server)
    await stranger.next('challenge')
    await alice.client.next('presence')
    alice.client.relay(bob.key.publicKey, new Uint8Array([1]))
    await bob.client.next('relay')
    alice.client.relay(bob.key.publicKey, new Uint8Array([2]))
    await alice.client.next('error')
    const rude = connect(server)
    await rude.next('challenge')
    rude.socket.send('text')
    await rude.closed

    const metrics = await metricsOf(server)
    expect(metrics.get('tsunagi_connections')).toBe(3)
    expect(metrics.get('tsunagi_proven')).toBe(2)
    expect(metrics.get('tsunagi_meshes')).toBe(1)
    expect(metrics.get('tsunagi_queue_bytes')).toBe(0)
    expect(metrics.get('tsunagi_relayed_total{route="local"}')).toBe(1)
    expect(metrics.get('tsunagi_received_total{type="relay"}')).toBe(2)
    expect(metrics.get('tsunagi_refused_total{limit="pairMessageRate"}')).toBe(1)
    expect(metrics.get(`tsunagi_closed_total{code="${SIGNALING_CLOSE.invalidMessage}"}`)).toBe(1)
    expect(metrics.get('tsunagi_join_seconds_count')).toBe(2)
    expect(metrics.get('nodejs_eventloop_lag_p99_seconds')).toBeGreaterThan(0)
    expect((await fetch(`${server.url}/metrics`)).status).toBe(404)
  })

  test('name no close code of a stranger, who could make as many labels as there are', async () => {
    const server = await serve({ metrics: { port: 0, host: '127.0.0.1' } })
    const client = connect(server)
    await client.next('challenge')
    client.socket.close(4_999)
    await client.closed
    expect((await metricsOf(server)).get('tsunagi_closed_total{code="other"}')).toBe(1)
  })
})

test('a stopping server sends its peers away one after the other, each with a time to come back', async () => {
  const server = await serve({ limits: { drainSpread: 300, drainDeadline: 5_000 } })
  const peers = await Promise.all(Array.from({ length: 12 }, () => joined(server)))
  const begun = Date.now()
  const times: number[] = []
  const closed = peers.map(async ({ client }) => {
    const { code, reason } = await client.closed
    times.push(Date.now() - begun)
    expect(code).toBe(SIGNALING_CLOSE.goingAway)
    return Number(/^retry after (\d+) ms: /.exec(reason)?.[1] ?? 0)
  })
  await server.close()
  const delays = await Promise.all(closed)
  expect(Math.max(...times) - Math.min(...times)).toBeGreaterThan(100)
  expect(Math.max(...delays)).toBeLessThan(300)
  expect(new Set(delays).size).toBeGreaterThan(1)
})

test('a stopping server cuts those off that do not go, at its deadline', async () => {
  const server = await serve({ limits: { closeTimeout: 60_000, drainDeadline: 50 } })
  const { client } = await joined(server)
  client.socket.pause()
  await server.close()
})

describe('with a certificate of its own', () => {
  const files = (name: string) => ({ certificate: join(folder, `${name}.pem`), key: join(folder, `${name}.key`) })
  const make = (name: string, subject = name) => {
    const { certificate, key } = files(name)
    const options = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1']
    execFileSync('openssl', ['req', ...options, '-subj', `/CN=${subject}`, '-keyout', key, '-out', certificate], {
      stdio: 'ignore',
    })
    return files(name)
  }
  const subjectOf = async ({ port }: SignalingServer): Promise<unknown> => {
    const socket: TLSSocket = tlsConnect({ port, host: '127.0.0.1', rejectUnauthorized: false })
    await once(socket, 'secureConnect')
    const { subject } = socket.getPeerCertificate()
    socket.destroy()
    return subject.CN
  }

  test('the server speaks TLS, and takes a renewed one without a word to those connected', async () => {
    const server = await serve({ tls: make('server', 'old') })
    expect(server.url).toMatch(/^https:/)
    const client = connect(server, { rejectUnauthorized: false })
    await client.join(crypto, await crypto.generateSigningKey(), MESH)
    const answer = get(`${server.url}/livez`, { rejectUnauthorized: false })
    expect((await once(answer, 'response'))[0].statusCode).toBe(200)

    expect(await subjectOf(server)).toBe('old')
    make('server', 'new')
    server.reloadTls()
    expect(await subjectOf(server)).toBe('new')
    await client.ping()

    writeFileSync(files('server').certificate, 'no certificate')
    server.reloadTls()
    expect(await subjectOf(server)).toBe('new')
  })

  test('a connection is counted once, and one over which no TLS is agreed on ends', async () => {
    const tls = make('counted')
    const limits = { maxConnectionsPerAddress: 1, maxRequestsPerAddress: 1, requestDeadline: 300 }
    const server = await serve({ tls, limits })
    const peer = connect(server, { rejectUnauthorized: false })
    await peer.next('challenge')
    const silent = connectTcp(server.port, '127.0.0.1')
    await once(silent, 'connect')
    const third = connectTcp(server.port, '127.0.0.1')
    await once(third, 'close')
    silent.resume()
    await once(silent, 'close')
    expect(await subjectOf(server)).toBe('counted')
    peer.socket.terminate()
    await expect.poll(() => Promise.all([subjectOf(server), subjectOf(server)])).toEqual(['counted', 'counted'])
  })

  test('that is not of its key the server does not start', async () => {
    const tls = { certificate: make('one').certificate, key: make('two').key }
    await expect(serve({ tls })).rejects.toThrow('TSUNAGI_TLS_CERT')
  })
})
