/** Takes in tasks of other peers (SPEC §8), and those that a page before this one left: until each runs, waits for a place, or is refused. */
import type { CapabilityPolicy, PeerId, TaskInfo } from '../api.ts'
import { type ErrorCode, type TsunagiError, toTsunagiError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { Clock } from '../ports.ts'
import type { Bytes } from '../wire/bytes.ts'
import { decodeCbor, encodeCbor } from '../wire/cbor.ts'
import { uuidBytes } from '../wire/uuid.ts'
import { Admission, FULL, inputProblem, NOT_AGREED, NOT_OFFERED } from './admission.ts'
import type { CapabilityRegistry, OfferedCapability } from './capabilities.ts'
import { ConsentDesk } from './consent.ts'
import type { ExecutorArchive } from './executor-archive.ts'
import type { ExecutorFiles } from './executor-files.ts'
import { sizeOf, withMarks } from './files.ts'
import { type Delegated, type Given, IncomingTask, newInfo } from './incoming-task.ts'
import type { TaskLedger } from './ledger.ts'
import type { SendMessage } from './payload.ts'
import type { UsePolicies } from './policy.ts'
import type { PolicyUses } from './policy-uses.ts'
import type { Renewal } from './renewal.ts'
import type { TaskReplies } from './replies.ts'
import { isTerminal } from './states.ts'
import type { StoredTask } from './store.ts'
import type { Workplaces } from './workplaces.ts'

export interface IntakeOptions {
  readonly clock: Clock
  readonly capabilities: CapabilityRegistry
  readonly policies: UsePolicies
  readonly send: SendMessage
  /** What no call can report: a message that could not be sent although its receiver is there, a store that failed. Must not throw. */
  readonly onError: (error: TsunagiError) => void
}

export interface IntakeParts {
  readonly ledger: TaskLedger<IncomingTask>
  readonly renewal: Renewal
  readonly archive: ExecutorArchive
  readonly uses: PolicyUses
  readonly workplaces: Workplaces
  readonly replies: TaskReplies
  readonly files: ExecutorFiles
  /** A task that was taken cannot be done. */
  readonly onFailed: (task: IncomingTask, code: ErrorCode, message: string) => void
}

export class Intake {
  readonly #options: IntakeOptions
  readonly #parts: IntakeParts
  readonly #consents: ConsentDesk
  readonly #admission: Admission

  constructor(options: IntakeOptions, parts: IntakeParts) {
    this.#options = options
    this.#parts = parts
    this.#consents = new ConsentDesk(options.clock)
    this.#admission = new Admission({
      policies: options.policies,
      uses: parts.uses,
      consents: this.#consents,
      workplaces: parts.workplaces,
      live: () => parts.ledger.live,
    })
  }

  /** A caller has a task that is not known here. */
  consider(key: string, caller: PeerId, payload: Delegated): void {
    const { capabilities, policies, clock } = this.#options
    const { replies, uses } = this.#parts
    const { capability, task_id, files = [] } = payload
    const offered = capabilities.find(capability)
    if (offered === undefined) {
      replies.reject(caller, task_id, NOT_OFFERED)
      return
    }
    const bytes = encodeCbor(payload.input)
    const refusal = this.#admission.refusal(caller, payload, offered, bytes.length, clock.now())
    if (refusal !== undefined) {
      replies.reject(caller, task_id, refusal)
      return
    }
    const task = this.#newTask(key, payload, bytes.length, newInfo(caller, payload, clock.now()))
    task.offered = offered
    uses.count(capability, caller, { bytes: bytes.length + sizeOf(files) }, clock.now())
    const policy = policies.of(capability)
    if (policy.who === 'ask') void this.#ask(task, offered, policy, bytes)
    else this.#admit(task, offered, bytes)
  }

  /** Waits for the user, who may never answer. Never rejects. */
  async #ask(task: IncomingTask, offered: OfferedCapability, policy: CapabilityPolicy, bytes: Bytes): Promise<void> {
    const { ledger, archive, replies, files } = this.#parts
    const { peer: caller, capability } = task.info
    const input = withMarks(task.input, task.files)
    const asked = { taskId: task.info.id, caller, capability, input, size: task.size + sizeOf(task.files) }
    const consent = this.#consents.ask(policy, asked, task.abort.signal)
    task.isHeld = true
    this.#enter(task)
    const agreed = await consent
    if (isTerminal(task.info.state)) return
    if (agreed && this.#admission.hasRoom(offered, task.size, task.files)) {
      if (task.files.length === 0) this.place(task, offered, bytes)
      else {
        archive.keep(task, bytes)
        files.await(task)
      }
      return
    }
    task.releaseTimers()
    task.openFiles()
    ledger.reject(task, { code: 'TASK_REJECTED', message: 'The task was refused.' })
    replies.reject(caller, task.id, agreed ? FULL : NOT_AGREED)
  }

  #admit(task: IncomingTask, offered: OfferedCapability, bytes: Bytes): void {
    const { workplaces, files } = this.#parts
    task.isHeld = task.files.length > 0
    const waits = task.isHeld || workplaces.waits(task, offered)
    this.#enter(task, bytes)
    if (task.isHeld) files.await(task)
    else if (!waits) void workplaces.run(task, offered)
  }

  /** It is here from now on, which its caller is told. @param bytes its input, where that is kept already */
  #enter(task: IncomingTask, bytes?: Bytes): void {
    const { ledger, archive, replies, renewal } = this.#parts
    ledger.add(task)
    if (bytes !== undefined) archive.keep(task, bytes)
    replies.accept(task)
    renewal.schedule()
  }

  /** The task, known to its caller already, runs or waits for a place. */
  place(task: IncomingTask, offered: OfferedCapability, bytes?: Bytes): void {
    const { archive, workplaces } = this.#parts
    task.isHeld = false
    task.awaitsFiles = false
    const waits = workplaces.waits(task, offered)
    archive.keep(task, bytes)
    if (waits) return
    task.progress.update(0, '')
    void workplaces.run(task, offered)
  }

  #newTask(key: string, given: Given, size: number, info: TaskInfo): IncomingTask {
    const { clock, send } = this.#options
    const { ledger, replies, onFailed } = this.#parts
    const { peer } = info
    const { task_id } = given
    const task: IncomingTask = new IncomingTask(key, given, size, info, clock, {
      onProgress: (progress, note) => {
        ledger.report(task, progress, note)
        replies.tell(peer, 'task_progress', { task_id, progress, note })
      },
      sendPartial: (index, output) => send(peer, 'task_partial', { task_id, index, output }),
      onOverdue: () => onFailed(task, 'TASK_DEADLINE', 'The task was not done by its deadline.'),
    })
    return task
  }

  /** A page before this one had it: it waits for its capability to be provided again. Never rejects. */
  async goOn(record: StoredTask): Promise<void> {
    const { clock, onError } = this.#options
    const { ledger, renewal, archive, onFailed } = this.#parts
    try {
      const bytes = await archive.input(record)
      const task_id = uuidBytes(record.info.id)
      const input = bytes && decodeCbor(bytes)
      const files = record.files.map(({ transfer: _, ...place }) => place)
      const given = { task_id, input, files, ...(record.partials && { partials: true as const }) }
      const task = this.#newTask(record.key, given, record.size, record.info)
      task.isHeld = true
      ledger.add(task)
      renewal.schedule()
      if (bytes === undefined) {
        onFailed(task, 'TASK_LOST', 'The input of the task was lost.')
        return
      }
      const stop = clock.after(LIMITS.restorePatience, () => {
        if (task.offered === undefined) onFailed(task, 'TASK_LOST', 'The capability is not offered any more.')
      })
      task.release.push(stop)
    } catch (cause) {
      onError(toTsunagiError(cause, 'STORAGE_FAILED', 'A task of a page before this one could not be read.'))
    }
  }

  /** Its capability is provided again: it goes on, as that says. */
  resume(task: IncomingTask, offered: OfferedCapability): void {
    const { ledger, files, onFailed } = this.#parts
    task.offered = offered
    const problem = inputProblem(offered, task.input, task.files)
    if (task.info.state === 'working' && offered.onReload === 'lost') {
      onFailed(task, 'TASK_LOST', 'The page that ran the task was loaded anew.')
    } else if (problem !== undefined) {
      onFailed(task, 'TASK_INPUT_INVALID', problem)
    } else if (this.#admission.hasRoom(offered, task.size, task.files)) {
      ledger.apply(task, 'again')
      if (task.files.length === 0) this.place(task, offered)
      else files.await(task)
    } else {
      onFailed(task, 'TASK_LOST', 'All places of this peer are taken.')
    }
  }
}
