/** Transfers as a page has them from its begin (SPEC §9). What does them is loaded with the first one, ours or another's. */
import type { IncomingTransfer, PeerId, Transfer, TransferInfo, TransferOptions } from '../api.ts'
import type { TransferPlace } from '../bulk/ports.ts'
import type { TransferMessage } from '../bulk/record.ts'
import type { Transfers, TransfersHost } from '../bulk/transfers.ts'
import { TsunagiError, toTsunagiError } from '../errors.ts'
import type { SessionMessage } from '../session/session-messages.ts'
import { uuidText, uuidV4 } from '../wire/uuid.ts'
import { publicError } from './delivery.ts'
import { Part } from './part.ts'
import { WaitingTransfer } from './waiting.ts'

type AnyMessage = Extract<SessionMessage, { readonly type: TransferMessage }>

export interface PeerTransfersHost extends Omit<TransfersHost, 'host'> {
  /** Undefined where the host keeps no files. */
  readonly place: TransferPlace | undefined
  /** Whether a session with that peer goes on. */
  readonly hasSession: (peer: PeerId) => boolean
}

export class PeerTransfers {
  readonly #host: PeerTransfersHost
  readonly #part: Part<Transfers>
  /** Begun before the part was here, oldest first. */
  readonly #waiting = new Set<WaitingTransfer>()

  constructor(host: PeerTransfersHost) {
    this.#host = host
    this.#part = new Part({
      clock: host.clock,
      load: () => this.#load(),
      close: (transfers, error) => transfers.close(error),
      onError: host.onError,
    })
  }

  /** Newest first. */
  get transfers(): readonly (Transfer | IncomingTransfer)[] {
    return this.#part.here?.transfers ?? [...this.#waiting].reverse()
  }

  /** Has the part loaded. Rejects with LOAD_FAILED. */
  async load(): Promise<void> {
    await this.#part.get()
  }

  /** Goes on with what pages before this one left. Never rejects. */
  async restore(): Promise<void> {
    const { place, onError } = this.#host
    try {
      // Where it cannot be loaded, the next page goes on with them; the error tells it.
      if (place !== undefined && !(await place.isEmpty())) await this.load().catch(() => undefined)
    } catch (cause) {
      onError(toTsunagiError(cause, 'STORAGE_FAILED', 'Transfers of a page before this one are lost.'))
    }
  }

  /** @throws TsunagiError INVALID_ARGUMENT, QUEUE_FULL */
  offer(peer: PeerId, source: unknown, options: TransferOptions): Transfer {
    const { here } = this.#part
    if (here !== undefined) return here.offer(peer, source, options)
    const id = uuidText(uuidV4(this.#host.crypto.randomBytes(16)))
    return this.#later(id, peer, false, (transfers) => transfers.offer(peer, source, options, id))
  }

  /** A Blob of a task, under an id that both sides know; goes on with one of that id that a page before this one began. @throws as offer() */
  offerOfTask(id: string, peer: PeerId, source: Blob, options: TransferOptions): Transfer {
    const { here } = this.#part
    if (here !== undefined) return here.offerOfTask(id, peer, source, options)
    return this.#later(id, peer, true, (transfers) => transfers.offerOfTask(id, peer, source, options))
  }

  /** What came of that id, or is coming. */
  received(peer: PeerId, id: string): IncomingTransfer | undefined {
    return this.#part.here?.received(peer, id)
  }

  /** @throws TsunagiError INVALID_ARGUMENT, INVALID_STATE where no transfer of that id waits for its source */
  resume(id: string, source: unknown, options: TransferOptions): Transfer {
    const { here } = this.#part
    if (here !== undefined) return here.resume(id, source, options)
    return this.#later(id, '', false, (transfers) => transfers.resume(id, source, options))
  }

  /** @param size bytes of the message */
  handle(peer: PeerId, message: AnyMessage, size: number): void {
    const { here } = this.#part
    if (here !== undefined) {
      here.handle(peer, message)
      return
    }
    // Nothing was sent or accepted yet, of which any other could speak.
    if (message.type !== 'chunk_init' && message.type !== 'chunk_complete') return
    this.#part.take(
      peer,
      size,
      (transfers) => transfers.handle(peer, message),
      () => this.#refuse(peer, message),
    )
  }

  /** There is a new link to the peer. */
  linked(peer: PeerId): void {
    this.#part.tell((transfers) => transfers.linked(peer))
  }

  /** No link came for long: what the peer never answered is not waited for. */
  givenUp(peer: PeerId): void {
    this.#part.tell((transfers) => transfers.givenUp(peer))
  }

  /** The session with the peer is over. */
  peerLost(peer: PeerId, error: TsunagiError): void {
    this.#part.tell((transfers) => transfers.peerLost(peer, error))
  }

  /** Whether something is under way with that peer. */
  isUnderWay(peer: PeerId): boolean {
    return this.transfers.some(({ info }) => info.peer === peer && info.endedAt === undefined)
  }

  close(error: TsunagiError): void {
    this.#part.close(error)
  }

  async #load(): Promise<Transfers> {
    const { place, hasSession } = this.#host
    const [{ Transfers }, host] = await Promise.all([import('../bulk/transfers.ts'), place?.open()])
    const transfers = new Transfers({ ...this.#host, host })
    await transfers.load()
    for (const { info } of transfers.transfers) {
      if (hasSession(info.peer)) continue
      transfers.peerLost(info.peer, new TsunagiError('SESSION_EXPIRED', 'The session it was a part of is over.'))
    }
    return transfers
  }

  #later(id: string, peer: PeerId, ofTask: boolean, begin: (transfers: Transfers) => Transfer): Transfer {
    const { clock } = this.#host
    const begun = this.#part
      .get()
      .then(begin)
      .catch((cause: unknown) => {
        throw publicError(cause)
      })
    const info = { ...BEGUN, id, peer, ofTask, createdAt: clock.now() }
    const waiting = new WaitingTransfer(info, begun, () => clock.now())
    this.#waiting.add(waiting)
    const settled = () => this.#waiting.delete(waiting)
    begun.then(settled, settled)
    return waiting
  }

  /** The sender may ask again. */
  #refuse(peer: PeerId, message: AnyMessage): void {
    if (message.type !== 'chunk_init') return
    const { transfer_id } = message.payload
    const why = 'This peer can take no transfer at present.'
    this.#host
      .send(peer, 'chunk_complete', { transfer_id, state: 'failed', code: 'QUEUE_FULL', message: why })
      .catch(() => undefined)
  }
}

const BEGUN: TransferInfo = {
  id: '',
  direction: 'out',
  peer: '',
  name: '',
  type: '',
  size: undefined,
  ofTask: false,
  state: 'offered',
  bytes: 0,
  createdAt: 0,
  endedAt: undefined,
  error: undefined,
}

/** A transfer that never began: its `done` says why. */
export function failedTransfer(to: PeerId, now: number, error: TsunagiError): Transfer {
  const done = Promise.reject(error)
  // Nobody has to await it.
  done.catch(() => undefined)
  const { code, message } = error
  const info: TransferInfo = {
    ...BEGUN,
    peer: to,
    state: 'failed',
    createdAt: now,
    endedAt: now,
    error: { code, message },
  }
  return { id: '', info, done, cancel: () => undefined }
}
