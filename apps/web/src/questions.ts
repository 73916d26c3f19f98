import type { PeerId } from '@tsunagi/protocol'
import type { PageHost } from './page-part.ts'

/** Something another peer would have of this one, which a person decides. */
export interface Question {
  readonly id: number
  readonly from: PeerId
  /** What it would have, in words that follow its name. */
  readonly wish: string
  /** More of it, in the other peer's own words. */
  readonly detail: string
  readonly yes: string
  readonly no: string
  /** Milliseconds since 1970; silence until then is a no. */
  readonly until: number
}

export type Answer = 'yes' | 'no' | 'silence'

interface Asked extends Question {
  answer(given: Answer): void
}

/** The questions that are open, oldest first. How many there may be, those bound who ask them: LIMITS.maxConsents, maxTransfers. */
export class Questions {
  readonly #host: PageHost
  #open: readonly Asked[] = []
  #count = 0

  constructor(host: PageHost) {
    this.#host = host
  }

  get open(): readonly Question[] {
    return this.#open
  }

  /** What the person answers; `silence` when its time is over or `signal` aborts before. */
  ask(question: Omit<Question, 'id' | 'until'>, time: number, signal: AbortSignal): Promise<Answer> {
    return new Promise((fulfil) => {
      const id = ++this.#count
      const answer = (given: Answer) => {
        clearTimeout(silence)
        signal.removeEventListener('abort', withdrawn)
        this.#open = this.#open.filter((asked) => asked.id !== id)
        this.#host.changed()
        fulfil(given)
      }
      const withdrawn = () => answer('silence')
      const silence = setTimeout(withdrawn, time)
      signal.addEventListener('abort', withdrawn, { once: true })
      this.#open = [...this.#open, { ...question, id, until: Date.now() + time, answer }]
      this.#host.changed()
      if (signal.aborted) withdrawn()
    })
  }

  answer(id: number, agreed: boolean): void {
    this.#open.find((asked) => asked.id === id)?.answer(agreed ? 'yes' : 'no')
  }
}
