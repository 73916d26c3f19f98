/** Which peers may use which capability, and how much (SPEC R67): the user's choice; policy-uses.ts keeps count of it. */
import type { Audience, CapabilityPolicy, PeerId } from '../api.ts'
import { TsunagiError, toTsunagiError } from '../errors.ts'

const AUDIENCES: readonly Audience[] = ['mesh', 'contacts', 'ask', 'nobody']
const OPEN: CapabilityPolicy = { who: 'mesh' }

export class UsePolicies {
  readonly isContact: (peer: PeerId) => boolean
  readonly #policies = new Map<string, CapabilityPolicy>()
  readonly #defaults = new Map<string, CapabilityPolicy>()

  constructor(isContact: (peer: PeerId) => boolean) {
    this.isContact = isContact
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
