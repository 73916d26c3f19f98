/** Every public door: what a page gives wrongly is refused at once, with a code and a sentence, and costs nothing else. */
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Capability, CapabilityPolicy, DelegateOptions, PeerOptions, SendOptions, TaskHandler } from './api.ts'
import { createWebCryptoProvider } from './crypto/index.ts'
import { type ErrorCode, isTsunagiError } from './errors.ts'
import { peerIdOf } from './identity/peer-id.ts'
import { LIMITS, PROTOCOL } from './limits.ts'
import { Mesh, type MeshPeer } from './mesh.fixture.ts'
import { checkPeerOptions } from './peers/options.ts'

const crypto = createWebCryptoProvider()
let mesh: Mesh
let a: MeshPeer
let b: MeshPeer
const unhandled: unknown[] = []
const note = (reason: unknown) => unhandled.push(reason)

// One pair for all: what was refused leaves nothing behind that the next could notice.
beforeAll(async () => {
  mesh = await Mesh.create(crypto)
  ;[a, b] = await mesh.joinAll('a', 'b')
  b.service.provide({ name: 'echo', version: '1.0' }, (input) => input)
  await mesh.pass(1_000)
})

beforeEach(() => {
  process.on('unhandledRejection', note)
  a.errors.length = 0
  b.messages.length = 0
})

afterEach(async () => {
  await mesh.quiet()
  process.off('unhandledRejection', note)
  expect(unhandled.splice(0)).toEqual([])
  // Whatever was refused, the two still work for each other.
  const task = a.delegate(b, 'echo', 'still here')
  await mesh.quiet()
  expect(task()).toEqual({ value: 'still here', settled: true })
})

function expectRefusal(error: unknown, ...codes: ErrorCode[]): void {
  if (!isTsunagiError(error)) throw new Error('What was thrown is no TsunagiError.', { cause: error })
  expect(codes).toContain(error.code)
  expect(error.message).toMatch(/^.{19,}\.$/s)
  expect(error.message).not.toMatch(/undefined|\[object/)
}

function expectThrow(action: () => unknown, ...codes: ErrorCode[]): void {
  let result: unknown
  try {
    result = action()
  } catch (error) {
    expectRefusal(error, ...codes)
    return
  }
  throw new Error(`Nothing was thrown, and this came back: ${typeof result}`)
}

/** Without a step of the clock: nobody has to wait to be told that an argument is wrong. */
async function expectRejection(action: () => Promise<unknown>, ...codes: ErrorCode[]): Promise<void> {
  let outcome: { readonly error: unknown } | 'fulfilled' | undefined
  action().then(
    () => {
      outcome = 'fulfilled'
    },
    (error: unknown) => {
      outcome = { error }
    },
  )
  await mesh.quiet()
  if (typeof outcome !== 'object') throw new Error(outcome ?? 'It is still waiting.')
  expectRefusal(outcome.error, ...codes)
}

/** A property that throws when it is read, each time something else. */
function hostile(name: string, thrown: unknown): object {
  return Object.defineProperty({}, name, {
    enumerable: true,
    get() {
      throw thrown
    },
  })
}
const revoked = () => {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}
const trapped = () =>
  new Proxy(
    {},
    {
      get: () => {
        throw Object.create(null)
      },
      ownKeys: () => {
        throw Object.create(null)
      },
      getPrototypeOf: () => {
        throw Object.create(null)
      },
    },
  )
const cyclic = () => {
  const value: Record<string, unknown> = {}
  value['self'] = [value]
  return value
}
const nested = (depth: number): unknown => (depth === 0 ? null : [nested(depth - 1)])
const givenAway = () => {
  const bytes = new Uint8Array(8)
  structuredClone(bytes, { transfer: [bytes.buffer] })
  return bytes
}
class Point {
  readonly #x = 1
  get x() {
    return this.#x
  }
}

const OBJECTS_THAT_CANNOT_BE_READ: [string, () => unknown][] = [
  ['a revoked proxy', revoked],
  ['a proxy whose traps throw', trapped],
]

const NO_OBJECTS: [string, () => unknown][] = [
  ['null', () => null],
  ['a number', () => 7],
  ['a text', () => 'options'],
  ['a symbol', () => Symbol('options')],
  ['a function', () => () => undefined],
  ...OBJECTS_THAT_CANNOT_BE_READ,
]

const UNSENDABLE: [string, () => unknown][] = [
  ['a function', () => () => 1],
  ['a symbol', () => Symbol('x')],
  ['not a number', () => NaN],
  ['an infinity', () => ({ a: [-Infinity] })],
  ['a BigInt', () => 1n],
  ['a Map', () => new Map()],
  ['a Set', () => new Set()],
  ['a date', () => new Date(0)],
  ['a promise', () => ({ a: Promise.resolve(1) })],
  ['a blob', () => new Blob(['x'])],
  ['an object of a class', () => new Point()],
  ['a boxed number', () => [Object(1)]],
  ['an array with an empty place', () => new Array(2)],
  ['the longest array there can be', () => new Array(2 ** 32 - 1)],
  ['undefined in an array', () => [undefined]],
  ['a cycle', cyclic],
  ['deep nesting', () => nested(PROTOCOL.maxDepth + 1)],
  ['nesting beyond the stack', () => nested(5_000)],
  ['half a surrogate pair', () => 'x\ud83d'],
  ['the other half', () => ({ a: '\ude00x' })],
  ['a key that is half a surrogate pair', () => ({ '\ud83d': 1 })],
  ['a getter that throws', () => hostile('a', new Error('no'))],
  ['a getter that throws what has no text', () => hostile('a', Object.create(null))],
  ['a getter that throws nothing', () => hostile('a', undefined)],
  ['a getter that throws an error that cannot be read', () => hostile('a', trapped())],
  ['a proxy of bytes', () => new Proxy(new Uint8Array(8), {})],
  ...OBJECTS_THAT_CANNOT_BE_READ,
]

const TOO_LARGE: [string, () => unknown][] = [
  ['17 MiB', () => new Uint8Array(17 * 2 ** 20)],
  ['17 MiB of text', () => 'x'.repeat(17 * 2 ** 20)],
  ['17 MiB in parts', () => Array.from({ length: 17 }, () => new Uint8Array(2 ** 20))],
]

const NO_PEER_IDS: [string, () => unknown][] = [
  ['undefined', () => undefined],
  ['null', () => null],
  ['a number', () => 7],
  ['nothing', () => ''],
  ['a name', () => 'b'],
  ['the beginning of an id', () => b.id.slice(0, 20)],
  ['an id and more', () => `${b.id}x`],
  ['a key of another kind', () => `did:key:z${'6LS'.padEnd(47, '1')}`],
  ['a text of a million characters', () => 'did:key:z'.padEnd(1_000_000, '1')],
  ['half a surrogate pair', () => 'did:key:z\ud83d'],
  ['an object that looks like an id', () => ({ toString: () => b.id })],
  ['the peer itself', () => a.id],
  ...OBJECTS_THAT_CANNOT_BE_READ,
]

describe('createPeer()', () => {
  const good = { signaling: 'wss://mesh.example/signaling', mesh: 'team' }

  test.each<[string, () => unknown]>([
    ...NO_OBJECTS,
    ['undefined', () => undefined],
    ['an empty object', () => ({})],
    ['no mesh', () => ({ signaling: good.signaling })],
    ['an empty mesh', () => ({ ...good, mesh: '' })],
    ['a mesh name too long', () => ({ ...good, mesh: 'x'.repeat(PROTOCOL.maxMeshName + 1) })],
    ['half a surrogate pair', () => ({ ...good, mesh: '\ud83d' })],
    ['a mesh that is a number', () => ({ ...good, mesh: 7 })],
    ['a name too long', () => ({ ...good, name: 'x'.repeat(PROTOCOL.maxName + 1) })],
    ['a name that is null', () => ({ ...good, name: null })],
    ['a name of a million characters', () => ({ ...good, name: 'x'.repeat(1_000_000) })],
    ['an empty secret', () => ({ ...good, secret: '' })],
    ['a secret that is an object', () => ({ ...good, secret: {} })],
    ['a secret too long', () => ({ ...good, secret: 'x'.repeat(PROTOCOL.maxSecret + 1) })],
    ['links that are closed at once', () => ({ ...good, linkIdle: 999 })],
    ['an idle time that is a text', () => ({ ...good, linkIdle: '60000' })],
    ['an http address', () => ({ ...good, signaling: 'https://mesh.example' })],
    ['an address without a host', () => ({ ...good, signaling: 'wss:///x' })],
    ['an address that is none', () => ({ ...good, signaling: 'wss://[' })],
    ['an address with a fragment', () => ({ ...good, signaling: 'wss://mesh.example/#x' })],
    ['an address that is a URL object', () => ({ ...good, signaling: new URL('wss://mesh.example') })],
    ['a getter that throws', () => Object.assign(hostile('mesh', 7), { signaling: good.signaling })],
  ])('refuses %s', (_, options) => {
    expectThrow(() => checkPeerOptions(options() as PeerOptions), 'INVALID_ARGUMENT')
  })

  test('takes the least and the most', () => {
    expect(checkPeerOptions(good)).toEqual({ ...good, name: '', linkIdle: LIMITS.linkIdle, preload: false })
    const texts = { name: 'n'.repeat(PROTOCOL.maxName), secret: '😀'.repeat(PROTOCOL.maxSecret / 2) }
    const most = { ...good, ...texts, linkIdle: LIMITS.sessionAge, preload: true }
    expect(checkPeerOptions(most)).toEqual(most)
  })
})

describe('send()', () => {
  test.each(UNSENDABLE)('refuses %s', async (_, data) => {
    await expectRejection(() => a.service.send(b.id, data()), 'INVALID_ARGUMENT')
    expect(b.messages).toEqual([])
  })
  test.each<[string, () => unknown]>([
    ['nothing', () => undefined],
    ['bytes whose buffer was given away', givenAway],
  ])('refuses %s', async (_, data) => {
    await expectRejection(() => a.service.send(b.id, data()), 'INVALID_ARGUMENT')
  })
  test.each(TOO_LARGE)('refuses %s', async (_, data) => {
    await expectRejection(() => a.service.send(b.id, data()), 'MESSAGE_TOO_LARGE')
  })
  test.each(NO_PEER_IDS)('refuses to send to %s', async (_, to) => {
    await expectRejection(() => a.service.send(to() as string, 1), 'INVALID_ARGUMENT')
  })
  test.each<[string, () => unknown]>([
    ...NO_OBJECTS,
    ['a durable that is a text', () => ({ durable: 'yes' })],
    ['a getter that throws', () => hostile('durable', 7)],
  ])('refuses %s as options', async (name, options) => {
    if (name === 'a function') return
    await expectRejection(() => a.service.send(b.id, 1, options() as SendOptions), 'INVALID_ARGUMENT')
  })
  test('refuses a peer that is not here', async () => {
    const { publicKey } = await crypto.generateSigningKey()
    await expectRejection(() => a.service.send(peerIdOf(publicKey), 1), 'UNKNOWN_PEER')
    await expectRejection(() => a.service.send(peerIdOf(publicKey), 1, { durable: true }), 'UNKNOWN_PEER')
  })
  test('refuses a durable message where nothing can be kept', async () => {
    await expectRejection(() => a.service.send(b.id, 1, { durable: true }), 'STORAGE_FAILED')
    const sent = a.service.send(b.id, 1, { durable: true })
    await Promise.all([expect(sent).rejects.toBeDefined(), expectRejection(() => sent.accepted, 'STORAGE_FAILED')])
  })
  test.each(UNSENDABLE)('refuses %s as a durable message', async (_, data) => {
    await expectRejection(() => a.service.send(b.id, data(), { durable: true }), 'INVALID_ARGUMENT', 'STORAGE_FAILED')
  })
})

describe('ping()', () => {
  test.each(NO_PEER_IDS)('refuses %s', async (_, to) => {
    await expectRejection(() => a.service.ping(to() as string), 'INVALID_ARGUMENT')
  })
  test('refuses more at once than can be told apart', async () => {
    const pings = Array.from({ length: LIMITS.maxPings * 2 }, () => a.service.ping(b.id))
    const outcomes = await Promise.all([Promise.allSettled(pings), mesh.quiet()])
    for (const outcome of outcomes[0]) if (outcome.status === 'rejected') expectRefusal(outcome.reason, 'QUEUE_FULL')
  })
})

describe('delegate()', () => {
  const refused = (codes: ErrorCode[], capability: unknown, input: unknown, options?: unknown): Promise<void> =>
    expectRejection(
      () => {
        const task = a.service.delegate(capability as string, input, options as DelegateOptions)
        expect(task.id).toMatch(/^[0-9a-f-]{36}$/)
        task.cancel()
        return task.result
      },
      ...codes,
    )

  test.each<[string, () => unknown]>([
    ['undefined', () => undefined],
    ['null', () => null],
    ['nothing', () => ''],
    ['a name too long', () => 'x'.repeat(PROTOCOL.maxCapabilityName + 1)],
    ['a name of a million characters', () => 'x'.repeat(1_000_000)],
    ['a number', () => 7],
    ['an object', () => ({ name: 'echo' })],
    ...OBJECTS_THAT_CANNOT_BE_READ,
  ])('refuses %s as a capability', async (_, capability) => {
    await refused(['INVALID_ARGUMENT'], capability(), 1)
    for (const task of a.service.tasks) expect(JSON.stringify(task).length).toBeLessThan(2_000)
  })
  test('refuses a capability that nobody has, and one that is not of that peer', async () => {
    await refused(['UNKNOWN_CAPABILITY'], 'nobody has this', 1)
    await refused(['UNKNOWN_CAPABILITY'], '\ud83d', 1)
    await refused(['UNKNOWN_CAPABILITY', 'TASK_CANCELED'], 'not of b', 1, { to: b.id })
  })
  test.each(UNSENDABLE)('refuses %s as input', async (_, input) => {
    await refused(['INVALID_ARGUMENT'], 'echo', input(), { to: b.id })
  })
  test.each(TOO_LARGE)('refuses %s as input', async (_, input) => {
    await refused(['MESSAGE_TOO_LARGE'], 'echo', input(), { to: b.id })
  })
  test.each(NO_PEER_IDS.filter(([name]) => name !== 'undefined'))('refuses %s as the peer to ask', async (_, to) => {
    await refused(['INVALID_ARGUMENT'], 'echo', 1, { to: to() })
  })
  test.each<[string, () => unknown]>([
    ...NO_OBJECTS,
    ...[0, -1, 1.5, NaN, Infinity, LIMITS.maxDeadline + 1, '5', null, {}].map((deadline): [string, () => unknown] => [
      `the deadline ${deadline}`,
      () => ({ deadline }),
    ]),
    ...['', 'urgent', 7, null, {}].map((priority): [string, () => unknown] => [
      `the priority ${priority}`,
      () => ({ priority }),
    ]),
    ['a signal that is none', () => ({ signal: {} })],
    ['a signal that is null', () => ({ signal: null })],
    [
      'a signal that takes listeners and does not give them back',
      () => ({ signal: { addEventListener: () => undefined } }),
    ],
    ['onProgress that is no function', () => ({ onProgress: 'log' })],
    ...[-1, 1.5, NaN, LIMITS.maxTaskRetries + 1, '1', null].map((retries): [string, () => unknown] => [
      `the retries ${retries}`,
      () => ({ retries }),
    ]),
    ['a failover that is a text', () => ({ failover: 'yes' })],
    ['partials that are a number', () => ({ partials: 1 })],
    ['an output that is no schema', () => ({ output: { type: 'text' } })],
    ['an output that is null', () => ({ output: null })],
    ['an empty idempotency key', () => ({ idempotencyKey: '' })],
    ['an idempotency key without end', () => ({ idempotencyKey: 'x'.repeat(LIMITS.maxTaskKey + 1) })],
    ['an idempotency key that is an object', () => ({ idempotencyKey: {} })],
    ...[
      'to',
      'signal',
      'onProgress',
      'deadline',
      'priority',
      'retries',
      'failover',
      'partials',
      'output',
      'idempotencyKey',
    ].map((name): [string, () => unknown] => [`a getter ${name} that throws`, () => hostile(name, 7)]),
  ])('refuses %s in its options', async (name, options) => {
    if (name === 'a function') return
    await refused(['INVALID_ARGUMENT'], 'echo', 1, options())
  })

  const signal = (changes: object) => ({
    aborted: false,
    reason: undefined,
    addEventListener: () => undefined,
    removeEventListener: () => undefined,
    ...changes,
  })
  const thrower = () => {
    throw new Error('no')
  }
  test.each<[string, object]>([
    ['throws when a listener is added', { addEventListener: thrower }],
    ['aborts while a listener is added', { addEventListener: (_: string, abort: () => void) => abort() }],
  ])('settles although its signal %s', async (_, changes) => {
    const timers = mesh.clock.pending
    const task = a.service.delegate('echo', 1, { signal: signal(changes) })
    await expectRejection(() => task.result, 'INVALID_ARGUMENT', 'TASK_CANCELED')
    expect(mesh.clock.pending).toBe(timers)
  })
  test('settles although its signal throws when a listener is removed', async () => {
    const task = a.service.delegate('echo', 1, { signal: signal({ removeEventListener: thrower }) })
    await mesh.quiet()
    expect(await task.result).toBe(1)
    expect(a.codes).toEqual(['LISTENER_FAILED'])
  })
  test('settles although onProgress throws', async () => {
    const withdraw = b.service.provide({ name: 'progress', version: '1.0' }, (_, { progress }) => {
      progress(0.5)
      return 'done'
    })
    const task = a.service.delegate('progress', 1, { to: b.id, onProgress: thrower })
    await mesh.quiet()
    expect(await task.result).toBe('done')
    expect(a.codes).toEqual(['LISTENER_FAILED'])
    withdraw()
  })

  test.each<[string, TaskHandler, ErrorCode]>([
    ...UNSENDABLE.filter((unsendable) => !OBJECTS_THAT_CANNOT_BE_READ.includes(unsendable)).map(
      ([name, value]): [string, TaskHandler, ErrorCode] => [`returns ${name}`, value, 'TASK_OUTPUT_INVALID'],
    ),
    ...TOO_LARGE.map(([name, value]): [string, TaskHandler, ErrorCode] => [
      `returns ${name}`,
      value,
      'MESSAGE_TOO_LARGE',
    ]),
    ...[undefined, null, 7, Object.create(null), Object.assign(new Error('x'), { message: 7 })].map(
      (thrown): [string, TaskHandler, ErrorCode] => [
        'throws what is no error',
        () => {
          throw thrown
        },
        'TASK_FAILED',
      ],
    ),
    ...OBJECTS_THAT_CANNOT_BE_READ.map(([name, value]): [string, TaskHandler, ErrorCode] => [
      `throws ${name}`,
      () => {
        throw value()
      },
      'TASK_FAILED',
    ]),
    ['reports progress that is no number', (_, { progress }) => progress(NaN), 'TASK_FAILED'],
    ['reports progress beyond the end', (_, { progress }) => progress(2), 'TASK_FAILED'],
    ['reports a note that is no text', (_, { progress }) => progress(1, 7 as unknown as string), 'TASK_FAILED'],
  ])('ends with a code where the handler %s', async (_, handler, code) => {
    const withdraw = b.service.provide({ name: 'wrong', version: '1.0' }, handler)
    await expectRejection(() => a.service.delegate('wrong', 1, { to: b.id }).result, code)
    expect(b.service.tasks.every(({ endedAt }) => endedAt !== undefined)).toBe(true)
    withdraw()
  })
})

describe('provide()', () => {
  const handler: TaskHandler = (input) => input
  const good = { name: 'good', version: '1.0' }

  test.each<[string, () => unknown]>([
    ...NO_OBJECTS,
    ['undefined', () => undefined],
    ['an empty object', () => ({})],
    ['no version', () => ({ name: 'x' })],
    ['an empty name', () => ({ ...good, name: '' })],
    ['a name too long', () => ({ ...good, name: 'x'.repeat(PROTOCOL.maxCapabilityName + 1) })],
    ['a name that is half a surrogate pair', () => ({ ...good, name: '\ud83d' })],
    ['a version that is a number', () => ({ ...good, version: 1 })],
    ['a description too long', () => ({ ...good, description: 'x'.repeat(513) })],
    ['a field that nobody knows', () => ({ ...good, inputs: {} })],
    ['a schema that is none', () => ({ ...good, input: { type: 'text' } })],
    ['a list of schemas for items, as in older drafts', () => ({ ...good, input: { items: [{}] } })],
    ['a schema that holds a function', () => ({ ...good, input: { default: () => 1 } })],
    ['a schema in a cycle', () => ({ ...good, input: cyclic() })],
    ['a schema of 70 KiB', () => ({ ...good, input: { title: 'x'.repeat(70_000) } })],
    ['a schema of 17 MiB', () => ({ ...good, input: { title: 'x'.repeat(17 * 2 ** 20) } })],
    ['a schema that cannot be read', () => ({ ...good, input: hostile('type', 7) })],
    ['a pattern that is none', () => ({ ...good, output: { type: 'string', pattern: '(' } })],
    ['no place at all', () => ({ ...good, concurrency: 0 })],
    ['half a place', () => ({ ...good, concurrency: 1.5 })],
    ['places without number', () => ({ ...good, concurrency: Infinity })],
    ['more places than there may be', () => ({ ...good, concurrency: LIMITS.maxConcurrency + 1 })],
    ['places that are a text', () => ({ ...good, concurrency: '4' })],
    ['a getter that throws', () => Object.assign(hostile('name', 7), { version: '1.0' })],
    ['a getter of the places that throws', () => Object.assign(hostile('concurrency', 7), good)],
    ['an onReload that nobody knows', () => ({ ...good, onReload: 'again' })],
    ['idempotent as a text', () => ({ ...good, idempotent: 'yes' })],
    ['a policy that is none', () => ({ ...good, policy: 'contacts' })],
    ['a policy that is null', () => ({ ...good, policy: null })],
    ['a policy that cannot be read', () => ({ ...good, policy: hostile('who', 7) })],
    ['a capability that is offered already', () => ({ name: 'echo', version: '2.0' })],
  ])('refuses %s', (_, capability) => {
    expectThrow(() => b.service.provide(capability() as Capability, handler), 'INVALID_ARGUMENT', 'MESSAGE_TOO_LARGE')
  })
  test.each<[string, unknown]>([
    ['undefined', undefined],
    ['null', null],
    ['an object', {}],
  ])('refuses %s as a handler', (_, wrong) => {
    expectThrow(() => b.service.provide(good, wrong as TaskHandler), 'INVALID_ARGUMENT')
  })
  test('refuses one more than a peer may offer', () => {
    const others = Array.from({ length: PROTOCOL.maxCapabilities - 1 }, (_, i) => ({ ...good, name: `c${i}` }))
    const withdrawals = others.map((other) => b.service.provide(other, handler))
    expectThrow(() => b.service.provide(good, handler), 'INVALID_ARGUMENT')
    for (const withdraw of withdrawals) withdraw()
  })
  test('is withdrawn once, however often that is asked', () => {
    const withdraw = b.service.provide(good, handler)
    withdraw()
    const again = b.service.provide(good, handler)
    withdraw()
    expectThrow(() => b.service.provide(good, handler), 'INVALID_ARGUMENT')
    again()
  })
})

describe('policy(), contacts and task()', () => {
  test.each<[string, () => unknown]>([
    ...NO_OBJECTS,
    ['undefined', () => undefined],
    ['an audience that nobody knows', () => ({ who: 'friends' })],
    ['asking without a way to ask', () => ({ who: 'ask' })],
    ['a way to ask that is none', () => ({ who: 'mesh', ask: 1 })],
    ['less than nothing', () => ({ who: 'mesh', bytes: -1 })],
    ['not a number', () => ({ who: 'mesh', seconds: NaN })],
    ['a getter that throws', () => hostile('tasksAtOnce', 7)],
  ])('refuse %s as a policy', (_, policy) => {
    expectThrow(() => b.service.policy('other', policy() as CapabilityPolicy), 'INVALID_ARGUMENT')
  })
  test('refuse a policy for no capability', () => {
    expectThrow(() => b.service.policy('', { who: 'mesh' }), 'INVALID_ARGUMENT')
    expectThrow(() => b.service.policy(7 as never, { who: 'mesh' }), 'INVALID_ARGUMENT')
  })
  test.each(NO_PEER_IDS.filter(([name]) => name !== 'the peer itself'))('refuse %s as a contact', async (_, peer) => {
    await expectRejection(() => a.service.contacts.add(peer() as string), 'INVALID_ARGUMENT')
    await expectRejection(() => a.service.contacts.remove(peer() as string), 'INVALID_ARGUMENT')
  })
  test.each<[string, unknown]>([
    ['undefined', undefined],
    ['an object', {}],
    ['an id that nothing has', '3d813cbb-47fb-42ba-91df-831e1593ac29'],
  ])('know no task of the id %s', (_, id) => {
    expect(a.service.task(id as string)).toBeUndefined()
  })
})

describe('map()', () => {
  test.each<[string, () => unknown]>([
    ['undefined', () => undefined],
    ['a text', () => 'abc'],
    ['an object', () => ({})],
    ['a source that cannot be read', () => hostile(Symbol.iterator as never, 7)],
  ])('refuses %s as inputs', async (_, inputs) => {
    await expectRejection(() => a.service.map('echo', inputs() as unknown[]).all(), 'INVALID_ARGUMENT')
  })
  test('refuses a capability that nobody has, and an input that cannot be sent', async () => {
    await expectRejection(() => a.service.map('nobody has this', [1]).all(), 'UNKNOWN_CAPABILITY')
    await expectRejection(() => a.service.map('echo', [() => 1]).all(), 'INVALID_ARGUMENT')
  })
  test('refuses options that cannot be read', async () => {
    await expectRejection(() => a.service.map('echo', [1], hostile('atOnce', 7) as never).all(), 'INVALID_ARGUMENT')
  })
})

describe('on()', () => {
  test.each<[string, () => unknown]>([
    ['undefined', () => undefined],
    ['nothing', () => ''],
    ['a misspelt event', () => 'messages'],
    ['the name of a property that every object has', () => 'constructor'],
    ['the name of a prototype', () => '__proto__'],
    ['a symbol', () => Symbol('message')],
    ['a number', () => 7],
    ...OBJECTS_THAT_CANNOT_BE_READ,
  ])('refuses %s', (_, event) => {
    expectThrow(() => a.service.on(event() as 'message', () => undefined), 'INVALID_ARGUMENT')
  })
  test.each<[string, unknown]>([
    ['undefined', undefined],
    ['null', null],
    ['an object', { handleEvent: () => undefined }],
  ])('refuses %s as a listener', (_, listener) => {
    expectThrow(() => a.service.on('message', listener as () => void), 'INVALID_ARGUMENT')
  })
})

test('a peer that is closed says so at every door, and closes again without a word', async () => {
  const { service } = await mesh.join('c')
  await service.close()
  await expectRejection(() => service.send(b.id, 1), 'PEER_CLOSED')
  await expectRejection(() => service.send(b.id, 1, { durable: true }), 'PEER_CLOSED')
  await expectRejection(() => service.ping(b.id), 'PEER_CLOSED')
  await expectRejection(() => service.delegate('echo', 1).result, 'PEER_CLOSED')
  expectThrow(() => service.provide({ name: 'x', version: '1.0' }, () => 1), 'PEER_CLOSED')
  service.on('message', () => undefined)()
  const close = service.close as (...junk: unknown[]) => Promise<void>
  await close.call(service, trapped(), NaN)
  expect(service.peers).toEqual([])
})
