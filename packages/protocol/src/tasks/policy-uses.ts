/** What each caller used of a capability, and what a policy leaves it (SPEC R67). */
import type { PeerId } from '../api.ts'
import { LIMITS } from '../limits.ts'
import type { UsePolicies } from './policy.ts'

/** What one caller used of one capability since `since`. */
interface Use {
  since: number
  milliseconds: number
  bytes: number
}

export interface Refusal {
  readonly reason: 'refused' | 'full'
  readonly message: string
  /** Milliseconds. */
  readonly retryAfter: number | undefined
}

const NOT_ALLOWED: Refusal = {
  reason: 'refused',
  message: 'This peer does not do that for you.',
  retryAfter: undefined,
}

export class PolicyUses {
  readonly #policies: UsePolicies
  readonly #uses = new Map<string, Use>()

  constructor(policies: UsePolicies) {
    this.#policies = policies
  }

  /** @param atOnce tasks of the caller under way already */
  refusal(capability: string, caller: PeerId, atOnce: number, size: number, now: number): Refusal | undefined {
    const { who, tasksAtOnce = Number.POSITIVE_INFINITY } = this.#policies.of(capability)
    if (who === 'nobody' || (who === 'contacts' && !this.#policies.isContact(caller))) return NOT_ALLOWED
    if (atOnce >= tasksAtOnce) {
      const message = `This peer takes ${tasksAtOnce} tasks of yours at once.`
      return { reason: 'full', message, retryAfter: undefined }
    }
    const { milliseconds, bytes } = this.#left(capability, caller, now)
    if (milliseconds > 0 && bytes >= size) return undefined
    const since = this.#uses.get(keyOf(capability, caller))?.since ?? now
    const message = 'You have used what this peer allows you of that capability.'
    return { reason: 'refused', message, retryAfter: Math.max(0, since + LIMITS.policyWindow - now) }
  }

  /** How long a task of `caller` may run: milliseconds, maybe without end. */
  timeLeft(capability: string, caller: PeerId, now: number): number {
    return this.#left(capability, caller, now).milliseconds
  }

  count(capability: string, caller: PeerId, used: Partial<Omit<Use, 'since'>>, now: number): void {
    const { seconds, bytes } = this.#policies.of(capability)
    if (seconds === undefined && bytes === undefined) return
    const use = this.#use(capability, caller, now)
    use.milliseconds += used.milliseconds ?? 0
    use.bytes += used.bytes ?? 0
    // The one counted last is the last to be forgotten.
    const key = keyOf(capability, caller)
    this.#uses.delete(key)
    this.#uses.set(key, use)
    for (const oldest of this.#uses.keys()) {
      if (this.#uses.size <= LIMITS.maxPolicyUses) break
      this.#uses.delete(oldest)
    }
  }

  #left(capability: string, caller: PeerId, now: number): Omit<Use, 'since'> {
    const { seconds = Number.POSITIVE_INFINITY, bytes = Number.POSITIVE_INFINITY } = this.#policies.of(capability)
    const use = this.#use(capability, caller, now)
    return { milliseconds: seconds * 1_000 - use.milliseconds, bytes: bytes - use.bytes }
  }

  #use(capability: string, caller: PeerId, now: number): Use {
    const use = this.#uses.get(keyOf(capability, caller))
    const isOver = use === undefined || Math.abs(now - use.since) >= LIMITS.policyWindow
    return isOver ? { since: now, milliseconds: 0, bytes: 0 } : use
  }
}

function keyOf(capability: string, caller: PeerId): string {
  return `${caller} ${capability}`
}
