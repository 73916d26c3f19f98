/** Durable messages of ours in one session (SPEC §5.4): stored before they count as accepted, kept until the other side has them. */
import type { PeerId } from '../api.ts'
import { TsunagiError, toTsunagiError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { SessionStore, StoredMessage, StoredSession } from './store.ts'

/** What becomes of a durable message. */
export interface DurableSend {
  /** UUIDv4 text; the other side is told it. */
  readonly id: string
  /** Fulfils when the message would survive the page. Rejects with STORAGE_FAILED, QUEUE_FULL, and what ended the session. */
  readonly accepted: Promise<void>
  /** Fulfils when the other side has taken the message. Rejects as `accepted` does. */
  readonly delivered: Promise<void>
}

interface Entry {
  readonly message: StoredMessage
  accepted: boolean
  readonly accept: () => void
  readonly deliver: () => void
  readonly rejectAccepted: (error: TsunagiError) => void
  readonly rejectDelivered: (error: TsunagiError) => void
}

export interface OutboxHost {
  /** Undefined where the host keeps nothing. */
  readonly store: SessionStore | undefined
  /** The session as it is to be stored. */
  record(): StoredSession
  /** Accepted, and ready to be sent. */
  onAccepted(message: StoredMessage): void
  onDelivered(message: StoredMessage): void
  /** It will not be delivered, as far as anybody knows. Told also of messages that a page before this one had accepted. */
  onFailed(message: StoredMessage, error: TsunagiError): void
  onStorageFailure(error: TsunagiError): void
}

export class Outbox {
  readonly #host: OutboxHost
  readonly #peer: PeerId
  readonly #entries = new Map<number, Entry>()
  #toAccept: Entry[] = []
  #next: number
  #nextToStore: number
  #bytes = 0
  #accepting = false
  #deliveredBelow = 0
  #forgetting = false

  /** @param kept what a page before this one had accepted, in the order of its numbers */
  constructor(host: OutboxHost, peer: PeerId, next: number, kept: readonly StoredMessage[]) {
    this.#host = host
    this.#peer = peer
    this.#next = next
    this.#nextToStore = next
    for (const message of kept) this.#enter(message, true)
  }

  /**
   * The number after the last message that the store was given. What still waits to be given has its number already, and
   * would leave a gap for the next page if the page ended now.
   */
  get next(): number {
    return this.#nextToStore
  }

  /** Accepted and not yet delivered, in the order of their numbers. */
  get messages(): StoredMessage[] {
    return [...this.#entries.values()].filter(({ accepted }) => accepted).map(({ message }) => message)
  }

  get isEmpty(): boolean {
    return this.#entries.size === 0
  }

  /** @throws TsunagiError STORAGE_FAILED where the host keeps nothing, QUEUE_FULL */
  add(message: Omit<StoredMessage, 'peer' | 'number'>): DurableSend {
    if (this.#host.store === undefined) {
      throw new TsunagiError(
        'STORAGE_FAILED',
        'This browser keeps nothing for this page, so no message can be durable.',
      )
    }
    const bytes = this.#bytes + message.payload.length
    if (bytes > LIMITS.maxOutboxBytes || this.#entries.size >= LIMITS.maxOutboxMessages) {
      throw new TsunagiError(
        'QUEUE_FULL',
        'Too many durable messages wait for that peer; send more when some have arrived.',
      )
    }
    const { entry, accepted, delivered } = this.#enter({ ...message, peer: this.#peer, number: this.#next++ }, false)
    this.#toAccept.push(entry)
    void this.#accept(this.#host.store)
    return { id: message.id, accepted, delivered }
  }

  /** The other side has the message of that number, and all before it. */
  delivered(number: number): void {
    const entry = this.#entries.get(number)
    if (entry === undefined) return
    this.#leave(entry)
    this.#deliveredBelow = number + 1
    entry.deliver()
    this.#host.onDelivered(entry.message)
    void this.#forget()
  }

  /** The session is over. The store is not called any more: numbers begin anew with the next session. */
  failAll(error: TsunagiError): void {
    for (const entry of [...this.#entries.values()]) this.#fail(entry, error)
    this.#toAccept = []
    this.#deliveredBelow = 0
  }

  /** The page goes: what is accepted goes on with the next one, so that nobody here will learn of its delivery. */
  abandon(error: TsunagiError): void {
    for (const { rejectDelivered } of this.#entries.values()) rejectDelivered(error)
  }

  #enter(message: StoredMessage, accepted: boolean) {
    let accept!: () => void
    let deliver!: () => void
    let rejectAccepted!: (error: TsunagiError) => void
    let rejectDelivered!: (error: TsunagiError) => void
    const acceptance = new Promise<void>((fulfil, reject) => {
      accept = fulfil
      rejectAccepted = reject
    })
    const delivery = new Promise<void>((fulfil, reject) => {
      deliver = fulfil
      rejectDelivered = reject
    })
    // Nobody has to await either.
    acceptance.catch(() => undefined)
    delivery.catch(() => undefined)
    const entry: Entry = {
      message,
      accepted,
      accept,
      deliver,
      rejectAccepted,
      rejectDelivered,
    }
    this.#entries.set(message.number, entry)
    this.#bytes += message.payload.length
    return { entry, accepted: acceptance, delivered: delivery }
  }

  #leave({ message }: Entry): void {
    this.#entries.delete(message.number)
    this.#bytes -= message.payload.length
  }

  #fail(entry: Entry, error: TsunagiError): void {
    this.#leave(entry)
    entry.rejectAccepted(error)
    entry.rejectDelivered(error)
    this.#host.onFailed(entry.message, error)
  }

  /** What comes while one transaction is under way shares the next. Never rejects. */
  async #accept(store: SessionStore): Promise<void> {
    if (this.#accepting) return
    this.#accepting = true
    while (this.#toAccept.length > 0) {
      const batch = this.#toAccept
      this.#toAccept = []
      this.#nextToStore = this.#next
      try {
        await store.accept(
          this.#host.record(),
          batch.map(({ message }) => message),
        )
      } catch (cause) {
        this.#refuse(batch, toTsunagiError(cause, 'STORAGE_FAILED', 'The browser could not keep the message.'))
        continue
      }
      for (const entry of batch) {
        // The session may have ended meanwhile, and its messages failed with it.
        if (this.#entries.get(entry.message.number) !== entry) continue
        entry.accepted = true
        entry.accept()
        this.#host.onAccepted(entry.message)
      }
    }
    this.#accepting = false
  }

  /** Numbers have no gaps, so what was numbered after a message that failed fails with it. */
  #refuse(batch: readonly Entry[], error: TsunagiError): void {
    const refused = [...batch, ...this.#toAccept].filter((entry) => this.#entries.get(entry.message.number) === entry)
    this.#toAccept = []
    this.#next = Math.min(this.#next, ...refused.map(({ message }) => message.number))
    this.#nextToStore = this.#next
    for (const entry of refused) this.#fail(entry, error)
    this.#host.onStorageFailure(error)
  }

  /** What is still stored although delivered is sent once more after a reload, and known there by its number. Never rejects. */
  async #forget(): Promise<void> {
    if (this.#forgetting) return
    this.#forgetting = true
    for (let below = 0; below < this.#deliveredBelow; ) {
      below = this.#deliveredBelow
      try {
        await this.#host.store?.delivered(this.#peer, below)
      } catch (cause) {
        this.#host.onStorageFailure(
          toTsunagiError(cause, 'STORAGE_FAILED', 'A delivered message could not be removed.'),
        )
      }
    }
    this.#forgetting = false
  }
}
