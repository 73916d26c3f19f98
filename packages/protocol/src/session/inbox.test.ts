import { beforeEach, expect, test } from 'vitest'
import type { TsunagiError } from '../errors.ts'
import { LIMITS, PROTOCOL } from '../limits.ts'
import { uuidBytes, uuidText, uuidV4 } from '../wire/uuid.ts'
import { durablePayload, Inbox } from './inbox.ts'
import type { IncomingMessage } from './incoming.ts'
import { MemoryStore } from './memory-store.fixture.ts'

const idOf = (number: number) => uuidV4(new Uint8Array(16).fill(number))

let store: MemoryStore
let inbox: Inbox
let taken: number[]
let volatile: number[]
let violations: TsunagiError[]
let hasRoom: boolean
let sequence: number

beforeEach(() => {
  store = new MemoryStore()
  taken = []
  volatile = []
  violations = []
  hasRoom = true
  sequence = 0
  inbox = new Inbox(
    {
      store,
      now: () => 0,
      record: () => ({
        peer: '',
        id: uuidText(idOf(0)),
        shared: true,
        createdAt: 0,
        activeAt: 0,
        epoch: 1,
        next: 1,
        expected: 1,
        durableNext: 1,
        durableExpected: inbox.expected,
      }),
      canTake: () => hasRoom,
      onVolatile: ({ sequence }) => volatile.push(sequence),
      onTaken: ({ number }) => taken.push(number),
      onProgress: () => undefined,
      onViolation: (error) => {
        violations.push(error)
        inbox.stop()
      },
      onStorageFailure: (error) => {
        throw error
      },
    },
    '',
    1,
  )
})

function message(payload: Uint8Array<ArrayBuffer>, durable: boolean): IncomingMessage {
  return { type: 1, raw: true, durable, payload, sequence: ++sequence }
}

function addDurable(number: number, size = 0): void {
  inbox.add(message(durablePayload(number, uuidBytes(uuidText(idOf(number))), new Uint8Array(size)), true))
}

const settled = () => new Promise((fulfil) => setImmediate(fulfil))

/** Writes of the store wait until the returned function is called. */
function heldUp(): () => void {
  let go: () => void = () => undefined
  const gate = new Promise<void>((resolve) => {
    go = resolve
  })
  store.beforeWrite = () => gate
  return go
}

test('what is not durable goes through, and only waits for what came before it', async () => {
  const go = heldUp()
  inbox.add(message(new Uint8Array(), false))
  addDurable(1)
  inbox.add(message(new Uint8Array(), false))
  expect([volatile, inbox.acknowledgeable(4)]).toEqual([[1], 2])
  go()
  await settled()
  expect([taken, volatile, inbox.acknowledgeable(4)]).toEqual([[1], [1, 3], 4])
})

test('a number taken before is not taken again, also within one transaction', async () => {
  for (const number of [1, 1, 2, 1, 2, 3]) addDurable(number)
  await settled()
  expect(taken).toEqual([1, 2, 3])
  expect([inbox.expected, inbox.taken, inbox.acknowledgeable(7)]).toEqual([4, 4, 7])
})

test('a number that leaves a gap is a violation, and nothing from there on is taken or stored', async () => {
  addDurable(1)
  await settled()
  for (const number of [2, 4, 3]) addDurable(number)
  await settled()
  expect(violations.map(({ code }) => code)).toEqual(['SEQUENCE_ERROR'])
  addDurable(5)
  await settled()
  expect(taken).toEqual([1, 2])
  expect((await store.load()).inbox.map(({ number }) => number)).toEqual([1, 2])
})

test('numbers that begin anew hold back what comes then until what is being stored is there', async () => {
  const go = heldUp()
  sequence = 100
  addDurable(1)
  for (const number of [2, 3]) addDurable(number)
  inbox.restart(10)
  expect(inbox.acknowledgeable(50), 'its number belongs to others now').toBe(10)
  sequence = 9
  for (const number of [1, 2, 3, 4]) addDurable(number)
  expect(inbox.acknowledgeable(14)).toBe(10)
  go()
  await settled()
  expect(taken).toEqual([1, 2, 3, 4])
  expect(inbox.acknowledgeable(14)).toBe(14)
})

test('what was being stored at the end of the session is taken, and nothing else', async () => {
  const go = heldUp()
  for (const number of [1, 2]) addDurable(number)
  inbox.stop()
  go()
  await settled()
  expect(taken).toEqual([1])
  expect((await store.load()).inbox.map(({ number }) => number)).toEqual([1])
})

test('no more waits than an honest peer may have on its way, by bytes', async () => {
  hasRoom = false
  addDurable(1, PROTOCOL.maxMessage)
  const size = 1024 * 1024
  for (let waiting = 0; waiting <= LIMITS.receiveWindow; waiting += size) addDurable(2, size)
  expect(violations).toEqual([])
  for (let waiting = 0; waiting <= LIMITS.receiveWindow; waiting += size) addDurable(2, size)
  expect(new Set(violations.map(({ code }) => code))).toEqual(new Set(['CREDIT_EXCEEDED']))
})

test('no more waits than an honest peer may have on its way, by messages', () => {
  hasRoom = false
  addDurable(1)
  for (let i = 1; i < LIMITS.maxQueuedMessages + LIMITS.maxOutboxMessages; i++) {
    inbox.add(message(new Uint8Array(), false))
  }
  expect(violations).toEqual([])
  inbox.add(message(new Uint8Array(), false))
  expect(violations.map(({ code }) => code)).toEqual(['CREDIT_EXCEEDED'])
})

test('any number of messages may pass that do not wait', async () => {
  for (let number = 1; number <= 4; number++) {
    addDurable(number, PROTOCOL.maxMessage / 2)
    inbox.add(message(new Uint8Array(PROTOCOL.maxMessage / 2), false))
    await settled()
  }
  expect([taken.length, volatile.length, violations]).toEqual([4, 4, []])
})
