import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type WebSocket, WebSocketServer } from 'ws'
import { browserTests } from './browser-tests.ts'
import { withHiddenPage } from './hidden-page.ts'

const tests = browserTests()

describe('the clock', () => {
  test('timers fire by their time and then by their making, each once, none before its time', async () => {
    const page = await tests.openPage('browser-ports.html')
    const fired = await page.evaluate(async () => {
      const clock = window.createWorkerClock()
      const started = performance.now()
      const fired: { name: string; after: number }[] = []
      await new Promise<void>((last) => {
        for (const delay of [300, 30, 120, 30, 0]) {
          const name = `${fired.length}:${delay}`
          clock.after(delay, () => fired.push({ name, after: performance.now() - started - delay }))
        }
        // Later than the later of a timer's two runs: the second must find nothing to do.
        clock.after(600, last)
      })
      clock.close()
      return fired
    })
    expect(fired.map(({ name }) => name.split(':')[1])).toEqual(['0', '30', '30', '120', '300'])
    // A browser rounds its clocks to a tenth of a millisecond.
    expect(Math.min(...fired.map(({ after }) => after))).toBeGreaterThan(-1)
  })

  test('its time is the time of day', async () => {
    const page = await tests.openPage('browser-ports.html')
    const [before, now, after] = await page.evaluate(() => {
      const clock = window.createWorkerClock()
      return [Date.now(), clock.now(), Date.now()] as const
    })
    expect(now).toBeGreaterThanOrEqual(before)
    expect(now).toBeLessThanOrEqual(after)
  })

  test('nothing fires once it is canceled, nor after close, and cancelling twice or too late does no harm', async () => {
    const page = await tests.openPage('browser-ports.html')
    const fired = await page.evaluate(async () => {
      const fired: string[] = []
      const clock = window.createWorkerClock()
      const witness = window.createWorkerClock()
      const cancel = clock.after(50, () => fired.push('canceled'))
      const cancelLate = clock.after(10, () => fired.push('in time'))
      clock.after(20, () => {
        cancel()
        cancel()
        cancelLate()
        clock.after(50, () => fired.push('set before close'))
        clock.close()
        const cancelNothing = clock.after(0, () => fired.push('set after close'))
        setTimeout(cancelNothing, 100)
      })
      await new Promise<void>((done) => witness.after(400, done))
      witness.close()
      return fired
    })
    expect(fired).toEqual(['in time'])
  })

  test('each clock has one worker, from its first long timer on, which ends with it', async () => {
    const page = await tests.openPage('browser-ports.html')
    const [worker] = await Promise.all([
      page.waitForEvent('worker'),
      page.evaluate(() => {
        const clock = window.createWorkerClock()
        for (let i = 0; i < 10; i++) clock.after(50_000, () => undefined)
        Object.assign(window, { clock })
      }),
    ])
    expect(page.workers()).toHaveLength(1)
    await Promise.all([
      worker.waitForEvent('close'),
      page.evaluate(() => (window as unknown as { clock: { close(): void } }).clock.close()),
    ])
    expect(page.workers()).toHaveLength(0)
  })

  test('in a hidden page timers are about on time, where those of the page are slowed', async () => {
    await withHiddenPage(`${tests.origin}/browser-ports.html`, async (page) => {
      const { ofClock, firedOfPage } = await page.evaluate(async () => {
        const clock = window.createWorkerClock()
        const started = performance.now()
        for (let i = 0; i < 4; i++) await new Promise<void>((fired) => clock.after(50, fired))
        const ofClock = performance.now() - started
        let firedOfPage = 0
        const next = () => {
          firedOfPage++
          setTimeout(next, 50)
        }
        setTimeout(next, 50)
        // Not until so many of the page have fired: a browser may slow them to one a minute.
        await new Promise<void>((fired) => clock.after(2_000, fired))
        return { ofClock, firedOfPage }
      })
      expect(ofClock).toBeLessThan(1_000)
      expect(firedOfPage).toBeLessThan(2_000 / 50 / 4)
    })
  })

  test.each([
    ['a content security policy forbids workers', "worker-src 'none'", 'fulfil'],
    ['the worker cannot be loaded', undefined, 'abort'],
    ['the worker never comes', undefined, 'hang'],
  ])('where %s, no timer is lost', async (_, policy, worker) => {
    // The browser reports both on the console, whatever the page does about it.
    tests.allowProblem(/Content Security Policy|ERR_FAILED/)
    const context = await tests.newContext()
    await context.route(/timer\.worker/, async (route) => {
      if (worker === 'abort') await route.abort()
      else if (worker === 'fulfil') await route.continue()
    })
    if (policy) {
      await context.route(/browser-ports\.html/, async (route) => {
        const response = await route.fetch()
        await route.fulfill({ response, headers: { ...response.headers(), 'content-security-policy': policy } })
      })
    }
    const page = await tests.openPage('browser-ports.html', context)
    const fired = await page.evaluate(async () => {
      const clock = window.createWorkerClock()
      const fired: string[] = []
      clock.after(20, () => fired.push('set at once'))
      const cancel = clock.after(40, () => fired.push('canceled'))
      await new Promise<void>((later) => setTimeout(later, 200))
      cancel()
      await new Promise<void>((last) => clock.after(20, last))
      fired.push('set later')
      clock.close()
      return fired
    })
    expect(fired).toEqual(['set at once', 'canceled', 'set later'])
  })
})

describe('the socket', () => {
  let server: WebSocketServer
  let url: string

  beforeEach(async () => {
    server = new WebSocketServer({ host: '127.0.0.1', port: 0 })
    await once(server, 'listening')
    url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  afterEach(() => {
    for (const client of server.clients) client.terminate()
    server.close()
  })

  /** What is told of a socket in a page, up to its close and a little more; `then` is done when the socket opens. */
  async function told(address: string, then: 'send' | 'close' | 'nothing' | 'close before it opens' = 'nothing') {
    const page = await tests.openPage('browser-ports.html')
    return page.evaluate(
      ([address, then]) =>
        new Promise<string[]>((resolve) => {
          const told: string[] = []
          const started = performance.now()
          const socket = window.openWebSocket(address, {
            open() {
              told.push('open')
              if (then === 'send') socket.send(new Uint8Array([1, 2, 3]))
              if (then === 'close') socket.close(1000, 'enough')
            },
            message(data) {
              told.push(`${data.constructor.name} ${data}`)
            },
            close(code, reason) {
              told.push(`close ${code} ${reason}`)
              if (performance.now() - started > 5_000) told.push('too late')
              socket.close()
              setTimeout(() => resolve(told), 300)
            },
          })
          if (then === 'close before it opens') socket.close()
          told.push('returned')
        }),
      [address, then] as const,
    )
  }

  test('carries bytes both ways and tells how the server closed it', async () => {
    server.on('connection', (client) => {
      client.on('message', (data: Buffer, isBinary) => {
        client.send(Buffer.concat([data, Buffer.from([isBinary ? 4 : 0])]))
        client.close(4_100, 'not you')
      })
    })
    expect(await told(url, 'send')).toEqual(['returned', 'open', 'Uint8Array 1,2,3,4', 'close 4100 not you'])
  })

  test('text from the server ends it, since only bytes belong there', async () => {
    server.on('connection', (client) => {
      client.send('hello')
      client.send(Buffer.from([1]))
    })
    expect(await told(url)).toEqual(['returned', 'open', 'close 1003 The server sent text where only bytes belong.'])
  })

  test('after close() it tells nothing but the close, at once, also where the server no longer answers', async () => {
    server.on('connection', (client: WebSocket) => {
      client.pause()
      setInterval(() => client.readyState === client.OPEN && client.send(Buffer.from([1])), 1).unref()
    })
    const events = await told(url, 'close')
    expect(events.filter((event) => event !== 'Uint8Array 1')).toEqual(['returned', 'open', 'close 1000 enough'])
    expect(events.at(-1)).toBe('close 1000 enough')
  })

  test('closed before it opens it never opens', async () => {
    tests.allowProblem(/closed before the connection is established/)
    expect(await told(url, 'close before it opens')).toEqual(['returned', 'close 1000 '])
  })

  test('where nobody listens it closes without having opened', async () => {
    tests.allowProblem(/ERR_CONNECTION_REFUSED/)
    server.close()
    expect(await told(url)).toEqual(['returned', 'close 1006 '])
  })

  test('an address that is none is told as every other failure', async () => {
    const [returned, close, ...more] = await told('ws://[')
    expect(returned).toBe('returned')
    expect(close).toMatch(/^close 1006 .*invalid/)
    expect(more).toEqual([])
  })
})
