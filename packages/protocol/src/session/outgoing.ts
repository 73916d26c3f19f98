/** What one side of a session sends (SPEC §5): three lanes, sequence numbers, and what the other side has not acknowledged. */
import Queue from 'yocto-queue'
import { TsunagiError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { Bytes } from '../wire/bytes.ts'
import { RECORD_HEAD, type Record } from './frame.ts'

/** Smaller numbers go first. Order is kept within a lane only. */
export const LANES = { high: 0, normal: 1, low: 2 } as const
export type Lane = keyof typeof LANES

export interface OutgoingMessage {
  readonly type: number
  readonly raw: boolean
  readonly payload: Bytes
  readonly lane: Lane
  /** Worth nothing later: sent once, and after a lost link its place in the sequence is given up. */
  readonly ephemeral: boolean
  /** Its durable number, where both sides keep it until it is handled: then a reloaded page sends it again. */
  readonly durable: number | undefined
  /** Called once: without an error when the other side has acknowledged the whole message. */
  readonly settle: (error?: TsunagiError) => void
}

/** One object for each, since very many may be on their way: the record as it is written, and what is to be known of it here. */
interface SentRecord extends Mutable<Record> {
  readonly sequence: number
  /** With its head, as it was when it was cut. */
  readonly size: number
  readonly message: OutgoingMessage
  /** Whether the message is settled with the acknowledgement of this record. */
  settles: boolean
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] }

export interface Batch {
  /** Sequence number of the first record. */
  readonly first: number
  readonly records: readonly Record[]
  /** The last records of messages that have left as a whole now. */
  readonly finished: readonly Pick<SentRecord, 'message' | 'sequence'>[]
  readonly size: number
}

interface LaneQueue {
  readonly messages: Queue<OutgoingMessage>
  /** Bytes of the first message that have left already. */
  offset: number
}

/** What is sent in the place of a message that is not sent any more. */
const EMPTY = { type: 0, raw: false, more: false, durable: false, payload: new Uint8Array() }

export class Outgoing {
  readonly #lanes: readonly LaneQueue[] = Object.values(LANES).map(() => ({ messages: new Queue(), offset: 0 }))
  /** Sent and not acknowledged, by sequence number. */
  readonly #sent: SentRecord[] = []
  /** Index in #sent of the first record that goes again; its length where none does. */
  #again = 0
  #nextSequence = 1
  #window: number = LIMITS.receiveWindow
  #inFlight = 0
  #waitingBytes = 0
  #waitingMessages = 0

  /** Messages not yet settled. */
  get waiting(): number {
    return this.#waitingMessages
  }

  get nextSequence(): number {
    return this.#nextSequence
  }

  /** The lowest sequence number not acknowledged. */
  get unacknowledged(): number {
    return this.#sent[0]?.sequence ?? this.#nextSequence
  }

  /** Whether take() would give something that nothing but the link holds back. */
  get hasWork(): boolean {
    return this.#again < this.#sent.length || this.#nextLane() !== undefined
  }

  /** Durable messages are bounded by the outbox that keeps them. @throws TsunagiError QUEUE_FULL */
  add(message: OutgoingMessage): void {
    const bytes = this.#waitingBytes + message.payload.length
    const full = bytes > LIMITS.maxQueuedBytes || this.#waitingMessages >= LIMITS.maxQueuedMessages
    if (full && message.durable === undefined) {
      throw new TsunagiError('QUEUE_FULL', 'Too much is waiting for that peer; wait until some of it has arrived.')
    }
    this.#waitingBytes = bytes
    this.#waitingMessages++
    this.#lane(message).messages.enqueue(message)
  }

  /** The next records, of about `most` bytes together; undefined where there is nothing to send or no window. */
  take(most: number): Batch | undefined {
    const records: Record[] = []
    const finished: SentRecord[] = []
    let size = 0
    let first = this.#nextSequence
    const fits = (more: number) =>
      records.length === 0 || (size + more <= most && records.length < LIMITS.maxRecordsPerFrame)
    for (; this.#again < this.#sent.length; this.#again++) {
      const sent = this.#sent[this.#again] as SentRecord
      if (!fits(sent.size)) return { first, records, finished, size }
      if (records.length === 0) first = sent.sequence
      records.push(sent)
      size += sent.size
    }
    for (;;) {
      const lane = this.#nextLane()
      if (lane === undefined) break
      const message = lane.messages.peek() as OutgoingMessage
      const length = Math.min(LIMITS.recordSize, most, message.payload.length - lane.offset)
      if (!fits(RECORD_HEAD + length)) break
      const sent = this.#cut(lane, message, length)
      records.push(sent)
      size += sent.size
      if (!sent.more) finished.push(sent)
    }
    return records.length === 0 ? undefined : { first, records, finished, size }
  }

  /**
   * The other side has all below `next`, and room for `window` bytes from there.
   * @returns messages settled by it, or undefined where it acknowledges what was never sent
   */
  acknowledge(next: number, window: number): number | undefined {
    if (next > this.#nextSequence) return undefined
    this.#window = window
    const count = next - this.unacknowledged
    if (count <= 0) return 0
    let settled = 0
    for (const sent of this.#sent.splice(0, count)) {
      this.#inFlight -= sent.size
      if (!sent.settles) continue
      settled++
      this.#settle(sent.message)
    }
    this.#again = Math.max(0, this.#again - count)
    return settled
  }

  /** All that was not acknowledged goes again, before anything new. */
  sendAgain(): void {
    this.#again = 0
  }

  /** The link is gone: what was of use only at its time is not sent any more. */
  dropEphemeral(): void {
    this.#drop(({ ephemeral }) => ephemeral, lost('The link to the peer was lost before this arrived.'))
  }

  /** Nothing but durable messages is waited for any longer. */
  dropVolatile(error: TsunagiError): void {
    this.#drop(({ durable }) => durable === undefined, error)
  }

  /**
   * A page was loaded anew, theirs or ours, and what was on its way is forgotten: numbers go on from `next`, durable messages
   * go again from the durable number `durable`, and of the others what was sent is given up.
   * @returns messages settled as delivered
   */
  restart(next: number, durable: number): number {
    const sent = this.#sent.splice(0)
    this.#again = 0
    this.#inFlight = 0
    this.#nextSequence = next
    const underWay: OutgoingMessage[] = []
    let delivered = 0
    for (const { message, settles } of sent) {
      if (!settles) continue
      if (message.durable === undefined) {
        this.#settle(message, lost('The page of the peer was loaded anew before it acknowledged this.'))
      } else underWay.push(message)
    }
    for (const lane of this.#lanes) {
      lane.offset = 0
      const waiting = [...underWay.filter((message) => this.#lane(message) === lane), ...lane.messages.drain()]
      for (const message of waiting) {
        if (message.durable !== undefined && message.durable < durable) {
          delivered++
          this.#settle(message)
        } else lane.messages.enqueue(message)
      }
    }
    return delivered
  }

  /** Nothing of it will arrive any more, as far as anybody knows. */
  failAll(error: TsunagiError): void {
    for (const { message, settles } of this.#sent.splice(0)) if (settles) this.#settle(message, error)
    for (const lane of this.#lanes) {
      for (const message of lane.messages.drain()) this.#settle(message, error)
      lane.offset = 0
    }
    this.#again = 0
    this.#inFlight = 0
  }

  /** Gives messages up; their places in the sequence are sent empty. */
  #drop(chosen: (message: OutgoingMessage) => boolean, error: TsunagiError): void {
    for (const sent of this.#sent) {
      if (!chosen(sent.message) || sent.type === 0) continue
      Object.assign(sent, EMPTY)
      if (sent.settles) this.#settle(sent.message, error)
      sent.settles = false
    }
    for (const lane of this.#lanes) {
      const first = lane.messages.peek()
      if (first !== undefined && lane.offset > 0 && chosen(first)) this.#breakOff(lane, first)
      for (const message of [...lane.messages.drain()]) {
        if (chosen(message)) this.#settle(message, error)
        else lane.messages.enqueue(message)
      }
    }
  }

  /** A message of which a part has arrived ends with an empty record, so that its lane is free for the next. */
  #breakOff(lane: LaneQueue, message: OutgoingMessage): void {
    lane.offset = 0
    const empty = { ...EMPTY, lane: LANES[message.lane], message, size: RECORD_HEAD, settles: false }
    this.#sent.push({ ...empty, sequence: this.#nextSequence++ })
    this.#inFlight += RECORD_HEAD
  }

  /** The lane whose first message may go on now. */
  #nextLane(): LaneQueue | undefined {
    const lane = this.#lanes.find(({ messages }) => messages.size > 0)
    if (lane === undefined) return undefined
    const rest = (lane.messages.peek() as OutgoingMessage).payload.length - lane.offset
    const size = RECORD_HEAD + Math.min(LIMITS.recordSize, rest)
    // With nothing on its way something may always go, or a window smaller than a record would stop all.
    return this.#inFlight === 0 || this.#inFlight + size <= this.#window ? lane : undefined
  }

  /** The next record of a lane's first message, which then counts as sent. */
  #cut(lane: LaneQueue, message: OutgoingMessage, length: number): SentRecord {
    const end = lane.offset + length
    const more = end < message.payload.length
    const sent: SentRecord = {
      type: message.type,
      raw: message.raw,
      more,
      durable: message.durable !== undefined,
      lane: LANES[message.lane],
      payload: length === message.payload.length ? message.payload : message.payload.subarray(lane.offset, end),
      message,
      size: RECORD_HEAD + length,
      settles: !more,
      sequence: this.#nextSequence++,
    }
    this.#sent.push(sent)
    this.#again = this.#sent.length
    this.#inFlight += sent.size
    lane.offset = more ? end : 0
    if (!more) lane.messages.dequeue()
    return sent
  }

  #lane(message: OutgoingMessage): LaneQueue {
    return this.#lanes[LANES[message.lane]] as LaneQueue
  }

  #settle(message: OutgoingMessage, error?: TsunagiError): void {
    this.#waitingBytes -= message.payload.length
    this.#waitingMessages--
    message.settle(error)
  }
}

function lost(message: string): TsunagiError {
  return new TsunagiError('LINK_LOST', message)
}
