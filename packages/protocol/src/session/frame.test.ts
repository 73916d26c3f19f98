import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { PROTOCOL } from '../limits.ts'
import {
  FRAME_OVERHEAD,
  type FrameBody,
  frameContext,
  HEADER_LENGTH,
  nonceOf,
  readBody,
  readHeader,
  signedBytes,
  writeFrame,
} from './frame.ts'

const sender = new Uint8Array(32).fill(1)
const recipient = new Uint8Array(32).fill(2)
const sessionId = new Uint8Array(16).fill(3)
const sha256 = async (bytes: Uint8Array) => new Uint8Array(createHash('sha256').update(bytes).digest())

const body: FrameBody = {
  prompt: true,
  resend: false,
  provisional: false,
  ack: 2 ** 40 + 1,
  window: 0xffff_ffff,
  first: Number.MAX_SAFE_INTEGER,
  records: [
    { type: 1, raw: true, more: false, durable: true, lane: 0, payload: Uint8Array.of(7, 8) },
    { type: 255, raw: false, more: true, durable: false, lane: 2, payload: new Uint8Array() },
  ],
}

test('a body is read as it was written', () => {
  expect(readBody(writeFrame(sessionId, 5, 6, body).plaintext)).toEqual(body)
  const other: FrameBody = {
    ...body,
    prompt: false,
    resend: true,
    provisional: true,
    ack: 1,
    window: 0,
    first: 1,
    records: [],
  }
  expect(readBody(writeFrame(sessionId, 5, 6, other).plaintext)).toEqual(other)
})

test('a header is read as it was written, also beyond 32 bits', () => {
  const { header } = writeFrame(sessionId, 0xffff_ffff, 2 ** 53 - 1, body)
  const frame = new Uint8Array(FRAME_OVERHEAD)
  frame.set(header)
  expect(readHeader(frame)).toEqual({ bytes: header, sessionId, epoch: 0xffff_ffff, counter: 2 ** 53 - 1 })
})

test.each(['small', 'large'])(
  'what is signed names sender, recipient, session, epoch, counter and a %s body',
  async (size) => {
    const payload = new Uint8Array(size === 'small' ? 1 : PROTOCOL.signedWhole)
    const records = body.records.map((record) => ({ ...record, payload }))
    const signed = async (from = sender, to = recipient, id = sessionId, epoch = 1, counter = 1, changed = {}) => {
      const plain = writeFrame(id, epoch, counter, { ...body, records, ...changed })
      return (await signedBytes({ sha256 }, frameContext(from, to), plain.header, plain.body)).toString()
    }
    const different = await Promise.all([
      signed(),
      signed(recipient, sender),
      signed(sender, sender),
      signed(sender, recipient, sender.slice(16)),
      signed(sender, recipient, sessionId, 2),
      signed(sender, recipient, sessionId, 1, 2),
      signed(sender, recipient, sessionId, 1, 1, { ack: body.ack + 1 }),
      signed(sender, recipient, sessionId, 1, 1, { records: [...records, ...records] }),
    ])
    expect(new Set(different).size).toBe(different.length)
  },
)

test('a small body that is the digest of a large one is not signed as that', async () => {
  const [context, header] = [frameContext(sender, recipient), new Uint8Array(HEADER_LENGTH)]
  const large = new Uint8Array(PROTOCOL.signedWhole + 1)
  const ofLarge = await signedBytes({ sha256 }, context, header, large)
  expect(await signedBytes({ sha256 }, context, header, await sha256(large))).not.toEqual(ofLarge)
})

test('no two counters have one nonce', () => {
  const counters = [0, 1, 255, 256, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1]
  expect(new Set(counters.map((counter) => nonceOf(counter).toString())).size).toBe(counters.length)
  expect(nonceOf(0).length).toBe(12)
})

test.each([
  ['nothing', new Uint8Array(), 'INVALID_FORMAT'],
  ['a frame without room for a signature', new Uint8Array(FRAME_OVERHEAD - 1).fill(1), 'INVALID_FORMAT'],
  ['an open frame', new Uint8Array(FRAME_OVERHEAD).fill(16, 0, 1), 'INVALID_FORMAT'],
  ['a counter beyond 2^53', new Uint8Array(FRAME_OVERHEAD).fill(1, 0, 1).fill(255, 21, 29), 'INVALID_FORMAT'],
  ['more than a frame may have', new Uint8Array(PROTOCOL.maxFrame + 1).fill(1), 'MESSAGE_TOO_LARGE'],
])('%s is refused before any key is used', (_, frame, code) => {
  expect(() => readHeader(frame)).toThrow(expect.objectContaining({ code }))
})
