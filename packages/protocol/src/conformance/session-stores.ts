/** What every SessionStore must do (session/store.ts). */
import type { PeerId } from '../api.ts'
import { peerIdOf } from '../identity/peer-id.ts'
import type { PinnedPeer, SessionStore, StoredMessage, StoredSession } from '../session/store.ts'
import type { Bytes } from '../wire/bytes.ts'
import { uuidText, uuidV4 } from '../wire/uuid.ts'
import { type ConformanceCase, check, rejects } from './case.ts'

export interface SessionStoreImplementation {
  /** Empty. */
  readonly store: SessionStore
  /** The store as the next page finds it; the one before is used no more. */
  reopen(): Promise<SessionStore>
}

/** The first is the one whose id sorts first. */
const [ANNA, BERT] = [1, 2].map((n) => peerIdOf(new Uint8Array(32).fill(n))).sort() as [PeerId, PeerId]
const NOW = Date.UTC(2030, 0, 1)

/** A UUIDv4 for each number. */
const idOf = (number: number) => uuidText(uuidV4(new Uint8Array(16).fill(number)))

function session(peer: PeerId, changed: Partial<StoredSession> = {}): StoredSession {
  return {
    peer,
    id: idOf(99),
    shared: true,
    createdAt: NOW,
    activeAt: NOW + 1,
    epoch: 2,
    next: 30,
    expected: 40,
    durableNext: 20,
    durableExpected: 20,
    ...changed,
  }
}

function message(peer: PeerId, number: number, changed: Partial<StoredMessage> = {}): StoredMessage {
  const payload = new Uint8Array([number, 0, 255])
  return { peer, number, id: idOf(number), at: NOW + number, type: 1, raw: false, payload, ...changed }
}

const pinned = (peer: PeerId, name: string): PinnedPeer => ({
  peer,
  name,
  metAt: NOW,
  seenAt: NOW + 5,
  introductionKey: new Uint8Array(32).fill(3),
  introductionNotAfter: NOW + 7,
  wokeAt: NOW + 6,
})

/** The structured clone of a function fails, which no write survives. */
const unstorable = (peer: PeerId, number: number) =>
  message(peer, number, { payload: (() => undefined) as unknown as Bytes })

/** Records as text, which tells any two apart that differ in a field. */
function texts(records: readonly object[]): string[] {
  return records.map((record) =>
    JSON.stringify(
      Object.entries(record)
        .map(([field, value]) => [field, value instanceof Uint8Array ? `bytes ${value}` : value])
        .sort(),
    ),
  )
}

function checkSame(found: readonly object[], expected: readonly object[], what: string): void {
  const [is, should] = [texts(found), texts(expected)]
  check(is.length === should.length && is.every((text, i) => text === should[i]), `${what}: ${is} is ${should}`)
}

const numbers = (messages: readonly StoredMessage[], peer: PeerId) =>
  messages
    .filter((found) => found.peer === peer)
    .map(({ number }) => number)
    .join()

export const sessionStoreConformance: readonly ConformanceCase<SessionStoreImplementation>[] = [
  {
    name: 'an empty store gives nothing',
    async run({ store, reopen }) {
      for (const found of [await store.load(), await (await reopen()).load()]) {
        const { sessions, outbox, inbox, pinned } = found
        check(sessions.length + outbox.length + inbox.length + pinned.length === 0, 'nothing is there')
      }
    },
  },

  {
    name: 'the next page finds all that was stored, whole',
    async run({ store, reopen }) {
      const [first, second] = [session(ANNA), session(BERT, { id: '', durableNext: 1 })]
      const accepted = [message(ANNA, 18), message(ANNA, 19, { raw: true, payload: new Uint8Array(0) })]
      const taken = [message(BERT, 7, { type: 9, payload: new Uint8Array(300_000).fill(7) })]
      await store.update(first)
      await store.accept(first, accepted)
      await store.take(second, taken)
      await store.pin(pinned(ANNA, 'Anna'))
      const found = await (await reopen()).load()
      checkSame(found.sessions, [first, second], 'the sessions')
      checkSame(found.outbox, accepted, 'the outbox')
      checkSame(found.inbox, taken, 'the inbox')
      checkSame(found.pinned, [pinned(ANNA, 'Anna')], 'the peers once met')
    },
  },

  {
    name: 'a session is as the last call of accept, take or update left it',
    async run({ store, reopen }) {
      await store.update(session(ANNA, { next: 1 }))
      await store.accept(session(ANNA, { next: 2 }), [message(ANNA, 1)])
      checkSame((await store.load()).sessions, [session(ANNA, { next: 2 })], 'the session after accept')
      await store.take(session(ANNA, { next: 3 }), [message(ANNA, 1)])
      checkSame((await store.load()).sessions, [session(ANNA, { next: 3 })], 'the session after take')
      await store.update(session(ANNA, { next: 4 }))
      checkSame((await (await reopen()).load()).sessions, [session(ANNA, { next: 4 })], 'the session after update')
    },
  },

  {
    name: 'messages come back by peer and by number, whatever order they were stored in',
    async run({ store, reopen }) {
      for (const peer of [BERT, ANNA]) {
        for (const part of [[11], [2, 10], [1]]) {
          const messages = part.map((number) => message(peer, number))
          await store.accept(session(peer), messages)
          await store.take(session(peer), messages)
        }
      }
      const { outbox, inbox } = await (await reopen()).load()
      for (const [what, found] of Object.entries({ outbox, inbox })) {
        const expected = [ANNA, BERT].flatMap((peer) => [1, 2, 10, 11].map((number) => message(peer, number)))
        checkSame(found, expected, `the ${what}`)
      }
    },
  },

  {
    name: 'what is delivered leaves the outbox: all below the number, of that peer alone',
    async run({ store, reopen }) {
      for (const peer of [ANNA, BERT]) {
        await store.accept(
          session(peer),
          [2, 9, 10, 11].map((number) => message(peer, number)),
        )
      }
      await store.take(session(ANNA), [message(ANNA, 2)])
      await store.delivered(ANNA, 10)
      await store.delivered(BERT, 2)
      const { outbox, inbox, sessions } = await (await reopen()).load()
      check(numbers(outbox, ANNA) === '10,11', 'those from the number on stay')
      check(numbers(outbox, BERT) === '2,9,10,11', 'those of another peer stay')
      check(numbers(inbox, ANNA) === '2' && sessions.length === 2, 'nothing else goes')
    },
  },

  {
    name: 'what is handled leaves the inbox, and no message of another peer with the same id',
    async run({ store, reopen }) {
      const [one, two, same] = [message(ANNA, 1), message(ANNA, 2), message(BERT, 1)]
      await store.take(session(ANNA), [one, two])
      await store.take(session(BERT), [same])
      await store.accept(session(ANNA), [one])
      await store.handled(one)
      await store.handled(one)
      const { inbox, outbox } = await (await reopen()).load()
      checkSame(inbox, [two, same], 'the inbox')
      checkSame(outbox, [one], 'the outbox')
    },
  },

  {
    name: 'the end of a session takes its outbox along; inbox, peers met and other sessions stay',
    async run({ store, reopen }) {
      for (const peer of [ANNA, BERT]) {
        await store.accept(session(peer), [message(peer, 1), message(peer, 2)])
        await store.take(session(peer), [message(peer, 1)])
        await store.pin(pinned(peer, 'A name'))
      }
      await store.end(ANNA)
      const found = await (await reopen()).load()
      checkSame(found.sessions, [session(BERT)], 'the sessions')
      checkSame(found.outbox, [message(BERT, 1), message(BERT, 2)], 'the outbox')
      checkSame(found.inbox, [message(ANNA, 1), message(BERT, 1)], 'the inbox')
      checkSame(found.pinned, [pinned(ANNA, 'A name'), pinned(BERT, 'A name')], 'the peers once met')
    },
  },

  {
    name: 'what an ended session left comes before the messages of the next, which have the same numbers',
    async run({ store, reopen }) {
      const old = [1, 2, 3].map((number) => message(ANNA, number, { id: idOf(100 + number) }))
      const fresh = [message(ANNA, 1), message(ANNA, 2)]
      await store.take(session(ANNA), old)
      await store.end(ANNA)
      await store.take(session(ANNA, { createdAt: NOW + 60_000 }), fresh)
      checkSame((await store.load()).inbox, [...old, ...fresh], 'the inbox')
      await store.handled(message(ANNA, 1))
      checkSame((await (await reopen()).load()).inbox, [...old, message(ANNA, 2)], 'the inbox after one was handled')
    },
  },

  {
    name: 'a peer met again is known by its new name, and one forgotten not at all',
    async run({ store, reopen }) {
      await store.pin(pinned(ANNA, 'Anna'))
      await store.pin(pinned(BERT, 'Bert'))
      await store.pin(pinned(ANNA, 'Anna of the other tab'))
      await store.unpin(BERT)
      const found = (await (await reopen()).load()).pinned
      checkSame(found, [pinned(ANNA, 'Anna of the other tab')], 'the peers once met')
    },
  },

  {
    name: 'messages that cannot all be stored are not stored at all, nor is their session',
    async run({ store, reopen }) {
      await store.accept(session(ANNA), [message(ANNA, 1)])
      const later = session(ANNA, { durableNext: 23, durableExpected: 23 })
      await rejects('STORAGE_FAILED', store.accept(later, [message(ANNA, 20), unstorable(ANNA, 21)]))
      await rejects('STORAGE_FAILED', store.take(later, [message(ANNA, 20), unstorable(ANNA, 21)]))
      const found = await (await reopen()).load()
      checkSame(found.sessions, [session(ANNA)], 'the session')
      checkSame(found.outbox, [message(ANNA, 1)], 'the outbox')
      check(found.inbox.length === 0, 'the inbox is empty')
    },
  },

  {
    name: 'a call that fails hinders none of those around it',
    async run({ store, reopen }) {
      const calls = [
        store.accept(session(ANNA), [message(ANNA, 1)]),
        store.accept(session(ANNA), [unstorable(ANNA, 2)]),
        store.accept(session(ANNA), [message(ANNA, 2)]),
      ] as const
      await rejects('STORAGE_FAILED', calls[1])
      await Promise.all([calls[0], calls[2]])
      checkSame((await (await reopen()).load()).outbox, [message(ANNA, 1), message(ANNA, 2)], 'the outbox')
    },
  },

  {
    name: 'calls take effect in their order, also where nobody waits for one before the next',
    async run({ store, reopen }) {
      const outcomes: Promise<unknown>[] = [
        store.accept(session(ANNA), [message(ANNA, 1), message(ANNA, 2)]),
        store.delivered(ANNA, 2),
        store.take(session(ANNA), [message(ANNA, 1), message(ANNA, 2)]),
        store.handled(message(ANNA, 1)),
        store.accept(session(BERT), [message(BERT, 1)]),
        store.end(BERT),
        store.accept(session(BERT, { next: 2 }), [message(BERT, 2)]),
        store.pin(pinned(ANNA, 'first')),
        store.pin(pinned(ANNA, 'last')),
      ]
      for (let next = 100; next <= 120; next++) outcomes.push(store.update(session(ANNA, { next })))
      const found = await store.load()
      checkSame(found.sessions, [session(ANNA, { next: 120 }), session(BERT, { next: 2 })], 'the sessions')
      checkSame(found.outbox, [message(ANNA, 2), message(BERT, 2)], 'the outbox')
      checkSame(found.inbox, [message(ANNA, 2)], 'the inbox')
      checkSame(found.pinned, [pinned(ANNA, 'last')], 'the peers once met')
      await Promise.all(outcomes)
      const later = await (await reopen()).load()
      for (const what of ['sessions', 'outbox', 'inbox', 'pinned'] as const)
        checkSame(later[what], found[what], `${what} at the next page`)
    },
  },

  {
    name: 'a payload is stored as it is at the call, and without the buffer it is a part of',
    async run({ store, reopen }) {
      const frame = new Uint8Array(100_000).fill(1)
      const [out, in_] = [frame.subarray(10, 13), frame.subarray(20, 23)]
      const calls = [
        store.accept(session(ANNA), [message(ANNA, 1, { payload: out })]),
        store.take(session(ANNA), [message(ANNA, 1, { payload: in_ })]),
      ]
      frame.fill(2)
      await Promise.all(calls)
      const { outbox, inbox } = await (await reopen()).load()
      for (const { payload } of [...outbox, ...inbox]) {
        check(payload.join() === '1,1,1', 'the payload is that of the call')
        check(payload.buffer.byteLength === 3, 'nothing else of the buffer is kept')
      }
      check(outbox.length === 1 && inbox.length === 1, 'both were stored')
    },
  },
]
