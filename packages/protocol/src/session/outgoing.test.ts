import { beforeEach, describe, expect, test } from 'vitest'
import { TsunagiError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import { RECORD_HEAD } from './frame.ts'
import { type Batch, type Lane, Outgoing } from './outgoing.ts'

let outgoing: Outgoing
let settled: string[]

beforeEach(() => {
  outgoing = new Outgoing()
  settled = []
})

/** A message that is told apart by the first byte of its payload. */
function add(number: number, size = 1, lane: Lane = 'normal', ephemeral = false): void {
  put(number, size, lane, { ephemeral })
}

function addDurable(number: number, durable: number, size = 1): void {
  put(number, size, 'normal', { durable })
}

function put(
  number: number,
  size: number,
  lane: Lane,
  { ephemeral = false, durable }: { readonly ephemeral?: boolean; readonly durable?: number },
): void {
  outgoing.add({
    type: 1,
    raw: true,
    payload: new Uint8Array(size).fill(number),
    lane,
    ephemeral,
    durable,
    settle: (error) => settled.push(`${number} ${error?.code ?? 'delivered'}`),
  })
}

/** All that goes now, as [sequence number, first byte]. */
function taken(): [number, number | undefined][] {
  const all: [number, number | undefined][] = []
  for (let batch = outgoing.take(piece); batch !== undefined; batch = outgoing.take(piece)) all.push(...numbered(batch))
  return all
}

function numbered({ first, records }: Batch): [number, number | undefined][] {
  return records.map(({ payload }, i) => [first + i, payload[0]])
}

const piece = LIMITS.recordSize

test('numbers are given when a message leaves its lane, not before', () => {
  add(1, 1, 'low')
  add(2, 1, 'normal')
  add(3, 1, 'high')
  expect(taken()).toEqual([
    [1, 3],
    [2, 2],
    [3, 1],
  ])
})

test('what goes again goes on where it was, also when an acknowledgement comes in between', () => {
  for (const number of [1, 2, 3, 4]) add(number, piece)
  expect(taken().length).toBe(4)
  outgoing.sendAgain()
  expect(numbered(outgoing.take(piece) as Batch)).toEqual([[1, 1]])
  expect(outgoing.acknowledge(3, LIMITS.receiveWindow)).toBe(2)
  expect(taken()).toEqual([
    [3, 3],
    [4, 4],
  ])
  expect(settled).toEqual(['1 delivered', '2 delivered'])
})

test('a message is settled when all of it has arrived, and only once', () => {
  add(1, 2 * piece)
  taken()
  expect(outgoing.acknowledge(2, LIMITS.receiveWindow)).toBe(0)
  expect(outgoing.acknowledge(3, LIMITS.receiveWindow)).toBe(1)
  expect(outgoing.acknowledge(3, LIMITS.receiveWindow)).toBe(0)
  expect(outgoing.acknowledge(1, LIMITS.receiveWindow), 'an old acknowledgement says nothing').toBe(0)
  expect(settled).toEqual(['1 delivered'])
  expect(outgoing.waiting).toBe(0)
})

test('what was never sent cannot be acknowledged', () => {
  add(1)
  expect(outgoing.acknowledge(2, LIMITS.receiveWindow)).toBeUndefined()
  taken()
  expect(outgoing.acknowledge(3, LIMITS.receiveWindow)).toBeUndefined()
  expect(settled).toEqual([])
})

test('a window smaller than a record lets one record go at a time', () => {
  add(1, piece)
  taken()
  add(2)
  add(3)
  expect(outgoing.acknowledge(2, 0)).toBe(1)
  expect(taken()).toEqual([[2, 2]])
  expect(outgoing.hasWork).toBe(false)
  outgoing.acknowledge(3, 0)
  expect(taken()).toEqual([[3, 3]])
})

test('a frame holds no more records than its receiver reads', () => {
  for (let i = 0; i < LIMITS.maxRecordsPerFrame + 1; i++) add(1, 0)
  expect(outgoing.take(piece)?.records.length).toBe(LIMITS.maxRecordsPerFrame)
  expect(outgoing.take(piece)?.records.length).toBe(1)
})

test('the place of an ephemeral message is kept, empty, so that the numbers after it stay', () => {
  add(1, 1, 'normal', true)
  add(2)
  taken()
  outgoing.dropEphemeral()
  outgoing.sendAgain()
  expect(outgoing.take(piece)?.records.map(({ type }) => type)).toEqual([0, 1])
  expect(settled).toEqual(['1 LINK_LOST'])
  expect(outgoing.acknowledge(3, LIMITS.receiveWindow)).toBe(1)
  expect(settled).toEqual(['1 LINK_LOST', '2 delivered'])
})

test('an ephemeral message that has not left goes without a trace', () => {
  add(1, 1, 'low', true)
  add(2, 1, 'low')
  outgoing.dropEphemeral()
  expect(taken()).toEqual([[1, 2]])
})

test('at the end everything is settled once, whether it has left or not, and nothing is left', () => {
  add(1, 3 * piece)
  add(2)
  add(3, 1, 'high')
  outgoing.take(piece)
  outgoing.take(piece)
  outgoing.failAll(new TsunagiError('PEER_CLOSED', 'This page is closing.'))
  expect(settled.sort()).toEqual(['1 PEER_CLOSED', '2 PEER_CLOSED', '3 PEER_CLOSED'])
  expect([outgoing.waiting, outgoing.hasWork, outgoing.take(piece)]).toEqual([0, false, undefined])
})

const tooLong = new TsunagiError('LINK_LOST', 'No link came about in time.')

describe('where nothing but durable messages is waited for', () => {
  test('the others are given up, those sent leave their places empty, and durable ones go on', () => {
    add(1)
    addDurable(2, 1)
    add(3)
    taken()
    add(4)
    addDurable(5, 2)
    outgoing.dropVolatile(tooLong)
    expect(settled).toEqual(['1 LINK_LOST', '3 LINK_LOST', '4 LINK_LOST'])
    outgoing.sendAgain()
    expect(outgoing.take(piece)?.records.map(({ type, payload }) => [type, payload[0]])).toEqual([
      [0, undefined],
      [1, 2],
      [0, undefined],
      [1, 5],
    ])
    expect(outgoing.acknowledge(5, LIMITS.receiveWindow)).toBe(2)
    expect(settled.slice(3)).toEqual(['2 delivered', '5 delivered'])
  })

  test('a message of which a part has left is broken off, so that the next of its lane can be told from it', () => {
    outgoing.acknowledge(1, piece)
    add(1, 3 * piece)
    addDurable(2, 1)
    expect(outgoing.take(piece)?.records.map(({ more }) => more)).toEqual([true])
    outgoing.dropVolatile(tooLong)
    expect(settled).toEqual(['1 LINK_LOST'])
    outgoing.acknowledge(2, LIMITS.receiveWindow)
    const batch = outgoing.take(piece)
    expect([batch?.first, batch?.records.map(({ type, more }) => [type, more])]).toEqual([
      2,
      [
        [0, false],
        [1, false],
      ],
    ])
    expect(outgoing.acknowledge(4, LIMITS.receiveWindow)).toBe(1)
    expect([outgoing.waiting, outgoing.hasWork]).toEqual([0, false])
  })

  test('durable ones do not count as full, since the outbox bounds them', () => {
    for (let i = 0; i < LIMITS.maxQueuedMessages; i++) add(1, 0)
    expect(() => add(1, 0)).toThrow(TsunagiError)
    addDurable(2, 1)
    expect(outgoing.waiting).toBe(LIMITS.maxQueuedMessages + 1)
  })
})

describe('where a page was loaded anew', () => {
  test('numbers go on from where the handshake says, durable messages go again before what waited, in their order', () => {
    addDurable(1, 7)
    add(2)
    addDurable(3, 8)
    taken()
    add(4)
    addDurable(5, 9)
    expect(outgoing.restart(50, 7)).toBe(0)
    expect(settled).toEqual(['2 LINK_LOST'])
    expect(taken()).toEqual([
      [50, 1],
      [51, 3],
      [52, 4],
      [53, 5],
    ])
    expect(outgoing.acknowledge(54, LIMITS.receiveWindow)).toBe(4)
    expect(outgoing.waiting).toBe(0)
  })

  test('durable messages below the number that is expected have been delivered, whether they were sent or not', () => {
    for (const number of [1, 2, 3]) addDurable(number, number)
    outgoing.acknowledge(1, RECORD_HEAD + 1)
    outgoing.take(piece)
    expect(outgoing.restart(1, 3)).toBe(2)
    expect(settled).toEqual(['1 delivered', '2 delivered'])
    expect(taken()).toEqual([[1, 3]])
  })

  test('a message of which a part has left begins anew, and one that has left whole does not', () => {
    outgoing.acknowledge(1, piece)
    addDurable(1, 1, piece + 1)
    outgoing.take(piece)
    outgoing.restart(1, 1)
    expect(outgoing.take(piece)?.records.map(({ payload, more }) => [payload.length, more])).toEqual([[piece, true]])
    outgoing.acknowledge(2, LIMITS.receiveWindow)
    add(2, 2 * piece)
    outgoing.take(piece)
    outgoing.restart(9, 2)
    expect(settled).toEqual(['1 delivered'])
    expect(taken()).toEqual([
      [9, 2],
      [10, 2],
    ])
  })

  test('nothing counts as on its way, and what is acknowledged of before settles nothing', () => {
    addDurable(1, 1, piece)
    taken()
    outgoing.restart(30, 1)
    expect(outgoing.acknowledge(2, LIMITS.receiveWindow)).toBe(0)
    expect([outgoing.unacknowledged, outgoing.waiting, settled]).toEqual([30, 1, []])
    expect(outgoing.acknowledge(31, LIMITS.receiveWindow)).toBeUndefined()
  })
})
