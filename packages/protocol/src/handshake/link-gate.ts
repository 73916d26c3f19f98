import { TsunagiError } from '../errors.ts'
import { PROTOCOL } from '../limits.ts'
import type { LinkEvents } from '../links/link.ts'
import type { Bytes } from '../wire/bytes.ts'

/** What a peer may send behind message 3 before that is verified. */
const MOST_KEPT = PROTOCOL.maxFrame * 4

/** Stands at the responder's end of a link: shows the first frame, and nothing behind it before the gate is opened (SPEC §4.2). */
export class LinkGate implements LinkEvents {
  /** Never settles where no frame comes. */
  readonly first: Promise<Bytes>
  readonly #onFail: (error: TsunagiError) => void
  #showFirst: ((frame: Bytes) => void) | undefined
  #kept: Bytes[] = []
  #keptBytes = 0
  #events: LinkEvents | undefined

  /** @param onFail called where the link closes or the peer sends too much, before the gate is opened */
  constructor(onFail: (error: TsunagiError) => void) {
    this.#onFail = onFail
    this.first = new Promise((fulfil) => {
      this.#showFirst = fulfil
    })
  }

  /** Delivers what was kept, and from now on everything, to `events`. */
  open(events: LinkEvents): void {
    for (let frame = this.#kept.shift(); frame; frame = this.#kept.shift()) events.frame(frame)
    this.#events = events
  }

  frame(bytes: Bytes): void {
    if (this.#events) {
      this.#events.frame(bytes)
    } else if (this.#showFirst) {
      this.#showFirst(bytes.slice())
      this.#showFirst = undefined
    } else if (this.#keptBytes + bytes.length > MOST_KEPT) {
      this.#onFail(new TsunagiError('LINK_FAILED', 'The peer sent more than is kept before it has proven itself.'))
    } else {
      this.#keptBytes += bytes.length
      this.#kept.push(bytes.slice())
    }
  }

  drain(): void {
    this.#events?.drain()
  }

  close(reason?: Error): void {
    if (this.#events) this.#events.close(reason)
    else
      this.#onFail(new TsunagiError('LINK_FAILED', 'The link closed before the handshake was done.', { cause: reason }))
  }
}
