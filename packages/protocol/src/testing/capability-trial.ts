/** Runs a capability as two peers would, without a browser, a network or keys. */
import type { Capability, DelegateOptions, PeerId, Task, TaskHandler } from '../api.ts'
import type { TsunagiError } from '../errors.ts'
import type { SessionPayload, SessionType } from '../messages.ts'
import type { Clock } from '../ports.ts'
import { TaskCaller } from '../tasks/caller.ts'
import { CapabilityRegistry } from '../tasks/capabilities.ts'
import { TaskExecutor } from '../tasks/executor.ts'
import { asItArrives } from '../tasks/payload.ts'
import { UsePolicies } from '../tasks/policy.ts'
import { BlobHandOver } from './blob-hand-over.ts'

const [CALLER, EXECUTOR] = ['did:key:z6MkCaller', 'did:key:z6MkExecutor']

export interface TrialOptions {
  /** Default: that of this program. One of the test's own makes deadlines pass at once. */
  readonly clock?: Clock
}

export interface CapabilityTrial {
  /**
   * As Peer.delegate(): the input is checked by the capability's schema and comes to the handler as it would from another
   * browser, the output is checked and comes back so; progress, partial results, cancelling, deadlines and Blobs work. It is
   * tried once, unless `retries` says otherwise.
   */
  delegate<Output = unknown>(input: unknown, options?: DelegateOptions): Task<Output>
  /** Ends what is under way. */
  close(): void
}

/**
 * @example
 * const trial = tryCapability(wordCount, countWords)
 * expect(await trial.delegate('to be or not to be').result).toEqual({ words: 6 })
 * @throws TsunagiError INVALID_ARGUMENT, as provide()
 */
export function tryCapability(
  capability: Capability,
  handler: TaskHandler,
  { clock = systemClock }: TrialOptions = {},
): CapabilityTrial {
  const capabilities = new CapabilityRegistry()
  capabilities.provide(capability, handler)
  const blobs = new BlobHandOver()
  const fail = (error: TsunagiError) => {
    throw error
  }
  const executor: TaskExecutor = new TaskExecutor({
    clock,
    capabilities,
    policies: new UsePolicies(() => true),
    files: blobs.side(clock, EXECUTOR, (offer) => caller.takeOffer(offer)),
    send: (_, type, payload) => deliver(() => tellCaller(type, copy(payload))),
    sendResult(_, payload) {
      const delivered = deliver(() => void caller.handleResult(EXECUTOR, copy(payload)))
      return { accepted: delivered, delivered }
    },
    store: undefined,
    onChange: () => undefined,
    onError: fail,
  })
  const caller: TaskCaller = new TaskCaller({
    clock,
    randomBytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
    files: blobs.side(clock, CALLER, (offer) => executor.takeOffer(offer)),
    send: (_, type, payload) => deliver(() => tellExecutor(type, copy(payload))),
    choose: () => EXECUTOR,
    isIdempotent: () => capability.idempotent === true,
    mayWake: () => false,
    outputCheck: () => undefined,
    onGiven: () => undefined,
    onTried: () => undefined,
    store: undefined,
    onChange: () => undefined,
    onError: fail,
  })

  function tellExecutor(type: SessionType, payload: unknown): void {
    const from: PeerId = CALLER
    if (type === 'task_delegate') executor.handleDelegate(from, payload as SessionPayload<'task_delegate'>)
    else if (type === 'task_cancel') executor.handleCancel(from, payload as SessionPayload<'task_cancel'>)
    else if (type === 'task_query') executor.handleQuery(from, payload as SessionPayload<'task_query'>)
    else if (type === 'task_credit') executor.handleCredit(from, payload as SessionPayload<'task_credit'>)
  }

  function tellCaller(type: SessionType, payload: unknown): void {
    const from: PeerId = EXECUTOR
    if (type === 'task_accept') caller.handleAccept(from, payload as SessionPayload<'task_accept'>)
    else if (type === 'task_reject') caller.handleReject(from, payload as SessionPayload<'task_reject'>)
    else if (type === 'task_progress') caller.handleProgress(from, payload as SessionPayload<'task_progress'>)
    else if (type === 'task_partial') caller.handlePartial(from, payload as SessionPayload<'task_partial'>)
    else if (type === 'task_renew') caller.handleRenew(from, payload as SessionPayload<'task_renew'>)
    else if (type === 'task_state') void caller.handleState(from, payload as SessionPayload<'task_state'>)
    else if (type === 'task_result') void caller.handleResult(from, payload as SessionPayload<'task_result'>)
  }

  return {
    delegate: (input, options) => caller.delegate(capability.name, input, { retries: 0, ...options }),
    close() {
      caller.close()
      executor.close()
    },
  }
}

/** The other side has it a moment later, as all that travels. */
async function deliver(arrive: () => void): Promise<void> {
  await Promise.resolve()
  arrive()
}

function copy<P>(payload: P): P {
  return asItArrives(payload, 'The message', 'INVALID_FORMAT')
}

const systemClock: Clock = {
  now: () => Date.now(),
  after(delay, action) {
    const timer = setTimeout(action, delay)
    return () => clearTimeout(timer)
  },
}
