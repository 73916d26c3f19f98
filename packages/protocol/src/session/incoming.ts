/** What one side of a session receives (SPEC §5): each message once and in the order of its numbers, whatever the links did. */
import { TsunagiError } from '../errors.ts'
import { LIMITS, PROTOCOL } from '../limits.ts'
import { type Bytes, joined } from '../wire/bytes.ts'
import { DURABLE_PREFIX, RECORD_HEAD, type Record } from './frame.ts'

export interface IncomingMessage {
  readonly type: number
  readonly raw: boolean
  readonly durable: boolean
  readonly payload: Bytes
  /** The number of its last record. */
  readonly sequence: number
}

/**
 * A message of several records so far. Its pieces stay in the frames that brought them, and are copied together before these are
 * more than twice the message and one frame: however small the pieces and however large the frames, that is the most that is held.
 */
interface Assembly {
  pieces: Bytes[]
  length: number
  /** Bytes of the frames that the pieces stand in, and of what else a piece takes. */
  held: number
}

/** Bytes that a piece takes besides its own: a peer may send as many as it likes that are empty. */
const PIECE_COST = 128

export class Incoming {
  readonly #deliver: (message: IncomingMessage) => void
  /** Records that came before one that is missing. */
  readonly #early = new Map<number, Record>()
  readonly #assemblies = new Map<number, Assembly>()
  #expected = 1
  /** The number after the highest that the other side has used. */
  #reached = 1
  #earlyBytes = 0

  constructor(deliver: (message: IncomingMessage) => void) {
    this.#deliver = deliver
  }

  /** The next sequence number expected. */
  get expected(): number {
    return this.#expected
  }

  /** Whether something was sent that has not come. */
  get hasGap(): boolean {
    return this.#reached > this.#expected
  }

  /**
   * Takes the records of a verified frame.
   * @param first number of the first record, or of the next one where there is none
   * @throws TsunagiError SEQUENCE_ERROR where more is missing than is waited for, INVALID_FORMAT and MESSAGE_TOO_LARGE where
   * the records cannot be messages
   */
  take(first: number, records: readonly Record[]): void {
    if (first > this.#expected + LIMITS.maxSequenceGap) {
      throw new TsunagiError('SEQUENCE_ERROR', `Message ${this.#expected} was expected and ${first} came.`)
    }
    this.#reached = Math.max(this.#reached, first + records.length)
    let sequence = first
    for (const record of records) {
      if (sequence === this.#expected) this.#next(record)
      else if (sequence > this.#expected) this.#keep(sequence, record)
      sequence++
    }
    for (let early = this.#early.get(this.#expected); early; early = this.#early.get(this.#expected)) this.#next(early)
  }

  /** Forgets what waits for something missing: all of it comes again, unasked. */
  dropEarly(): void {
    this.#early.clear()
    this.#earlyBytes = 0
    this.#reached = this.#expected
  }

  /** The other side begins anew at `expected`: its page, or ours, forgot what had come in part. */
  restart(expected: number): void {
    this.#expected = expected
    this.#assemblies.clear()
    this.dropEarly()
  }

  #keep(sequence: number, record: Record): void {
    if (this.#early.has(sequence)) return
    this.#earlyBytes += RECORD_HEAD + record.payload.length
    if (this.#earlyBytes > LIMITS.receiveWindow) {
      throw new TsunagiError('CREDIT_EXCEEDED', 'The peer sent more than it was allowed to.')
    }
    this.#early.set(sequence, { ...record, payload: record.payload.slice() })
  }

  #next(record: Record): void {
    const sequence = this.#expected++
    const early = this.#early.get(sequence)
    if (early !== undefined) {
      this.#early.delete(sequence)
      this.#earlyBytes -= RECORD_HEAD + early.payload.length
    }
    if (record.type === 0) {
      if (record.payload.length > 0 || record.more)
        throw new TsunagiError('INVALID_FORMAT', 'A skipped message has a payload.')
      // What had come of it is not completed any more.
      this.#assemblies.delete(record.lane)
      return
    }
    const { type, raw, durable } = record
    const assembly = this.#assemblies.get(record.lane)
    if (assembly === undefined && !record.more) {
      this.#deliver({ type, raw, durable, payload: record.payload, sequence })
      return
    }
    const whole = append(assembly ?? { pieces: [], length: 0, held: 0 }, record)
    if (record.more) {
      this.#assemblies.set(record.lane, whole)
      return
    }
    this.#assemblies.delete(record.lane)
    this.#deliver({ type, raw, durable, payload: joined(whole.pieces), sequence })
  }
}

/** @throws TsunagiError MESSAGE_TOO_LARGE */
function append(assembly: Assembly, { payload: piece, durable }: Record): Assembly {
  const { pieces } = assembly
  assembly.held += PIECE_COST
  if (pieces.at(-1)?.buffer !== piece.buffer) assembly.held += piece.buffer.byteLength
  pieces.push(piece)
  assembly.length += piece.length
  if (assembly.length > PROTOCOL.maxMessage + (durable ? DURABLE_PREFIX : 0)) {
    throw new TsunagiError('MESSAGE_TOO_LARGE', `A message of the peer has more than ${PROTOCOL.maxMessage} bytes.`)
  }
  if (assembly.held > 2 * assembly.length + PROTOCOL.maxFrame) {
    assembly.pieces = [joined(pieces)]
    assembly.held = assembly.length
  }
  return assembly
}
