/** Whether a task of another peer is taken (SPEC R45, R46, R67), by what is known before anything is kept of it. */
import type { PeerId } from '../api.ts'
import { toTsunagiError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { TaskFilePlace, TaskRejectReason } from '../messages.ts'
import type { OfferedCapability } from './capabilities.ts'
import type { ConsentDesk } from './consent.ts'
import { sizeOf, withMarks } from './files.ts'
import type { Delegated, IncomingTask } from './incoming-task.ts'
import type { UsePolicies } from './policy.ts'
import type { PolicyUses } from './policy-uses.ts'
import { schemaCheck } from './schema-check.ts'
import type { Workplaces } from './workplaces.ts'

export interface TaskRefusal {
  readonly reason: TaskRejectReason
  readonly message: string
  /** Milliseconds. */
  readonly retryAfter?: number | undefined
}

export const FULL: TaskRefusal = { reason: 'full', message: 'All places of this peer are taken.' }

export const NOT_OFFERED: TaskRefusal = {
  reason: 'unsupported',
  message: 'This peer does not offer that capability.',
}
export const NOT_AGREED: TaskRefusal = { reason: 'refused', message: 'The user of this peer did not agree.' }

export interface AdmissionOptions {
  readonly policies: UsePolicies
  readonly uses: PolicyUses
  readonly consents: ConsentDesk
  readonly workplaces: Workplaces
  /** Tasks under way. */
  readonly live: () => readonly IncomingTask[]
}

export class Admission {
  readonly #options: AdmissionOptions

  constructor(options: AdmissionOptions) {
    this.#options = options
  }

  /** Why it is not taken; undefined where it is. The cheap questions come first. @param size bytes of the encoded input */
  refusal(
    caller: PeerId,
    { capability, input, files = [] }: Delegated,
    offered: OfferedCapability,
    size: number,
    now: number,
  ): TaskRefusal | undefined {
    const { policies, uses, consents, workplaces, live } = this.#options
    const whole = size + sizeOf(files)
    const ofCaller = live().filter(({ info }) => info.peer === caller)
    const underWay = ofCaller.filter(({ info }) => info.capability === capability).length
    const refusal = uses.refusal(capability, caller, underWay + workplaces.lingering(caller, capability), whole, now)
    if (refusal !== undefined) return refusal
    const asks = policies.of(capability).who === 'ask'
    if (asks ? !consents.hasRoom(caller) : !this.hasRoom(offered, size, files)) return FULL
    if (ofCaller.filter(({ isSendingFiles }) => isSendingFiles).length >= LIMITS.maxFilesAwaited) return FULL
    if (whole > LIMITS.maxTaskFileBytes) {
      return { reason: 'too_large', message: `This peer takes ${LIMITS.maxTaskFileBytes} bytes for a task.` }
    }
    if (files.length > 0 && !this.#hasRoomForFiles(caller, whole)) {
      return { reason: 'full', message: 'This peer has no room for more files at present.' }
    }
    const problem = inputProblem(offered, input, files)
    return problem === undefined ? undefined : { reason: 'invalid_input', message: problem }
  }

  /** Whether one that the user has agreed to, or that needs no consent, may run or wait. */
  hasRoom(offered: OfferedCapability, size: number, files: readonly TaskFilePlace[]): boolean {
    const { workplaces, live } = this.#options
    const held = live().filter(({ awaitsFiles }) => awaitsFiles)
    return files.length > 0 ? workplaces.mayWait(size, held) : workplaces.hasRoom(offered, size, held)
  }

  #hasRoomForFiles(caller: PeerId, size: number): boolean {
    const withFiles = this.#options.live().filter(({ files }) => files.length > 0)
    const awaited = withFiles.filter(({ info, isHeld }) => isHeld && info.peer === caller)
    const held = withFiles.reduce((sum, { files }) => sum + sizeOf(files), 0)
    return awaited.length < LIMITS.maxFilesAwaited && held + size <= LIMITS.maxHeldFileBytes
  }
}

/** A sentence, also where a place for a Blob is none: such an input fits no schema. Undefined where it fits. */
export function inputProblem(
  offered: OfferedCapability,
  input: unknown,
  files: readonly TaskFilePlace[],
): string | undefined {
  const problem = schemaProblem(offered, input, files)
  return problem === undefined ? undefined : `The input does not fit its schema. ${problem}`
}

function schemaProblem(
  offered: OfferedCapability,
  input: unknown,
  files: readonly TaskFilePlace[],
): string | undefined {
  try {
    return schemaCheck(offered.input)(withMarks(input, files))
  } catch (cause) {
    return toTsunagiError(cause, 'INVALID_FORMAT', 'It cannot be read.').message
  }
}
