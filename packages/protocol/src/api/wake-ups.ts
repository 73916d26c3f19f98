/** Waking peers and being woken (SPEC §7.1). */
import type { Priority, WakeState } from '../messages.ts'
import type { AbortSignal } from './abort-signal.ts'

/**
 * How far a wake-up climbed (SPEC §7.1). `session`: over the open link. `socket`: to the target's page by the signaling server.
 * `push`: the server has it and a push service was told. `mailbox`: the server has it until the target comes. `none`: nowhere.
 */
export type WakeStep = 'none' | 'session' | 'socket' | 'push' | 'mailbox'

/**
 * What the target answered: `active`, it is awake; `waking`, it opens its link; `refused`, its user lets this peer not wake it;
 * `expired`, it came too late. Where it did not: `kept`, it gets the wake-up when it is back before that expires;
 * `unanswered`, it gets it no more; `expired`, as above.
 */
export type WakeOutcome = WakeState | 'kept' | 'unanswered'

/**
 * `silent`: it was sent, and nobody answered. The others say why it could not be sent higher: `offline`, the signaling server
 * cannot be reached; `unknown_peer`, it was never met, or so long ago that nobody can write to it; `rate_limited` and `full`,
 * the server takes no more of them; `unavailable`, it cannot keep any now.
 */
export type WakeFailure = 'silent' | 'offline' | 'unknown_peer' | 'rate_limited' | 'full' | 'unavailable'

export interface WakeUpResult {
  readonly outcome: WakeOutcome
  /** The highest step that was taken: where the target answered, the one that reached it. */
  readonly step: WakeStep
  /** From the call to the outcome. */
  readonly ms: number
  /** Undefined where the target answered. */
  readonly why: WakeFailure | undefined
}

export interface WakeUpOptions {
  /** Shown to the target's user, at most PROTOCOL.maxWakeReason characters; default ''. */
  readonly reason?: string
  /** Default `normal`. */
  readonly priority?: Priority
  /** Milliseconds from now after which nobody need be woken any more, 1 to PROTOCOL.maxWakeLife; default LIMITS.wakeLife. */
  readonly expires?: number
  readonly signal?: AbortSignal
}

/** Whose wake-ups have an effect here. */
export type WakePolicy = 'mesh' | 'contacts' | 'nobody'

/** What became of wake-ups of others, and of answers to ours. */
export interface WakeUpCounts {
  /** Had an effect. */
  readonly taken: number
  /** Came again, and were only answered again. */
  readonly repeated: number
  /** Without effect: forged, replayed, expired, misaddressed, not allowed by the policy, too many; answers to nothing. */
  readonly refused: number
}

/**
 * Whether this peer can be woken while no page of it is open. `unsupported`: not in this browser, or not where nothing is
 * kept. `denied`: the user forbade notifications of this site.
 */
export type ReachabilityState = 'unsupported' | 'denied' | 'off' | 'on'

export interface Reachability {
  readonly state: ReachabilityState
  /**
   * Asks the user's permission, subscribes to pushes and tells the server; call it from a click. Kept over pages until
   * disable(). The page that a click on the notification opens is the one of `url`; default the address of this one.
   * Rejects with NOT_SUPPORTED, INVALID_STATE where the user declined, SIGNALING_UNREACHABLE, STORAGE_FAILED.
   */
  enable(url?: string): Promise<void>
  /** Idempotent. Rejects with STORAGE_FAILED. */
  disable(): Promise<void>
}
