/** The sending end of a transfer (SPEC §9): reads its source no further than the receiver has room, and keeps what that has not. */
import type { Transfer, TransferInfo } from '../api.ts'
import { TsunagiError, toTsunagiError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { SessionPayload } from '../messages.ts'
import { type Bytes, equalBytes } from '../wire/bytes.ts'
import { EMPTY_DIGEST, extendDigest, windowOf, writeChunk } from './chunk.ts'
import type { ChunkSource, StoredTransfer } from './ports.ts'
import { type RecordHost, type RecordOptions, TransferRecord } from './record.ts'

export class OutgoingTransfer implements Transfer {
  readonly #host: RecordHost
  readonly #record: TransferRecord
  readonly #maxWindow: number
  #source: ChunkSource | undefined
  /** Chunks sent and not known to be kept, by index: as they travel. */
  readonly #held = new Map<number, Bytes>()
  /** Chunks read from the source, their bytes and their digest. */
  #read = 0
  #bytes = 0
  #digest = EMPTY_DIGEST
  /** The source has come to its end. */
  #isAll = false
  #acknowledged = 0
  /** The digest of what is acknowledged, where a page before this one sent that, and the source has yet to prove the same. */
  #toProve: Bytes | undefined
  /** The next chunk to send; below what was read where some go again. */
  #next = 0
  /** No chunk from here on may be sent yet. */
  #granted = 0
  /** The receiver was asked from which chunk to go on, and has not answered. */
  #isAsking = false
  /** Begins by chance: an answer to a page before this one must not pass for the answer to this one's question. */
  #round: number
  #isFinishing = false
  #isRunning = false
  #resendsLeft: number = LIMITS.maxChunkResends

  /** @param source undefined where a page before this one had it */
  constructor(host: RecordHost, stored: StoredTransfer, source: ChunkSource | undefined) {
    this.#host = host
    this.#source = source
    const [first = 0] = new Uint32Array(host.crypto.randomBytes(4).buffer)
    this.#round = first
    this.#maxWindow = windowOf(stored.chunkSize)
    this.#record = new TransferRecord(host, stored, source === undefined ? 'interrupted' : 'offered', () => {
      this.#letGo()
      this.#forget()
    })
  }

  get id(): string {
    return this.info.id
  }

  get info(): TransferInfo {
    return this.#record.info
  }

  get stored(): StoredTransfer {
    return this.#record.stored
  }

  get done(): Promise<void> {
    return this.#record.done
  }

  cancel(): void {
    this.#record.cancel()
  }

  fail(error: TsunagiError, isKnownThere: boolean): void {
    this.#record.fail(error, isKnownThere)
  }

  /** Call once. */
  start(options: RecordOptions): void {
    this.#record.listen(options)
    if (this.#record.isEnded) return
    this.#host.host?.store(this.stored).catch((cause: unknown) => this.#notStored(cause))
    this.#init()
  }

  /** The source of a page before this one is there again. */
  attach(source: ChunkSource, options: RecordOptions): void {
    this.#source = source
    this.#record.attach()
    this.#record.listen(options)
    this.#init()
  }

  /** There is a new link: what went over the last one may be lost with the page that had it. */
  linked(): void {
    if (this.#source === undefined || this.#record.isEnded) return
    this.#resendsLeft++
    this.#init()
  }

  handleAck({ next, window }: Pick<SessionPayload<'chunk_ack'>, 'next' | 'window'>): void {
    // The answer to what was asked says more, and this may be about what another page sent.
    if (this.#isAsking || this.#source === undefined) return
    if (next > this.#reached) {
      this.#violation('The peer acknowledged chunks that were never sent to it.')
      return
    }
    this.#acknowledge(next, window)
    this.#go()
  }

  handleResend({ next, window, digest, round }: SessionPayload<'chunk_resend'>): void {
    // One to an earlier question says less than the one to come.
    if (this.#source === undefined || round !== this.#round) return
    const isFirst = this.#reached === 0
    if (--this.#resendsLeft < 0 || next < this.#acknowledged || (next > this.#reached && !isFirst)) {
      this.#violation('The peer asked for chunks that cannot be sent to it again.')
      return
    }
    // A page before this one sent those below.
    if (isFirst && next > 0) this.#toProve = digest
    this.#isAsking = false
    this.#isFinishing = false
    this.#next = next
    this.#record.accept()
    this.#acknowledge(next, window)
    this.#go()
  }

  handleComplete({ chunks, size, digest }: { chunks: number; size: number; digest: Bytes }): void {
    // As in handleAck(): it comes again once the source has proven itself.
    if (this.#isAsking || this.#source === undefined) return
    const isRight = chunks === this.#read && size === this.#bytes && equalBytes(digest, this.#digest)
    if (!this.#isAll || !isRight || this.#toProve !== undefined) {
      this.#violation('The peer says that it has something else than was sent to it.')
      return
    }
    this.#acknowledge(chunks, 0)
    this.#record.complete()
    this.#letGo()
    this.#forget()
  }

  /** Offers the transfer, or asks from which chunk to go on: sent behind all chunks, it comes when they have come or never will. */
  #init(): void {
    if (this.#record.isEnded) return
    this.#isAsking = true
    const { name, type, size, chunkSize, ofTask } = this.stored
    this.#record.send(
      'chunk_init',
      {
        transfer_id: this.#record.id,
        name,
        media_type: type,
        ...(size !== undefined && { size }),
        chunk_size: chunkSize,
        from: this.#read === 0 ? 0 : this.#acknowledged,
        round: ++this.#round,
        ...(ofTask && { task: true as const }),
      },
      () => this.#init(),
    )
  }

  #acknowledge(next: number, window: number): void {
    this.#granted = Math.max(this.#granted, next + Math.min(window, this.#maxWindow))
    if (next <= this.#acknowledged) return
    for (const index of this.#held.keys()) if (index < next) this.#held.delete(index)
    this.#acknowledged = next
    this.#next = Math.max(this.#next, next)
    const { chunkSize, size, digest } = this.stored
    const isLast = this.#isAll && next === this.#read
    this.#record.reached(next, Math.min(isLast ? this.#bytes : next * chunkSize, size ?? Infinity), digest)
  }

  #go(): void {
    void this.#run()
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    if (this.#isRunning) return
    this.#isRunning = true
    try {
      while (this.#mayGoOn) {
        if (this.#next < this.#read) this.#send()
        else if (this.#isAll) break
        else await this.#readOne()
      }
    } catch (cause) {
      this.#record.fail(toTsunagiError(cause, 'CHUNK_ERROR', 'The source could not be read.'))
    }
    this.#isRunning = false
    this.#finish()
  }

  get #mayGoOn(): boolean {
    return !this.#record.isEnded && !this.#isAsking && this.#next < this.#granted
  }

  /** Chunks that the receiver may know of. */
  get #reached(): number {
    return Math.max(this.#read, this.#acknowledged)
  }

  #send(): void {
    const index = this.#next++
    const payload = this.#held.get(index)
    if (payload === undefined) return
    this.#record.send('chunk', payload, () => {
      this.#next = Math.min(this.#next, index)
      this.#isFinishing = false
      this.#go()
    })
  }

  /** @throws what the source does, and TsunagiError CHUNK_ERROR where it is not what was announced */
  async #readOne(): Promise<void> {
    const { chunkSize, size } = this.stored
    const bytes = (await this.#source?.read(chunkSize)) ?? new Uint8Array()
    if (this.#record.isEnded) return
    this.#isAll = bytes.length < chunkSize
    this.#bytes += bytes.length
    if (size !== undefined && (this.#bytes > size || (this.#isAll && this.#bytes < size))) throw changed()
    if (bytes.length > 0) {
      const digest = await extendDigest(this.#host.crypto, this.#digest, await this.#host.crypto.sha256(bytes))
      const index = this.#read
      this.#digest = digest
      if (index >= this.#acknowledged) {
        this.#held.set(index, writeChunk({ transferId: this.#record.id, index, digest, bytes }))
      }
      this.#read++
    }
    if (this.#toProve === undefined) return
    if (this.#read === this.#acknowledged) {
      if (!equalBytes(this.#digest, this.#toProve)) throw changed()
      this.#toProve = undefined
    } else if (this.#isAll) throw changed()
  }

  /** All was sent: the digest follows. */
  #finish(): void {
    if (this.#record.isEnded || this.#isAsking || !this.#isAll || this.#next < this.#read || this.#isFinishing) return
    this.#isFinishing = true
    this.#record.send(
      'chunk_complete',
      {
        transfer_id: this.#record.id,
        state: 'completed',
        chunks: this.#read,
        size: this.#bytes,
        digest: this.#digest,
      },
      () => {
        this.#isFinishing = false
        this.#finish()
      },
    )
  }

  #violation(message: string): void {
    this.#record.fail(new TsunagiError('CHUNK_ERROR', message))
  }

  #letGo(): void {
    this.#held.clear()
    this.#source?.close()
    this.#source = undefined
  }

  #forget(): void {
    this.#host.host?.remove(this.stored).catch((cause: unknown) => this.#notStored(cause))
  }

  #notStored(cause: unknown): void {
    this.#host.onError(toTsunagiError(cause, 'STORAGE_FAILED', 'A transfer will not be known after a reload.'))
  }
}

function changed(): TsunagiError {
  return new TsunagiError('CHUNK_ERROR', 'The source is not what it was when it was offered; offer it anew.')
}
