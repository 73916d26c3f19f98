import { TsunagiError } from '../errors.ts'
import { PROTOCOL } from '../limits.ts'
import type { Bytes } from '../wire/bytes.ts'
import type { LinkEvents } from './link.ts'

/** Frames of the largest size kept: a peer that sends before anybody listens could otherwise fill this side's memory. */
const MOST_KEPT = 4

/** What every link does alike at its own end: keeps frames until start(), tells the close once and last, refuses wrong frames. */
export class LinkEnd {
  readonly #schedule: (action: () => void) => void
  readonly #maxFrame: number
  #events: LinkEvents | undefined
  #kept: Bytes[] = []
  #keptBytes = 0
  #end: { readonly reason: Error | undefined } | undefined

  /** @param schedule runs an action soon, never at once: a close is not told from inside the call that caused it */
  constructor(schedule: (action: () => void) => void, maxFrame: number = PROTOCOL.maxFrame) {
    this.#schedule = schedule
    this.#maxFrame = maxFrame
  }

  get closed(): boolean {
    return this.#end !== undefined
  }

  /** @throws TsunagiError INVALID_STATE on the second call */
  start(events: LinkEvents): void {
    if (this.#events) throw new TsunagiError('INVALID_STATE', 'This link has been started already.')
    this.#events = events
    const closedBefore = this.#end
    for (let frame = this.#kept.shift(); frame; frame = this.#kept.shift()) events.frame(frame)
    if (closedBefore) this.#schedule(() => events.close(closedBefore.reason))
  }

  /** @throws TsunagiError LINK_LOST, INVALID_ARGUMENT where the frame is empty, MESSAGE_TOO_LARGE */
  checkSend(frame: Bytes): void {
    if (this.#end) throw new TsunagiError('LINK_LOST', 'The link to the peer is closed.')
    if (frame.length === 0) throw new TsunagiError('INVALID_ARGUMENT', 'A frame has at least one byte.')
    if (frame.length > this.#maxFrame) {
      throw new TsunagiError('MESSAGE_TOO_LARGE', `A frame has at most ${this.#maxFrame} bytes.`)
    }
  }

  /** @returns false where nobody listens yet and there is no room to keep the frame: the link has to be closed */
  frame(bytes: Bytes): boolean {
    if (this.#end) return true
    if (this.#events) {
      this.#events.frame(bytes)
      return true
    }
    if (this.#keptBytes + bytes.length > MOST_KEPT * this.#maxFrame) return false
    this.#keptBytes += bytes.length
    this.#kept.push(bytes.slice())
    return true
  }

  drain(): void {
    if (!this.#end) this.#events?.drain()
  }

  /** The first call counts. Without a reason this side closed, and what it has not read it does not want. */
  close(reason?: Error): void {
    if (!reason) this.#kept = []
    if (this.#end) return
    this.#end = { reason }
    const events = this.#events
    if (events) this.#schedule(() => events.close(reason))
  }
}
