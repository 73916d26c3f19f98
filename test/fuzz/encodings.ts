import { isTsunagiError } from '../../packages/protocol/src/errors.ts'
import { PRIORITIES, SIGNALING_TYPES } from '../../packages/protocol/src/messages.ts'
import { decodeSignaling } from '../../packages/protocol/src/signaling/messages.ts'
import { type Bytes, concat, equalBytes } from '../../packages/protocol/src/wire/bytes.ts'
import { decodeCbor, encodeCbor } from '../../packages/protocol/src/wire/cbor.ts'
import { mutate, Recent } from './mutation.ts'
import type { Random } from './random.ts'
import type { Findings, Target } from './target.ts'

/** Where the type byte, a key behind it and the payload begin. */
const FIELDS = [0, 1, 2, 33]

/** A signaling message with the right fields and, in one of them, anything. */
export function signalingMessage(random: Random): Bytes {
  const type = random.of(Object.values(SIGNALING_TYPES))
  const payload: Record<string, unknown> = {
    challenge: random.bytes(32),
    time: random.below(2 ** 32),
    max_message: 65_536,
    members: [random.bytes(200)],
    total: random.below(3),
    ice_servers: [{ urls: ['stun:stun.example'] }],
    event: random.of(['joined', 'left']),
    presence: random.bytes(200),
    public_key: random.bytes(32),
    code: random.of(['UNKNOWN_PEER', 'RATE_LIMITED', ...PRIORITIES]),
    message: 'no',
  }
  const fields = Object.keys(payload).filter(() => random.chance(0.4))
  const chosen: Record<string, unknown> = Object.fromEntries(fields.map((field) => [field, payload[field]]))
  if (fields.length > 0 && random.chance(0.5)) chosen[random.of(fields)] = random.value()
  return concat(Uint8Array.of(type), encodeCbor(chosen))
}

/** CBOR and the messages of signaling: each decoder gives a value with one encoding, or a TsunagiError. */
export class Encodings implements Target {
  readonly name = 'encodings'
  readonly share = 0.3
  readonly #random: Random
  readonly #findings: Findings
  readonly #recent = new Recent()

  constructor(random: Random, findings: Findings) {
    this.#random = random
    this.#findings = findings
  }

  async round(frames: number): Promise<number> {
    for (let i = 0; i < frames; i += 2) {
      this.#cbor()
      this.#signaling()
    }
    return frames
  }

  figures(): Record<string, number> {
    return {}
  }

  async close(): Promise<void> {
    // Nothing is open.
  }

  #cbor(): void {
    const genuine = encodeCbor(this.#random.value())
    if (!equalBytes(encodeCbor(decodeCbor(genuine)), genuine)) this.#findings.lost++
    this.#recent.add(genuine)
    const mutant = mutate(this.#random, genuine, this.#recent, FIELDS)
    this.#refusing(() => {
      if (!equalBytes(encodeCbor(decodeCbor(mutant)), mutant)) this.#findings.forged_delivered++
    })
  }

  #signaling(): void {
    const genuine = signalingMessage(this.#random)
    this.#recent.add(genuine)
    this.#refusing(() => decodeSignaling(mutate(this.#random, genuine, this.#recent, FIELDS)))
  }

  #refusing(action: () => unknown): void {
    try {
      action()
    } catch (error) {
      if (isTsunagiError(error)) return
      this.#findings.crashes++
      console.error(error)
    }
  }
}
