/** The receiving end of a transfer (SPEC §9): takes chunks in their order, checks each, keeps it, and only then has room for another. */
import type { AcceptOptions, IncomingTransfer, TransferInfo, TransferSink } from '../api.ts'
import { TsunagiError, toTsunagiError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { SessionPayload } from '../messages.ts'
import { type Bytes, equalBytes } from '../wire/bytes.ts'
import { type Chunk, extendDigest, windowOf } from './chunk.ts'
import type { StoredTransfer, TransferFile } from './ports.ts'
import { type RecordHost, TransferRecord } from './record.ts'

type Completed = Extract<SessionPayload<'chunk_complete'>, { state: 'completed' }>

interface Arrival {
  readonly bytes: Bytes
  /** Computed while those before it are kept. */
  readonly hash: Promise<Bytes>
  /** What its sender says. */
  readonly digest: Bytes
}

export class ReceivedTransfer implements IncomingTransfer {
  readonly #host: RecordHost
  readonly #record: TransferRecord
  readonly #window: number
  /** Where the bytes go instead of a file of the host. */
  #sink: TransferSink | undefined
  /** The host has a file and a note of it. */
  #isKept: boolean
  #file: TransferFile | undefined
  readonly #arrivals: Arrival[] = []
  /** The next chunk to arrive, and bytes up to it; what is kept is behind by the arrivals. */
  #expected: number
  #bytes: number
  /** No chunk from here on was asked for. */
  #granted: number
  /** The sender is to be told from which chunk to go on, once all that arrived is kept. */
  #mustAnswer = false
  /** Which question that answers. */
  #round: number
  #completed: Completed | undefined
  #isRunning = false
  #resendsLeft: number = LIMITS.maxChunkResends

  /**
   * @param stored as it was offered, or as a page before this one left it
   * @param round of the chunk_init that offers it
   */
  constructor(host: RecordHost, stored: StoredTransfer, state: 'offered' | 'running' | 'completed', round = 0) {
    this.#round = round
    this.#host = host
    this.#window = windowOf(stored.chunkSize)
    this.#expected = stored.chunks
    this.#bytes = stored.bytes
    this.#isKept = state !== 'offered'
    // The page before this one granted no more.
    this.#granted = state === 'running' ? stored.chunks + this.#window : 0
    this.#record = new TransferRecord(host, stored, state, (error) => void this.#letGo(error))
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

  async blob(): Promise<Blob> {
    await this.done
    if (!this.#isKept || this.#host.host === undefined) {
      throw new TsunagiError('INVALID_STATE', 'What was received is not here: it went to a sink, or was discarded.')
    }
    this.#file ??= await this.#host.host.open(this.stored)
    return this.#file.blob(this.stored.type)
  }

  discard(): void {
    this.cancel()
    void this.#remove()
  }

  /** Whether blob() would give something. */
  get isKept(): boolean {
    return this.#isKept && this.info.state === 'completed'
  }

  fail(error: TsunagiError, isKnownThere: boolean): void {
    this.#record.fail(error, isKnownThere)
  }

  accept(sink: TransferSink | undefined, options: AcceptOptions): void {
    this.#sink = sink
    this.#isKept = sink === undefined
    this.#record.accept(options.maxBytes)
    this.#record.listen(options)
    this.#mustAnswer = true
    this.#go()
  }

  /** The sender asks from which chunk to go on: the one that it sees as the first it can still send must not be beyond. */
  handleInit({ from, round }: SessionPayload<'chunk_init'>): void {
    this.#round = round
    // A page of the sender that came since knows nothing of the end, and proves its source before it may.
    if (this.info.state === 'completed') this.#tellWhere()
    if (this.info.state !== 'running') return
    if (from > this.#expected) {
      this.#violation('The sender has not kept the chunks that are missing here.')
      return
    }
    this.#mustAnswer = true
    this.#completed = undefined
    this.#go()
  }

  handleChunk({ index, digest, bytes }: Chunk): void {
    // Another than the next is one that its sender sends again, or will when it has asked: only its own time is lost by it.
    if (this.info.state !== 'running' || index !== this.#expected) return
    const { chunkSize, size, maxBytes } = this.stored
    const total = this.#bytes + bytes.length
    const follows = this.#bytes === index * chunkSize
    if (
      index >= this.#granted ||
      !follows ||
      bytes.length > chunkSize ||
      total > Math.min(size ?? maxBytes, maxBytes)
    ) {
      this.#violation('The sender sent more than it had announced, or was allowed to.')
      return
    }
    const hash = this.#host.crypto.sha256(bytes)
    // Awaited in turn; a failure before that is not unhandled.
    hash.catch(() => undefined)
    this.#expected++
    this.#bytes = total
    this.#arrivals.push({ bytes, hash, digest })
    this.#go()
  }

  handleComplete(completed: Completed): void {
    // One that counts more chunks than came comes again when the sender has asked for where to go on.
    if (this.info.state === 'completed') this.#tellCompleted()
    if (this.info.state !== 'running' || completed.chunks > this.#expected) return
    this.#completed = completed
    this.#go()
  }

  #go(): void {
    void this.#run()
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    if (this.#isRunning) return
    this.#isRunning = true
    try {
      while (!this.#record.isEnded && this.#hasWork) await this.#step()
    } catch (cause) {
      this.#record.fail(toTsunagiError(cause, 'STORAGE_FAILED', 'What was received could not be kept.'))
    }
    this.#isRunning = false
  }

  get #hasWork(): boolean {
    return this.#arrivals.length > 0 || this.#mustAnswer || this.#completed !== undefined
  }

  async #step(): Promise<void> {
    if (this.#arrivals.length > 0) await this.#keepSome()
    else if (this.#mustAnswer) await this.#answer()
    else if (this.#completed !== undefined) await this.#complete(this.#completed)
  }

  /** Half of the window at a time, so that the sender has something to send while the other half is kept. */
  async #keepSome(): Promise<void> {
    let { chunks, bytes, digest } = this.stored
    let isGood = true
    for (const arrival of this.#arrivals.splice(0, Math.max(1, this.#window >> 1))) {
      const actual = await extendDigest(this.#host.crypto, digest, await arrival.hash)
      isGood = equalBytes(actual, arrival.digest)
      if (!isGood || this.#record.isEnded) break
      await this.#write(arrival.bytes)
      digest = actual
      chunks++
      bytes += arrival.bytes.length
    }
    if (this.#record.isEnded) return
    await this.#file?.flush()
    if (this.#record.isEnded) return
    this.#record.reached(chunks, bytes, digest)
    await this.#note()
    if (this.#record.isEnded) return
    if (isGood) this.#acknowledge()
    else this.#askAgain()
  }

  async #write(bytes: Bytes): Promise<void> {
    if (this.#sink === undefined) await (await this.#openFile()).write(bytes)
    else await this.#sink.write(bytes)
  }

  #acknowledge(): void {
    const { chunks: next } = this.stored
    this.#granted = Math.max(this.#granted, next + this.#window)
    this.#record.send('chunk_ack', { transfer_id: this.#record.id, next, window: this.#window }, () =>
      this.#acknowledge(),
    )
  }

  /** A chunk has another digest than its sender says. */
  #askAgain(): void {
    if (--this.#resendsLeft < 0) {
      this.#violation('The sender sends chunks whose digests are wrong.')
      return
    }
    this.#arrivals.length = 0
    this.#completed = undefined
    this.#expected = this.stored.chunks
    this.#bytes = this.stored.bytes
    this.#mustAnswer = true
  }

  async #answer(): Promise<void> {
    if (this.#sink === undefined) await this.#openFile()
    await this.#note()
    if (this.#record.isEnded || this.#arrivals.length > 0) return
    this.#mustAnswer = false
    this.#tellWhere()
  }

  #tellWhere(): void {
    const { chunks: next, digest } = this.stored
    this.#granted = Math.max(this.#granted, next + this.#window)
    const payload = { transfer_id: this.#record.id, next, window: this.#window, digest, round: this.#round }
    this.#record.send('chunk_resend', payload, () => this.#tellWhere())
  }

  async #complete({ chunks, size, digest }: Completed): Promise<void> {
    const { stored } = this
    this.#completed = undefined
    const isRight = chunks === stored.chunks && size === stored.bytes && equalBytes(digest, stored.digest)
    if (!isRight || size !== (stored.size ?? size)) {
      this.#violation('What the sender sent is not what it says it was.')
      return
    }
    await (this.#sink ?? this.#file)?.close()
    if (this.#record.isEnded) return
    this.#record.complete()
    await this.#note()
    this.#tellCompleted()
  }

  #tellCompleted(): void {
    const { chunks, bytes: size, digest } = this.stored
    const payload = { transfer_id: this.#record.id, state: 'completed' as const, chunks, size, digest }
    this.#record.send('chunk_complete', payload, () => this.#tellCompleted())
  }

  async #openFile(): Promise<TransferFile> {
    if (this.#file !== undefined) return this.#file
    const file = await this.#host.host?.open(this.stored)
    if (file === undefined) throw new TsunagiError('NOT_SUPPORTED', 'This host keeps no files.')
    this.#file = file
    return file
  }

  /** What goes to a sink cannot be gone on with by the next page. */
  async #note(): Promise<void> {
    if (this.#isKept) await this.#host.host?.store(this.stored)
  }

  #violation(message: string): void {
    this.#record.fail(new TsunagiError('CHUNK_ERROR', message))
  }

  /** Never rejects. */
  async #letGo(error: TsunagiError): Promise<void> {
    this.#arrivals.length = 0
    await this.#remove()
    try {
      await this.#sink?.abort(error)
    } catch {
      // A sink that failed, or is closed, may refuse to be aborted as well.
    }
  }

  /** Never rejects. */
  async #remove(): Promise<void> {
    if (!this.#isKept) return
    this.#isKept = false
    try {
      await this.#host.host?.remove(this.stored)
    } catch (cause) {
      this.#host.onError(toTsunagiError(cause, 'STORAGE_FAILED', 'What was received could not be removed.'))
    }
  }
}
