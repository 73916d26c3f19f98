import { beforeEach, describe, expect, test } from 'vitest'
import { createWebCryptoProvider } from './crypto/index.ts'
import { isTsunagiError } from './errors.ts'
import { LIMITS } from './limits.ts'
import { Mesh, type MeshPeer, watch } from './mesh.fixture.ts'
import { SIGNALING_CLOSE } from './messages.ts'
import type { SigningKey } from './ports.ts'
import { MemoryStore } from './session/memory-store.fixture.ts'
import { compareBytes } from './wire/bytes.ts'

const crypto = createWebCryptoProvider()
let mesh: Mesh

beforeEach(async () => {
  mesh = await Mesh.create(crypto)
})

const numbers = (count: number) => Array.from({ length: count }, (_, i) => i)

/** Offers to say who it is, and to take as long as the caller has patience. */
function provideAll(peer: MeshPeer): void {
  peer.service.provide({ name: 'name', version: '1.0' }, (input) => ({ by: peer.service.name, input }))
  peer.service.provide({ name: 'wait', version: '1.0' }, (_, { signal }) => {
    return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  })
}

/** Nothing of a closed peer may remain anywhere. */
function expectNothingLeft(): void {
  expect({
    timers: mesh.clock.pending,
    ends: mesh.net.openEnds,
    attempts: mesh.net.openAttempts,
    sockets: mesh.server.openSockets,
  }).toEqual({ timers: 0, ends: 0, attempts: 0, sockets: 0 })
}

describe.each([2, 4])('%i peers that come one after the other', (count) => {
  let peers: MeshPeer[]
  const pairs = () => peers.flatMap((a) => peers.filter((b) => b !== a).map((b) => [a, b] as const))

  beforeEach(async () => {
    peers = await mesh.joinAll(...numbers(count).map((i) => `peer ${i}`))
    for (const peer of peers) provideAll(peer)
    await mesh.pass(1_000)
  })

  test('have a session each with each, and know names and capabilities', () => {
    expect(mesh.net.openEnds).toBe(count * (count - 1))
    for (const [a, b] of pairs()) {
      expect(a.sees(b)).toMatchObject({
        name: b.service.name,
        health: 'healthy',
        link: 'memory',
        session: { state: 'established', id: b.sees(a)?.session?.id },
        capabilities: [
          { name: 'name', version: '1.0' },
          { name: 'wait', version: '1.0' },
        ],
      })
    }
    for (const peer of peers) expect([peer.statuses, peer.codes]).toEqual([['online'], []])
  })

  test('hear each message once, in order, as it was, by the time that its sender is told so', async () => {
    const data = [...numbers(50), null, { text: 'zwölf', bytes: new Uint8Array([1]) }, 'x'.repeat(300_000)]
    const sent = pairs().flatMap(([a, b]) => data.map((item) => a.send(b, item)))
    await mesh.quiet()
    for (const outcome of sent) expect(outcome()).toEqual({ value: undefined, settled: true })
    for (const [a, b] of pairs()) expect(b.heard(a)).toEqual(data)
  })

  test('do work for each other, every way', async () => {
    const results = pairs().map(([a, b]) => ({ b, outcome: a.delegate(b, 'name', a.service.name), input: a }))
    await mesh.quiet()
    for (const { b, outcome, input } of results) {
      expect(outcome().value).toEqual({ by: b.service.name, input: input.service.name })
    }
    for (const peer of peers) {
      expect(peer.service.tasks.map(({ direction, state }) => `${direction} ${state}`).sort()).toEqual([
        ...numbers(count - 1).map(() => 'in completed'),
        ...numbers(count - 1).map(() => 'out completed'),
      ])
    }
  })

  test('measure the way to each other', async () => {
    const pings = pairs().map(([a, b]) => watch(a.service.ping(b.id)))
    await mesh.quiet()
    for (const outcome of pings) expect(outcome().value).toBeGreaterThanOrEqual(0)
  })

  test('are told who leaves, and what they waited for ends with a code', async () => {
    const [leaving, ...others] = peers as [MeshPeer, ...MeshPeer[]]
    const tasks = others.map((other) => other.delegate(leaving, 'wait', null))
    await mesh.quiet()
    // Nothing reaches the one that leaves any more, so these are still waited for when it goes.
    mesh.onLinkFrame = (frame, deliver, from) => from === leaving.service.name && deliver(frame)
    const sent = others.map((other) => other.send(leaving, 'too late'))
    const pings = others.map((other) => watch(other.service.ping(leaving.id)))
    await mesh.quiet()
    void leaving.service.close()
    await mesh.pass(LIMITS.closeGrace)
    for (const outcome of [...sent, ...pings]) expect(outcome().code).toBe('PEER_CLOSED')
    for (const outcome of tasks) expect(outcome().code).toBe('TASK_LOST')
    for (const other of others) {
      expect(other.left.map(({ id, name }) => ({ id, name }))).toEqual([{ id: leaving.id, name: leaving.service.name }])
      expect(other.sees(leaving)).toBeUndefined()
      expect(other.service.peers).toHaveLength(count - 2)
      expect(watch(other.service.send(leaving.id, 1))).toBeDefined()
      await expect(other.service.send(leaving.id, 1)).rejects.toMatchObject({ code: 'UNKNOWN_PEER' })
    }
  })

  test('leave nothing behind when they have closed', async () => {
    const waiting = pairs().map(([a, b]) => a.delegate(b, 'wait', null))
    await mesh.quiet()
    const closings = peers.map((peer) => watch(peer.service.close()))
    await mesh.pass(LIMITS.closeGrace)
    for (const closing of closings) expect(closing().settled).toBe(true)
    for (const outcome of waiting) expect(['PEER_CLOSED', 'TASK_LOST']).toContain(outcome().code)
    for (const peer of peers) expect([peer.service.status, peer.timesClosed]).toEqual(['closed', 1])
    expectNothingLeft()
  })
})

describe('a link that is lost', () => {
  let a: MeshPeer
  let b: MeshPeer

  beforeEach(async () => {
    ;[a, b] = await mesh.joinAll('a', 'b')
  })

  test('suspends the session, which goes on over the next with nothing lost and nothing repeated', async () => {
    const session = a.sees(b)?.session?.id
    const data = numbers(300)
    const sent = data.flatMap((i) => [a.send(b, i), b.send(a, i)])
    // In the midst: some have arrived, some are on their way, some wait.
    while (a.heard().length === 0) await new Promise((fulfil) => setImmediate(fulfil))
    mesh.net.cut()
    await mesh.quiet()
    expect(a.sees(b)).toMatchObject({ health: 'unreachable', session: { state: 'suspended', id: session } })
    expect(sent.some((outcome) => !outcome().settled)).toBe(true)
    await mesh.pass(5_000)
    expect(a.sees(b)?.session).toMatchObject({ state: 'established', id: session })
    for (const outcome of sent) expect(outcome()).toEqual({ value: undefined, settled: true })
    expect(a.heard()).toEqual(data)
    expect(b.heard()).toEqual(data)
    expect([...a.left, ...b.left]).toEqual([])
  })

  test('does not end the tasks that go on over it', async () => {
    let finish: (output: string) => void = () => undefined
    b.service.provide({ name: 'slow', version: '1.0' }, () => new Promise((fulfil) => (finish = fulfil)))
    const outcome = a.delegate(b, 'slow', null)
    await mesh.quiet()
    mesh.net.cut()
    await mesh.quiet()
    finish('done')
    await mesh.pass(5_000)
    expect(outcome().value).toBe('done')
  })

  test('that does not come back in time rejects what waits, and no promise stays open', async () => {
    provideAll(b)
    // Without a deadline it would wait longer: the peer may sleep, and be woken.
    const task = a.delegate(b, 'wait', null, { deadline: LIMITS.linkPatience })
    await mesh.quiet()
    mesh.server.forget(b.key.publicKey)
    // The other page notices in half a minute that its socket is dead; by then nobody is to reach it.
    mesh.server.onRelay = () => undefined
    mesh.net.cut()
    const sent = a.send(b, 'nobody there')
    await mesh.quiet()
    await mesh.pass(LIMITS.linkPatience)
    expect([task().code, sent().code]).toEqual(['TASK_DEADLINE', 'LINK_LOST'])
    expect(a.left.map(({ id }) => id)).toEqual([b.id])
  })
})

test('a durable message to a peer that left before there was a link waits until that one is back', async () => {
  const { onRelay } = mesh.server
  mesh.server.onRelay = () => undefined
  const a = await mesh.join('a', { store: new MemoryStore() })
  const b = await mesh.join('b', { store: new MemoryStore() })
  const letter = a.service.send(b.id, 'a letter', { durable: true })
  const [accepted, delivered] = [watch(letter.accepted), watch(letter)]
  await mesh.quiet()
  mesh.server.forget(b.key.publicKey)
  await mesh.quiet()
  expect([a.left.map(({ id }) => id), accepted(), delivered()]).toEqual([[b.id], { settled: true }, { settled: false }])

  mesh.server.onRelay = onRelay
  // Its page notices in half a minute that its socket is dead.
  await mesh.pass(60_000)
  expect([b.heard(a), delivered()]).toEqual([['a letter'], { settled: true }])
})

test('a peer that left is told of as left once, and not again when its session expires', async () => {
  const a = await mesh.join('a', { store: new MemoryStore() })
  const b = await mesh.join('b', { store: new MemoryStore() })
  await b.service.close()
  await mesh.quiet()
  const accepted = watch(a.service.send(b.id, 'a letter', { durable: true }))
  await mesh.pass(LIMITS.sessionIdle + LIMITS.sessionSweep, LIMITS.sessionSweep)
  expect([accepted().code, a.left.map(({ id }) => id)]).toEqual(['SESSION_EXPIRED', [b.id]])
})

test('what a peer can do is asked again where its page went before it answered', async () => {
  const key = await mesh.crypto.generateSigningKey()
  const store = new MemoryStore()
  const a = await mesh.join('a', { store: new MemoryStore() })
  const old = await mesh.join('b', { key, store })
  await mesh.pass(1_000)
  const session = a.sees(old)?.session?.id
  old.service.on('trace', ({ direction, type }) => {
    if (direction === 'in' && type === 'capability_query') mesh.onLinkFrame = () => undefined
  })
  provideAll(old)
  await mesh.pass(1_000)
  expect(a.sees(old)?.capabilities).toEqual([])

  mesh.net.cut()
  mesh.onLinkFrame = (frame, deliver) => deliver(frame)
  const { onRelay } = mesh.server
  // It is met when it can do again what the page before it could.
  mesh.server.onRelay = () => undefined
  const next = await mesh.join('b', { key, store: store.crash() })
  provideAll(next)
  mesh.server.onRelay = onRelay
  await mesh.pass(30_000)
  expect(a.sees(next)).toMatchObject({ session: { id: session, state: 'established' }, capabilities: [{}, {}] })
})

test('a page that comes back with its key and nothing else gets a new session, and what waited for the old one is rejected', async () => {
  const [a, old] = await mesh.joinAll('a', 'b')
  provideAll(old)
  await mesh.pass(1_000)
  const session = a.sees(old)?.session?.id
  const task = a.delegate(old, 'wait', null)
  await mesh.quiet()
  mesh.onLinkFrame = () => undefined
  const sent = a.send(old, 'to the old page')
  const ping = watch(a.service.ping(old.id))
  await mesh.quiet()
  // It crashed: nobody hears of it, and nobody has to.
  mesh.server.forget(old.key.publicKey)
  mesh.onLinkFrame = (frame, deliver) => deliver(frame)
  const fresh = await mesh.join('b', { key: old.key })
  await mesh.pass(LIMITS.newcomerPatience)
  expect(a.sees(fresh)?.session).toMatchObject({ state: 'established' })
  expect(a.sees(fresh)?.session?.id).not.toBe(session)
  expect(sent().code).toBe('SESSION_NOT_FOUND')
  expect(ping().code).toBe('SESSION_NOT_FOUND')
  expect(task().code).toBe('TASK_LOST')
  const again = a.send(fresh, 'to the new page')
  const back = fresh.send(a, 'and back')
  await mesh.quiet()
  expect([again().settled, back().settled]).toEqual([true, true])
  expect([fresh.heard(), a.heard(fresh)]).toEqual([['to the new page'], ['and back']])
})

describe('signaling', () => {
  test('that goes away takes no session along, and whoever comes when it is back is met', async () => {
    const [a, b] = await mesh.joinAll('a', 'b')
    mesh.server.drop()
    await mesh.quiet()
    expect([a.service.status, b.service.status]).toEqual(['offline', 'offline'])
    const sent = a.send(b, 'without a server')
    await mesh.quiet()
    expect([sent().settled, b.heard()]).toEqual([true, ['without a server']])
    await mesh.pass(LIMITS.backoffFirst, 100)
    expect([a.service.status, b.service.status]).toEqual(['online', 'online'])
    const c = await mesh.join('c')
    expect(c.service.peers).toHaveLength(2)
    expect(c.sees(a)?.session?.state).toBe('established')
    expect([...a.left, ...b.left]).toEqual([])
  })

  test('that sends a peer away for good closes it, and an error says why', async () => {
    const [a, b] = await mesh.joinAll('a', 'b')
    provideAll(b)
    await mesh.pass(1_000)
    const task = a.delegate(b, 'wait', null)
    await mesh.quiet()
    mesh.server.drop(a.key.publicKey, SIGNALING_CLOSE.replaced)
    await mesh.pass(LIMITS.closeGrace)
    expect(a.service.status).toBe('closed')
    expect(a.statuses).toEqual(['online', 'closed'])
    expect(a.codes).toEqual(['SIGNALING_REFUSED'])
    expect(a.timesClosed).toBe(1)
    expect(task().code).toBe('PEER_CLOSED')
    await expect(a.service.send(b.id, 1)).rejects.toMatchObject({ code: 'PEER_CLOSED' })
    expect(b.left.map(({ id }) => id)).toEqual([a.id])
    await b.service.close()
    expectNothingLeft()
  })
})

describe('close()', () => {
  test('while handshakes are under way ends them without a trace', async () => {
    const [a] = await mesh.joinAll('a')
    mesh.server.onRelay = () => undefined
    const b = await mesh.join('b')
    expect(mesh.net.openAttempts).toBeGreaterThan(0)
    await Promise.all([a.service.close(), b.service.close()])
    await mesh.quiet()
    expectNothingLeft()
  })

  test('before anybody answered leaves nothing either', async () => {
    const [a] = await mesh.joinAll('a')
    mesh.server.drop()
    await mesh.quiet()
    await a.service.close()
    await mesh.pass(LIMITS.backoffMost)
    expectNothingLeft()
  })

  test('takes back every listener that it was given', async () => {
    const [a, b] = await mesh.joinAll('a', 'b')
    provideAll(b)
    await mesh.pass(1_000)
    const listeners = new Set<() => void>()
    const signal = {
      aborted: false,
      reason: undefined,
      addEventListener: (_: 'abort', listener: () => void) => listeners.add(listener),
      removeEventListener: (_: 'abort', listener: () => void) => listeners.delete(listener),
    }
    const task = a.delegate(b, 'wait', null, { signal })
    await mesh.quiet()
    expect(listeners.size).toBe(1)
    await a.service.close()
    expect(task().code).toBe('PEER_CLOSED')
    expect(listeners.size).toBe(0)
  })

  test('tells nothing more once it has ended', async () => {
    const [a, b] = await mesh.joinAll('a', 'b')
    await a.service.close()
    const told = () => [a.messages, a.left, a.statuses, a.errors, a.tasks].map((list) => list.length)
    const before = told()
    await b.service.close()
    await mesh.join('c')
    await mesh.pass(LIMITS.backoffMost)
    expect(told()).toEqual(before)
  })

  test.each(['message', 'peer', 'peerleft', 'task', 'status', 'error', 'trace'] as const)(
    'called by a listener for %s closes once, whatever was going on',
    async (event) => {
      const [a, b] = await mesh.joinAll('a', 'b')
      provideAll(b)
      await mesh.pass(1_000)
      a.service.on(event, () => void a.service.close())
      a.delegate(b, 'wait', null)
      b.send(a, 'hello')
      if (event === 'error') a.service.on('message', () => JSON.parse('no JSON'))
      if (event === 'status') mesh.server.drop(a.key.publicKey)
      await mesh.quiet()
      if (event === 'peerleft') void b.service.close()
      await mesh.pass(LIMITS.closeGrace)
      expect([a.service.status, a.timesClosed]).toEqual(['closed', 1])
      await b.service.close()
      await mesh.pass(LIMITS.closeGrace)
      expectNothingLeft()
    },
  )

  test('of a peer that was closed is the same close', async () => {
    const [a] = await mesh.joinAll('a')
    expect(a.service.close()).toBe(a.service.close())
    await a.service.close()
    expect(a.timesClosed).toBe(1)
  })
})

test('a listener that throws or rejects is reported, and the others hear all the same', async () => {
  const [a, b] = await mesh.joinAll('a', 'b')
  a.service.on('message', () => JSON.parse('no JSON'))
  a.service.on('message', async () => JSON.parse('no JSON'))
  const heard: unknown[] = []
  a.service.on('message', ({ data }) => heard.push(data))
  b.send(a, 'hello')
  await mesh.quiet()
  expect(heard).toEqual(['hello'])
  expect(a.codes).toEqual(['LISTENER_FAILED', 'LISTENER_FAILED'])
  expect(a.errors.every((error) => isTsunagiError(error) && error.cause instanceof SyntaxError)).toBe(true)
})

test.each([true, false])(
  'a handshake sent to a socket that is gone does not hold up the next one (its sender has the lower key: %s)',
  async (isLower) => {
    const keys = [await crypto.generateSigningKey(), await crypto.generateSigningKey()]
    const [lower, higher] = keys.sort((a, b) => compareBytes(a.publicKey, b.publicKey)) as [SigningKey, SigningKey]
    mesh.server.onRelay = () => undefined
    const first = await mesh.join('first', { key: isLower ? higher : lower })
    const sender = await mesh.join('sender', { key: isLower ? lower : higher })
    mesh.server.onRelay = (relay) => mesh.server.deliver(relay)
    mesh.server.drop(first.key.publicKey)
    await mesh.pass(2 * LIMITS.backoffFirst)
    expect(first.statuses).toEqual(['online', 'offline', 'online'])
    expect(sender.sees(first)?.session?.state).toBe('established')
  },
)
