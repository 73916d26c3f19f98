/** Waking, by whole peers: who reaches whom by which step, what it says of it, and what hostile peers and servers cannot do. */
import { beforeEach, describe, expect, test } from 'vitest'
import type { WakeUpOptions } from './api.ts'
import { createWebCryptoProvider } from './crypto/index.ts'
import { forge } from './hostile/peer-that-forges-wake-ups.fixture.ts'
import { replayWakeUps } from './hostile/server-that-replays-wake-ups.fixture.ts'
import { peerIdOf } from './identity/peer-id.ts'
import { LIMITS, PROTOCOL } from './limits.ts'
import { Mesh, type MeshPeer, type MeshPeerOptions, watch } from './mesh.fixture.ts'
import type { IntroductionKey, SigningKey } from './ports.ts'
import { MemoryStore } from './session/memory-store.fixture.ts'

const crypto = createWebCryptoProvider()
/** One wait for an answer, at most. */
const WAIT = LIMITS.wakePatience * (1 + LIMITS.wakeJitter) + 500

/** A peer whose pages come and go. */
class Person {
  readonly name: string
  readonly key: SigningKey
  readonly introductionKey: IntroductionKey
  store = new MemoryStore()
  peer!: MeshPeer

  constructor(name: string, key: SigningKey, introductionKey: IntroductionKey) {
    this.name = name
    this.key = key
    this.introductionKey = introductionKey
  }

  async open(options: MeshPeerOptions = {}): Promise<MeshPeer> {
    const { key, introductionKey, store } = this
    this.peer = await mesh.join(this.name, { key, introductionKey, store, ...options })
    return this.peer
  }

  /** Its page is closed as pages are: in the midst of whatever it does. */
  async leave(): Promise<void> {
    const closed = this.peer.service.close()
    await mesh.pass(2 * LIMITS.closeGrace)
    await closed
    this.store = this.store.crash()
  }
}

let mesh: Mesh
let alice: Person
let bob: Person

async function person(name: string): Promise<Person> {
  return new Person(name, await mesh.crypto.generateSigningKey(), await mesh.crypto.generateIntroductionKey())
}

beforeEach(async () => {
  mesh = await Mesh.create(crypto)
  alice = await person('alice')
  bob = await person('bob')
  await alice.open()
  await bob.open()
})

async function wake(options: WakeUpOptions = {}, ms = WAIT) {
  const outcome = alice.peer.wake(bob.peer, options)
  await mesh.quiet()
  if (!outcome().settled) await mesh.pass(ms)
  return outcome().value
}

const state = (from: Person, to: Person) => from.peer.sees(to.peer)?.session?.state

/** Until nothing was said for so long that the link was closed. */
async function fallIdle(): Promise<void> {
  await mesh.pass(LIMITS.linkIdle + LIMITS.linkSweep, 5_000)
  expect(alice.peer.sees(bob.peer)?.health).toBe('idle')
}

describe('a wake-up reaches', () => {
  test('a peer with a link over its session, which goes on as it was', async () => {
    const before = alice.peer.sees(bob.peer)?.session?.id
    expect(await wake({ reason: 'hello', priority: 'high' })).toMatchObject({ outcome: 'active', step: 'session' })
    expect(bob.peer.wakeUps).toEqual([
      { from: alice.peer.id, reason: 'hello', priority: 'high', step: 'session', outcome: 'active' },
    ])
    expect(alice.peer.sees(bob.peer)?.session?.id).toBe(before)
    expect(mesh.server.mails).toEqual([])
  })

  test('a peer without channels by its socket, and the same session is established again within 2 s', async () => {
    const before = alice.peer.sees(bob.peer)?.session?.id
    await fallIdle()
    expect(await wake()).toMatchObject({ outcome: 'waking', step: 'socket', ms: 0, why: undefined })
    expect(bob.peer.wakeUps).toMatchObject([{ step: 'socket', outcome: 'waking' }])
    await mesh.pass(2_000)
    expect([state(alice, bob), state(bob, alice)]).toEqual(['established', 'established'])
    expect(alice.peer.sees(bob.peer)?.session?.id).toBe(before)
    expect(mesh.server.mails).toEqual([])
  })

  test.each([
    ['mailbox', false],
    ['push', true],
  ] as const)('a peer without a page when it is back, by the %s', async (step, pushes) => {
    mesh.server.pushes = () => pushes
    const delivered = watch(alice.peer.service.send(bob.peer.id, 'while you were away', { durable: true }).accepted)
    await mesh.quiet()
    await bob.leave()
    expect(await wake({ reason: 'it is me' })).toMatchObject({ outcome: 'kept', step, why: 'silent' })
    expect(mesh.server.mails).toHaveLength(1)
    await mesh.pass(600_000, 10_000)
    await bob.open()
    await mesh.pass(2_000)
    expect(bob.peer.wakeUps).toMatchObject([{ reason: 'it is me', step: 'mailbox' }])
    expect(mesh.server.mails).toEqual([])
    expect([state(alice, bob), delivered().settled]).toEqual(['established', true])
    // Its late answer is no fault.
    expect([alice.peer.service.wakeUps.refused, bob.peer.service.wakeUps]).toEqual([
      0,
      { taken: 1, repeated: 0, refused: 0 },
    ])
  })

  test('no page that is just going, whose answer would be its last word; and one that comes back after all', async () => {
    await fallIdle()
    bob.peer.service.pageGoes()
    expect(await wake()).toMatchObject({ outcome: 'kept', step: 'mailbox' })
    await mesh.pass(60_000, 5_000)
    expect([bob.peer.service.status, bob.peer.wakeUps]).toEqual(['offline', []])
    bob.peer.service.reconnectNow()
    await mesh.pass(2_000)
    expect(bob.peer.wakeUps).toMatchObject([{ step: 'mailbox' }])
    expect(state(alice, bob)).toBe('established')
  })

  test('a peer that left before this page was loaded', async () => {
    await bob.leave()
    await alice.leave()
    await alice.open()
    expect(await wake()).toMatchObject({ outcome: 'kept', step: 'mailbox' })
  })

  test('a peer only once, though two call for it at once', async () => {
    await fallIdle()
    const outcomes = [alice.peer.wake(bob.peer), alice.peer.wake(bob.peer)]
    await mesh.pass(1_000)
    expect(outcomes.map((outcome) => outcome().value)).toMatchObject([{ step: 'socket' }, { step: 'socket' }])
    expect(bob.peer.wakeUps).toHaveLength(1)
  })

  test('nobody where nobody of that key was ever met', async () => {
    const stranger = peerIdOf((await mesh.crypto.generateSigningKey()).publicKey)
    expect(await alice.peer.service.wakeUp(stranger)).toEqual({
      outcome: 'unanswered',
      step: 'none',
      ms: 0,
      why: 'unknown_peer',
    })
  })

  test('nobody while the server cannot be reached', async () => {
    mesh.server.isDown = true
    mesh.server.drop()
    await mesh.pass(500)
    await bob.leave()
    expect(await wake({}, 8 * WAIT)).toMatchObject({ outcome: 'unanswered', step: 'none', why: 'offline' })
  })
})

describe('the user of the target decides who may wake it', () => {
  const policies = [
    ['mesh', false, 'waking'],
    ['contacts', false, 'refused'],
    ['contacts', true, 'waking'],
    ['nobody', true, 'refused'],
  ] as const
  test.each(policies)('%s, and the caller is a contact: %s', async (policy, isContact, outcome) => {
    bob.peer.service.wakePolicy = policy
    if (isContact) await bob.peer.service.contacts.add(alice.peer.id)
    await fallIdle()
    expect(await wake()).toMatchObject({ outcome, step: 'socket' })
    await mesh.pass(2_000)
    const isWoken = outcome === 'waking'
    expect(state(alice, bob)).toBe(isWoken ? 'established' : 'suspended')
    expect(bob.peer.wakeUps).toHaveLength(isWoken ? 1 : 0)
    expect(bob.peer.service.wakeUps).toEqual({ taken: isWoken ? 1 : 0, repeated: 0, refused: isWoken ? 0 : 1 })
  })
})

test('ten wake-ups a minute are taken from one peer, and others are not touched by more', async () => {
  const carol = await person('carol')
  await carol.open()
  for (let i = 0; i < LIMITS.wakeUpsPerMinute; i++) expect(await wake()).toMatchObject({ outcome: 'active' })
  const flood = alice.peer.wake(bob.peer)
  await mesh.pass(1_000)
  expect(flood().settled).toBe(false)
  expect(bob.peer.service.wakeUps).toMatchObject({ taken: LIMITS.wakeUpsPerMinute, refused: 1 })
  const other = carol.peer.wake(bob.peer)
  await mesh.quiet()
  expect(other().value).toMatchObject({ outcome: 'active' })
  // The next try of the first comes when there is room again.
  await mesh.pass(60_000)
  expect(flood().value).toMatchObject({ outcome: 'active' })
})

test('wrong arguments, a closed peer and a cancelled call reject with a code', async () => {
  const { service } = alice.peer
  const options = [
    null,
    'now',
    { reason: 1 },
    { reason: 'x'.repeat(PROTOCOL.maxWakeReason + 1) },
    { reason: '\ud800' },
    { priority: 'urgent' },
    { expires: 0 },
    { expires: 1.5 },
    { expires: PROTOCOL.maxWakeLife + 1 },
    { signal: {} },
  ]
  for (const wrong of options) {
    await expect(service.wakeUp(bob.peer.id, wrong as WakeUpOptions)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    })
  }
  for (const id of ['bob', alice.peer.id, undefined]) {
    await expect(service.wakeUp(id as string)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  }
  expect(() => Reflect.set(service, 'wakePolicy', 'anybody')).toThrow('The wake policy')
  const controller = new AbortController()
  controller.abort()
  const canceled = service.wakeUp(bob.peer.id, { signal: controller.signal })
  await expect(canceled).rejects.toMatchObject({ code: 'WAKE_UP_CANCELED' })
  await bob.leave()
  const underWay = alice.peer.wake(bob.peer)
  await mesh.quiet()
  await alice.leave()
  expect(underWay().code).toBe('PEER_CLOSED')
  await expect(service.wakeUp(bob.peer.id)).rejects.toMatchObject({ code: 'PEER_CLOSED' })
})

describe('server-that-replays-wake-ups', () => {
  test('wakes nobody twice, also not the next page, and settles nothing else', async () => {
    await fallIdle()
    const again = replayWakeUps(mesh.server)
    expect(await wake()).toMatchObject({ outcome: 'waking', step: 'socket' })
    await mesh.pass(1_000)
    again()
    await mesh.pass(1_000)
    expect(bob.peer.wakeUps).toHaveLength(1)
    expect(bob.peer.service.wakeUps.taken).toBe(1)
    expect(bob.peer.service.wakeUps.repeated).toBeGreaterThan(0)
    await bob.leave()
    await bob.open()
    await mesh.pass(1_000)
    again()
    await mesh.pass(1_000)
    expect(bob.peer.wakeUps).toEqual([])
    expect(bob.peer.service.wakeUps).toMatchObject({ taken: 0, repeated: 0 })
    expect(bob.peer.service.wakeUps.refused).toBeGreaterThan(0)
    expect(bob.peer.sees(alice.peer)?.statistics.framesRejected).toBeGreaterThan(0)
  })

  test('brings a wake-up that it held back until it had expired: it wakes nobody', async () => {
    await bob.leave()
    const held: Parameters<typeof mesh.server.deliverMail>[0][] = []
    mesh.server.onWakeUp = (mail) => {
      held.push(mail)
      return 'mailbox'
    }
    expect(await wake({ expires: 60_000 })).toMatchObject({ outcome: 'kept' })
    await bob.open()
    await mesh.pass(61_000, 5_000)
    for (const mail of held) mesh.server.deliverMail(mail)
    await mesh.pass(1_000)
    expect(held).toHaveLength(1)
    expect(bob.peer.wakeUps).toEqual([])
    expect(bob.peer.service.wakeUps).toEqual({ taken: 0, repeated: 0, refused: 1 })
  })
})

describe('peer-that-forges-wake-ups', () => {
  const wakeUp = () => ({ reason: '', priority: 'normal', expires: mesh.clock.now() + 60_000 }) as const
  let mallory: SigningKey

  beforeEach(async () => {
    mallory = await mesh.crypto.generateSigningKey()
  })

  /** All of them are brought to Bob; none has an effect there but a count. */
  async function expectRefused(...[key, forgery]: [SigningKey, Partial<Parameters<typeof forge>[2]>]): Promise<void> {
    const { introductionKey } = bob
    const to = bob.key.publicKey
    const before = bob.peer.service.wakeUps
    await forge(mesh, key, { type: 'wake_up', payload: wakeUp(), to, introductionKey, ...forgery })
    await mesh.quiet()
    expect(bob.peer.wakeUps).toEqual([])
    expect(bob.peer.service.wakeUps).toEqual({ ...before, refused: before.refused + 1 })
  }

  test('cannot wake in the name of another', () => expectRefused(mallory, { sender: alice.key.publicKey }))

  test('cannot pass on to one what was meant for another', () =>
    expectRefused(alice.key, { recipient: alice.key.publicKey }))

  test('cannot wake with the time of tomorrow, which would outrank all that come until then', () =>
    expectRefused(mallory, { timestamp: mesh.clock.now() + 86_400_000 }))

  test('cannot answer in the place of the target, nor without being asked', async () => {
    await fallIdle()
    mesh.server.onRelay = () => undefined
    const outcome = alice.peer.wake(bob.peer)
    await mesh.quiet()
    const { introductionKey } = alice
    const to = alice.key.publicKey
    const payload = { wake_nonce: new Uint8Array(16), state: 'active' } as const
    for (const key of [mallory, bob.key]) {
      const sender = bob.key.publicKey
      await forge(mesh, key, { type: 'wake_up_ack', payload, to, introductionKey, sender })
    }
    await mesh.quiet()
    expect(outcome().settled).toBe(false)
    expect(alice.peer.service.wakeUps.refused).toBe(2)
    expect(state(alice, bob)).toBe('suspended')
  })
})

describe('a peer for which something waits is woken unasked', () => {
  /** A frozen tab: whatever goes to it or comes from it is held until it thaws. */
  function freeze(): () => void {
    const held: (() => void)[] = []
    mesh.onLinkFrame = (frame, deliver) => held.push(() => deliver(frame))
    mesh.server.onRelay = (relay) => held.push(() => mesh.server.deliver(relay))
    return () => {
      mesh.onLinkFrame = (frame, deliver) => deliver(frame)
      mesh.server.onRelay = (relay) => mesh.server.deliver(relay)
      for (const deliver of held) deliver()
    }
  }

  let wakeUpsAt: number[]

  beforeEach(() => {
    wakeUpsAt = []
    const began = mesh.clock.now()
    mesh.server.onWakeUp = (mail) => {
      wakeUpsAt.push(mesh.clock.now() - began)
      return mesh.server.keep(mail)
    }
  })

  test('a frozen one is found silent within 15 s, idle where it had said that it is hidden, and nothing is lost', async () => {
    bob.peer.service.hidden(true)
    await mesh.pass(1_000)
    const thaw = freeze()
    const sent = alice.peer.send(bob.peer, 'while you slept')
    await mesh.pass(LIMITS.unreachableMost)
    expect(alice.peer.sees(bob.peer)).toMatchObject({ health: 'idle', session: { state: 'established' } })
    await mesh.pass(60_000)
    thaw()
    bob.peer.service.hidden(false)
    await mesh.pass(1_000)
    expect(alice.peer.sees(bob.peer)?.health).toBe('healthy')
    expect(alice.peer.sees(bob.peer)?.healthChanges.map(({ health }) => health)).toEqual([
      'healthy',
      'degraded',
      'idle',
      'healthy',
    ])
    expect([sent().settled, bob.peer.heard()]).toEqual([true, ['while you slept']])
    // What is not durable is no work that is worth a push.
    expect(wakeUpsAt).toEqual([])
  })

  test('its task goes on when it is back, and it is not called more often than once a minute', async () => {
    let finish: (output: unknown) => void = () => undefined
    bob.peer.service.provide({ name: 'work', version: '1' }, () => new Promise((fulfil) => (finish = fulfil)))
    await mesh.pass(1_000)
    const result = alice.peer.delegate(bob.peer, 'work', 1, { deadline: LIMITS.maxDeadline })
    await mesh.pass(1_000)
    const thaw = freeze()
    await mesh.pass(300_000, 1_000)
    expect(alice.peer.sees(bob.peer)?.health).toBe('unreachable')
    expect(wakeUpsAt.length).toBeGreaterThanOrEqual(1)
    expect(wakeUpsAt.length).toBeLessThanOrEqual(2 * 5)
    thaw()
    await mesh.pass(5_000)
    expect(bob.peer.wakeUps.length).toBeGreaterThanOrEqual(1)
    finish('done')
    await mesh.pass(1_000)
    expect(result().value).toBe('done')
    const { length } = wakeUpsAt
    await mesh.pass(300_000, 5_000)
    expect(wakeUpsAt).toHaveLength(length)
  })

  test('one that closed its page: once, and not again while the server keeps that for it', async () => {
    await bob.leave()
    await mesh.pass(120_000, 5_000)
    expect(wakeUpsAt).toEqual([])
    const message = watch(alice.peer.service.send(bob.peer.id, 'a letter', { durable: true }))
    await mesh.pass(600_000, 5_000)
    expect(wakeUpsAt).toHaveLength(1)
    await bob.open()
    await mesh.pass(2_000)
    expect([message().settled, bob.peer.heard()]).toEqual([true, ['a letter']])
  })

  test('also by the next page of its caller; but nobody for whom nothing waits', async () => {
    watch(alice.peer.service.send(bob.peer.id, 'a letter', { durable: true }))
    mesh.onLinkFrame = () => undefined
    const carol = await person('carol')
    await carol.open()
    await alice.leave()
    await bob.leave()
    await carol.leave()
    await alice.open()
    await mesh.pass(120_000, 5_000)
    expect(wakeUpsAt).toHaveLength(1)
    expect(mesh.server.mails.map(({ to }) => peerIdOf(to))).toEqual([bob.peer.id])
  })

  test('one that reloads its page is not', async () => {
    watch(alice.peer.service.send(bob.peer.id, 'a letter', { durable: true }))
    mesh.onLinkFrame = () => undefined
    await mesh.quiet()
    await bob.leave()
    mesh.onLinkFrame = (frame, deliver) => deliver(frame)
    await bob.open()
    await mesh.pass(120_000, 1_000)
    expect(bob.peer.heard()).toEqual(['a letter'])
    expect(wakeUpsAt).toEqual([])
  })
})
