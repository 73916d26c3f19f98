import { beforeEach, describe, expect, test } from 'vitest'
import { createWebCryptoProvider } from '../crypto/webcrypto.ts'
import { TsunagiError } from '../errors.ts'
import { peerIdOf } from '../identity/peer-id.ts'
import { LIMITS } from '../limits.ts'
import { uuidText, uuidV4 } from '../wire/uuid.ts'
import { MemoryStore } from './memory-store.fixture.ts'
import { SessionManager } from './session-manager.ts'
import { SessionEnd, SessionPair } from './session-pair.fixture.ts'
import type { StoredMessage, StoredSession } from './store.ts'

const crypto = createWebCryptoProvider()
const goodbye = new TsunagiError('PEER_CLOSED', 'This page is closing.')
const id = uuidText(uuidV4(new Uint8Array(16)))

let pair: SessionPair
let store: MemoryStore
let manager: SessionManager
let failures: TsunagiError[]

beforeEach(async () => {
  store = new MemoryStore()
  pair = await SessionPair.apart(crypto, { stores: { a: store, b: new MemoryStore() } })
  failures = []
  manager = managerOver(store)
})

/** Sessions of `a`, whose side of the pair hears what they tell. */
function managerOver(store: MemoryStore | undefined): SessionManager {
  return new SessionManager({
    clock: pair.clock,
    store,
    hostOf: () => pair.a,
    onStorageFailure: (error) => failures.push(error),
  })
}

const peer = () => ({ id: peerIdOf(pair.b.key.publicKey), key: pair.b.key.publicKey })
const states = () => pair.a.states.map(({ state, code }) => [state, code])

function storedSession(changes: Partial<StoredSession> = {}): StoredSession {
  const now = pair.clock.now()
  return {
    peer: peer().id,
    id,
    shared: true,
    createdAt: now,
    activeAt: now,
    epoch: 3,
    next: 5,
    expected: 6,
    durableNext: 2,
    durableExpected: 4,
    ...changes,
  }
}

function storedMessage(): StoredMessage {
  const payload = new Uint8Array(1)
  return { peer: peer().id, number: 1, id, at: pair.clock.now(), type: 1, raw: true, payload }
}

/** The session of `a` and that of `b` get a link. */
async function connect(): Promise<void> {
  const connection = await pair.connect()
  connection.a.link.start(manager.of(peer()).attach(connection.a))
  pair.b.attach(connection.b)
  await pair.quiet()
}

/** The time of day goes on, and no timer notices. */
const timeIsSet = (ms: number) => pair.clock.set(ms)

test('there is one session with each peer, and a new one when it is over', async () => {
  const session = manager.of(peer())
  expect([manager.of(peer()), manager.find(peer().id), manager.sessions]).toEqual([session, session, [session]])
  await session.close(goodbye)
  expect(manager.find(peer().id)).toBeUndefined()
  expect(manager.of(peer())).not.toBe(session)
  expect(manager.sessions.length).toBe(1)
})

test('one that never had a link can be dropped, and what waits in it is rejected', async () => {
  pair.a.session = manager.of(peer())
  const sending = pair.a.send('message', 1)
  manager.drop(peer().id, goodbye)
  await pair.quiet()
  expect([sending.outcome, manager.sessions]).toEqual(['PEER_CLOSED', []])
})

describe('what a page before this one left', () => {
  test('goes on: sessions with what waits in them; messages not handled and peers once met are handed over', async () => {
    const pinned = { peer: peer().id, name: 'kitchen laptop', metAt: 1, seenAt: 2 }
    await store.accept(storedSession(), [storedMessage()])
    await store.take(storedSession(), [storedMessage()])
    await store.pin(pinned)
    const left = await manager.load()
    expect(left).toEqual({ inbox: [storedMessage()], pinned: [pinned] })
    const session = manager.find(peer().id)
    expect(session?.info).toMatchObject({ id, state: 'suspended', waiting: 1 })
    expect(session?.durable).toEqual([storedMessage()])
    expect(session?.resumption?.at, 'what came by sequence number is not known').toEqual({ next: 5, durable: 4 })
    expect(session?.record).toEqual(storedSession())
  })

  test('is nothing where the host keeps nothing', async () => {
    expect(await managerOver(undefined).load()).toEqual({ inbox: [], pinned: [] })
    expect(failures).toEqual([])
  })

  test('that cannot be read is told, and the page begins without it', async () => {
    store.load = () => Promise.reject(new TsunagiError('STORAGE_FAILED', 'The disk is gone.'))
    expect(await manager.load()).toEqual({ inbox: [], pinned: [] })
    expect([failures.map(({ code }) => code), manager.sessions]).toEqual([['STORAGE_FAILED'], []])
  })

  test.each<[string, () => Partial<StoredSession>]>([
    ['for longer than a session rests', () => ({ activeAt: pair.clock.now() - LIMITS.sessionIdle - 1 })],
    ['longer ago than a session lasts', () => ({ createdAt: pair.clock.now() - LIMITS.sessionAge - 1 })],
    ['in a future that is as far away', () => ({ activeAt: pair.clock.now() + LIMITS.sessionIdle + 1 })],
  ])('%s has expired: what waited fails with SESSION_EXPIRED, and nothing stays stored', async (_, changes) => {
    await store.accept(storedSession(changes()), [storedMessage()])
    await manager.load()
    await pair.quiet()
    expect(states()).toEqual([['expired', 'SESSION_EXPIRED']])
    expect(pair.a.durable).toEqual([`failed ${id} SESSION_EXPIRED`])
    expect(manager.find(peer().id)).toBeUndefined()
    const { sessions, outbox } = await store.load()
    expect([sessions, outbox]).toEqual([[], []])
  })

  test('has not expired a moment before', async () => {
    const now = pair.clock.now()
    await store.update(storedSession({ activeAt: now - LIMITS.sessionIdle, createdAt: now - LIMITS.sessionAge }))
    await manager.load()
    expect(manager.find(peer().id)?.state).toBe('suspended')
  })
})

describe('while a page is open', () => {
  beforeEach(async () => {
    await manager.load()
  })

  test('a session without a frame for so long ends with the next sweep', async () => {
    await connect()
    pair.net.cut()
    await pair.quiet()
    await pair.pass(LIMITS.sessionIdle, LIMITS.sessionSweep)
    expect(states().at(-1)).toEqual(['suspended', 'LINK_LOST'])
    await pair.pass(LIMITS.sessionSweep)
    expect(states().at(-1)).toEqual(['expired', 'SESSION_EXPIRED'])
  })

  test('a session ends by its age although it has a link, also counted over pages, and the other side is told', async () => {
    await connect()
    const { createdAt } = manager.of(peer())
    timeIsSet(LIMITS.sessionAge - 2 * LIMITS.sessionSweep)
    pair.b.send('message', 'still here')
    await pair.quiet()
    await pair.pass(LIMITS.sessionSweep)
    pair.a = await pair.a.reload()
    manager = managerOver(pair.a.store)
    pair.net.cut()
    await pair.quiet()
    await manager.load()
    expect(manager.of(peer()).createdAt).toBe(createdAt)
    await connect()
    await pair.pass(LIMITS.sessionSweep)
    expect(states().at(-1)?.[0]).toBe('established')
    await pair.pass(LIMITS.sessionSweep)
    expect(states().at(-1)).toEqual(['closed', 'SESSION_EXPIRED'])
    expect(pair.b.states.at(-1)).toEqual({ state: 'closed', code: 'SESSION_EXPIRED' })
  })

  test('a frame puts off the end, and the next page knows when the last one came', async () => {
    await connect()
    timeIsSet(LIMITS.sessionIdle / 2)
    pair.b.send('message', 1)
    await pair.quiet()
    await pair.pass(LIMITS.sessionSweep)
    expect((await store.load()).sessions.map(({ activeAt }) => activeAt)).toEqual([
      pair.clock.now() - LIMITS.sessionSweep,
    ])
  })

  test('what never had a link is not swept away', async () => {
    const session = manager.of(peer())
    await pair.pass(LIMITS.sessionIdle + 2 * LIMITS.sessionSweep, LIMITS.sessionSweep)
    expect(manager.find(peer().id)).toBe(session)
  })

  test('a durable message that never had a link expires with its session', async () => {
    const { delivered } = manager.of(peer()).sendDurable('message', 1)
    await pair.pass(LIMITS.sessionIdle + 2 * LIMITS.sessionSweep, LIMITS.sessionSweep)
    await expect(delivered).rejects.toMatchObject({ code: 'SESSION_EXPIRED' })
  })
})

describe('close()', () => {
  test('leaves the links of sessions that are kept, which go on with the next page', async () => {
    await manager.load()
    await connect()
    pair.a.session = manager.of(peer())
    await manager.close(goodbye)
    await pair.quiet()
    expect(pair.b.session.rest).toBe('leaving')
    expect([pair.b.session.state, pair.net.openEnds]).toEqual(['suspended', 0])
    const { sessions } = await store.load()
    expect(sessions.map(({ id }) => id)).toEqual([pair.b.session.info.id])
    // What is left is the patience of the other side.
    expect(pair.clock.pending).toBe(1)
    const next = managerOver(store)
    await next.load()
    expect(next.find(peer().id)?.info.id).toBe(pair.b.session.info.id)
    await next.close(goodbye)
  })

  test('rejects what is not durable, and leaves what is to the next page', async () => {
    await manager.load()
    await connect()
    pair.net.cut()
    await pair.quiet()
    pair.a.session = manager.of(peer())
    const [durable, volatile] = [pair.a.sendDurable('x'), pair.a.send('message', 1)]
    await pair.quiet()
    await manager.close(goodbye)
    await pair.quiet()
    expect([durable.accepted, volatile.outcome]).toEqual(['accepted', 'PEER_CLOSED'])
    expect((await store.load()).outbox.map(({ id }) => id)).toEqual([durable.id])
    expect(pair.a.durable).toEqual([`accepted ${durable.id}`])
  })

  test('ends sessions that are not kept, and tells the other side', async () => {
    manager = managerOver(undefined)
    await manager.load()
    pair.a = new SessionEnd(pair.clock, pair.a.crypto, pair.a.key, peer().key)
    await connect()
    await manager.close(goodbye)
    await pair.quiet()
    expect(states().at(-1)).toEqual(['closed', 'PEER_CLOSED'])
    expect(pair.b.states.at(-1)).toEqual({ state: 'closed', code: 'PEER_CLOSED' })
    expect([pair.net.openEnds, pair.clock.pending]).toEqual([0, 0])
  })
})
