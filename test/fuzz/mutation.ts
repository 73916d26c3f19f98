import { type Bytes, concat } from '../../packages/protocol/src/wire/bytes.ts'
import type { Random } from './random.ts'

/** Genuine frames of the recent past, for splices and replays. */
export class Recent {
  static readonly #MOST = 64
  readonly #frames: Bytes[] = []
  #next = 0

  add(frame: Bytes): void {
    this.#frames[this.#next] = frame.slice()
    this.#next = (this.#next + 1) % Recent.#MOST
  }

  /** One of them, or random bytes where there is none. */
  choose(random: Random): Bytes {
    return this.#frames.length === 0 ? random.bytes(100) : random.of(this.#frames)
  }
}

/**
 * What an attacker without keys can make of a genuine frame: it is never that frame again, but may be an older one.
 * @param fields where the parts of such a frame begin
 */
export function mutate(random: Random, frame: Bytes, recent: Recent, fields: readonly number[]): Bytes {
  const changed = frame.slice()
  const at = random.below(changed.length)
  switch (random.below(10)) {
    case 0:
    case 1:
    case 2:
      for (let flips = 1 + random.below(3); flips > 0; flips--) flip(random, changed, random.below(changed.length))
      break
    case 3:
      return different(random, frame.slice(0, at), frame)
    case 4:
      return concat(frame, random.bytes(1 + random.below(40)))
    case 5:
      return concat(frame.subarray(0, at), frame.subarray(Math.max(0, at - random.below(40))))
    case 6: {
      const field = random.of(fields)
      const end = Math.min(changed.length, field + random.of([1, 4, 8, 16, 32]))
      if (field < end) changed.set(recent.choose(random).subarray(field, end), field)
      break
    }
    case 7: {
      const other = recent.choose(random)
      return different(random, concat(frame.subarray(0, at), other.subarray(random.below(other.length))), frame)
    }
    case 8:
      return different(random, recent.choose(random).slice(), frame)
    default:
      return random.bytes(1 + random.below(random.chance(0.01) ? 60_000 : 400))
  }
  return different(random, changed, frame)
}

function different(random: Random, changed: Bytes, frame: Bytes): Bytes {
  if (changed.length !== frame.length || changed.some((byte, i) => byte !== frame[i])) return changed
  flip(random, changed, random.below(changed.length))
  return changed
}

function flip(random: Random, bytes: Bytes, at: number): void {
  bytes[at] = (bytes[at] as number) ^ (1 << random.below(8))
}
