import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isTsunagiError } from '@tsunagi/protocol/signaling'
import { describe, expect, onTestFinished, test } from 'vitest'
import { checkLimits, LIMIT_NAMES, settingName } from './limits.ts'
import { checkHost, checkOrigins, checkPageOrigins, originsAt, pageAddress, pageMayEnter } from './origins.ts'
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
    expect(settings).toMatchObject({
      port: 8787,
      host: '127.0.0.1',
      webApp: undefined,
      origins: [],
      limits: {},
      data: 'data',
    })
    expect(readSettings({ TSUNAGI_DATA: 'memory' }).data).toBeUndefined()
  })

  test('give port, host, app, origins, ICE servers and every limit', () => {
    const env = {
      PORT: '80',
      HOST: '0.0.0.0',
      TSUNAGI_LOG_LEVEL: 'silent',
      TSUNAGI_WEB_APP: '/srv/app',
      TSUNAGI_ORIGINS: 'wss://mesh.example,wss://www.mesh.example',
      TSUNAGI_PAGE_ORIGINS: 'https://app.example',
      TSUNAGI_PROXIES: '127.0.0.1, 10.0.0.0/8',
      TSUNAGI_ICE_SERVERS: '[{"urls": ["stun:stun.example:3478"]}]',
      TSUNAGI_TURN_SECRET: 'shared',
      TSUNAGI_TURN_URLS: 'turn:turn.example:3478,turns:turn.example:5349',
      TSUNAGI_TLS_CERT: '/etc/cert.pem',
      TSUNAGI_TLS_KEY: '/etc/key.pem',
      TSUNAGI_METRICS_PORT: '9100',
      REDIS_URL: 'redis://127.0.0.1:6379',
      TSUNAGI_DATA: '/var/lib/tsunagi',
      TSUNAGI_PUSH_HOSTS: 'default,http://127.0.0.1:9000',
      TSUNAGI_PUSH_SUBJECT: 'mailto:operator@mesh.example',
      ...Object.fromEntries(LIMIT_NAMES.map((limit, i) => [settingName(limit), `${i}`])),
    }
    expect(readSettings(env)).toEqual({
      port: 80,
      host: '0.0.0.0',
      logLevel: 'silent',
      webApp: '/srv/app',
      origins: ['wss://mesh.example', 'wss://www.mesh.example'],
      pageOrigins: ['https://app.example'],
      proxies: ['127.0.0.1', '10.0.0.0/8'],
      iceServers: [{ urls: ['stun:stun.example:3478'] }],
      turn: { secret: 'shared', urls: ['turn:turn.example:3478', 'turns:turn.example:5349'] },
      tls: { certificate: '/etc/cert.pem', key: '/etc/key.pem' },
      metrics: { port: 9100, host: '127.0.0.1' },
      redisUrl: 'redis://127.0.0.1:6379',
      data: '/var/lib/tsunagi',
      pushHosts: ['default', 'http://127.0.0.1:9000'],
      pushSubject: 'mailto:operator@mesh.example',
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
    [{ TSUNAGI_TURN_SECRET: 'alone' }, 'only together'],
    [{ TSUNAGI_TLS_CERT: 'alone' }, 'only together'],
    [{ TSUNAGI_METRICS_HOST: '0.0.0.0' }, 'only together'],
    [{ REDIS_URL: 'localhost:6379' }, 'REDIS_URL must be like'],
    [{ TSUNAGI_CONFIG: '/nowhere.json' }, 'The configuration file /nowhere.json (TSUNAGI_CONFIG) cannot be read'],
  ])('%j stops the start with a sentence', async (env, sentence) => {
    expect(await complaint(() => readSettings(env))).toContain(sentence)
  })
})

describe('the configuration file', () => {
  const read = async (config: unknown, env = {}) => {
    const folder = await mkdtemp(join(tmpdir(), 'tsunagi-'))
    onTestFinished(() => rm(folder, { recursive: true }))
    await writeFile(join(folder, 'config.json'), JSON.stringify(config))
    return readSettings({ ...env, TSUNAGI_CONFIG: join(folder, 'config.json') })
  }

  test('sets what the environment does not', async () => {
    const config = {
      PORT: 80,
      HOST: '0.0.0.0',
      TSUNAGI_ORIGINS: ['wss://mesh.example', 'wss://www.mesh.example'],
      TSUNAGI_ICE_SERVERS: [{ urls: ['stun:stun.example:3478'] }],
      TSUNAGI_MAX_MEMBERS: 5,
    }
    expect(await read(config, { PORT: '81', HOST: '' })).toMatchObject({
      port: 81,
      host: '0.0.0.0',
      origins: ['wss://mesh.example', 'wss://www.mesh.example'],
      iceServers: [{ urls: ['stun:stun.example:3478'] }],
      limits: { maxMembers: 5 },
    })
  })

  test.each([
    [{ MAX_MEMBERS: 5 }, 'MAX_MEMBERS is not a setting'],
    [{ TSUNAGI_CONFIG: '/other.json' }, 'TSUNAGI_CONFIG is not a setting'],
    [{ TSUNAGI_MAX_MEMBERS: true }, 'TSUNAGI_MAX_MEMBERS is true'],
    [{ TSUNAGI_MAX_MEMBERS: 1.5 }, 'TSUNAGI_MAX_MEMBERS is "1.5"'],
    [['PORT'], 'must hold an object'],
  ])('%j stops the start with a sentence', async (config, sentence) => {
    expect(await complaint(() => read(config))).toContain(sentence)
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
    [{ byteBurst: 2_048 }, 'byteBurst, keyByteBurst and pairByteBurst must be at least maxMessage'],
    [{ drainSpread: 9_000 }, 'drainDeadline must be longer than drainSpread'],
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

describe('the pages that may open a socket', () => {
  const own = new Set(['ws://localhost:8787', 'wss://mesh.example'])
  const enters = (origin: string | undefined, listed: string[] = [], isLocal = false) =>
    pageMayEnter(origin, { own, listed, isLocal })

  test('are the own ones, those listed, and where nobody else comes those of this machine', () => {
    expect(enters('http://localhost:8787')).toBe(true)
    expect(enters('https://mesh.example')).toBe(true)
    expect(enters('http://mesh.example')).toBe(false)
    expect(enters('https://app.example')).toBe(false)
    expect(enters('https://app.example', ['https://app.example'])).toBe(true)
    expect(enters('https://app.example:444', ['https://app.example'])).toBe(false)
    expect(enters('http://localhost:5173')).toBe(false)
    for (const page of ['http://localhost:5173', 'http://127.0.0.1:5173', 'https://[::1]:5173']) {
      expect(enters(page, [], true)).toBe(true)
    }
    for (const page of ['http://localhost.example', 'null', 'file://', 'http://localhost/', '']) {
      expect(enters(page, [], true)).toBe(false)
    }
    expect(enters('https://any.example', ['*'])).toBe(true)
    // No browser: it could as well claim any.
    expect(enters(undefined)).toBe(true)
  })

  test.each(['app.example', 'wss://app.example', 'https://app.example/', 'https://*.example/'])(
    'cannot be listed as %s',
    async (origin) => expect(await complaint(() => checkPageOrigins([origin]))).toContain('TSUNAGI_PAGE_ORIGINS'),
  )
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
