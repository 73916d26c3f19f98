/** What is counted about one peer (SPEC §7). */
import type { PeerStatistics } from '../api.ts'
import type { TsunagiError } from '../errors.ts'
import { LIMITS } from '../limits.ts'

/** The latest LIMITS.roundTripSamples round trips. */
export class RoundTrips {
  readonly #samples: number[] = []
  #next = 0

  /** @param ms milliseconds, 0 or more */
  add(ms: number): void {
    this.#samples[this.#next] = ms
    this.#next = (this.#next + 1) % LIMITS.roundTripSamples
  }

  get median(): number | undefined {
    return this.#quantile(0.5)
  }

  get p95(): number | undefined {
    return this.#quantile(0.95)
  }

  /** Nearest rank: always a value that was measured. */
  #quantile(share: number): number | undefined {
    const sorted = this.#samples.toSorted((a, b) => a - b)
    return sorted[Math.ceil(share * sorted.length) - 1]
  }
}

export class PeerCounters {
  readonly roundTrips = new RoundTrips()
  #messagesSent = 0
  #messagesReceived = 0
  #bytesSent = 0
  #bytesReceived = 0
  #delivered = 0
  #failed = 0
  #framesRejected = 0
  #lastSeen: number | undefined
  #lastError: PeerStatistics['lastError']

  /** A message handed to the link for the first time. */
  sent(bytes: number): void {
    this.#messagesSent++
    this.#bytesSent += bytes
  }

  /** A message that came and was verified. @param now milliseconds since 1970 */
  received(bytes: number, now: number): void {
    this.#messagesReceived++
    this.#bytesReceived += bytes
    this.#lastSeen = now
  }

  /** The other side has acknowledged `messages` more. */
  delivered(messages: number): void {
    this.#delivered += messages
  }

  /** A message was rejected to its sender. */
  failed(error: TsunagiError, now: number): void {
    this.#failed++
    this.#lastError = { code: error.code, message: error.message, at: now }
  }

  /** A frame was refused. */
  frameRejected(error: TsunagiError, now: number): void {
    this.#framesRejected++
    this.#lastError = { code: error.code, message: error.message, at: now }
  }

  /** Something went wrong that is no message's failure: what the peer told, or a handshake that came to nothing. */
  trouble(error: { readonly code: string; readonly message: string }, now: number): void {
    this.#lastError = { code: error.code, message: error.message, at: now }
  }

  snapshot(): PeerStatistics {
    return {
      messagesSent: this.#messagesSent,
      messagesReceived: this.#messagesReceived,
      bytesSent: this.#bytesSent,
      bytesReceived: this.#bytesReceived,
      delivered: this.#delivered,
      failed: this.#failed,
      framesRejected: this.#framesRejected,
      roundTripMedian: this.roundTrips.median,
      roundTripP95: this.roundTrips.p95,
      lastSeen: this.#lastSeen,
      lastError: this.#lastError,
    }
  }
}
