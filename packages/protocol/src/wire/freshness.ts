/** Freshness of open frames (SPEC §3.2): each is taken once, and only near the time its sender states. */
import { TsunagiError } from '../errors.ts'
import { LIMITS, PROTOCOL } from '../limits.ts'
import type { Bytes } from './bytes.ts'

/**
 * Remembers the nonces of verified senders. A nonce is forgotten when its frame has become too old to be taken again,
 * so one clock, the one that timestamps are judged by, settles both.
 */
export class Freshness {
  /** Per sender: nonce and the timestamp it came with. */
  readonly #senders = new Map<string, Map<string, number>>()
  #sweptAt = 0

  /**
   * Takes a frame whose signature has been verified: only then is the nonce the sender's own.
   * @param now milliseconds since 1970, corrected by the server's clock
   * @throws TsunagiError CLOCK_SKEW, REPLAY_DETECTED, RATE_LIMITED where there is no room to remember the nonce
   */
  take(frame: { readonly sender_id: Bytes; readonly nonce: Bytes; readonly timestamp: number }, now: number): void {
    if (Math.abs(now - frame.timestamp) > PROTOCOL.clockSkew) {
      throw new TsunagiError(
        'CLOCK_SKEW',
        `The time stated in a frame is ${Math.round(Math.abs(now - frame.timestamp) / 1000)} s off: check the clocks of both devices.`,
      )
    }
    // Also after the clock was set back.
    if (Math.abs(now - this.#sweptAt) >= PROTOCOL.clockSkew) this.sweep(now)
    const sender = frame.sender_id.toString()
    const nonce = frame.nonce.toString()
    const nonces = this.#senders.get(sender) ?? new Map<string, number>()
    if (nonces.has(nonce)) throw new TsunagiError('REPLAY_DETECTED', 'A frame came a second time.')
    // Forgetting a nonce to make room would let its frame in again, and forgetting another sender's would be worse.
    const full =
      nonces.size >= LIMITS.maxNoncesPerSender || (nonces.size === 0 && this.#senders.size >= LIMITS.maxNonceSenders)
    if (full) {
      throw new TsunagiError(
        'RATE_LIMITED',
        'More frames before a session came than can be remembered; wait a while.',
        {
          retryAfter: LIMITS.nonceMemory,
        },
      )
    }
    nonces.set(nonce, frame.timestamp)
    this.#senders.set(sender, nonces)
  }

  /** Forgets what is too old to come again. */
  sweep(now: number): void {
    this.#sweptAt = now
    for (const [sender, nonces] of this.#senders) {
      for (const [nonce, timestamp] of nonces) if (timestamp < now - LIMITS.nonceMemory) nonces.delete(nonce)
      if (nonces.size === 0) this.#senders.delete(sender)
    }
  }

  /** Nonces remembered. */
  get size(): number {
    let size = 0
    for (const nonces of this.#senders.values()) size += nonces.size
    return size
  }
}
