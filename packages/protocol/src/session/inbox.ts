/** What arrives in one session, in its order: a durable message is stored before it counts as arrived (SPEC §5.4). */
import type { PeerId } from '../api.ts'
import { TsunagiError, toTsunagiError } from '../errors.ts'
import { type Bytes, concat } from '../wire/bytes.ts'
import { uuidText } from '../wire/uuid.ts'
import { DURABLE_PREFIX } from './frame.ts'
import type { IncomingMessage } from './incoming.ts'
import type { SessionStore, StoredMessage, StoredSession } from './store.ts'

const NUMBER_LENGTH = 8

/** Messages that join the inbox in one transaction. */
const MOST_AT_ONCE = 256

/** How a durable message travels: its number and id before its payload. */
export function durablePayload(number: number, id: Bytes, payload: Bytes): Bytes {
  const prefix = new Uint8Array(NUMBER_LENGTH)
  new DataView(prefix.buffer).setBigUint64(0, BigInt(number))
  return concat(prefix, id, payload)
}

export interface InboxHost {
  /** Undefined where the host keeps nothing. */
  readonly store: SessionStore | undefined
  now(): number
  record(): StoredSession
  /** Whether there is room; where not, nothing is acknowledged from there on, so that its sender stops. */
  canTake(): boolean
  /** A message that is not durable. */
  onVolatile(message: IncomingMessage): void
  /** A durable message was taken, for the first time. */
  onTaken(message: StoredMessage, incoming: IncomingMessage): void
  /** More may be acknowledged than before. */
  onProgress(): void
  onViolation(error: TsunagiError): void
  onStorageFailure(error: TsunagiError): void
}

interface Arrival {
  readonly incoming: IncomingMessage
  readonly durable: StoredMessage | undefined
}

export class Inbox {
  readonly #host: InboxHost
  readonly #peer: PeerId
  readonly #arrivals: Arrival[] = []
  #expected: number
  #taken: number
  #running = false

  /** @param expected number of the next durable message */
  constructor(host: InboxHost, peer: PeerId, expected: number) {
    this.#host = host
    this.#peer = peer
    this.#expected = expected
    this.#taken = expected
  }

  /** The number of the next durable message; all below are stored, or about to be. */
  get expected(): number {
    return this.#expected
  }

  /** All durable messages below this number are stored. */
  get taken(): number {
    return this.#taken
  }

  /** @param arrived the next sequence number that has not arrived @returns up to which number may be acknowledged */
  acknowledgeable(arrived: number): number {
    const waiting = this.#arrivals.find(({ durable }) => durable !== undefined)
    return waiting === undefined ? arrived : Math.min(arrived, waiting.incoming.sequence)
  }

  add(incoming: IncomingMessage): void {
    if (!incoming.durable && this.#arrivals.length === 0) {
      this.#host.onVolatile(incoming)
      return
    }
    let durable: StoredMessage | undefined
    if (incoming.durable) {
      if (incoming.payload.length < DURABLE_PREFIX) {
        this.#host.onViolation(new TsunagiError('INVALID_FORMAT', 'A durable message of the peer has no number.'))
        return
      }
      durable = this.#read(incoming)
    }
    this.#arrivals.push({ incoming: durable === undefined ? copied(incoming) : incoming, durable })
    void this.#run()
  }

  /** There is room again. */
  resume(): void {
    void this.#run()
  }

  #read({ type, raw, payload }: IncomingMessage): StoredMessage {
    const view = new DataView(payload.buffer, payload.byteOffset, DURABLE_PREFIX)
    return {
      peer: this.#peer,
      number: Number(view.getBigUint64(0)),
      id: uuidText(payload.subarray(NUMBER_LENGTH, DURABLE_PREFIX)),
      at: this.#host.now(),
      type,
      raw,
      payload: payload.slice(DURABLE_PREFIX),
    }
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    if (this.#running) return
    this.#running = true
    while (this.#arrivals.length > 0) {
      const end = this.#arrivals.findIndex(({ durable }) => durable === undefined)
      const count = Math.min(end === -1 ? this.#arrivals.length : end, MOST_AT_ONCE)
      if (count > 0 && !this.#host.canTake()) break
      if (count > 0) await this.#take(count)
      else this.#host.onVolatile((this.#arrivals.shift() as Arrival).incoming)
    }
    this.#running = false
  }

  /** The first `count` arrivals, durable all: what is new of them is stored together with the number that follows. */
  async #take(count: number): Promise<void> {
    const taken = this.#arrivals.slice(0, count).filter(({ durable }) => this.#isNext(durable as StoredMessage))
    const { store } = this.#host
    if (store !== undefined && taken.length > 0) {
      try {
        await store.take(
          this.#host.record(),
          taken.map(({ durable }) => durable as StoredMessage),
        )
      } catch (cause) {
        // This page has them all the same; only what it has not handled when it ends is lost, which the error tells.
        this.#host.onStorageFailure(toTsunagiError(cause, 'STORAGE_FAILED', 'A message could not be kept.'))
      }
    }
    this.#arrivals.splice(0, count)
    this.#taken = this.#expected
    for (const { durable, incoming } of taken) this.#host.onTaken(durable as StoredMessage, incoming)
    this.#host.onProgress()
  }

  /** Counts it where it is the next. One that was taken before is not taken again. */
  #isNext({ number }: StoredMessage): boolean {
    if (number > this.#expected) {
      const error = new TsunagiError(
        'SEQUENCE_ERROR',
        `Durable message ${this.#expected} was expected and ${number} came.`,
      )
      this.#host.onViolation(error)
    }
    if (number !== this.#expected) return false
    this.#expected++
    return true
  }
}

/** The frame that it is a view into may be gone by its turn. */
function copied(incoming: IncomingMessage): IncomingMessage {
  return { ...incoming, payload: incoming.payload.slice() }
}
