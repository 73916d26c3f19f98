import { beforeEach, describe, expect, test, vi } from 'vitest'
import { createWebCryptoProvider } from '../crypto/webcrypto.ts'
import { TsunagiError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import { MemoryStore, type Write } from './memory-store.fixture.ts'
import { losing, passing, SessionPair } from './session-pair.fixture.ts'

// Megabytes are signed and encrypted here, which takes a busy machine its time.
vi.setConfig({ testTimeout: 30_000 })

const crypto = createWebCryptoProvider()
const goodbye = new TsunagiError('PEER_CLOSED', 'This page is closing.')

let pair: SessionPair
beforeEach(async () => {
  pair = await SessionPair.open(crypto, { stores: { a: new MemoryStore(), b: new MemoryStore() } })
})

function storeOf(page: { readonly store: MemoryStore | undefined }): MemoryStore {
  if (page.store === undefined) throw new Error('This page keeps nothing.')
  return page.store
}

/** Holds up the next write of that kind until the returned function is called, with all after it. */
function holdUp(store: MemoryStore, held: Write): () => void {
  let go: () => void = () => undefined
  store.beforeWrite = (_, write) => {
    if (write !== held) return
    store.beforeWrite = () => undefined
    return new Promise<void>((resolve) => {
      go = resolve
    })
  }
  return () => go()
}

function failing(store: MemoryStore, failed: Write): void {
  store.beforeWrite = (_, write) => {
    if (write === failed) throw new Error('The disk is full.')
  }
}

const stored = async (store: MemoryStore) => (await store.load()).outbox.map(({ number }) => number)

describe('a durable message', () => {
  test('is accepted when the store has it, and not sent before', async () => {
    const go = holdUp(storeOf(pair.a), 'accept')
    const sending = pair.a.sendDurable('hello')
    await pair.quiet()
    expect([sending.accepted, pair.frames.length]).toEqual([undefined, 0])
    go()
    await pair.quiet()
    expect([sending.accepted, sending.outcome]).toEqual(['accepted', 'delivered'])
    expect(pair.b.takenTexts).toEqual(['hello'])
    expect(pair.b.taken[0]?.id).toBe(sending.id)
    expect(pair.a.durable).toEqual([`accepted ${sending.id}`, `delivered ${sending.id}`])
  })

  test('is delivered when the other side’s store has it, and not taken before', async () => {
    const go = holdUp(storeOf(pair.b), 'take')
    const sending = pair.a.sendDurable('hello')
    await pair.quiet()
    expect([sending.accepted, sending.outcome, pair.b.taken]).toEqual(['accepted', undefined, []])
    go()
    await pair.quiet()
    expect(sending.outcome).toBe('delivered')
    expect((await storeOf(pair.b).load()).inbox).toEqual(pair.b.taken)
    expect(await stored(storeOf(pair.a))).toEqual([])
  })

  test('keeps its place: what came before it is acknowledged meanwhile, what came after it is not, and waits', async () => {
    const before = pair.a.send('message', 'before')
    const go = holdUp(storeOf(pair.b), 'take')
    await pair.quiet()
    const durable = pair.a.sendDurable('durable')
    await pair.quiet()
    const after = pair.a.send('message', 'after')
    const second = pair.a.sendDurable('second')
    await pair.quiet()
    expect([before.outcome, durable.outcome, after.outcome]).toEqual(['delivered', undefined, undefined])
    expect(pair.b.received('message')).toEqual(['before'])
    const order: string[] = []
    pair.b.onMessage = () => order.push('after')
    pair.b.onTaken = ({ id }) => order.push(id === second.id ? 'second' : 'durable')
    go()
    await pair.quiet()
    expect(order).toEqual(['durable', 'after', 'second'])
    expect([durable.outcome, after.outcome, second.outcome]).toEqual(['delivered', 'delivered', 'delivered'])
  })

  test('of more bytes than a frame holds arrives whole', async () => {
    const bytes = new Uint8Array(300_000).map((_, i) => i >>> 8)
    const sending = pair.a.sendDurable(bytes)
    await pair.quiet()
    expect(sending.outcome).toBe('delivered')
    expect(Buffer.compare(pair.b.taken[0]?.payload ?? new Uint8Array(), bytes)).toBe(0)
  })

  test('shares a transaction with those that come while another is under way', async () => {
    const store = storeOf(pair.a)
    const { writes } = store
    const go = holdUp(store, 'accept')
    const sendings = Array.from({ length: 100 }, (_, i) => pair.a.sendDurable(`${i}`))
    await pair.quiet()
    go()
    await pair.quiet()
    expect(sendings.every(({ outcome }) => outcome === 'delivered')).toBe(true)
    expect(pair.b.takenTexts).toEqual(Array.from({ length: 100 }, (_, i) => `${i}`))
    // The first, then all others; then removals.
    expect(store.writes - writes).toBeLessThan(10)
  })

  test('may be sent before there ever was a link, by a page that has ended since', async () => {
    pair = await SessionPair.apart(crypto, { stores: { a: new MemoryStore(), b: new MemoryStore() } })
    const sending = pair.a.sendDurable('early')
    await pair.quiet()
    expect(sending.accepted).toBe('accepted')
    await pair.reload('a')
    expect(pair.a.session.info).toMatchObject({ id: '', state: 'new', waiting: 1 })
    pair.a.sendDurable('late')
    await pair.replaceLink()
    expect(pair.b.takenTexts).toEqual(['early', 'late'])
  })

  test('that is one too many is refused, and a place is free when one has arrived', async () => {
    await pair.cut()
    for (let i = 0; i < LIMITS.maxOutboxMessages; i++) pair.a.sendDurable('')
    expect(() => pair.a.sendDurable('')).toThrow(expect.objectContaining({ code: 'QUEUE_FULL' }))
    expect(() => pair.b.sendDurable(new Uint8Array(LIMITS.maxOutboxBytes))).toThrow(TsunagiError)
    await pair.replaceLink()
    expect(pair.b.taken.length).toBe(LIMITS.maxOutboxMessages)
    const next = pair.a.sendDurable('')
    await pair.quiet()
    expect(next.outcome).toBe('delivered')
  })

  test('waits for a link as long as it takes', async () => {
    await pair.cut()
    const [durable, volatile] = [pair.a.sendDurable('durable'), pair.a.send('message', 'volatile')]
    await pair.pass(LIMITS.linkPatience)
    expect([durable.outcome, volatile.outcome, pair.a.session.info.waiting]).toEqual([undefined, 'LINK_LOST', 1])
    await pair.replaceLink()
    expect([durable.outcome, pair.b.takenTexts, pair.b.received()]).toEqual(['delivered', ['durable'], []])
  })
})

describe('a page that is loaded anew', () => {
  test('goes on with the session, and its messages are taken once and in order', async () => {
    pair.wire = losing('b')
    const taken = pair.a.sendDurable('taken, and not acknowledged')
    await pair.quiet()
    pair.wire = losing()
    pair.a.sendDurable('lost on its way')
    await pair.quiet()
    const { id } = pair.a.session.info
    await pair.reload('a')
    pair.wire = passing
    pair.a.sendDurable('of the new page')
    await pair.replaceLink()
    expect(pair.b.takenTexts).toEqual(['taken, and not acknowledged', 'lost on its way', 'of the new page'])
    expect(pair.a.session.info).toMatchObject({ id, state: 'established', waiting: 0 })
    expect(pair.a.session.durable).toEqual([])
    expect(pair.a.durable).toContain(`delivered ${taken.id}`)
    expect(await stored(storeOf(pair.a))).toEqual([])
    expect([...pair.a.refused, ...pair.b.refused]).toEqual([])
  })

  test('takes what the page before it had not, and what that had taken not again', async () => {
    const first = pair.a.sendDurable('first')
    await pair.quiet()
    pair.wire = losing('b')
    const second = pair.a.sendDurable('second')
    await pair.quiet()
    await pair.cut()
    const third = pair.a.sendDurable('third')
    await pair.quiet()
    const before = pair.b.takenTexts
    await pair.reload('b')
    pair.wire = passing
    await pair.replaceLink()
    expect([before, pair.b.takenTexts]).toEqual([['first', 'second'], ['third']])
    expect([first.outcome, second.outcome, third.outcome]).toEqual(['delivered', 'delivered', 'delivered'])
    expect(pair.b.found.map(({ id }) => id)).toEqual([first.id, second.id])
  })

  test('on both sides at once loses and repeats nothing durable', async () => {
    pair.wire = losing()
    for (const text of ['1', '2', '3']) {
      pair.a.sendDurable(`a${text}`)
      pair.b.sendDurable(`b${text}`)
    }
    await pair.quiet()
    await Promise.all([pair.reload('a'), pair.reload('b')])
    pair.wire = passing
    await pair.replaceLink()
    expect([pair.b.takenTexts, pair.a.takenTexts]).toEqual([
      ['a1', 'a2', 'a3'],
      ['b1', 'b2', 'b3'],
    ])
    expect([pair.a.session.state, pair.b.session.state]).toEqual(['established', 'established'])
  })

  test.each(['a', 'b'] as const)(
    'is noticed by the other: what that had sent and is not durable rejects with LINK_LOST, what it had not goes on (%s)',
    async (reloaded) => {
      const other = reloaded === 'a' ? 'b' : 'a'
      pair.wire = losing()
      const [sent, durable] = [pair[other].send('message', 'sent'), pair[other].sendDurable('durable')]
      await pair.quiet()
      await pair.cut()
      const unsent = pair[other].send('message', 'unsent')
      await pair.reload(reloaded)
      pair.wire = passing
      await pair.replaceLink()
      expect([sent.outcome, durable.outcome, unsent.outcome]).toEqual(['LINK_LOST', 'delivered', 'delivered'])
      expect(pair[reloaded].received()).toEqual(['unsent'])
      expect(pair[reloaded].takenTexts).toEqual(['durable'])
    },
  )

  test('gets the whole of a large message of which the page before it had a part', async () => {
    const size = 2 * LIMITS.receiveWindow
    pair.wire = losing('b')
    const sending = pair.a.send('message', new Uint8Array(size))
    await pair.quiet()
    await pair.reload('b')
    pair.wire = passing
    await pair.replaceLink()
    expect(sending.outcome).toBe('delivered')
    expect(pair.b.received().map((bytes) => (bytes as Uint8Array).length)).toEqual([size])
  })

  test('is not disturbed by what the page before it still had on its way, nor by how that counted', async () => {
    const held: (() => void)[] = []
    pair.wire = (frame, deliver) => {
      held.push(() => deliver(frame))
    }
    pair.a.sendDurable('old')
    pair.a.send('message', 'of the old page')
    await pair.quiet()
    await pair.reload('a')
    pair.wire = passing
    const connection = await pair.connect()
    // They arrive now, and are being opened when the new channel comes.
    for (const deliver of held) deliver()
    pair.attach(connection)
    pair.a.send('message', 'of the new page')
    await pair.quiet()
    expect([pair.b.takenTexts, pair.b.received()]).toEqual([['old'], ['of the new page']])
    for (const deliver of held) deliver()
    await pair.quiet()
    expect([pair.b.takenTexts, pair.b.received()]).toEqual([['old'], ['of the new page']])
    expect(pair.b.session.state).toBe('established')
  })

  test('while its messages were being stored by the other has them taken once, and none counts as there that is not', async () => {
    const go = holdUp(storeOf(pair.b), 'take')
    for (const text of ['1', '2', '3']) pair.a.sendDurable(text)
    await pair.quiet()
    expect(pair.b.taken).toEqual([])
    await pair.reload('a')
    const later = Array.from({ length: 5 }, (_, i) => pair.a.sendDurable(`later ${i}`))
    await pair.replaceLink()
    expect(
      later.map(({ outcome }) => outcome),
      'all is behind what is not stored',
    ).toEqual(later.map(() => undefined))
    go()
    await pair.quiet()
    expect(pair.b.takenTexts).toEqual(['1', '2', '3', ...later.map((_, i) => `later ${i}`)])
    expect(later.every(({ outcome }) => outcome === 'delivered')).toBe(true)
  })

  test('does not know of messages that were only about to be stored, and leaves no gap for them', async () => {
    const store = storeOf(pair.a)
    const crashed = new Promise<void>((resolve) => {
      store.beforeWrite = (_, write) => {
        // The first was given to the store; the second was not when the state of the session was written.
        if (write !== 'accept') return
        store.beforeWrite = (_, write) => {
          if (write === 'accept') resolve(pair.reload('a'))
        }
      }
    })
    pair.a.sendDurable('first')
    const second = pair.a.sendDurable('second')
    void pair.a.session.store()
    await crashed
    await pair.quiet()
    expect(second.accepted).toBeUndefined()
    const third = pair.a.sendDurable('third')
    await pair.replaceLink()
    expect(third.outcome).toBe('delivered')
    expect(pair.b.takenTexts).toEqual(['first', 'third'])
  })
})

describe('a handshake whose end is lost', () => {
  /** One side has the channel, and the other never hears of it. */
  async function half(side: 'a' | 'b'): Promise<void> {
    const connection = await pair.connect()
    pair[side].attach(connection[side])
    await pair.quiet()
    pair.net.cut(connection[side].link)
    await pair.quiet()
  }

  test.each(['a', 'b'] as const)('after a reload leaves open what has come (%s had the channel)', async (side) => {
    pair.wire = losing()
    const sendings = [pair.b.sendDurable('durable'), pair.b.send('message', 'volatile')]
    await pair.quiet()
    await pair.cut()
    await pair.reload('a')
    pair.wire = passing
    await half(side)
    await pair.replaceLink()
    expect(pair.a.takenTexts).toEqual(['durable'])
    expect(sendings.map(({ outcome }) => outcome)).toEqual(['delivered', 'LINK_LOST'])
    const after = [pair.a.send('message', 1), pair.b.send('message', 2)]
    await pair.quiet()
    expect(after.map(({ outcome }) => outcome)).toEqual(['delivered', 'delivered'])
  })

  test('and which began before the other was heard does not move numbers back on one side only', async () => {
    await pair.cut()
    await pair.reload('a')
    pair.attach(await pair.connect())
    const late = await pair.connect()
    const [durable, volatile] = [pair.a.sendDurable('durable'), pair.a.send('message', 'volatile')]
    await pair.quiet()
    expect([durable.outcome, volatile.outcome]).toEqual(['delivered', 'delivered'])
    pair.b.attach(late.b)
    await pair.cut()
    await pair.replaceLink()
    const after = [pair.a.send('message', 1), pair.b.send('message', 2), pair.a.sendDurable('after')]
    await pair.quiet()
    expect(after.map(({ outcome }) => outcome)).toEqual(['delivered', 'delivered', 'delivered'])
    expect([pair.b.takenTexts, pair.b.received(), pair.a.received()]).toEqual([
      ['durable', 'after'],
      ['volatile', 1],
      [2],
    ])
  })

  test.each([false, true])(
    'makes no session: its messages go on in the next one (page loaded anew: %s)',
    async (anew) => {
      pair = await SessionPair.apart(crypto, { stores: { a: new MemoryStore(), b: new MemoryStore() } })
      pair.a.sendDurable('durable')
      await half('a')
      if (anew) await pair.reload('a')
      await pair.replaceLink()
      expect(pair.b.takenTexts).toEqual(['durable'])
      expect(pair.a.session.info.id).toBe(pair.b.session.info.id)
    },
  )

  test('carries what is said before the session is stored, which a page that goes then does not oblige: all is taken once', async () => {
    pair = await SessionPair.apart(crypto, { stores: { a: new MemoryStore(), b: new MemoryStore() } })
    pair.a.sendDurable('from a')
    pair.b.sendDurable('from b')
    await pair.quiet()
    const go = holdUp(storeOf(pair.a), 'take')
    await pair.replaceLink()
    expect([pair.a.takenTexts, pair.b.takenTexts]).toEqual([[], ['from a']])
    const reloading = pair.reload('a')
    go()
    await reloading
    await pair.replaceLink()
    expect([pair.a.takenTexts, pair.b.takenTexts]).toEqual([['from b'], ['from a']])
    expect(pair.b.durable.filter((told) => told.startsWith('failed'))).toEqual([])
  })
})

test('a new session is stored when its first frames have passed; a page that goes before that begins another', async () => {
  const meet = async () => {
    pair = await SessionPair.apart(crypto, { stores: { a: new MemoryStore(), b: new MemoryStore() } })
    pair.attach(await pair.connect())
    await pair.quiet()
    expect(pair.a.session.state).toBe('established')
    expect((await storeOf(pair.a).load()).sessions).toEqual([])
    return pair.a.session.info.id
  }
  const id = await meet()
  await pair.pass(LIMITS.storeAfter)
  expect((await storeOf(pair.a).load()).sessions.map((session) => session.id)).toEqual([id])
  const lost = await meet()
  await pair.reload('a')
  await pair.replaceLink()
  expect(pair.a.session.info.id).toBe(pair.b.session.info.id)
  expect(pair.a.session.info.id).not.toBe(lost)
})

describe('storage that fails', () => {
  test('on sending rejects the message with STORAGE_FAILED, and the numbers of the next have no gap', async () => {
    const store = storeOf(pair.a)
    const first = pair.a.sendDurable('first')
    await pair.quiet()
    failing(store, 'accept')
    const refused = [pair.a.sendDurable('refused'), pair.a.sendDurable('refused, too')]
    await pair.quiet()
    expect(refused.map(({ accepted, outcome }) => [accepted, outcome])).toEqual(
      refused.map(() => ['STORAGE_FAILED', 'STORAGE_FAILED']),
    )
    expect(pair.a.storageFailures.map(({ code }) => code)).toContain('STORAGE_FAILED')
    expect(pair.a.durable).toContain(`failed ${refused[0]?.id} STORAGE_FAILED`)
    store.beforeWrite = () => undefined
    const last = pair.a.sendDurable('last')
    await pair.quiet()
    expect([first.outcome, last.outcome]).toEqual(['delivered', 'delivered'])
    expect(pair.b.taken.map(({ number }) => number)).toEqual([1, 2])
    expect(pair.b.takenTexts).toEqual(['first', 'last'])
  })

  test('on taking is told, and the page goes on in memory', async () => {
    failing(storeOf(pair.b), 'take')
    const sendings = [pair.a.sendDurable('first'), pair.a.sendDurable('second')]
    await pair.quiet()
    expect(sendings.map(({ outcome }) => outcome)).toEqual(['delivered', 'delivered'])
    expect(pair.b.takenTexts).toEqual(['first', 'second'])
    expect(new Set(pair.b.storageFailures.map(({ code }) => code))).toEqual(new Set(['STORAGE_FAILED']))
  })

  test('on removing what has arrived is told; the next page sends it again and the other knows it by its number', async () => {
    failing(storeOf(pair.a), 'delivered')
    const sending = pair.a.sendDurable('once')
    await pair.quiet()
    expect([sending.outcome, pair.a.storageFailures.length]).toEqual(['delivered', 1])
    await pair.reload('a')
    expect(pair.a.session.durable.map(({ id }) => id)).toEqual([sending.id])
    await pair.replaceLink()
    expect([pair.a.session.durable, pair.b.takenTexts]).toEqual([[], ['once']])
  })

  test('on noting the state of a session is told, and the session goes on', async () => {
    pair = await SessionPair.apart(crypto, { stores: { a: new MemoryStore(), b: new MemoryStore() } })
    failing(storeOf(pair.a), 'update')
    await pair.replaceLink()
    const sending = pair.a.send('message', 1)
    await pair.quiet()
    expect(sending.outcome).toBe('delivered')
    expect(pair.a.storageFailures.length).toBeGreaterThan(0)
  })

  test('or that is not there refuses durable messages at once, and takes those of others', async () => {
    pair = await SessionPair.open(crypto, { stores: { a: new MemoryStore() } })
    expect(() => pair.b.sendDurable('hello')).toThrow(expect.objectContaining({ code: 'STORAGE_FAILED' }))
    const sending = pair.a.sendDurable('hello')
    await pair.quiet()
    expect([sending.outcome, pair.b.takenTexts]).toEqual(['delivered', ['hello']])
  })
})

describe('an inbox without room', () => {
  test('stops the sender at the window, loses nothing, and goes on when there is room', async () => {
    pair.b.hasRoom = false
    const sendings = Array.from({ length: 100 }, () => pair.a.sendDurable(new Uint8Array(100_000)))
    await pair.quiet()
    expect(pair.b.taken).toEqual([])
    const onTheirWay = pair.framesOf('a').reduce((sum, { length }) => sum + length, 0)
    expect(onTheirWay).toBeLessThan(1.1 * LIMITS.receiveWindow)
    pair.b.hasRoom = true
    pair.b.session.inboxHasRoom()
    await pair.quiet()
    expect(pair.b.taken.length).toBe(100)
    expect(sendings.every(({ outcome }) => outcome === 'delivered')).toBe(true)
  })

  test('may become full and have room again at any message', async () => {
    let room = 3
    pair.b.canTake = () => room > 0
    const { onTaken } = pair.b
    pair.b.onTaken = (message) => {
      room--
      onTaken.call(pair.b, message)
    }
    const texts = Array.from({ length: 20 }, (_, i) => `${i}`)
    for (const text of texts) {
      pair.a.sendDurable(text)
      await pair.quiet()
    }
    expect(pair.b.takenTexts).toEqual(texts.slice(0, 3))
    while (room === 0) {
      room = 1
      pair.b.session.inboxHasRoom()
      await pair.quiet()
      if (pair.b.taken.length === texts.length) break
      // What arrived meanwhile is taken together, so that a little more than fits may be taken.
      room = Math.max(0, room)
    }
    expect(pair.b.takenTexts).toEqual(texts)
  })

  test('holds no more for a sender that reloads again and again, and loses nothing of it', async () => {
    pair.b.hasRoom = false
    for (let i = 0; i < 30; i++) pair.a.sendDurable(new Uint8Array(100_000).fill(i))
    for (let round = 0; round < 8; round++) {
      await pair.quiet()
      await pair.reload('a')
      await pair.replaceLink()
    }
    expect(pair.b.session.state).toBe('established')
    pair.b.hasRoom = true
    pair.b.session.inboxHasRoom()
    await pair.quiet()
    expect(pair.b.taken.map(({ payload }) => payload[0])).toEqual(Array.from({ length: 30 }, (_, i) => i))
    expect([pair.a.session.durable, pair.b.refused]).toEqual([[], []])
  })
})

describe('the end of a session', () => {
  test.each(['a', 'b'] as const)(
    'rejects what waits with its code, and leaves nothing stored (ended by %s)',
    async (by) => {
      const go = holdUp(storeOf(pair.b), 'take')
      const sent = pair.a.sendDurable('sent')
      await pair.quiet()
      const hold = holdUp(storeOf(pair.a), 'accept')
      const waiting = pair.a.sendDurable('not yet accepted')
      await pair.quiet()
      await pair[by].session.close(goodbye)
      await pair.quiet()
      go()
      hold()
      await pair.quiet()
      expect([sent.accepted, sent.outcome]).toEqual(['accepted', 'PEER_CLOSED'])
      expect([waiting.accepted, waiting.outcome]).toEqual(['PEER_CLOSED', 'PEER_CLOSED'])
      expect(pair.a.durable).toContain(`failed ${sent.id} PEER_CLOSED`)
      const { sessions, outbox } = await storeOf(pair.a).load()
      expect([sessions, outbox]).toEqual([[], []])
      const there = await storeOf(pair.b).load()
      expect(there.sessions).toEqual([])
      expect(
        there.inbox.map(({ id }) => id),
        'what was being stored is taken',
      ).toEqual(pair.b.taken.map(({ id }) => id))
    },
  )

  test('touches nothing of the next one: numbers begin anew', async () => {
    for (let i = 0; i < 5; i++) pair.a.sendDurable('old')
    const go = holdUp(storeOf(pair.a), 'delivered')
    await pair.quiet()
    await pair.a.session.close(goodbye)
    pair.a.attach({ ...(await pair.connect()).a, sessionId: crypto.randomBytes(16) })
    pair.a.sendDurable('new')
    go()
    await pair.quiet()
    const { sessions, outbox } = await storeOf(pair.a).load()
    expect(sessions.map(({ durableNext }) => durableNext)).toEqual([2])
    expect(outbox.map(({ number }) => number)).toEqual([1])
  })

  test('takes nothing more of it, though it has arrived', async () => {
    const go = holdUp(storeOf(pair.b), 'take')
    const first = pair.a.sendDurable('being stored')
    await pair.quiet()
    pair.a.sendDurable('late')
    await pair.quiet()
    await pair.b.session.close(goodbye)
    go()
    await pair.quiet()
    const { sessions, inbox } = await storeOf(pair.b).load()
    expect([pair.b.takenTexts, sessions, inbox.map(({ id }) => id)]).toEqual([['being stored'], [], [first.id]])
  })

  test('comes with a page that has lost its storage: the other’s waiting messages reject with SESSION_NOT_FOUND', async () => {
    pair.wire = losing()
    const sendings = [pair.a.sendDurable('durable'), pair.a.send('message', 'volatile')]
    await pair.quiet()
    const { id } = pair.a.session.info
    await pair.reload('b', new MemoryStore())
    const early = pair.b.sendDurable('from the new page')
    pair.wire = passing
    await pair.replaceLink()
    expect(sendings.map(({ outcome }) => outcome)).toEqual(['SESSION_NOT_FOUND', 'SESSION_NOT_FOUND'])
    expect(pair.a.session.info.id).toBe(pair.b.session.info.id)
    expect(pair.a.session.info.id).not.toBe(id)
    expect([early.outcome, pair.a.takenTexts]).toEqual(['delivered', ['from the new page']])
    expect((await storeOf(pair.a).load()).sessions.map(({ id }) => id)).toEqual([pair.a.session.info.id])
  })

  test('is the same for a page that knows only from its store that the two had shared the session', async () => {
    await Promise.all([pair.reload('a'), pair.reload('b', new MemoryStore())])
    const sending = pair.a.sendDurable('for a page that is no more')
    await pair.quiet()
    await pair.replaceLink()
    expect(sending.outcome).toBe('SESSION_NOT_FOUND')
    expect(pair.b.taken).toEqual([])
  })

  test('of the page only leaves what is accepted to the next one, and rejects here what nobody here will learn', async () => {
    await pair.cut()
    const [durable, volatile] = [pair.a.sendDurable('durable'), pair.a.send('message', 'volatile')]
    await pair.quiet()
    pair.a.session.abandon(goodbye)
    await pair.quiet()
    expect([durable.accepted, durable.outcome, volatile.outcome]).toEqual(['accepted', 'PEER_CLOSED', 'PEER_CLOSED'])
    expect(pair.a.durable).toEqual([`accepted ${durable.id}`])
    await pair.reload('a')
    await pair.replaceLink()
    expect(pair.b.takenTexts).toEqual(['durable'])
    expect(pair.clock.pending).toBe(0)
  })
})
