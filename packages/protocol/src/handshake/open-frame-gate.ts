/** Bounds what strangers can have checked, before any curve operation (SPEC §3.2). */
import { TsunagiError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { OpenType } from '../messages.ts'
import type { Clock } from '../ports.ts'
import { TokenBucket } from '../token-bucket.ts'
import type { Bytes } from '../wire/bytes.ts'

interface Sender {
  readonly frames: TokenBucket
  readonly handshakes: TokenBucket
  readonly errors: TokenBucket
}

export class OpenFrameGate {
  readonly #clock: Clock
  /** The least recently heard goes first: one that floods stays, and with it its empty bucket. */
  readonly #senders = new Map<string, Sender>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** @param sender as the server names it, which has proven it to the server only @throws TsunagiError RATE_LIMITED */
  admit(sender: Bytes, type: OpenType): void {
    const now = this.#clock.now()
    const { frames, handshakes } = this.#sender(sender)
    if (frames.take(1, now) && (type !== 'handshake' || handshakes.take(1, now))) return
    throw new TsunagiError('RATE_LIMITED', 'A peer sends frames faster than allowed before a session.', {
      retryAfter: 1_000 / (type === 'handshake' ? LIMITS.openHandshakeRate : LIMITS.openFrameRate),
    })
  }

  /** Whether one more error may be told to this sender. */
  mayTell(sender: Bytes): boolean {
    return this.#sender(sender).errors.take(1, this.#clock.now())
  }

  #sender(key: Bytes): Sender {
    const name = key.toString()
    const now = this.#clock.now()
    const sender = this.#senders.get(name) ?? {
      frames: new TokenBucket(LIMITS.openFrameRate, LIMITS.openFrameBurst, now),
      handshakes: new TokenBucket(LIMITS.openHandshakeRate, LIMITS.openHandshakeBurst, now),
      errors: new TokenBucket(LIMITS.openErrorRate, LIMITS.openErrorBurst, now),
    }
    this.#senders.delete(name)
    this.#senders.set(name, sender)
    if (this.#senders.size > LIMITS.maxNonceSenders) this.#senders.delete(this.#senders.keys().next().value as string)
    return sender
  }
}
