/** Which peers may use which capability, and how much (SPEC R67): the user's choice, kept count of for each caller. */
import type { Audience, CapabilityPolicy, PeerId } from '../api.ts'
import { TsunagiError, toTsunagiError } from '../errors.ts'
import { LIMITS } from '../limits.ts'

const AUDIENCES: readonly Audience[] = ['mesh', 'contacts', 'ask', 'nobody']
const OPEN: CapabilityPolicy = { who: 'mesh' }

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

export class UsePolicies {
  readonly #isContact: (peer: PeerId) => boolean
  readonly #policies = new Map<string, CapabilityPolicy>()
  readonly #defaults = new Map<string, CapabilityPolicy>()
  readonly #uses = new Map<string, Use>()

  constructor(isContact: (peer: PeerId) => boolean) {
    this.#isContact = isContact
  }

  /** @throws TsunagiError INVALID_ARGUMENT */
  set(capability: string, policy: CapabilityPolicy): void {
    this.#policies.set(capability, checkPolicy(policy))
  }

  /** What holds while set() was not called for the capability: what its provider says of it. */
  setDefault(capability: string, policy: CapabilityPolicy = OPEN): void {
    this.#defaults.set(capability, policy)
  }

  of(capability: string): CapabilityPolicy {
    return this.#policies.get(capability) ?? this.#defaults.get(capability) ?? OPEN
  }

  /** @param atOnce tasks of the caller under way already */
  refusal(capability: string, caller: PeerId, atOnce: number, size: number, now: number): Refusal | undefined {
    const { who, tasksAtOnce = Number.POSITIVE_INFINITY } = this.of(capability)
    if (who === 'nobody' || (who === 'contacts' && !this.#isContact(caller))) return NOT_ALLOWED
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
    const { seconds, bytes } = this.of(capability)
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
    const { seconds = Number.POSITIVE_INFINITY, bytes = Number.POSITIVE_INFINITY } = this.of(capability)
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

/** A copy. @throws TsunagiError INVALID_ARGUMENT */
export function checkPolicy(policy: CapabilityPolicy): CapabilityPolicy {
  if (typeof policy !== 'object' || policy === null) throw wrong(POLICY)
  const { who, ask, tasksAtOnce, seconds, bytes } = readPolicy(policy)
  if (!AUDIENCES.includes(who)) throw wrong(POLICY)
  if (ask !== undefined && typeof ask !== 'function') throw wrong('The ask of a policy is a function.')
  if (who === 'ask' && ask === undefined) throw wrong('A policy that asks needs a function ask.')
  for (const most of [tasksAtOnce, seconds, bytes]) {
    if (most === undefined || (typeof most === 'number' && most > 0)) continue
    throw wrong('What a policy allows (tasksAtOnce, seconds, bytes) is a number above 0.')
  }
  return {
    who,
    ...(ask !== undefined && { ask }),
    ...(tasksAtOnce !== undefined && { tasksAtOnce }),
    ...(seconds !== undefined && { seconds }),
    ...(bytes !== undefined && { bytes }),
  }
}

const POLICY = `A policy is an object, such as { who: "contacts" }; who is one of ${AUDIENCES.join(', ')}.`

/** Each field once. */
function readPolicy(policy: CapabilityPolicy) {
  try {
    const { who, ask, tasksAtOnce, seconds, bytes } = policy
    return { who, ask, tasksAtOnce, seconds, bytes }
  } catch (cause) {
    throw toTsunagiError(cause, 'INVALID_ARGUMENT', 'The policy cannot be read; give a plain object.')
  }
}

function wrong(message: string): TsunagiError {
  return new TsunagiError('INVALID_ARGUMENT', message)
}
