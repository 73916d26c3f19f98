import { beforeEach, describe, expect, test } from 'vitest'
import type { Transfer, TransferSink } from '../api.ts'
import { createWebCryptoProvider } from '../crypto/webcrypto.ts'
import { TsunagiError } from '../errors.ts'
import { LIMITS, PROTOCOL } from '../limits.ts'
import type { SessionPayload } from '../messages.ts'
import type { Bytes } from '../wire/bytes.ts'
import { uuidBytes } from '../wire/uuid.ts'
import { CHUNK_SIZE, EMPTY_DIGEST, extendDigest, windowOf, writeChunk } from './chunk.ts'
import type { OutgoingTransfer } from './outgoing.ts'
import { Pages } from './pages.fixture.ts'

const crypto = createWebCryptoProvider()
const WINDOW = windowOf(CHUNK_SIZE)
let pages: Pages

beforeEach(() => {
  pages = new Pages(crypto)
})

const bytes = (chunks: number, more = 0) => new Uint8Array(chunks * CHUNK_SIZE + more).map((_, i) => i >> 7)
const offer = (data: unknown = bytes(2, 100), options = {}) => pages.a.transfers.offer('b', data, options)
const state = ({ info }: Transfer) => info.error?.code ?? info.state
const isReceived = async (data: Uint8Array) =>
  Buffer.compare(data, new Uint8Array(await (await pages.b.incoming.blob()).arrayBuffer())) === 0

/** A sink that takes nothing until it is told to. */
class SlowSink implements TransferSink {
  readonly taken: number[] = []
  ended = ''
  readonly #waiting: (() => void)[] = []

  write(part: Bytes): Promise<void> {
    this.taken.push(part.length)
    return new Promise((fulfil) => this.#waiting.push(fulfil))
  }
  close() {
    this.ended = 'closed'
  }
  abort() {
    this.ended = 'aborted'
  }
  takeAll() {
    for (const fulfil of this.#waiting.splice(0)) fulfil()
  }
}

describe('a transfer', () => {
  test('brings what was sent, with the name and type it was offered under', async () => {
    const transfer = offer(bytes(2, 100), { name: '../letter.txt', type: 'text/plain' })
    await pages.deliver()
    await transfer.done
    expect(pages.b.offers[0]).toMatchObject({ from: 'a', name: '../letter.txt', type: 'text/plain' })
    expect(await isReceived(bytes(2, 100))).toBe(true)
    expect((await pages.b.incoming.blob()).type).toBe('text/plain')
  })

  test('is rejected where nobody accepts it, and nothing of it is stored or remembered', async () => {
    pages.b.accept = undefined
    const transfer = offer()
    await pages.deliver()
    expect(state(transfer)).toBe('TRANSFER_REJECTED')
    expect(pages.b.transfers.transfers).toEqual([])
    expect(pages.disks.b.notes.size + pages.disks.a.notes.size).toBe(0)
  })

  test('may be accepted once, and only while it is offered', async () => {
    offer()
    await pages.deliver()
    expect(() => pages.b.offers[0]?.accept()).toThrow(expect.objectContaining({ code: 'INVALID_STATE' }))
  })

  test('tells both sides how far it is, and only what the receiver has kept counts', async () => {
    const told: number[] = []
    const transfer = offer(bytes(3), { onProgress: ({ bytes }: { bytes: number }) => told.push(bytes) })
    await pages.deliver()
    expect(told.at(-1)).toBe(3 * CHUNK_SIZE)
    expect(told).toEqual(told.toSorted((a, b) => a - b))
    expect(transfer.info.bytes).toBe(pages.b.incoming.info.bytes)
  })

  test.each(['a', 'b'] as const)('is given up on both sides when %s cancels it', async (side) => {
    const transfer = offer(bytes(40))
    await pages.deliver(10)
    if (side === 'a') transfer.cancel()
    else pages.b.incoming.cancel()
    await pages.deliver()
    expect([state(transfer), state(pages.b.incoming)]).toEqual(['TRANSFER_CANCELED', 'TRANSFER_CANCELED'])
    expect([pages.disks.a.notes.size, pages.disks.b.notes.size, pages.disks.b.files.size]).toEqual([0, 0, 0])
  })

  test('is cancelled by a signal, also by one that was aborted before', async () => {
    const abort = new AbortController()
    const transfer = offer(bytes(4), { signal: abort.signal })
    await pages.deliver(4)
    abort.abort()
    expect(state(transfer)).toBe('TRANSFER_CANCELED')
    expect(state(offer(bytes(1), { signal: abort.signal }))).toBe('TRANSFER_CANCELED')
  })

  test('ends with the session, and what was received of it is removed', async () => {
    const transfer = offer(bytes(40))
    await pages.deliver(10)
    pages.a.transfers.close(new TsunagiError('PEER_CLOSED', 'Closed.'))
    pages.b.transfers.peerLost('a', new TsunagiError('SESSION_EXPIRED', 'Over.'))
    await pages.deliver()
    expect([state(transfer), state(pages.b.incoming)]).toEqual(['PEER_CLOSED', 'SESSION_EXPIRED'])
    expect([pages.disks.a.notes.size, pages.disks.b.notes.size, pages.disks.b.files.size]).toEqual([0, 0, 0])
  })

  test('that was never answered is not waited for without a link; one that was accepted is', async () => {
    const [unanswered, accepted] = [offer(bytes(1)), offer(bytes(1))]
    pages.queues.a.others.shift()
    await pages.deliver()
    pages.a.transfers.givenUp('b')
    expect([state(unanswered), state(accepted)]).toEqual(['LINK_LOST', 'completed'])
  })
})

describe('memory is bounded:', () => {
  test('the sender reads no further than the receiver has room, whatever that acknowledges', async () => {
    const sink = new SlowSink()
    pages.b.accept = { sink }
    const transfer = offer(bytes(3 * WINDOW))
    await pages.deliver()
    expect(pages.chunkBytes).toBeLessThanOrEqual(LIMITS.transferWindow)
    expect(sink.taken).toHaveLength(1)
    for (let i = 0; i < 10 * WINDOW && state(transfer) === 'running'; i++) {
      sink.takeAll()
      await pages.deliver()
    }
    expect([state(transfer), sink.ended]).toEqual(['completed', 'closed'])
  })

  test('so many transfers with one peer at once, and one more is QUEUE_FULL on both sides', async () => {
    pages.b.accept = { sink: new SlowSink() }
    for (let i = 0; i < LIMITS.maxTransfersPerPeer; i++) offer()
    expect(() => offer()).toThrow(expect.objectContaining({ code: 'QUEUE_FULL' }))
    await pages.deliver()
    const transfer_id = crypto.randomBytes(16)
    void pages.enqueue('a', 'chunk_init', { transfer_id, name: '', media_type: '', chunk_size: 1, from: 0, round: 1 })
    const before = pages.b.offers.length
    await pages.deliver()
    expect(pages.b.offers).toHaveLength(before)
  })

  test('ended transfers are forgotten, oldest first, and received files are not', async () => {
    for (let i = 0; i < LIMITS.maxEndedTransfers + 5; i++) {
      offer(bytes(0, 1))
      await pages.deliver()
    }
    expect(pages.a.transfers.transfers.length).toBeLessThanOrEqual(LIMITS.maxEndedTransfers + 1)
    expect(pages.b.transfers.transfers).toHaveLength(LIMITS.maxEndedTransfers + 5)
  })
})

test('new links make it send nothing twice: what the last one did not deliver is the session’s to repeat', async () => {
  const transfer = offer(bytes(3 * WINDOW))
  for (let i = 0; i < 20; i++) {
    await pages.deliver(7)
    await pages.relink()
  }
  await pages.deliver()
  expect(state(transfer)).toBe('completed')
  expect(pages.chunkBytes).toBe(3 * WINDOW * LIMITS.chunkFrameSize)
})

describe('a page that was loaded anew', () => {
  test('as the receiver, goes on from what it had kept, and little is sent again', async () => {
    const transfer = offer(bytes(40))
    await pages.deliver(60)
    const kept = pages.disks.b.notes.values().next().value?.chunks ?? 0
    expect(kept).toBeGreaterThan(0)
    await pages.reload('b', { lost: 5 })
    await pages.deliver()
    expect(state(transfer)).toBe('completed')
    expect(await isReceived(bytes(40))).toBe(true)
    expect(pages.chunkBytes).toBeLessThan((40 + WINDOW + 1) * (CHUNK_SIZE + 52))
  })

  test('as the receiver, still has the files that it received and nobody discarded', async () => {
    offer()
    await pages.deliver()
    await pages.reload('b')
    expect(pages.b.incoming.info.state).toBe('completed')
    expect(await isReceived(bytes(2, 100))).toBe(true)
    pages.b.incoming.discard()
    await pages.deliver()
    expect([pages.disks.b.notes.size, pages.disks.b.files.size]).toEqual([0, 0])
    await expect(pages.b.incoming.blob()).rejects.toMatchObject({ code: 'INVALID_STATE' })
  })

  test('as the receiver, cannot go on with what went to a sink, and the sender learns it', async () => {
    pages.b.accept = { sink: new SlowSink() }
    const transfer = offer(bytes(40))
    await pages.deliver(4)
    ;(pages.b.accept.sink as SlowSink).takeAll()
    await pages.deliver(4)
    await pages.reload('b', { lost: 100 })
    await pages.deliver()
    expect(state(transfer)).toBe('CHUNK_ERROR')
  })

  test('as the sender, lists what it was sending, and goes on with the same source', async () => {
    const { id } = offer(bytes(40), { name: 'film' })
    await pages.deliver(60)
    await pages.reload('a')
    expect(pages.a.transfers.transfers.map(({ info }) => info)).toMatchObject([
      { id, state: 'interrupted', name: 'film', size: 40 * CHUNK_SIZE },
    ])
    const before = pages.chunkBytes
    const transfer = pages.a.transfers.resume(id, bytes(40), {})
    await pages.deliver()
    expect(state(transfer)).toBe('completed')
    expect(await isReceived(bytes(40))).toBe(true)
    expect(pages.chunkBytes - before).toBeLessThan(40 * CHUNK_SIZE)
  })

  test('as the sender, waits for the answer to its own question where an older word of the end comes first', async () => {
    const { id } = offer(bytes(3))
    do await pages.deliver(1)
    while (state(pages.b.incoming) !== 'completed')
    const old = pages.queues.b.others.find(({ type }) => type === 'chunk_complete')
    await pages.reload('a')
    const transfer = pages.a.transfers.resume(id, bytes(3), {})
    pages.a.transfers.handle('b', old as never)
    expect(state(transfer)).toBe('running')
    await pages.deliver()
    expect(state(transfer)).toBe('completed')
  })

  test('as the sender, cannot go on with another source', async () => {
    const { id } = offer(bytes(40))
    await pages.deliver(60)
    await pages.reload('a')
    expect(() => pages.a.transfers.resume(id, bytes(39), {})).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
    )
    const other = bytes(40)
    other[3] = 77
    const before = pages.chunkBytes
    const transfer = pages.a.transfers.resume(id, other, {})
    await pages.deliver()
    expect([state(transfer), state(pages.b.incoming)]).toEqual(['CHUNK_ERROR', 'CHUNK_ERROR'])
    expect(pages.chunkBytes, 'something of it was sent').toBe(before)
  })
})

test('a queue without room is tried again, and nothing is lost by it', async () => {
  const transfer = offer(bytes(40))
  for (let i = 0; i < 30; i++) {
    pages.a.isFull = i % 3 === 1
    pages.b.isFull = i % 4 === 1
    await pages.deliver(7)
    await pages.pass(LIMITS.transferRetry)
  }
  await pages.deliver()
  expect(state(transfer)).toBe('completed')
  expect(await isReceived(bytes(40))).toBe(true)
})

test('a disk that is full fails the transfer on both sides', async () => {
  const transfer = offer(bytes(40))
  await pages.deliver(20)
  pages.disks.b.fails = true
  await pages.deliver()
  expect([state(transfer), state(pages.b.incoming)]).toEqual(['STORAGE_FAILED', 'STORAGE_FAILED'])
})

describe('a sender that lies harms its own transfer alone:', () => {
  /** The chunk of that index has one bit in another state, so many times. */
  const alter = (chunk: number, at: number, times: number) => {
    pages.tamper = (type, payload) => {
      if (type !== 'chunk') return payload
      const altered = (payload as Bytes).slice()
      if (new DataView(altered.buffer).getUint32(16) !== chunk || times-- <= 0) return payload
      altered[at] = (altered[at] ?? 0) ^ 1
      return altered
    }
  }

  test('one altered chunk is asked for again', async () => {
    alter(3, 1000, 1)
    const transfer = offer(bytes(6))
    await pages.deliver()
    expect(state(transfer)).toBe('completed')
    expect(await isReceived(bytes(6))).toBe(true)
  })

  test('chunks whose digests are always wrong', async () => {
    alter(3, 30, Number.POSITIVE_INFINITY)
    const transfer = offer(bytes(6))
    await pages.deliver()
    expect([state(transfer), state(pages.b.incoming)]).toEqual(['CHUNK_ERROR', 'CHUNK_ERROR'])
    expect(pages.disks.b.files.size).toBe(0)
  })

  const sendAs = async (
    payload: Parameters<typeof pages.enqueue<'chunk_init'>>[2],
    chunk: Bytes,
    indexes: number[],
  ) => {
    void pages.enqueue('a', 'chunk_init', payload)
    await pages.deliver()
    let digest = EMPTY_DIGEST
    for (const index of indexes) {
      digest = await extendDigest(crypto, digest, await crypto.sha256(chunk))
      void pages.enqueue('a', 'chunk', writeChunk({ transferId: payload.transfer_id, index, digest, bytes: chunk }))
    }
    await pages.deliver()
  }
  const init = (more = {}) => ({
    transfer_id: crypto.randomBytes(16),
    name: '',
    media_type: '',
    chunk_size: 10,
    from: 0,
    round: 1,
    ...more,
  })

  test.each([
    ['more bytes than announced', { size: 9 }, 10],
    ['a chunk larger than announced', {}, 11],
  ])('%s', async (_, more, length) => {
    await sendAs(init(more), new Uint8Array(length), [0])
    expect(state(pages.b.incoming)).toBe('CHUNK_ERROR')
  })

  test('chunks that were not asked for are not kept', async () => {
    const sink = new SlowSink()
    pages.b.accept = { sink }
    const chunk_size = PROTOCOL.maxChunk
    const indexes = Array.from({ length: windowOf(chunk_size) + 1 }, (_, index) => index)
    await sendAs(init({ chunk_size }), new Uint8Array(chunk_size), indexes)
    expect([state(pages.b.incoming), sink.ended]).toEqual(['CHUNK_ERROR', 'aborted'])
  })

  test('an endless stream ends at what the receiver allows', async () => {
    pages.b.accept = { options: { maxBytes: 2 * CHUNK_SIZE } }
    const transfer = offer(bytes(3))
    await pages.deliver()
    expect([state(transfer), state(pages.b.incoming)]).toEqual(['CHUNK_ERROR', 'CHUNK_ERROR'])
  })

  test('chunks of a transfer that was not accepted, is another peer’s, or does not exist', async () => {
    pages.b.accept = undefined
    await sendAs(init(), new Uint8Array(10), [0, 1])
    const transfer = init()
    pages.b.accept = { sink: new SlowSink() }
    await sendAs(transfer, new Uint8Array(0), [])
    const stranger = new Uint8Array(62)
    stranger.set(transfer.transfer_id)
    pages.b.transfers.handle('c', { type: 'chunk', payload: stranger })
    pages.b.transfers.handle('c', {
      type: 'chunk_complete',
      payload: { transfer_id: transfer.transfer_id, state: 'failed', code: 'CHUNK_ERROR', message: '' },
    })
    await pages.deliver()
    expect(pages.b.incoming.info).toMatchObject({ state: 'running', bytes: 0 })
  })

  test('a digest of all that is not that of the chunks', async () => {
    pages.tamper = (type, payload) =>
      type === 'chunk_complete' ? { ...(payload as object), digest: EMPTY_DIGEST } : payload
    offer(bytes(2))
    await pages.deliver()
    expect(state(pages.b.incoming)).toBe('CHUNK_ERROR')
    expect(pages.disks.b.files.size).toBe(0)
  })
})

describe('a receiver that lies harms its own transfer alone:', () => {
  let transfer: OutgoingTransfer
  let transfer_id: Bytes
  /** Of the sender's question. */
  let round: number

  beforeEach(async () => {
    pages.tamper = (type, payload) => {
      if (type === 'chunk_init') round = (payload as SessionPayload<'chunk_init'>).round
      return payload
    }
    pages.b.accept = { sink: new SlowSink() }
    transfer = offer(bytes(3 * WINDOW))
    transfer_id = uuidBytes(transfer.id)
    await pages.deliver()
    expect(state(transfer)).toBe('running')
  })

  test('it acknowledges what was never sent', () => {
    transfer.handleAck({ next: 3 * WINDOW, window: 1 })
    expect(state(transfer)).toBe('CHUNK_ERROR')
  })

  test('it asks for what it acknowledged', () => {
    transfer.handleAck({ next: 2, window: 1 })
    transfer.handleResend({ transfer_id, next: 1, window: 1, digest: EMPTY_DIGEST, round })
    expect(state(transfer)).toBe('CHUNK_ERROR')
  })

  test('it asks for the same again and again', () => {
    for (let i = 0; i < LIMITS.maxChunkResends + 2; i++) {
      transfer.handleResend({ transfer_id, next: 0, window: 1, digest: EMPTY_DIGEST, round })
    }
    expect(state(transfer)).toBe('CHUNK_ERROR')
  })

  test('it grants more than it may', async () => {
    transfer.handleAck({ next: 1, window: PROTOCOL.maxChunks })
    await pages.deliver()
    expect(pages.chunkBytes).toBeLessThanOrEqual(LIMITS.transferWindow + CHUNK_SIZE + 52)
  })

  test('it says that it has all of something else', () => {
    transfer.handleComplete({ chunks: 3 * WINDOW, size: 3 * WINDOW * CHUNK_SIZE, digest: EMPTY_DIGEST })
    expect(state(transfer)).toBe('CHUNK_ERROR')
  })
})
