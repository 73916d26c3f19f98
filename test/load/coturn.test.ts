/** The credentials that a welcome holds, at Debian's coturn. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createCryptoProvider } from '@tsunagi/protocol/crypto'
import { createSignalingServer } from '@tsunagi/signaling'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { SignalingClient } from '../../apps/signaling/src/client.fixture.ts'
import { MESH } from './attacks.ts'
import { ensureProgram } from './debian.ts'
import { freePort } from './free-port.ts'

const SECRET = 'shared by both'
let port: number
let coturn: ChildProcess

beforeAll(async () => {
  ensureProgram('turnserver', 'coturn')
  port = await freePort()
  const address = ['--listening-ip=127.0.0.1', '--relay-ip=127.0.0.1', `--listening-port=${port}`]
  const quiet = ['-n', '--log-file=stdout', '--no-cli', '--no-tls', '--no-dtls', '--allow-loopback-peers']
  const settings = [...quiet, ...address, '--use-auth-secret', `--static-auth-secret=${SECRET}`, '--realm=tsunagi']
  coturn = spawn('turnserver', settings, { stdio: 'ignore' })
})
afterAll(async () => {
  coturn.kill('SIGKILL')
  await once(coturn, 'exit')
})

/** Whether coturn allocates a relay and passes a packet on for these credentials. */
function relays(username: string, credential: string): boolean {
  const args = ['-y', '-n', '1', '-m', '1', '-c', '-p', `${port}`, '-u', username, '-w', credential, '127.0.0.1']
  return spawnSync('turnutils_uclient', args, { timeout: 20_000 }).status === 0
}

test('open a relay, and others do not', async () => {
  const crypto = await createCryptoProvider()
  const turn = { secret: SECRET, urls: [`turn:127.0.0.1:${port}`] }
  const server = await createSignalingServer({ port: 0, turn, limits: { drainSpread: 0 } })
  const client = new SignalingClient(server.url)
  const { ice_servers } = await client.join(crypto, await crypto.generateSigningKey(), MESH)
  const { username = '', credential = '' } = ice_servers[0] ?? {}
  await vi.waitFor(() => expect(relays(username, credential)).toBe(true), { timeout: 30_000, interval: 200 })
  expect(relays(username, `${credential.slice(0, -2)}A=`)).toBe(false)
  expect(relays(username.replace(/^\d/, '9'), credential)).toBe(false)
  client.socket.terminate()
  await server.close()
})
