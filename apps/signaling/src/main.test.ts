import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { SIGNALING_CLOSE, utf8 } from '@tsunagi/protocol/signaling'
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest'
import { SignalingClient } from './client.fixture.ts'
import { crypto, MESH, serve } from './serve.fixture.ts'
import { wakeUp } from './wake-up.fixture.ts'

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url))
let webApp: string

// Each test starts a process, which compiles its sources first.
vi.setConfig({ testTimeout: 30_000 })

beforeAll(async () => {
  webApp = await mkdtemp(join(tmpdir(), 'tsunagi-'))
  await writeFile(join(webApp, 'index.html'), 'the page')
})

afterAll(() => rm(webApp, { recursive: true }))

/** The process as `pnpm start` runs it, from the sources. */
function start(env: Record<string, string>): ChildProcessByStdio<null, Readable, Readable> {
  const child = spawn(process.execPath, ['--conditions=source', '--import', 'tsx', MAIN], {
    env: { PATH: process.env['PATH'], PORT: '0', TSUNAGI_WEB_APP: webApp, TSUNAGI_DATA: 'memory', ...env },
    cwd: dirname(MAIN),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  return child
}

test.each(['SIGTERM', 'SIGINT'] as const)(
  'one process serves page and signaling, names its address, and ends cleanly on %s',
  async (signal) => {
    const child = start({})
    const logs = text(child.stderr)
    const exit = once(child, 'exit')
    const [line] = await once(createInterface(child.stdout), 'line')
    const url = /^Tsunagi is ready: open (http:\/\/localhost:\d+) in two tabs\.$/.exec(line)?.[1] as string
    expect(await (await fetch(url)).text()).toBe('the page')
    const client = new SignalingClient(url)
    await client.join(crypto, await crypto.generateSigningKey(), MESH)

    child.kill(signal)
    expect((await client.closed).code).toBe(SIGNALING_CLOSE.goingAway)
    expect(await exit).toEqual([0, null])
    const messages = (await logs).trimEnd().split('\n')
    expect(messages.map((message) => JSON.parse(message).msg)).toEqual([
      'listening',
      'joined',
      'stopping',
      'closed',
      'stopped',
    ])
  },
)

test.each(['SIGTERM', 'SIGKILL'] as const)('what waits for a peer outlives %s', async (signal) => {
  const data = join(webApp, `data-${signal}`)
  const run = async () => {
    const child = start({ TSUNAGI_DATA: data })
    const [line] = await once(createInterface(child.stdout), 'line')
    return { child, url: /http:\S+/.exec(line)?.[0] as string }
  }
  const before = await run()
  const [alice, bob] = [new SignalingClient(before.url), new SignalingClient(before.url)]
  const [key, other] = [await crypto.generateSigningKey(), await crypto.generateSigningKey()]
  const { vapid_key } = await bob.join(crypto, key, MESH)
  await alice.join(crypto, other, MESH)
  bob.socket.close()
  expect((await alice.next('presence')).payload.event).toBe('left')
  expect(await wakeUp({ client: alice }, key.publicKey, { sealed: utf8('wake') })).toBe('mailbox')
  const exit = once(before.child, 'exit')
  before.child.kill(signal)
  await exit

  const after = await run()
  const back = new SignalingClient(after.url)
  expect((await back.join(crypto, key, MESH)).vapid_key).toEqual(vapid_key)
  const { payload } = await back.next('mail')
  expect(payload).toMatchObject({ public_key: other.publicKey, sealed: utf8('wake') })
})

test.each([
  ['a misspelt setting', { TSUNAGI_MAX_MEMBER: '5' }, 'TSUNAGI_MAX_MEMBER is not a setting of this server.\n'],
  ['a limit out of range', { TSUNAGI_MAX_MEMBERS: '0' }, /^The limit maxMembers \(TSUNAGI_MAX_MEMBERS\) .+\.\n$/],
  [
    'a directory that cannot be',
    { TSUNAGI_DATA: '/dev/null/data' },
    /^The server cannot keep its data in \/dev\/null\/data: .+\.\n$/,
  ],
  ['no built app', { TSUNAGI_WEB_APP: '/nowhere' }, /^There is no built web app in \/nowhere: .+\.\n$/],
])('%s ends the process with one sentence', async (_what, env, sentence) => {
  const child = start(env)
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
  expect(stderr).toMatch(sentence)
  expect(stdout).toBe('')
  expect(code).toBe(1)
})

test('a taken port ends the process with one sentence', async () => {
  const { port } = await serve()
  const child = start({ PORT: `${port}` })
  const [stderr, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')])
  expect(stderr).toBe(`Port ${port} is in use by another program: stop that, or choose another with PORT.\n`)
  expect(code).toBe(1)
})
