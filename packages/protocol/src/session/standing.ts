/** Where a session stands on both sides, as far as this one knows, and how a handshake settles it (SPEC §5.5). */
import type { Channel, Resumption } from '../handshake/channel.ts'
import { type Bytes, equalBytes } from '../wire/bytes.ts'
import { uuidBytes, uuidText } from '../wire/uuid.ts'
import type { Inbox } from './inbox.ts'
import type { Incoming } from './incoming.ts'
import type { Outbox } from './outbox.ts'
import type { Outgoing } from './outgoing.ts'
import type { StoredSession } from './store.ts'
import type { Traffic } from './traffic.ts'

/** What a handshake settles the numbers of. */
export interface Numbered {
  readonly outgoing: Outgoing
  readonly incoming: Incoming
  readonly outbox: Outbox
  readonly inbox: Inbox
  readonly traffic: Traffic
}

export class Standing {
  readonly #numbered: Numbered
  /** Undefined before the first handshake. */
  #id: Bytes | undefined
  /**
   * What has come by sequence number is not certain: a page before this one had the session, or a handshake settled the numbers
   * anew and the other side, not heard since, may not have ended it.
   */
  #isUnsettled = false
  /** The other side was heard since its store has the session: its next page has it, too. */
  #isShared = false

  constructor(numbered: Numbered, kept: StoredSession | undefined) {
    this.#numbered = numbered
    if (kept === undefined) return
    numbered.outgoing.restart(kept.next, 1)
    numbered.incoming.restart(kept.expected)
    if (kept.id === '') return
    this.#id = uuidBytes(kept.id)
    this.#isUnsettled = true
    this.#isShared = kept.shared
  }

  /** UUIDv4 text; '' before the first handshake. */
  get id(): string {
    return this.#id === undefined ? '' : uuidText(this.#id)
  }

  get isShared(): boolean {
    return this.#isShared
  }

  /** Up to which sequence number all has arrived, and what is durable of it is stored. */
  get acknowledgeable(): number {
    const { inbox, incoming } = this.#numbered
    return inbox.acknowledgeable(incoming.expected)
  }

  /** What a handshake may offer to go on with; undefined before the first one. */
  get resumption(): Resumption | undefined {
    if (this.#id === undefined) return undefined
    const { outgoing, inbox, traffic } = this.#numbered
    return {
      sessionId: this.#id,
      epoch: traffic.unusedEpoch,
      at: {
        next: outgoing.nextSequence,
        ...(!this.#isUnsettled && { expected: this.acknowledgeable }),
        durable: inbox.taken,
      },
    }
  }

  isOf(id: Bytes): boolean {
    return this.#id !== undefined && equalBytes(this.#id, id)
  }

  /** Whether a handshake that names `id` goes on from here, or is the first that the other side has ended, too. */
  answersTo(id: Bytes): boolean {
    return !this.#isShared || this.isOf(id)
  }

  /** A handshake made the session. Where one before it gave it another id, that came to nothing on the other side. */
  begin(id: Bytes): void {
    this.#numbered.traffic.closePrevious()
    this.#id = id.slice()
    this.#isUnsettled = false
    this.#numbered.outgoing.restart(1, 1)
    // Of that one something may have come.
    this.#numbered.incoming.restart(1)
    this.#numbered.inbox.restart(1)
  }

  /**
   * The other side was heard over the channel of the last handshake.
   * @param isProvisional its store does not have the session yet
   * @returns whether it is known only now to have the session
   */
  heard(isProvisional: boolean): boolean {
    this.#isUnsettled = false
    if (isProvisional || this.#isShared) return false
    this.#isShared = true
    return true
  }

  /** @returns messages known to have arrived, or undefined where the other side goes on from what it cannot know */
  resume(resumed: Channel['resumed']): number | undefined {
    const { outgoing, incoming, outbox, inbox, traffic } = this.#numbered
    outgoing.dropEphemeral()
    if (resumed === undefined) return 0
    const { ours, theirs } = resumed
    if (ours.expected !== undefined && theirs.expected !== undefined) {
      // What the other side had when it offered to go on; it may have acknowledged more since.
      const settled = outgoing.acknowledge(theirs.expected, traffic.window)
      outgoing.sendAgain()
      incoming.dropEarly()
      return settled
    }
    // One page is new. Both start from what the other said, and what the old page still has on its way comes too late.
    traffic.closePrevious()
    this.#isUnsettled = true
    if (theirs.durable > outbox.next) return undefined
    const expected = ours.expected ?? theirs.next
    incoming.restart(expected)
    inbox.restart(expected)
    return outgoing.restart(theirs.expected ?? ours.next, theirs.durable)
  }
}
