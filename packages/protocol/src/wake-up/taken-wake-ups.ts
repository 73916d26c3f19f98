/** Wake-ups of others that were looked at: how many of whom, and which must not have an effect again (SPEC §7.1). */
import type { PeerId } from '../api.ts'
import { TsunagiError } from '../errors.ts'
import { LIMITS, PROTOCOL } from '../limits.ts'
import type { WakeState } from '../messages.ts'
import { TokenBucket } from '../token-bucket.ts'
import type { Bytes } from '../wire/bytes.ts'

/** A wake-up that was verified. Times are milliseconds since 1970 by the server's clock. */
export interface VerifiedWakeUp {
  readonly nonce: Bytes
  /** Undefined in a session, which lets nothing come twice. */
  readonly timestamp: number | undefined
  readonly expires: number
}

interface Sender {
  readonly bucket: TokenBucket
  /** By nonce, oldest first: what was answered. */
  readonly answers: Map<string, WakeState>
  /** Timestamp of the newest. */
  newest: number
  /** When nothing that it sent so far is taken any more. */
  until: number
}

export class TakenWakeUps {
  readonly #senders = new Map<PeerId, Sender>()

  /**
   * Looks at a wake-up that was verified.
   * @param newest timestamp of the newest that a page before this one took from the sender
   * @param now by the server's clock
   * @returns what it was answered before, undefined where it is new
   * @throws TsunagiError RATE_LIMITED, REPLAY_DETECTED, CLOCK_SKEW
   */
  look(from: PeerId, wakeUp: VerifiedWakeUp, newest: number, now: number): WakeState | undefined {
    const sender = this.#senderOf(from, newest, now)
    if (!sender.bucket.take(1, now)) {
      throw new TsunagiError('RATE_LIMITED', `A peer sent more than ${LIMITS.wakeUpsPerMinute} wake-ups a minute.`)
    }
    const { timestamp } = wakeUp
    if (timestamp !== undefined && timestamp > now + PROTOCOL.clockSkew) {
      throw new TsunagiError('CLOCK_SKEW', 'A wake-up is from the future: check the clocks of both devices.')
    }
    const before = sender.answers.get(wakeUp.nonce.toString())
    const isOld = timestamp !== undefined && timestamp <= sender.newest
    if (before === undefined && isOld) {
      throw new TsunagiError('REPLAY_DETECTED', 'A wake-up is no newer than one that was taken before.')
    }
    sender.newest = Math.max(sender.newest, timestamp ?? 0)
    sender.until = Math.max(sender.until, endOf(wakeUp, now))
    return before
  }

  /** From now on the wake-up of that nonce is answered so. */
  answered(from: PeerId, nonce: Bytes, state: WakeState): void {
    const answers = this.#senders.get(from)?.answers
    answers?.set(nonce.toString(), state)
    const [oldest] = answers?.keys() ?? []
    if (answers !== undefined && oldest !== undefined && answers.size > LIMITS.maxWakesPerSender) answers.delete(oldest)
  }

  /** To forget a sender whose wake-ups have not expired would let them in again: there is no room for another, then. */
  #senderOf(from: PeerId, newest: number, now: number): Sender {
    let sender = this.#senders.get(from)
    if (sender !== undefined) return sender
    if (this.#senders.size >= LIMITS.maxWakeSenders) this.#sweep(now)
    if (this.#senders.size >= LIMITS.maxWakeSenders) {
      throw new TsunagiError('RATE_LIMITED', 'More peers sent wake-ups than can be remembered.')
    }
    const bucket = new TokenBucket(LIMITS.wakeUpsPerMinute / 60, LIMITS.wakeUpsPerMinute, now)
    sender = { bucket, answers: new Map(), newest, until: now + LIMITS.nonceMemory }
    this.#senders.set(from, sender)
    return sender
  }

  #sweep(now: number): void {
    for (const [from, { until }] of this.#senders) if (until < now) this.#senders.delete(from)
  }
}

/** When a wake-up is good for nothing any more. */
export function endOf({ timestamp, expires }: VerifiedWakeUp, now: number): number {
  return Math.min(expires, (timestamp ?? now) + PROTOCOL.maxWakeLife)
}
