/** Tasks that wait for a place: bounded in number and bytes, important ones first, none for ever (SPEC §8). */
import { LIMITS } from '../limits.ts'
import { PRIORITIES, type Priority } from '../messages.ts'

interface Waiting<T> {
  readonly item: T
  readonly size: number
  /** Time of arrival, later by LIMITS.taskAgeing for each class: lower goes first, so waiting outweighs any class. */
  readonly rank: number
}

export class TaskQueue<T> {
  /** In the order of going. */
  readonly #waiting: Waiting<T>[] = []
  #bytes = 0

  get length(): number {
    return this.#waiting.length
  }

  /** Whether one more may wait, where it and `others` that do not wait yet have `size` bytes together. */
  hasRoom(size: number, others = 0): boolean {
    return this.#waiting.length + others < LIMITS.maxQueuedTasks && this.#bytes + size <= LIMITS.maxQueuedTaskBytes
  }

  /** Call only after hasRoom(). */
  add(item: T, priority: Priority, size: number, now: number): void {
    const rank = now + PRIORITIES.indexOf(priority) * LIMITS.taskAgeing
    const later = this.#waiting.findIndex((other) => other.rank > rank)
    this.#waiting.splice(later === -1 ? this.#waiting.length : later, 0, { item, size, rank })
    this.#bytes += size
  }

  /** 1 for the item that goes next; 0 where it does not wait. */
  position(item: T): number {
    return this.#waiting.findIndex((waiting) => waiting.item === item) + 1
  }

  /** Takes out the first item that `mayGo`. */
  take(mayGo: (item: T) => boolean): T | undefined {
    const next = this.#waiting.find((waiting) => mayGo(waiting.item))
    if (next !== undefined) this.remove(next.item)
    return next?.item
  }

  /** Nothing happens where `item` does not wait. */
  remove(item: T): void {
    const index = this.position(item) - 1
    if (index === -1) return
    const [removed] = this.#waiting.splice(index, 1)
    this.#bytes -= removed?.size ?? 0
  }
}
