import { isTsunagiError } from '@tsunagi/protocol/signaling'
import { describe, expect, test } from 'vitest'
import { checkLimits, LIMIT_NAMES, settingName } from './limits.ts'
import { checkHost, checkOrigins, originsAt, pageAddress } from './origins.ts'
import { serve } from './serve.fixture.ts'
import { readSettings } from './settings.ts'

/** The sentence that an operator gets, which names what to change. */
async function complaint(action: () => unknown): Promise<string> {
  try {
    await action()
  } catch (error) {
    if (isTsunagiError(error, 'INVALID_ARGUMENT')) return error.message
    throw error
  }
  throw new Error('Nothing was wrong')
}

describe('settings', () => {
  test('are not needed', () => {
    const settings = readSettings({ PATH: '/bin', PORT: '', TSUNAGI_ORIGINS: '' })
    expect(settings).toMatchObject({ port: 8787, host: '127.0.0.1', webApp: undefined, origins: [], limits: {} })
  })

  test('give port, host, app, origins, ICE servers and every limit', () => {
    const env = {
      PORT: '80',
      HOST: '0.0.0.0',
      TSUNAGI_LOG_LEVEL: 'silent',
      TSUNAGI_WEB_APP: '/srv/app',
      TSUNAGI_ORIGINS: 'wss://mesh.example,wss://www.mesh.example',
      TSUNAGI_ICE_SERVERS: '[{"urls": ["stun:stun.example:3478"]}]',
      ...Object.fromEntries(LIMIT_NAMES.map((limit, i) => [settingName(limit), `${i}`])),
    }
    expect(readSettings(env)).toEqual({
      port: 80,
      host: '0.0.0.0',
      logLevel: 'silent',
      webApp: '/srv/app',
      origins: ['wss://mesh.example', 'wss://www.mesh.example'],
      iceServers: [{ urls: ['stun:stun.example:3478'] }],
      limits: Object.fromEntries(LIMIT_NAMES.map((limit, i) => [limit, i])),
    })
    expect(settingName('maxMembers')).toBe('TSUNAGI_MAX_MEMBERS')
  })

  test.each([
    [{ PORT: 'http' }, 'PORT is "http"'],
    [{ PORT: '-1' }, 'PORT is "-1"'],
    [{ PORT: '65536' }, 'PORT is 65536'],
    [{ TSUNAGI_MAX_MEMBER: '5' }, 'TSUNAGI_MAX_MEMBER is not a setting'],
    [{ TSUNAGI_MAX_MEMBERS: 'many' }, 'TSUNAGI_MAX_MEMBERS is "many"'],
    [{ TSUNAGI_LOG_LEVEL: 'loud' }, 'one of fatal, error'],
    [{ TSUNAGI_ICE_SERVERS: 'stun:stun.example' }, 'TSUNAGI_ICE_SERVERS must be a JSON list'],
    [{ TSUNAGI_ICE_SERVERS: '{}' }, 'TSUNAGI_ICE_SERVERS must be a JSON list'],
  ])('%j stops the start with a sentence', async (env, sentence) => {
    expect(await complaint(() => readSettings(env))).toContain(sentence)
  })
})

describe('limits', () => {
  test('are what they are unless set', () => {
    expect(checkLimits({ maxMembers: 3 })).toEqual({ ...checkLimits({}), maxMembers: 3 })
  })

  test.each([
    [{ maxMembers: 0 }, 'TSUNAGI_MAX_MEMBERS) cannot be 0; it must be a whole number of at least 1.'],
    [{ maxMessage: 65_537 }, 'TSUNAGI_MAX_MESSAGE) cannot be 65537; it must be a whole number of at most 65536.'],
    [{ silence: 1.5 }, 'TSUNAGI_SILENCE) cannot be 1.5; it must be a whole number.'],
    [{ pingInterval: 30_000 }, 'silence must be longer than pingInterval'],
    [{ byteBurst: 2_048 }, 'byteBurst must be at least maxMessage'],
  ])('%j is refused with a sentence', async (limits, sentence) => {
    expect(await complaint(() => checkLimits(limits))).toContain(sentence)
  })
})

describe('the origins of this server', () => {
  test('are the names of the loopback for a server that only this machine reaches', () => {
    const origins = ['ws://localhost:8787', 'ws://127.0.0.1:8787', 'ws://[::1]:8787']
    expect(originsAt('127.0.0.1', 8787)).toEqual(origins)
    expect(originsAt('::', 8787)).toEqual(expect.arrayContaining(origins))
    expect(originsAt('192.0.2.1', 80)).toEqual(['ws://192.0.2.1'])
    expect(originsAt('2001:db8::1', 8787)).toEqual(['ws://[2001:db8::1]:8787'])
  })

  test('give an address to open that a browser of this machine trusts', () => {
    expect(pageAddress('0.0.0.0', 8787)).toBe('http://localhost:8787')
    expect(pageAddress('mesh.local', 80)).toBe('http://mesh.local')
  })

  test.each([
    'https://mesh.example',
    'wss://mesh.example/',
    'wss://Mesh.example',
    'mesh.example',
    'wss://u@mesh.example',
  ])('cannot be %s', async (origin) =>
    expect(await complaint(() => checkOrigins([origin]))).toContain('TSUNAGI_ORIGINS'),
  )

  test.each(['fe80::1%eth0', 'two words'])('cannot be at the host %s', async (host) => {
    expect(await complaint(() => checkHost(host))).toContain('HOST is')
  })
})

describe('a server', () => {
  test('says which port is taken', async () => {
    const { port } = await serve()
    expect(await complaint(() => serve({ port }))).toBe(
      `Port ${port} is in use by another program: stop that, or choose another with PORT.`,
    )
  })

  test('says which host it cannot have', async () => {
    expect(await complaint(() => serve({ host: '192.0.2.1' }))).toContain('192.0.2.1 (EADDRNOTAVAIL)')
  })

  test.each([
    [[{ urls: [] }]],
    [[{ urls: ['stun:a'], extra: true }]],
    [new Array(17).fill({ urls: ['stun:a'] })],
    [new Array(16).fill({ urls: new Array(8).fill('s'.repeat(256)) })],
  ])('refuses ICE servers that peers would refuse: case %#', async (iceServers) => {
    expect(await complaint(() => serve({ iceServers, limits: { sampleSize: 128 } }))).toContain('TSUNAGI_ICE_SERVERS')
  })
})
