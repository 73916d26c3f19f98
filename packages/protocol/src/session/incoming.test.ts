import { beforeEach, expect, test } from 'vitest'
import { LIMITS, PROTOCOL } from '../limits.ts'
import type { Record } from './frame.ts'
import { Incoming, type IncomingMessage } from './incoming.ts'

let messages: IncomingMessage[]
let incoming: Incoming

beforeEach(() => {
  messages = []
  incoming = new Incoming((message) => messages.push(message))
})

function record(payload: Uint8Array<ArrayBuffer>, changes: Partial<Record> = {}): Record {
  return { type: 1, raw: true, more: false, durable: false, lane: 1, payload, ...changes }
}
const numbered = (number: number) => record(Uint8Array.of(number))
const skipped = record(new Uint8Array(), { type: 0, raw: false, lane: 0 })

test('records are delivered once and in order, however they come', () => {
  incoming.take(3, [numbered(3), numbered(4)])
  incoming.take(2, [numbered(2)])
  expect(messages).toEqual([])
  expect(incoming.hasGap).toBe(true)
  incoming.take(1, [numbered(1), numbered(2)])
  incoming.take(1, [numbered(1), numbered(2), numbered(3)])
  expect(messages.map(({ payload, sequence }) => [...payload, sequence])).toEqual([
    [1, 1],
    [2, 2],
    [3, 3],
    [4, 4],
  ])
  expect(incoming.expected).toBe(5)
  expect(incoming.hasGap).toBe(false)
})

test('what came early and came again with what was missing is not kept: the window stays whole', () => {
  const large = record(new Uint8Array(LIMITS.receiveWindow / 2))
  for (let i = 0; i < 8; i++) {
    const { expected } = incoming
    incoming.take(expected + 1, [large])
    incoming.take(expected, [numbered(0), large])
  }
  expect(messages.length).toBe(16)
})

test('a frame without records tells of what is missing before it', () => {
  incoming.take(2, [])
  expect(incoming.hasGap).toBe(true)
})

test('a place given up moves the receiver past it, also within a message of another lane', () => {
  incoming.take(1, [record(Uint8Array.of(1), { more: true }), skipped, record(Uint8Array.of(2))])
  expect(messages).toEqual([{ type: 1, raw: true, durable: false, payload: Uint8Array.of(1, 2), sequence: 3 }])
})

test('a message given up in the middle is not completed by the next one of its lane', () => {
  incoming.take(1, [record(Uint8Array.of(1), { more: true }), { ...skipped, lane: 1 }, numbered(3)])
  expect(messages.map(({ payload }) => [...payload])).toEqual([[3]])
})

test('messages of different lanes may be in pieces at the same time', () => {
  incoming.take(1, [
    record(Uint8Array.of(1), { lane: 0, more: true }),
    record(Uint8Array.of(2), { lane: 2, more: true }),
    record(Uint8Array.of(3), { lane: 1 }),
    record(Uint8Array.of(4), { lane: 2 }),
    record(Uint8Array.of(5), { lane: 0 }),
  ])
  expect(messages.map(({ payload }) => [...payload])).toEqual([[3], [2, 4], [1, 5]])
})

test('a message of the largest size comes whole, one byte more is refused', () => {
  const pieces = Array.from({ length: 16 }, (_, i) =>
    record(new Uint8Array(PROTOCOL.maxMessage / 16).fill(i), { more: true }),
  )
  incoming.take(1, [...pieces, record(new Uint8Array())])
  expect(messages[0]?.payload.length).toBe(PROTOCOL.maxMessage)
  expect(messages[0]?.payload.at(-1)).toBe(15)
  expect(() => incoming.take(18, [...pieces, numbered(1)])).toThrow(
    expect.objectContaining({ code: 'MESSAGE_TOO_LARGE' }),
  )
  expect(messages.length).toBe(1)
})

test('a message in small pieces holds none of the large frames that brought them, but for the last', () => {
  const frames = Array.from({ length: 100 }, (_, i) => new Uint8Array(PROTOCOL.maxFrame).fill(i))
  for (const [i, frame] of frames.entries()) {
    incoming.take(1 + i, [record(frame.subarray(0, 1), { more: i < frames.length - 1 })])
    // What is copied by now is not what is written here.
    for (const before of frames.slice(0, Math.max(0, i - 1))) before[0] = 255
  }
  expect([...(messages[0]?.payload ?? [])]).toEqual(frames.map((_, i) => i))
})

test('a message in pieces without number that are empty is no more than its bytes', () => {
  const empty = record(new Uint8Array(), { more: true })
  const pieces = Array.from({ length: LIMITS.maxRecordsPerFrame }, () => empty)
  for (let frame = 0; frame < 50; frame++) incoming.take(incoming.expected, pieces)
  incoming.take(incoming.expected, [numbered(7)])
  expect(messages.map(({ payload }) => [...payload])).toEqual([[7]])
})

test('as much is waited for as the limit says, and no more', () => {
  incoming.take(1 + LIMITS.maxSequenceGap, [numbered(0)])
  expect(() => incoming.take(2 + LIMITS.maxSequenceGap, [])).toThrow(
    expect.objectContaining({ code: 'SEQUENCE_ERROR' }),
  )
})

test('what waits for something missing keeps to the window', () => {
  const large = record(new Uint8Array(LIMITS.receiveWindow / 2))
  incoming.take(2, [large])
  incoming.take(2, [large])
  expect(() => incoming.take(3, [large])).toThrow(expect.objectContaining({ code: 'CREDIT_EXCEEDED' }))
})

test('on a new channel what came early is forgotten and nothing is missing', () => {
  incoming.take(2, [numbered(2)])
  incoming.dropEarly()
  expect(incoming.hasGap).toBe(false)
  incoming.take(1, [numbered(1)])
  expect(messages.length).toBe(1)
})

test.each([
  ['a payload', record(Uint8Array.of(1), { type: 0 })],
  ['a continuation', record(new Uint8Array(), { type: 0, more: true })],
])('a place given up has no message, so %s is refused', (_, wrong) => {
  expect(() => incoming.take(1, [wrong])).toThrow(expect.objectContaining({ code: 'INVALID_FORMAT' }))
})

test('where numbers begin anew, nothing that had come in part or early is of use any more', () => {
  incoming.take(1, [record(Uint8Array.of(1), { more: true })])
  incoming.take(4, [numbered(4)])
  incoming.restart(9)
  expect([incoming.expected, incoming.hasGap]).toEqual([9, false])
  incoming.take(4, [numbered(4)])
  incoming.take(9, [numbered(9)])
  expect(messages.map(({ payload, sequence }) => [...payload, sequence])).toEqual([[9, 9]])
})
