import type { Link, LinkEvents } from '../links/link.ts'
import type { Bytes } from '../wire/bytes.ts'

/** Starts a link and remembers all that it tells. */
export class Listener implements LinkEvents {
  readonly link: Link
  readonly frames: Bytes[] = []
  readonly closes: (Error | undefined)[] = []
  drains = 0
  #events = 0
  #waiting: (() => void) | undefined

  constructor(link: Link) {
    this.link = link
    link.start(this)
  }

  /** How much was told in all. */
  get events(): number {
    return this.#events
  }

  frame(bytes: Bytes): void {
    this.frames.push(bytes)
    this.#told()
  }

  drain(): void {
    this.drains += 1
    this.#told()
  }

  close(reason?: Error): void {
    this.closes.push(reason)
    this.#told()
  }

  /** Fulfils when `holds`; rejects where the link closes and it still does not. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) {
      if (this.closes.length > 0) throw new Error('The link closed too early.', { cause: this.closes[0] })
      await new Promise<void>((fulfil) => {
        this.#waiting = fulfil
      })
    }
  }

  #told(): void {
    this.#events += 1
    this.#waiting?.()
  }
}
