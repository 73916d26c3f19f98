/** What this peer offers to others (SPEC §8): descriptions to announce, handlers to run, schemas to check by. */
import type { Capability, CapabilityPolicy, TaskHandler } from '../api.ts'
import { TsunagiError, toTsunagiError } from '../errors.ts'
import { LIMITS, PROTOCOL } from '../limits.ts'
import { type CapabilityDescription, capabilityDescription } from '../messages.ts'
import type { Bytes } from '../wire/bytes.ts'
import { encodeCbor, parseAs } from '../wire/cbor.ts'
import { asItArrives } from './payload.ts'
import { checkPolicy } from './policy.ts'
import { type ReadSchema, readSchema } from './schema.ts'

export interface OfferedCapability {
  readonly description: CapabilityDescription
  readonly handler: TaskHandler
  /** Tasks of this capability at once. */
  readonly concurrency: number
  readonly onReload: 'restart' | 'lost'
  /** Undefined where its provider said nothing of it. */
  readonly policy: CapabilityPolicy | undefined
  readonly input: ReadSchema
  readonly output: ReadSchema
}

export function isCapabilityName(name: unknown): name is string {
  return typeof name === 'string' && name !== '' && name.length <= PROTOCOL.maxCapabilityName
}

/** The bytes whose SHA-256 is the digest of a `capability_response` and of a `status_report`: their deterministic CBOR. */
export function capabilityDigestInput(descriptions: readonly CapabilityDescription[]): Bytes {
  return encodeCbor(descriptions)
}

export class CapabilityRegistry {
  readonly #offered = new Map<string, OfferedCapability>()
  readonly #onProvided: (offered: OfferedCapability) => void

  /** @param onProvided a capability is offered from now on. Must not throw. */
  constructor(onProvided: (offered: OfferedCapability) => void = () => undefined) {
    this.#onProvided = onProvided
  }

  /**
   * Offers a capability; its schemas are read as {@link readSchema} says. The returned function withdraws it: no new
   * task is taken, those already taken are finished.
   * @throws TsunagiError INVALID_ARGUMENT
   */
  provide(capability: Capability, handler: TaskHandler): () => void {
    const offered = offeredOf(capability, handler)
    const { name } = offered.description
    if (this.#offered.has(name)) {
      throw refused(`The capability ${name} is offered already; withdraw it first, or give this one another name.`)
    }
    if (this.#offered.size >= PROTOCOL.maxCapabilities) {
      throw refused(`A peer offers at most ${PROTOCOL.maxCapabilities} capabilities; withdraw one first.`)
    }
    const announced = encodeCbor({
      capabilities: [...this.descriptions(), offered.description],
      digest: new Uint8Array(32),
    }).length
    if (announced > PROTOCOL.maxControl) {
      throw refused(
        `With ${name} the capabilities take ${announced} bytes to announce, more than ${PROTOCOL.maxControl}; shorten the schemas.`,
      )
    }
    this.#offered.set(name, offered)
    this.#onProvided(offered)
    return () => {
      if (this.#offered.get(name) === offered) this.#offered.delete(name)
    }
  }

  find(name: string): OfferedCapability | undefined {
    return this.#offered.get(name)
  }

  /** By name, so that the same capabilities have the same digest. */
  descriptions(): CapabilityDescription[] {
    return Array.from(this.#offered.values(), (offered) => offered.description).sort((a, b) =>
      a.name < b.name ? -1 : 1,
    )
  }

  /** Tasks that run at once, of all capabilities: LIMITS.maxRunningTasks, or as many as one capability asks for. */
  get places(): number {
    return Math.max(LIMITS.maxRunningTasks, ...Array.from(this.#offered.values(), (offered) => offered.concurrency))
  }
}

function offeredOf(capability: Capability, handler: TaskHandler): OfferedCapability {
  if (typeof capability !== 'object' || capability === null) {
    throw refused('provide() takes a capability, such as { name: "text.count", version: "1.0" }, and its handler.')
  }
  const { description, concurrency = LIMITS.maxRunningTasks, onReload, policy } = readCapability(capability)
  const { name, idempotent = false } = description
  if (typeof handler !== 'function') throw refused(`The handler of ${name} must be a function.`)
  if (!Number.isInteger(concurrency) || concurrency < 1 || concurrency > LIMITS.maxConcurrency) {
    throw refused(`The concurrency of ${name} must be a whole number from 1 to ${LIMITS.maxConcurrency}.`)
  }
  if (onReload !== undefined && onReload !== 'restart' && onReload !== 'lost') {
    throw refused(`The onReload of ${name} is restart or lost.`)
  }
  return {
    description,
    handler,
    concurrency,
    onReload: onReload ?? (idempotent ? 'restart' : 'lost'),
    policy: policy === undefined ? undefined : checkPolicy(policy),
    input: readSchema(description.input ?? true, `The input schema of ${name}`),
    output: readSchema(description.output ?? true, `The output schema of ${name}`),
  }
}

/** The description is a copy as others will read it, in the nesting of the message that carries it; the rest is not for them. */
function readCapability(capability: Capability) {
  try {
    const { concurrency, onReload, policy, ...description } = capability
    const parsed = parseAs(capabilityDescription, description, 'The capability')
    const what = `The capability ${parsed.name}`
    const [announced] = asItArrives({ capabilities: [parsed] }, what, 'INVALID_ARGUMENT').capabilities
    return { description: announced as CapabilityDescription, concurrency, onReload, policy }
  } catch (cause) {
    const why = 'The capability cannot be read; give a plain object.'
    throw refused(toTsunagiError(cause, 'INVALID_ARGUMENT', why).message, cause)
  }
}

function refused(message: string, cause?: unknown): TsunagiError {
  return new TsunagiError('INVALID_ARGUMENT', message, cause === undefined ? {} : { cause })
}
