import { type DelegateOptions, LIMITS, type Peer, type Task } from '@tsunagi/protocol'
import type { Account } from './account.ts'
import { titleOf } from './capabilities/index.ts'
import type { Work } from './components/work-input.ts'
import type { PageHost, PagePart } from './page-part.ts'
import type { Pictures } from './picture.ts'
import { fileBytesOf, weightOf } from './weight.ts'

/** A task that was given away, with what only this page knows of it. */
export interface Given {
  readonly task: Task
  /** What the work is about: a file's name, a place in the fractal; '' where only a page before this one knew. */
  readonly subject: string
  /** The task that this one is another try of. */
  readonly retryOf: string | undefined
  /** Undefined until the task is completed. */
  readonly output: { readonly value: unknown } | undefined
  /** What came of the result so far, oldest first; only the latest. */
  readonly partials: readonly unknown[]
  /** Gives the same work away again; undefined where this page does not hold the input any more. */
  readonly again: (() => void) | undefined
}

interface Kept {
  given: Given
  /** Bytes of input, output and partial results. */
  weight: number
}

/** Tasks kept for reading and for giving them away again, and the bytes they hold together. */
const MAX_KEPT = 64
const MAX_KEPT_BYTES = 96 * 1_024 * 1_024
/** Bytes a millisecond: a task whose files go more slowly is given up. */
const SLOWEST_FILE = 500
const MAX_PARTIALS = 500
const PARTIAL_BYTES = 1_024 * 1_024

/** What this page gave away. The library knows the tasks; here is what they were about, and what they brought. */
export class GivenWork implements PagePart {
  readonly #host: PageHost
  readonly #account: Account
  readonly #pictures: Pictures
  readonly #kept = new Map<string, Kept>()
  #peer: Peer | undefined

  /** @param pictures attached before this: it follows the tasks of its tiles itself */
  constructor(host: PageHost, account: Account, pictures: Pictures) {
    this.#host = host
    this.#account = account
    this.#pictures = pictures
  }

  attach(peer: Peer): void {
    this.#peer = peer
    const ours = peer.tasks.filter(({ id, direction }) => direction === 'out' && !this.#pictures.has(id))
    for (const { id } of ours.slice(0, MAX_KEPT).toReversed()) {
      const task = peer.task(id)
      if (task !== undefined) this.#keep(task, { input: undefined, subject: '' })
    }
  }

  detach(): void {
    this.#peer = undefined
    this.#kept.clear()
  }

  of(id: string): Given | undefined {
    return this.#kept.get(id)?.given
  }

  /** Gives `work` to another peer. What becomes of it is in peer.tasks and of(). */
  give(capability: string, work: Work, options: DelegateOptions, retryOf?: string): void {
    const peer = this.#peer
    if (peer === undefined) return
    const task = peer.delegate(capability, work.input, {
      partials: true,
      deadline: deadlineFor(fileBytesOf(work.input)),
      ...options,
    })
    this.#keep(task, work, () => this.give(capability, work, options, task.id), retryOf)
    this.#host.changed()
  }

  #keep(task: Task, work: Work, again?: () => void, retryOf?: string): void {
    const { subject } = work
    const weight = weightOf(work.input)
    this.#kept.set(task.id, { given: { task, subject, retryOf, output: undefined, partials: [], again }, weight })
    this.#forgetOldest()
    this.#follow(task, weight).catch((error) => this.#host.report(titleOf(task.info.capability), error))
  }

  async #follow(task: Task, sent: number): Promise<void> {
    const peer = this.#peer
    const isOld = task.info.endedAt !== undefined
    const title = titleOf(task.info.capability)
    void this.#readPartials(task)
    try {
      const value = await task.result
      if (this.#peer !== peer) return
      const weight = weightOf(value)
      this.#update(task.id, weight, { output: { value } })
      if (isOld) return
      this.#account.moved(task.info.peer, sent, weight)
      this.#host.announce(`“${title}” is completed.`)
    } catch (error) {
      if (this.#peer !== peer || isOld) return
      this.#host.announce(`“${title}” ended without a result.`)
      // Tasks that were never given to anybody stand in no list.
      if (!peer?.tasks.some(({ id }) => id === task.id)) this.#host.report(`Handing over “${title}”`, error)
    }
  }

  /** Never rejects. */
  async #readPartials(task: Task): Promise<void> {
    try {
      for await (const partial of task.partials) {
        const kept = this.#kept.get(task.id)
        if (kept === undefined) return
        const partials = [...kept.given.partials, partial].slice(-MAX_PARTIALS)
        while (partials.length > 1 && weightOf(partials) > PARTIAL_BYTES) partials.shift()
        this.#update(task.id, 0, { partials })
      }
    } catch {
      // Why there are no more, the result tells.
    }
  }

  #update(id: string, weight: number, change: Partial<Given>): void {
    const kept = this.#kept.get(id)
    if (kept === undefined) return
    kept.given = { ...kept.given, ...change }
    kept.weight += weight
    this.#forgetOldest()
    this.#host.changed()
  }

  #forgetOldest(): void {
    let bytes = 0
    for (const { weight } of this.#kept.values()) bytes += weight
    for (const [id, { given, weight }] of this.#kept) {
      if (this.#kept.size <= MAX_KEPT && bytes <= MAX_KEPT_BYTES) return
      // What is under way stays, so that it can be cancelled.
      if (given.task.info.endedAt === undefined) continue
      this.#kept.delete(id)
      bytes -= weight
    }
  }
}

/** Milliseconds. */
function deadlineFor(bytes: number): number {
  return Math.min(LIMITS.maxDeadline, LIMITS.defaultDeadline + Math.round(bytes / SLOWEST_FILE))
}
