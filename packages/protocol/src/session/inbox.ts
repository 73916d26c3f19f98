/** What arrives in one session, in its order: a durable message is stored before it counts as arrived (SPEC §5.4). */
import type { PeerId } from '../api.ts'
import { TsunagiError, toTsunagiError } from '../errors.ts'
import { LIMITS, PROTOCOL } from '../limits.ts'
import { type Bytes, concat } from '../wire/bytes.ts'
import { uuidText } from '../wire/uuid.ts'
import { DURABLE_PREFIX, RECORD_HEAD } from './frame.ts'
import type { IncomingMessage } from './incoming.ts'
import type { SessionStore, StoredMessage, StoredSession } from './store.ts'

const NUMBER_LENGTH = 8

/** Messages that join the inbox in one transaction. */
const MOST_AT_ONCE = 256

/** The message that is not acknowledged, and behind it the window; once more for what a peer counts otherwise. */
const MOST_WAITING_BYTES = PROTOCOL.maxMessage + 2 * LIMITS.receiveWindow
/** Empty ones cost memory as well. A peer has no more of its own waiting than these. */
const MOST_WAITING = LIMITS.maxQueuedMessages + LIMITS.maxOutboxMessages

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
  /** A durable message was taken, for the first time. `incoming` has its payload without what stands before it. */
  onTaken(message: StoredMessage, incoming: IncomingMessage): void
  /** More may be acknowledged than before. */
  onProgress(): void
  /** The peer broke the rules in a way that no other link mends: the session ends, and stop() is called. */
  onViolation(error: TsunagiError): void
  onStorageFailure(error: TsunagiError): void
}

interface Arrival {
  readonly incoming: IncomingMessage
  readonly durable: StoredMessage | undefined
}
type DurableArrival = Arrival & { readonly durable: StoredMessage }

export class Inbox {
  readonly #host: InboxHost
  readonly #peer: PeerId
  /** In their order; the first that is durable holds up those behind it. */
  #arrivals: Arrival[] = []
  #waitingBytes = 0
  /** How many of the first are in the transaction under way. */
  #taking = 0
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
    if (incoming.durable && incoming.payload.length < DURABLE_PREFIX) {
      this.#host.onViolation(new TsunagiError('INVALID_FORMAT', 'A durable message of the peer has no number.'))
      return
    }
    this.#waitingBytes += sizeOf(incoming)
    if (this.#waitingBytes > MOST_WAITING_BYTES || this.#arrivals.length >= MOST_WAITING) {
      this.#host.onViolation(new TsunagiError('CREDIT_EXCEEDED', 'The peer sent more than it was allowed to.'))
      return
    }
    this.#arrivals.push(this.#arrival(incoming))
    void this.#run()
  }

  /** There is room again. */
  resume(): void {
    void this.#run()
  }

  /**
   * Sequence numbers begin anew at `expected`. What was not acknowledged is forgotten, since it comes again or was given up;
   * what is being stored counts as not arrived until it is.
   */
  restart(expected: number): void {
    this.#forget(this.#taking)
    this.#arrivals = this.#arrivals.map(({ incoming, durable }) => ({
      incoming: { ...incoming, sequence: expected },
      durable,
    }))
  }

  /** The session is over. What is being stored is still taken: the next page would have it, too. */
  stop(): void {
    this.#forget(this.#taking)
  }

  /** Copied: the frame that it is a view into may be large, and gone by its turn. */
  #arrival(incoming: IncomingMessage): Arrival {
    const { type, raw, payload } = incoming
    if (!incoming.durable) return { incoming: { ...incoming, payload: payload.slice() }, durable: undefined }
    const message = payload.slice(DURABLE_PREFIX)
    const durable: StoredMessage = {
      peer: this.#peer,
      number: Number(new DataView(payload.buffer, payload.byteOffset).getBigUint64(0)),
      id: uuidText(payload.subarray(NUMBER_LENGTH, DURABLE_PREFIX)),
      at: this.#host.now(),
      type,
      raw,
      payload: message,
    }
    return { incoming: { ...incoming, payload: message }, durable }
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
      else for (const { incoming } of this.#leave(1)) this.#host.onVolatile(incoming)
    }
    this.#running = false
  }

  /** The first `count` arrivals, durable all: what is new of them is stored together with the number that follows. */
  async #take(count: number): Promise<void> {
    const taken: DurableArrival[] = []
    for (const { incoming, durable } of this.#arrivals.slice(0, count)) {
      if (durable === undefined || durable.number < this.#expected) continue
      if (durable.number > this.#expected) {
        this.#host.onViolation(missing(this.#expected, durable.number))
        return
      }
      this.#expected++
      taken.push({ incoming, durable })
    }
    this.#taking = count
    await this.#keep(taken.map(({ durable }) => durable))
    this.#taking = 0
    this.#leave(count)
    this.#taken = this.#expected
    for (const { durable, incoming } of taken) this.#host.onTaken(durable, incoming)
    this.#host.onProgress()
  }

  /** Never rejects. */
  async #keep(messages: readonly StoredMessage[]): Promise<void> {
    const { store } = this.#host
    if (store === undefined || messages.length === 0) return
    try {
      await store.take(this.#host.record(), messages)
    } catch (cause) {
      // This page has them all the same; only what it has not handled when it ends is lost, which the error tells.
      this.#host.onStorageFailure(toTsunagiError(cause, 'STORAGE_FAILED', 'A message could not be kept.'))
    }
  }

  /** The first `count` wait no more. */
  #leave(count: number): Arrival[] {
    const gone = this.#arrivals.splice(0, count)
    for (const { incoming } of gone) this.#waitingBytes -= sizeOf(incoming)
    return gone
  }

  /** All but the first `count` wait no more. */
  #forget(count: number): void {
    for (const { incoming } of this.#arrivals.splice(count)) this.#waitingBytes -= sizeOf(incoming)
  }
}

function sizeOf({ payload }: IncomingMessage): number {
  return RECORD_HEAD + payload.length
}

function missing(expected: number, number: number): TsunagiError {
  return new TsunagiError('SEQUENCE_ERROR', `Durable message ${expected} was expected and ${number} came.`)
}
