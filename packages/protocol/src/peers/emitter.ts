/** Tells listeners; one that throws harms nobody else. */
export class Emitter<Events extends object> {
  readonly #listeners: { [E in keyof Events]?: Set<(detail: Events[E]) => unknown> } = {}
  readonly #onFailure: (cause: unknown, event: keyof Events) => void

  /** @param onFailure a listener threw. Must not throw. */
  constructor(onFailure: (cause: unknown, event: keyof Events) => void) {
    this.#onFailure = onFailure
  }

  /** The returned function removes the listener. */
  on<E extends keyof Events>(event: E, listener: (detail: Events[E]) => void): () => void {
    // Each call has an entry of its own, so that one listener given twice is removed once.
    const entry = (detail: Events[E]) => listener(detail)
    const listeners = this.#listeners[event] ?? new Set()
    this.#listeners[event] = listeners.add(entry)
    return () => {
      listeners.delete(entry)
    }
  }

  has(event: keyof Events): boolean {
    return (this.#listeners[event]?.size ?? 0) > 0
  }

  emit<E extends keyof Events>(event: E, detail: Events[E]): void {
    const promises = this.#tell(event, detail)
    if (promises.length > 0) void this.#watch(event, promises)
  }

  /** Tells at once. Fulfils when the promises that listeners returned are settled; never rejects. */
  settle<E extends keyof Events>(event: E, detail: Events[E]): Promise<void> {
    return this.#watch(event, this.#tell(event, detail))
  }

  /** @returns the promises that listeners returned */
  #tell<E extends keyof Events>(event: E, detail: Events[E]): Promise<unknown>[] {
    const promises: Promise<unknown>[] = []
    for (const listener of this.#listeners[event] ?? []) {
      try {
        const returned = listener(detail)
        if (returned instanceof Promise) promises.push(returned)
      } catch (cause) {
        this.#onFailure(cause, event)
      }
    }
    return promises
  }

  async #watch(event: keyof Events, promises: readonly Promise<unknown>[]): Promise<void> {
    for (const outcome of await Promise.allSettled(promises)) {
      if (outcome.status === 'rejected') this.#onFailure(outcome.reason, event)
    }
  }
}
