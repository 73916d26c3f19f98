/** The nginx configuration of docs/deploy.md, as Debian's nginx runs it. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { get } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { createCryptoProvider } from '@tsunagi/protocol/crypto'
import { type CryptoProvider, utf8 } from '@tsunagi/protocol/signaling'
import { createSignalingServer, type SignalingServer } from '@tsunagi/signaling'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { SignalingClient } from '../../apps/signaling/src/client.fixture.ts'
import { MESH } from './attacks.ts'
import { ensureProgram } from './debian.ts'
import { freePort } from './free-port.ts'

const CONFIG = new URL('../../apps/signaling/deploy/nginx.conf', import.meta.url)

let crypto: CryptoProvider
let folder: string
let server: SignalingServer
let nginx: ChildProcess
let url: string

beforeAll(async () => {
  ensureProgram('nginx', 'nginx-light')
  crypto = await createCryptoProvider()
  folder = mkdtempSync(join(tmpdir(), 'tsunagi-nginx-'))
  const port = await freePort()
  url = `https://localhost:${port}`
  server = await createSignalingServer({
    port: 0,
    origins: [`wss://localhost:${port}`],
    proxies: ['127.0.0.1'],
    limits: { maxConnectionsPerAddress: 1, drainSpread: 0 },
  })
  const [certificate, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
  const options = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1']
  execFileSync('openssl', ['req', ...options, '-subj', '/CN=localhost', '-keyout', key, '-out', certificate], {
    stdio: 'ignore',
  })
  // The configuration as it stands, but for names and places.
  const config = readFileSync(CONFIG, 'utf8')
    .replace('127.0.0.1:8787', `127.0.0.1:${server.port}`)
    .replace('443 ssl', `127.0.0.1:${port} ssl`)
    .replace('server_name mesh.example', 'server_name localhost')
    .replace('/etc/letsencrypt/live/mesh.example/fullchain.pem', certificate)
    .replace('/etc/letsencrypt/live/mesh.example/privkey.pem', key)
  const path = join(folder, 'nginx.conf')
  writeFileSync(path, `pid ${folder}/pid; error_log stderr error; events {} http { access_log off;\n${config}\n}`)
  nginx = spawn('nginx', ['-p', folder, '-c', path, '-g', 'daemon off;'], { stdio: ['ignore', 'ignore', 'inherit'] })
  await vi.waitFor(() => client('127.0.0.2').next('challenge'), { timeout: 10_000, interval: 50 })
})

afterAll(async () => {
  nginx.kill('SIGTERM')
  await once(nginx, 'exit')
  await server.close()
  rmSync(folder, { recursive: true })
})

function client(localAddress: string, headers = {}): SignalingClient {
  return new SignalingClient(url, { rejectUnauthorized: false, localAddress, family: 4, headers })
}

test('peers meet over TLS, and each address counts for itself whatever its header says', async () => {
  const [alice, bob] = [client('127.0.0.3'), client('127.0.0.4')]
  const key = await crypto.generateSigningKey()
  await alice.join(crypto, key, MESH)
  expect((await bob.join(crypto, await crypto.generateSigningKey(), MESH)).total).toBe(2)
  bob.relay(key.publicKey, utf8('hello'))
  await alice.next('presence')
  expect(Buffer.from((await alice.next('relay')).payload).toString()).toBe('hello')
  await expect(client('127.0.0.4', { 'X-Forwarded-For': '192.0.2.1' }).closed).rejects.toThrow('429')
  alice.socket.close()
  await bob.next('presence')
})

test('a page of another origin gets no socket, and pages and health pass', async () => {
  await expect(client('127.0.0.5', { Origin: 'https://evil.example' }).closed).rejects.toThrow('403')
  const own = client('127.0.0.5', { Origin: url })
  await own.next('challenge')
  own.socket.terminate()
  const asked = get(`${url}/readyz`, { rejectUnauthorized: false, agent: false })
  const [health] = await once(asked, 'response')
  expect(JSON.parse(await text(health))).toEqual({ status: 'ready' })
})
