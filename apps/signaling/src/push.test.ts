import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { setTimeout as wait } from 'node:timers/promises'
import { isTsunagiError, type SignalingPayload } from '@tsunagi/protocol/signaling'
import { pino } from 'pino'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { FakeClock } from './fake-clock.fixture.ts'
import { PushHosts } from './push-hosts.ts'
import { type Browser, PushService, vapidClaims } from './push-service.fixture.ts'
import { type Joined, joined, serve } from './serve.fixture.ts'
import type { SignalingServer, SignalingServerOptions } from './server.ts'
import { absentee, QUIET, wakeUp } from './wake-up.fixture.ts'

type Subscription = NonNullable<SignalingPayload<'push_subscribe'>['subscription']>

interface Scene {
  readonly service: PushService
  readonly server: SignalingServer
  readonly alice: Joined
}

async function scene({ limits, ...options }: SignalingServerOptions = {}): Promise<Scene> {
  const service = await PushService.start()
  const server = await serve({ pushHosts: [service.origin], limits: { ...QUIET, ...limits }, ...options })
  return { service, server, alice: await joined(server) }
}

async function subscribe({ client }: Joined, subscription?: Subscription): Promise<boolean> {
  client.send({ type: 'push_subscribe', payload: subscription === undefined ? {} : { subscription } })
  return (await client.next('push_state')).payload.subscribed
}

/** A peer whose page is closed, and which its browser's push service reaches. */
async function sleeper({
  service,
  server,
  alice,
}: Scene): Promise<{ readonly key: Uint8Array<ArrayBuffer>; readonly browser: Browser }> {
  const browser = service.newBrowser()
  const { publicKey } = await absentee(server, alice, async (peer) => {
    expect(await subscribe(peer, browser.subscription)).toBe(true)
  })
  return { key: publicKey, browser }
}

describe('a push', () => {
  test('is signed by the server, encrypted for the browser, and says nothing but the label', async () => {
    const stage = await scene({ pushSubject: 'mailto:operator@mesh.example' })
    const { service, alice } = stage
    const { key, browser } = await sleeper(stage)
    expect(await wakeUp(alice, key, { priority: 'critical', expires: Date.now() + 90_000 })).toBe('push')
    const [push] = service.received
    if (push === undefined) throw new Error('No push came')
    expect(push.method).toBe('POST')
    expect(service.origin + push.path).toBe(browser.subscription.endpoint)
    expect(new Uint8Array(browser.decrypt(push))).toEqual(browser.subscription.label)
    const claims = vapidClaims(push, service.origin)
    expect(new Uint8Array(claims.key)).toEqual(alice.welcome.vapid_key)
    expect(claims.sub).toBe('mailto:operator@mesh.example')
    expect(push.headers).toMatchObject({ urgency: 'high', topic: expect.stringMatching(/^[\w-]{32}$/) })
    expect(Number(push.headers['ttl'])).toBeGreaterThan(80)
    expect(Number(push.headers['ttl'])).toBeLessThanOrEqual(90)
    // Another browser, or a byte changed on the way, and it opens nothing.
    expect(() => service.newBrowser().decrypt(push)).toThrow()
    push.body[push.body.length - 20] = (push.body.at(-20) ?? 0) ^ 1
    expect(() => browser.decrypt(push)).toThrow()
  })

  test('has one topic for a pair of peers, which names neither, and the urgency of the wake-up', async () => {
    const clock = new FakeClock()
    const stage = await scene({ clock, limits: { pushSpacing: 1_000 } })
    const { service, server, alice } = stage
    const [{ key: bob }, { key: carol }] = [await sleeper(stage), await sleeper(stage)]
    const dave = await joined(server)
    const wake = (sender: Joined, target: Uint8Array<ArrayBuffer>, priority: 'low' | 'normal' | 'high') =>
      wakeUp(sender, target, { priority, expires: clock.now() + 60_000 })
    await wake(alice, bob, 'low')
    clock.advance(1_000)
    await wake(alice, bob, 'normal')
    await wake(alice, carol, 'high')
    await wake(dave, bob, 'high')
    const [first, again, ...others] = service.received.map(({ headers }) => headers['topic'])
    expect(again).toBe(first)
    expect(new Set([first, ...others]).size).toBe(3)
    expect(service.received.map(({ headers }) => headers['urgency'])).toEqual(['low', 'normal', 'high', 'high'])
  })

  test('goes once a minute for a pair, and the others wait in the mailbox; another sender has its own', async () => {
    const clock = new FakeClock()
    const stage = await scene({ clock, limits: { maxPushSenders: 2 } })
    const { service, server, alice } = stage
    const { key } = await sleeper(stage)
    const expires = clock.now() + 600_000
    const wake = (sender: Joined) => wakeUp(sender, key, { expires })
    expect(await wake(alice)).toBe('push')
    expect(await wake(alice)).toBe('mailbox')
    expect(await wake(await joined(server))).toBe('push')
    // Nobody is rung by ever other keys.
    expect(await wake(await joined(server))).toBe('mailbox')
    clock.advance(60_000)
    expect(await wake(await joined(server))).toBe('push')
    expect(service.received).toHaveLength(3)
  })

  test('goes to a peer with a socket only where it is urgent, since its tab may be frozen', async () => {
    const { service, server, alice } = await scene()
    const bob = await joined(server)
    await subscribe(bob, service.newBrowser().subscription)
    expect(await wakeUp(alice, bob.key.publicKey)).toBe('socket')
    expect(await wakeUp(alice, bob.key.publicKey, { priority: 'high' })).toBe('socket')
    await service.asked(1)
    expect(service.received[0]?.headers['urgency']).toBe('high')
  })

  test('goes no more where the peer said so, and to the newer place where it named one', async () => {
    const { service, server, alice } = await scene()
    const [older, newer] = [service.newBrowser(), service.newBrowser()]
    const bob = await absentee(server, alice, async (peer) => {
      await subscribe(peer, older.subscription)
      await subscribe(peer, newer.subscription)
    })
    expect(await wakeUp(alice, bob.publicKey)).toBe('push')
    expect(service.origin + service.received[0]?.path).toBe(newer.subscription.endpoint)
    const back = await joined(server, { key: bob })
    await back.client.next('mail')
    expect(await subscribe(back)).toBe(false)
    // Urgent, and from another: it would be pushed.
    expect(await wakeUp(await joined(server), bob.publicKey, { priority: 'critical' })).toBe('socket')
    await server.close()
    expect(service.received).toHaveLength(1)
  })

  test.each([404, 410])('that the service answers %i is the last: the subscription is gone', async (status) => {
    const clock = new FakeClock()
    const stage = await scene({ clock, limits: { pushSpacing: 1_000 } })
    const { key } = await sleeper(stage)
    const wake = () => wakeUp(stage.alice, key, { expires: clock.now() + 60_000 })
    stage.service.answer = (response) => response.writeHead(status).end()
    expect(await wake()).toBe('mailbox')
    clock.advance(1_000)
    expect(await wake()).toBe('mailbox')
    expect(stage.service.received).toHaveLength(1)
  })

  test('that is refused for another reason leaves the wake-up in the mailbox and the subscription as it is', async () => {
    const clock = new FakeClock()
    const stage = await scene({ clock, limits: { pushSpacing: 1_000 } })
    const { key } = await sleeper(stage)
    const wake = () => wakeUp(stage.alice, key, { expires: clock.now() + 60_000 })
    stage.service.answer = (response) => response.writeHead(429).end()
    expect(await wake()).toBe('mailbox')
    stage.service.answer = (response) => response.writeHead(201).end()
    clock.advance(1_000)
    expect(await wake()).toBe('push')
  })

  test('has the same sender after a restart, and the browser is still known', async () => {
    const data = mkdtempSync(join(tmpdir(), 'tsunagi-'))
    onTestFinished(() => rmSync(data, { recursive: true }))
    const stage = await scene({ data })
    const { key, browser } = await sleeper(stage)
    await stage.server.close()
    const server = await serve({ data, pushHosts: [stage.service.origin] })
    const alice = await joined(server)
    expect(alice.welcome.vapid_key).toEqual(stage.alice.welcome.vapid_key)
    expect(await wakeUp(alice, key)).toBe('push')
    const [push] = stage.service.received
    expect(push && new Uint8Array(browser.decrypt(push))).toEqual(browser.subscription.label)
    await server.close()
  })
})

describe('a push service', () => {
  test('that never answers is waited for until its time is up, and holds no more than its places', async () => {
    const clock = new FakeClock()
    const stage = await scene({ clock, limits: { maxPushesAtOnce: 1, maxPushesWaiting: 1 } })
    const { service, server, alice } = stage
    service.answer = () => undefined
    const sleepers = [await sleeper(stage), await sleeper(stage), await sleeper(stage)]
    const senders = [alice, await joined(server), await joined(server)]
    const steps = sleepers.map(({ key }, i) => wakeUp(senders[i] as Joined, key, { expires: clock.now() + 60_000 }))
    await service.asked(1)
    // One is under way and one waits for it: the third is not even tried.
    expect(await Promise.race(steps)).toBe('mailbox')
    expect(service.received).toHaveLength(1)
    clock.advance(5_000)
    await service.asked(2)
    clock.advance(5_000)
    expect(await Promise.all(steps)).toEqual(['mailbox', 'mailbox', 'mailbox'])
  })

  test.each([301, 302, 303, 307, 308])('that sends on to another address with %i is not followed', async (status) => {
    const stage = await scene()
    const inner = await PushService.start()
    const { key } = await sleeper(stage)
    stage.service.answer = (response) => response.writeHead(status, { Location: `${inner.origin}/secret` }).end()
    expect(await wakeUp(stage.alice, key)).toBe('mailbox')
    await stage.server.close()
    expect(inner.received).toEqual([])
  })

  test('whose answer does not end is listened to no longer than its status', async () => {
    const stage = await scene()
    const { key } = await sleeper(stage)
    stage.service.answer = (response) => {
      response.writeHead(201)
      const pour = () => {
        while (response.write(Buffer.alloc(65_536)));
      }
      response.on('drain', pour)
      pour()
    }
    expect(await wakeUp(stage.alice, key)).toBe('push')
    await stage.service.left()
  })

  test('that is not there costs a wake-up nothing but the push', async () => {
    const stage = await scene()
    const { key } = await sleeper(stage)
    await stage.service.left()
    expect(await wakeUp(stage.alice, key)).toBe('mailbox')
  })
})

describe('a stopping server', () => {
  test('waits for the pushes under way', async () => {
    const stage = await scene()
    const { key } = await sleeper(stage)
    let answer: () => void = () => undefined
    stage.service.answer = (response) => {
      answer = () => response.writeHead(201).end()
    }
    void wakeUp(stage.alice, key).catch(() => undefined)
    await stage.service.asked(1)
    const closed = stage.server.close()
    await stage.alice.client.closed
    // Nothing else keeps it: what would end it needs a few milliseconds.
    expect(await Promise.race([closed, wait(300, 'waits')])).toBe('waits')
    answer()
    await closed
  })

  test('gives up those that take too long', async () => {
    const stage = await scene({ limits: { drainDeadline: 50, pushTimeout: 600_000 } })
    const { key } = await sleeper(stage)
    stage.service.answer = () => undefined
    void wakeUp(stage.alice, key).catch(() => undefined)
    await stage.service.asked(1)
    await stage.server.close()
  })
})

const HOSTILE: readonly [what: string, endpoint: string][] = [
  ['the address of a cloud machine’s secrets', 'http://169.254.169.254/latest/meta-data/'],
  ['the same with https', 'https://169.254.169.254/'],
  ['this machine', 'https://localhost/'],
  ['this machine as a number', 'https://2130706433/'],
  ['this machine in IPv6', 'https://[::1]/'],
  ['a host that is not listed', 'https://push.example/'],
  ['a listed host as user name', 'https://fcm.googleapis.com@evil.example/'],
  ['a user name at a listed host', 'https://user:secret@fcm.googleapis.com/'],
  ['a host that begins as a listed one', 'https://fcm.googleapis.com.evil.example/'],
  ['a host that ends as a listed one', 'https://evilfcm.googleapis.com/'],
  ['a name that ends as those below a listed one', 'https://evilpush.apple.com/'],
  ['a listed host with a dot behind it', 'https://fcm.googleapis.com./'],
  ['a listed host without TLS', 'http://fcm.googleapis.com/'],
  ['another port of a listed host', 'https://fcm.googleapis.com:22/'],
  ['a listed host behind a backslash', 'https://evil.example\\@fcm.googleapis.com/'],
  ['a listed host in the path', 'https://evil.example/fcm.googleapis.com'],
  ['a file', 'file:///etc/passwd'],
  ['another scheme', 'gopher://fcm.googleapis.com/'],
  ['no address', 'fcm.googleapis.com'],
  ['nothing', ''],
]

describe('a subscription', () => {
  const browser = (endpoint: string): Subscription => ({
    endpoint,
    p256dh: new Uint8Array(
      Buffer.from(
        `04${'6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296'}${'4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5'}`,
        'hex',
      ),
    ),
    auth: new Uint8Array(16),
    label: new Uint8Array(16),
  })

  test.each(HOSTILE)('at %s is refused', async (_what, endpoint) => {
    expect(new PushHosts().allowed(endpoint)).toBeUndefined()
    const peer = await joined(await serve({ limits: QUIET }))
    expect(await subscribe(peer, browser(endpoint))).toBe(false)
  })

  test.each([
    'https://fcm.googleapis.com/fcm/send/a:b',
    'https://updates.push.services.mozilla.com/wpush/v2/a',
    'https://web.push.apple.com/a',
    'https://wns2-par02p.notify.windows.com/w/?token=a%2b',
    'https://FCM.googleapis.com:443/fcm/send/a',
  ])('at %s, as browsers have it, is taken', async (endpoint) => {
    expect(new PushHosts().allowed(endpoint)).toBe(new URL(endpoint).href)
    const peer = await joined(await serve({ limits: QUIET }))
    expect(await subscribe(peer, browser(endpoint))).toBe(true)
  })

  test('with a key that is no point of the curve is refused', async () => {
    const peer = await joined(await serve({ limits: QUIET }))
    const subscription = { ...browser('https://fcm.googleapis.com/a'), p256dh: new Uint8Array(65).fill(4) }
    expect(await subscribe(peer, subscription)).toBe(false)
  })

  test('with an address longer than one may be ends the socket', async () => {
    const { client } = await joined(await serve({ limits: QUIET }))
    const endpoint = `https://fcm.googleapis.com/${'a'.repeat(1_024)}`
    client.send({ type: 'push_subscribe', payload: { subscription: browser(endpoint) } })
    expect((await client.next('error')).payload.code).toBe('INVALID_FORMAT')
  })

  test('goes only to listed hosts, also after the list became shorter', async () => {
    const data = mkdtempSync(join(tmpdir(), 'tsunagi-'))
    onTestFinished(() => rmSync(data, { recursive: true }))
    const stage = await scene({ data })
    const { key } = await sleeper(stage)
    await stage.server.close()
    const server = await serve({ data })
    expect(await wakeUp(await joined(server), key)).toBe('mailbox')
    await server.close()
    expect(stage.service.received).toEqual([])
  })
})

describe('the list of push hosts', () => {
  test('takes the place of the usual ones unless it names them, and may hold whole origins', () => {
    const hosts = new PushHosts(['push.example', 'http://127.0.0.1:9000', 'https://push.test:8443'])
    expect(hosts.allowed('https://push.example/a')).toBeDefined()
    expect(hosts.allowed('http://127.0.0.1:9000/a')).toBeDefined()
    expect(hosts.allowed('http://127.0.0.1:9001/a')).toBeUndefined()
    expect(hosts.allowed('https://push.test:8443/a')).toBeDefined()
    expect(hosts.allowed('https://push.test/a')).toBeUndefined()
    expect(hosts.allowed('https://fcm.googleapis.com/a')).toBeUndefined()
    expect(new PushHosts(['default', 'push.example']).allowed('https://fcm.googleapis.com/a')).toBeDefined()
  })

  test.each(['*', '*.', 'push', 'https://push.example/path', 'ftp://push.example', 'Push.Example', ''])(
    'cannot hold "%s"',
    (item) => {
      expect(() => new PushHosts([item])).toThrow('TSUNAGI_PUSH_HOSTS')
    },
  )

  test.each(['operator@mesh.example', 'http://mesh.example', 'mailto:'])(
    'and a push service cannot reach its operator at %s',
    async (pushSubject) => {
      const started = serve({ pushSubject })
      await expect(started).rejects.toSatisfy((error) => isTsunagiError(error, 'INVALID_ARGUMENT'))
    },
  )
})

test('metrics and logs tell of mail and pushes, and of no address but the host', async () => {
  const lines: string[] = []
  const destination = new Writable({
    write(line: Buffer, _encoding, done) {
      lines.push(line.toString())
      done()
    },
  })
  const stage = await scene({
    log: pino({ level: 'trace', base: null }, destination),
    metrics: { port: 0, host: '127.0.0.1' },
  })
  const { service, server, alice } = stage
  const [bob, carol, dave] = [await sleeper(stage), await sleeper(stage), await sleeper(stage)]
  await wakeUp(alice, bob.key)
  service.answer = (response) => response.writeHead(410).end()
  await wakeUp(alice, carol.key)
  service.answer = (response) => response.destroy()
  await wakeUp(alice, dave.key)
  const metrics = await (await fetch(`http://127.0.0.1:${server.metricsPort}/metrics`)).text()
  for (const outcome of ['sent', 'gone', 'failed']) {
    expect(metrics).toContain(`tsunagi_pushes_total{outcome="${outcome}"} 1\n`)
  }
  expect(metrics).toContain('tsunagi_mail_total{event="kept"} 3\n')
  await vi.waitFor(() => expect(lines.join('')).toContain('"status":410'))
  for (const { browser } of [bob, carol, dave]) {
    expect(lines.join('')).not.toContain(new URL(browser.subscription.endpoint).pathname)
  }
})
