/**
 * Two peers' transfers without the peers: what a session promises (order within a lane, once, over lost links) as two queues
 * that the test moves, and pages that it may crash and load anew.
 */
import type { AcceptOptions, IncomingTransfer, TransferOffer, TransferSink } from '../api.ts'
import { TsunagiError } from '../errors.ts'
import { FakeClock } from '../liveness/fake-clock.fixture.ts'
import { type SessionPayload, sessionPayloads } from '../messages.ts'
import type { CryptoProvider } from '../ports.ts'
import { type Bytes, concat } from '../wire/bytes.ts'
import { decodeAs, encodeCbor } from '../wire/cbor.ts'
import { Work } from '../work.fixture.ts'
import type { StoredTransfer, TransferFile, TransferHost } from './ports.ts'
import type { TransferMessage } from './record.ts'
import { bytesSource } from './source.ts'
import { Transfers } from './transfers.ts'

export type Side = 'a' | 'b'
const OTHER = { a: 'b', b: 'a' } as const

/** One message on its way. */
export interface InTransit {
  readonly type: TransferMessage
  readonly payload: unknown
  readonly settle: (error?: TsunagiError) => void
}

const URGENT: ReadonlySet<TransferMessage> = new Set(['chunk_ack', 'chunk_resend'])

/** What a browser keeps: notes are whole, files have what was flushed and perhaps more. */
export class Disk {
  readonly notes = new Map<string, StoredTransfer>()
  readonly files = new Map<string, { bytes: Bytes; flushed: number }>()
  fails = false

  /** @param share of what was not flushed that got there all the same, 0 to 1 */
  crash(share: number): void {
    for (const file of this.files.values()) {
      file.bytes = file.bytes.slice(0, file.flushed + Math.floor((file.bytes.length - file.flushed) * share))
    }
  }
}

class PageHost implements TransferHost {
  readonly #disk: Disk
  readonly #isGone: () => boolean

  constructor(disk: Disk, isGone: () => boolean) {
    this.#disk = disk
    this.#isGone = isGone
  }

  source(given: unknown) {
    return bytesSource(given as Uint8Array)
  }

  async load() {
    return [...this.#disk.notes.values()]
  }

  async store(transfer: StoredTransfer) {
    await this.#done()
    this.#disk.notes.set(keyOf(transfer), transfer)
  }

  async remove(transfer: StoredTransfer) {
    await this.#done()
    this.#disk.notes.delete(keyOf(transfer))
    this.#disk.files.delete(keyOf(transfer))
  }

  async open(transfer: StoredTransfer): Promise<TransferFile> {
    await this.#done()
    const { files } = this.#disk
    const bytes = files.get(keyOf(transfer))?.bytes.slice(0, transfer.bytes) ?? new Uint8Array()
    if (bytes.length < transfer.bytes) throw new TsunagiError('STORAGE_FAILED', 'The file is too short.')
    const file = { bytes, flushed: bytes.length }
    files.set(keyOf(transfer), file)
    return {
      write: async (more) => {
        await this.#done()
        file.bytes = concat(file.bytes, more)
      },
      flush: async () => {
        await this.#done()
        file.flushed = file.bytes.length
      },
      close: () => this.#done(),
      blob: async (type) => new Blob([file.bytes], { type }),
    }
  }

  /** A page that is gone does nothing more, and waits for ever. */
  async #done(): Promise<void> {
    if (this.#isGone()) await new Promise(() => undefined)
    if (this.#disk.fails) throw new TsunagiError('STORAGE_FAILED', 'The disk is full.')
  }
}

function keyOf({ direction, peer, id }: StoredTransfer): string {
  return `${direction} ${peer} ${id}`
}

/** One page of one side. */
export class TransferPage {
  readonly transfers: Transfers
  readonly offers: TransferOffer[] = []
  readonly errors: TsunagiError[] = []
  /** Accepts all where it is set. */
  accept: { readonly sink?: TransferSink; readonly options?: AcceptOptions } | undefined = {}
  isGone = false
  /** Messages of this page are refused: the queue is full. */
  isFull = false

  constructor(pages: Pages, side: Side) {
    this.transfers = new Transfers({
      clock: pages.clock,
      crypto: pages.crypto,
      host: new PageHost(pages.disks[side], () => this.isGone),
      send: (_, type, payload) => {
        if (this.isGone) return new Promise(() => undefined)
        return this.isFull
          ? Promise.reject(new TsunagiError('QUEUE_FULL', 'Full.'))
          : pages.enqueue(side, type, payload)
      },
      onTaskOffer: async () => undefined,
      onOffer: async (offer) => {
        this.offers.push(offer)
        if (this.accept) offer.accept(this.accept.sink, this.accept.options)
      },
      onChange: () => undefined,
      onError: (error) => this.errors.push(error),
    })
  }

  get incoming(): IncomingTransfer {
    const transfer = this.transfers.transfers.find(({ info }) => info.direction === 'in')
    if (transfer === undefined) throw new Error('Nothing was offered to this page.')
    return transfer as IncomingTransfer
  }
}

export class Pages {
  readonly clock = new FakeClock()
  readonly disks = { a: new Disk(), b: new Disk() }
  readonly crypto: CryptoProvider
  /** By the side that sends. */
  readonly queues: { readonly [S in Side]: { urgent: InTransit[]; others: InTransit[] } } = {
    a: { urgent: [], others: [] },
    b: { urgent: [], others: [] },
  }
  /** What becomes of the messages of a side that lies. */
  tamper: (type: TransferMessage, payload: unknown) => unknown = (_, payload) => payload
  /** Bytes of chunks that came to a page, also again. */
  chunkBytes = 0
  a: TransferPage
  b: TransferPage
  readonly #work = new Work()

  constructor(crypto: CryptoProvider) {
    this.crypto = this.#work.counted(crypto)
    this.a = new TransferPage(this, 'a')
    this.b = new TransferPage(this, 'b')
  }

  /** As bytes, so that what would not fit its schema does not get through. */
  enqueue<T extends TransferMessage>(from: Side, type: T, payload: SessionPayload<T>): Promise<void> {
    const bytes = type === 'chunk' ? payload : decodeAs(sessionPayloads[type], encodeCbor(payload), type)
    return new Promise((fulfil, reject) => {
      const settle = (error?: TsunagiError) => (error === undefined ? fulfil() : reject(error))
      this.#queueOf(from, type).push({ type, payload: this.tamper(type, bytes), settle })
    })
  }

  /** Delivers up to `most` messages, those of both sides in turn. @returns how many */
  async deliver(most = Number.POSITIVE_INFINITY): Promise<number> {
    let count = 0
    await this.#work.done()
    while (count < most) {
      const before = count
      for (const from of ['a', 'b'] as const) {
        if (count >= most) break
        const { urgent, others } = this.queues[from]
        const message = urgent.shift() ?? others.shift()
        if (message === undefined) continue
        count++
        if (message.type === 'chunk') this.chunkBytes += (message.payload as Bytes).length
        this[OTHER[from]].transfers.handle(from, message as never)
        message.settle()
      }
      await this.#work.done()
      if (count === before) break
    }
    return count
  }

  /** Both have another link; what the last one did not deliver is repeated by the session. */
  async relink(): Promise<void> {
    this.a.transfers.linked('b')
    this.b.transfers.linked('a')
    await this.#work.done()
  }

  /**
   * A page crashes and is loaded anew.
   * @param lost messages to it that were on their way and are forgotten, of each lane
   */
  async reload(side: Side, { lost = 0, flushed = 0 } = {}): Promise<void> {
    this[side].isGone = true
    this.disks[side].crash(flushed)
    for (const lane of Object.values(this.queues[side])) lane.length = 0
    for (const lane of Object.values(this.queues[OTHER[side]])) {
      for (const { settle } of lane.splice(0, lost)) settle(new TsunagiError('LINK_LOST', 'The page was loaded anew.'))
    }
    this[side] = new TransferPage(this, side)
    await this[side].transfers.load()
    await this.relink()
  }

  async pass(ms: number): Promise<void> {
    this.clock.advance(ms)
    await this.#work.done()
  }

  #queueOf(from: Side, type: TransferMessage): InTransit[] {
    return URGENT.has(type) ? this.queues[from].urgent : this.queues[from].others
  }
}
