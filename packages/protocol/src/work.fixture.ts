import type { CryptoProvider, SigningKey } from './ports.ts'

/** Counts what a provider, and the keys it makes, have under way: the only things in a test that take time of their own. */
export class Work {
  readonly #onCall: (name: string | symbol) => void
  #underWay = 0

  /** @param onCall a method of that name is called */
  constructor(onCall: (name: string | symbol) => void = () => undefined) {
    this.#onCall = onCall
  }

  counted<T extends CryptoProvider | SigningKey>(target: T): T {
    return this.#counted(target)
  }

  /** Fulfils when nothing more happens unless the test does something or the clock moves. */
  async done(): Promise<void> {
    // Where none is under way when all microtasks have run, none of them has begun any either.
    do await new Promise((fulfil) => setImmediate(fulfil))
    while (this.#underWay > 0)
  }

  #counted<T extends object>(target: T): T {
    return new Proxy(target, {
      get: (_, name) => {
        const value: unknown = Reflect.get(target, name)
        if (typeof value !== 'function') return value
        return (...parameters: unknown[]) => {
          this.#onCall(name)
          const result: unknown = value.apply(target, parameters)
          return result instanceof Promise ? this.#track(result) : result
        }
      },
    })
  }

  async #track(result: Promise<unknown>): Promise<unknown> {
    this.#underWay++
    try {
      const value = await result
      const isKey = typeof value === 'object' && value !== null && !(value instanceof Uint8Array)
      return isKey ? this.#counted(value) : value
    } finally {
      this.#underWay--
    }
  }
}
