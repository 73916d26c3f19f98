/** Transfers of one peer with all others (SPEC §9): who may offer how many, and which message is for which. */
import type { AcceptOptions, PeerId, TransferOffer, TransferOptions, TransferSink } from '../api.ts'
import { TsunagiError, toTsunagiError } from '../errors.ts'
import { LIMITS, PROTOCOL } from '../limits.ts'
import type { SessionPayload } from '../messages.ts'
import type { SessionMessage } from '../session/session-messages.ts'
import { isWellFormed } from '../wire/bytes.ts'
import { uuidBytes, uuidText, uuidV4 } from '../wire/uuid.ts'
import { CHUNK_SIZE, EMPTY_DIGEST, readChunk } from './chunk.ts'
import { ReceivedTransfer } from './incoming.ts'
import { OutgoingTransfer } from './outgoing.ts'
import type { ChunkSource, StoredTransfer } from './ports.ts'
import type { RecordHost, TransferMessage } from './record.ts'
import { bytesSource, notASource } from './source.ts'

export interface TransfersHost extends RecordHost {
  /** Fulfils when all listeners have returned and their promises are settled; never rejects. */
  readonly onOffer: (offer: TransferOffer) => Promise<void>
  /** As onOffer(), for a Blob of a task. */
  readonly onTaskOffer: (offer: TransferOffer) => Promise<void>
}

type AnyTransfer = OutgoingTransfer | ReceivedTransfer

export class Transfers {
  readonly #host: TransfersHost
  /** Both keep those that have ended as well, up to a bound. */
  readonly #outgoing = new Map<string, OutgoingTransfer>()
  readonly #incoming = new Map<string, ReceivedTransfer>()

  constructor(host: TransfersHost) {
    this.#host = host
  }

  /** Newest first. */
  get transfers(): readonly AnyTransfer[] {
    return [...this.#all()].sort((a, b) => b.info.createdAt - a.info.createdAt)
  }

  /** What pages before this one left. Never rejects. */
  async load(): Promise<void> {
    try {
      for (const stored of (await this.#host.host?.load()) ?? []) {
        if (stored.direction === 'out') this.#add(new OutgoingTransfer(this.#host, stored, undefined))
        else this.#add(new ReceivedTransfer(this.#host, stored, stored.endedAt === undefined ? 'running' : 'completed'))
      }
    } catch (cause) {
      this.#host.onError(toTsunagiError(cause, 'STORAGE_FAILED', 'Transfers of a page before this one are lost.'))
    }
  }

  /**
   * @param id UUIDv4 text, where it was named already
   * @throws TsunagiError INVALID_ARGUMENT, QUEUE_FULL
   */
  offer(
    peer: PeerId,
    given: unknown,
    options: TransferOptions,
    id: string = uuidText(uuidV4(this.#host.crypto.randomBytes(16))),
  ): OutgoingTransfer {
    return this.#offer(id, peer, given, options, false)
  }

  /** A Blob of a task, under an id that both sides know; goes on with one of that id that a page before this one began. @throws as offer() */
  offerOfTask(id: string, peer: PeerId, given: unknown, options: TransferOptions): OutgoingTransfer {
    const known = this.#outgoing.get(keyOf(peer, uuidBytes(id)))
    return known?.info.state === 'interrupted'
      ? this.resume(id, given, options)
      : this.#offer(id, peer, given, options, true)
  }

  /** What came of that id, or is coming. */
  received(peer: PeerId, id: string): ReceivedTransfer | undefined {
    return this.#incoming.get(keyOf(peer, uuidBytes(id)))
  }

  #offer(id: string, peer: PeerId, given: unknown, options: TransferOptions, ofTask: boolean): OutgoingTransfer {
    checkOptions(options)
    this.#checkRoom(this.#outgoing, peer)
    const source = this.#source(given)
    // A file may be called by more than a transfer can; what it is called by is to be shown, and no more.
    const name = options.name ?? source.name.slice(0, PROTOCOL.maxTransferName).replace(/[\uD800-\uDBFF]$/, '')
    const type = options.type ?? (source.type.length <= PROTOCOL.maxMediaType ? source.type : '')
    const size = source.size
    const stored = this.#newStored({ direction: 'out', id, peer, name, type, size, chunkSize: CHUNK_SIZE, ofTask })
    const transfer = new OutgoingTransfer(this.#host, stored, source)
    this.#add(transfer)
    transfer.start(options)
    return transfer
  }

  /** @throws TsunagiError INVALID_ARGUMENT, INVALID_STATE where no transfer of that id waits for its source */
  resume(id: string, given: unknown, options: TransferOptions): OutgoingTransfer {
    checkOptions(options)
    const transfer = [...this.#outgoing.values()].find((known) => known.id === id)
    if (transfer?.info.state !== 'interrupted') {
      throw new TsunagiError('INVALID_STATE', 'No transfer of that id waits for its source; see the list of transfers.')
    }
    const source = this.#source(given)
    if (source.size !== transfer.info.size) {
      source.close()
      throw new TsunagiError('INVALID_ARGUMENT', 'That is not the source of this transfer: it has another size.')
    }
    transfer.attach(source, options)
    return transfer
  }

  handle(peer: PeerId, message: Extract<SessionMessage, { type: TransferMessage }>): void {
    switch (message.type) {
      case 'chunk_init':
        this.#handleInit(peer, message.payload)
        return
      case 'chunk':
        this.#handleChunk(peer, message.payload)
        return
      case 'chunk_ack':
        this.#outgoing.get(keyOf(peer, message.payload.transfer_id))?.handleAck(message.payload)
        return
      case 'chunk_resend':
        this.#outgoing.get(keyOf(peer, message.payload.transfer_id))?.handleResend(message.payload)
        return
      case 'chunk_complete':
        this.#handleComplete(peer, message.payload)
    }
  }

  /** There is a new link to the peer. */
  linked(peer: PeerId): void {
    for (const transfer of this.#of(this.#outgoing, peer)) transfer.linked()
  }

  /** No link came for long: what the peer never answered is not waited for. What belongs to a task ends with that. */
  givenUp(peer: PeerId): void {
    for (const transfer of this.#of(this.#outgoing, peer)) {
      if (transfer.info.state !== 'offered' || transfer.stored.ofTask) continue
      transfer.fail(new TsunagiError('LINK_LOST', 'No link to that peer came about in time.', { peer }), true)
    }
  }

  /** The session with the peer is over. */
  peerLost(peer: PeerId, error: TsunagiError): void {
    for (const transfer of [...this.#of(this.#outgoing, peer), ...this.#of(this.#incoming, peer)]) {
      transfer.fail(error, true)
    }
  }

  /** Ends all. */
  close(error: TsunagiError): void {
    for (const transfer of this.#all()) transfer.fail(error, true)
  }

  #handleInit(peer: PeerId, payload: SessionPayload<'chunk_init'>): void {
    const known = this.#incoming.get(keyOf(peer, payload.transfer_id))
    if (known !== undefined && known.info.state !== 'failed') {
      known.handleInit(payload)
      return
    }
    if (known !== undefined || payload.from > 0) {
      const reason = known?.info.error?.message ?? 'What was received of it is lost.'
      this.#refuse(peer, payload, new TsunagiError('CHUNK_ERROR', `The transfer is not known any more. ${reason}`))
      return
    }
    try {
      this.#checkRoom(this.#incoming, peer)
    } catch (cause) {
      this.#refuse(peer, payload, toTsunagiError(cause, 'QUEUE_FULL', 'There is no room for another transfer.'))
      return
    }
    void this.#consider(peer, payload)
  }

  /** Asks those who listen. Never rejects. */
  async #consider(peer: PeerId, payload: SessionPayload<'chunk_init'>): Promise<void> {
    const { transfer_id, name, media_type: type, size, chunk_size: chunkSize, round } = payload
    const id = uuidText(transfer_id)
    const ofTask = payload.task === true
    const stored = this.#newStored({ direction: 'in', id, peer, name, type, size, chunkSize, ofTask })
    const transfer = new ReceivedTransfer(this.#host, stored, 'offered', round)
    const isOpen = () => transfer.info.state === 'offered'
    this.#add(transfer)
    const offered = ofTask ? this.#host.onTaskOffer : this.#host.onOffer
    await offered({
      id,
      from: peer,
      name,
      type,
      size,
      accept: (sink?: TransferSink, options: AcceptOptions = {}) => {
        if (!isOpen()) throw new TsunagiError('INVALID_STATE', 'The offer was decided already, or is no longer there.')
        checkAccept(sink, options)
        if (sink === undefined && this.#host.host === undefined) {
          throw new TsunagiError('NOT_SUPPORTED', 'This host keeps no files: give accept() a sink.')
        }
        transfer.accept(sink, options)
        return transfer
      },
      reject: () => {
        if (isOpen()) transfer.fail(rejected(), false)
      },
    })
    if (isOpen()) transfer.fail(rejected(), false)
    // A flood of offers pushes nothing out of what is remembered.
    if (transfer.info.error?.code === 'TRANSFER_REJECTED') this.#incoming.delete(keyOf(peer, transfer_id))
  }

  #handleChunk(peer: PeerId, payload: SessionPayload<'chunk'>): void {
    try {
      const chunk = readChunk(payload)
      this.#incoming.get(keyOf(peer, chunk.transferId))?.handleChunk(chunk)
    } catch (cause) {
      this.#host.onError(toTsunagiError(cause, 'CHUNK_ERROR', 'A chunk of the peer could not be read.'))
    }
  }

  #handleComplete(peer: PeerId, payload: SessionPayload<'chunk_complete'>): void {
    const key = keyOf(peer, payload.transfer_id)
    if (payload.state === 'completed') {
      this.#incoming.get(key)?.handleComplete(payload)
      this.#outgoing.get(key)?.handleComplete(payload)
      return
    }
    const error = new TsunagiError(payload.code, payload.message, { peer })
    this.#incoming.get(key)?.fail(error, true)
    this.#outgoing.get(key)?.fail(error, true)
  }

  #refuse(peer: PeerId, { transfer_id }: SessionPayload<'chunk_init'>, { code, message }: TsunagiError): void {
    // Who cannot be told asks again with the next link.
    this.#host
      .send(peer, 'chunk_complete', { transfer_id, state: 'failed', code, message: message.slice(0, 256) })
      .catch(() => undefined)
  }

  #source(given: unknown): ChunkSource {
    if (given instanceof Uint8Array) return bytesSource(given)
    if (this.#host.host === undefined) throw notASource()
    return this.#host.host.source(given)
  }

  #newStored(
    offered: Pick<StoredTransfer, 'direction' | 'id' | 'peer' | 'name' | 'type' | 'size' | 'chunkSize' | 'ofTask'>,
  ): StoredTransfer {
    return {
      ...offered,
      maxBytes: offered.size ?? LIMITS.maxUnannouncedBytes,
      createdAt: this.#host.clock.now(),
      chunks: 0,
      bytes: 0,
      digest: EMPTY_DIGEST,
      endedAt: undefined,
    }
  }

  /** @throws TsunagiError QUEUE_FULL */
  #checkRoom(transfers: ReadonlyMap<string, AnyTransfer>, peer: PeerId): void {
    const live = [...transfers.values()].filter(({ info }) => info.state === 'offered' || info.state === 'running')
    const same = live.filter(({ info }) => info.peer === peer)
    if (same.length < LIMITS.maxTransfersPerPeer && live.length < LIMITS.maxTransfers) return
    throw new TsunagiError('QUEUE_FULL', 'Too many transfers are under way; begin another when one has ended.', {
      peer,
    })
  }

  #add(transfer: AnyTransfer): void {
    const { id, peer } = transfer.info
    const key = keyOf(peer, uuidBytes(id))
    if (transfer instanceof OutgoingTransfer) this.#outgoing.set(key, transfer)
    else this.#incoming.set(key, transfer)
    dropOldestEnded(this.#outgoing)
    dropOldestEnded(this.#incoming)
  }

  *#all(): Iterable<AnyTransfer> {
    yield* this.#outgoing.values()
    yield* this.#incoming.values()
  }

  #of<T extends AnyTransfer>(transfers: ReadonlyMap<string, T>, peer: PeerId): T[] {
    return [...transfers.values()].filter(({ info }) => info.peer === peer)
  }
}

/** Received files stay until their owner discards them. */
function dropOldestEnded(transfers: Map<string, AnyTransfer>): void {
  const isOver = (transfer: AnyTransfer) =>
    transfer.info.endedAt !== undefined && !(transfer instanceof ReceivedTransfer && transfer.isKept)
  const ended = [...transfers].filter(([, transfer]) => isOver(transfer))
  for (const [key] of ended.slice(0, Math.max(0, ended.length - LIMITS.maxEndedTransfers))) transfers.delete(key)
}

function keyOf(peer: PeerId, transferId: Uint8Array): string {
  return `${peer} ${uuidText(transferId)}`
}

function rejected(): TsunagiError {
  return new TsunagiError('TRANSFER_REJECTED', 'The other side did not accept the transfer.')
}

/** @throws TsunagiError INVALID_ARGUMENT */
function checkOptions(options: TransferOptions): void {
  checkListening(options)
  checkText('name', options.name, PROTOCOL.maxTransferName)
  checkText('type', options.type, PROTOCOL.maxMediaType)
}

function checkAccept(sink: TransferSink | undefined, options: AcceptOptions): void {
  checkListening(options)
  const isSink = (['write', 'close', 'abort'] as const).every((name) => typeof sink?.[name] === 'function')
  if (sink !== undefined && !isSink) throw wrong('A sink has the methods write, close and abort.')
  const { maxBytes } = options
  if (maxBytes === undefined || (Number.isSafeInteger(maxBytes) && maxBytes >= 0)) return
  throw wrong('The option maxBytes is a whole number of bytes.')
}

function checkListening(options: TransferOptions | AcceptOptions): void {
  if (typeof options !== 'object' || options === null) throw wrong('The options of a transfer are an object.')
  const { signal, onProgress } = options
  const isSignal = signal === undefined || typeof signal?.addEventListener === 'function'
  if (!isSignal) throw wrong('The option signal is an AbortSignal.')
  if (onProgress !== undefined && typeof onProgress !== 'function') throw wrong('The option onProgress is a function.')
}

function checkText(option: string, text: unknown, most: number): void {
  if (text === undefined || (typeof text === 'string' && text.length <= most && isWellFormed(text))) return
  throw wrong(`The option ${option} is a text of at most ${most} characters.`)
}

function wrong(message: string): TsunagiError {
  return new TsunagiError('INVALID_ARGUMENT', message)
}
