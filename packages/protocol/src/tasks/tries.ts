/** Which peer has which task at present (SPEC R61), and which had it before. */
import type { PeerId } from '../api.ts'
import { TsunagiError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import { uuidText } from '../wire/uuid.ts'
import type { OutgoingTask, Try } from './outgoing-task.ts'

/** A task and the peer that has it. */
export interface Held {
  readonly task: OutgoingTask
  readonly tried: Try
}

export class Tries {
  readonly #held = new Map<string, Held>()
  /** Tries that have ended, and whose they were. */
  readonly #former = new Map<string, PeerId>()
  #ignored = 0

  /** Reports about tasks that their sender was not given. */
  get ignored(): number {
    return this.#ignored
  }

  begin(task: OutgoingTask, tried: Try): void {
    task.current = tried
    this.#held.set(tried.key, { task, tried })
  }

  /** Whatever the peer still says of it means nothing. False where the try had ended. */
  end({ task, tried }: Held): boolean {
    if (task.current !== tried) return false
    tried.lease.stop()
    tried.over.abort(new TsunagiError('TRANSFER_CANCELED', 'The peer does not do the task any more.'))
    task.current = undefined
    this.#held.delete(tried.key)
    this.#former.set(tried.key, tried.peer)
    for (const oldest of this.#former.keys()) {
      if (this.#former.size <= LIMITS.maxDelegatedTasks) break
      this.#former.delete(oldest)
    }
    return true
  }

  /** A copy, so that tries may end while it is walked. */
  of(peer: PeerId): Held[] {
    return [...this.#held.values()].filter(({ tried }) => tried.peer === peer)
  }

  /** The task with that id, where `peer` has it. */
  find(peer: PeerId, id: Uint8Array): Held | undefined {
    const held = this.#held.get(uuidText(id))
    return held?.tried.peer === peer ? held : undefined
  }

  /** As find(), for a report of `peer`: one about a task that it never had is counted. */
  reported(peer: PeerId, id: Uint8Array): Held | undefined {
    const held = this.find(peer, id)
    if (held === undefined && this.#former.get(uuidText(id)) !== peer) this.#ignored++
    return held
  }
}
