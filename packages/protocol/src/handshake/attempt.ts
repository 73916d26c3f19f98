import { TsunagiError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { Link, LinkAttempt, LinkKind, LinkTransport } from '../links/link.ts'
import { type Bytes, equalBytes } from '../wire/bytes.ts'
import { brokeOff, type HandshakeHost, sealFor, traceSent } from './host.ts'
import type { EndEvent, FinalState, StateTable } from './states.ts'

export interface AttemptOptions {
  readonly host: HandshakeHost
  readonly peer: Bytes
  readonly transport: LinkTransport
  /** Envelope session_id of all frames of this handshake, a UUIDv4. */
  readonly id: Bytes
  /** Called once, when the attempt is over. `error`: it failed. `tell`: the peer does not know yet. */
  readonly onOver: (error: TsunagiError | undefined, tell: boolean) => void
}

type MakeLink = (onCandidates: (candidates: Bytes[]) => void) => LinkAttempt

/** What both roles do alike: walk their table with a time-out on each state, negotiate a link, end cleanly at any moment. */
export abstract class Attempt<State extends string, Event extends string> {
  readonly peer: Bytes
  readonly id: Bytes
  protected readonly host: HandshakeHost
  protected readonly transport: LinkTransport
  protected readonly link: LinkAttempt
  readonly #onOver: AttemptOptions['onOver']
  readonly #table: StateTable<State | FinalState, Event | EndEvent>
  #state: State | FinalState
  #stopTimer: () => void
  /** Candidates follow the message that begins the handshake at the other side, in the order found. */
  #candidates: Promise<void>
  #announced!: () => void

  /** @throws what `makeLink` throws; nothing is left behind then */
  constructor(
    options: AttemptOptions,
    table: StateTable<State | FinalState, Event | EndEvent>,
    first: State,
    makeLink: MakeLink,
  ) {
    this.host = options.host
    this.transport = options.transport
    this.peer = options.peer
    this.id = options.id
    this.#onOver = options.onOver
    this.#table = table
    this.#state = first
    this.#candidates = new Promise((fulfil) => {
      this.#announced = fulfil
    })
    this.link = makeLink((candidates) => this.#sendCandidates(candidates))
    this.#stopTimer = this.#startTimer()
  }

  get kind(): LinkKind {
    return this.transport.kind
  }

  protected get state(): State | FinalState {
    return this.#state
  }

  get isEstablished(): boolean {
    return this.#state === 'established'
  }

  addCandidates(candidates: readonly Bytes[]): void {
    this.link.addCandidates(candidates)
  }

  /** Ends without a word to the peer. @param error where this side's caller has to know */
  end(error?: TsunagiError): void {
    this.#end(error, false)
  }

  /** Ends because something is wrong. */
  fail(error: TsunagiError): void {
    this.#end(error, true)
  }

  /** @returns false where the event has no effect in this state; so nothing that comes late has any after the end */
  protected move(event: Event | EndEvent): boolean {
    const next = this.#table[this.#state][event]
    if (next === this.#state) return false
    this.#state = next
    this.#stopTimer()
    if (!this.#isOver) this.#stopTimer = this.#startTimer()
    return true
  }

  get #isOver(): boolean {
    return this.#state === 'established' || this.#state === 'ended'
  }

  /** Runs a step that takes time; a fault in it is the end. */
  protected step(action: () => Promise<void>): void {
    action().catch((cause) => this.fail(brokeOff(cause)))
  }

  /** Sends message 1 or 2 through signaling, and the candidates after it. */
  protected announce(frame: Bytes): void {
    this.#send(frame)
    this.#announced()
  }

  /** To be called when the channel is handed over. */
  protected succeeded(): void {
    this.#onOver(undefined, false)
  }

  #startTimer(): () => void {
    return this.host.clock.after(LIMITS.handshakeTimeout, () => {
      this.fail(new TsunagiError('HANDSHAKE_TIMEOUT', 'The peer did not go on with the handshake in time.'))
    })
  }

  #end(error: TsunagiError | undefined, tell: boolean): void {
    if (!this.move('end')) return
    this.link.abort()
    this.#onOver(error, tell)
  }

  #sendCandidates(candidates: Bytes[]): void {
    this.#candidates = this.#candidates.then(async () => {
      if (this.#isOver) return
      try {
        const frame = await sealFor(this.host, 'link_candidates', this.peer, this.id, { candidates })
        if (!this.#isOver) this.#send(frame)
      } catch (cause) {
        this.fail(brokeOff(cause))
      }
    })
  }

  #send(frame: Bytes): void {
    traceSent(this.host, this.peer, this.id, frame)
    this.host.sendOpen(this.peer, frame)
  }
}

/**
 * The live ends must be those that the two sides signed for, in each one's own view.
 * @throws TsunagiError BINDING_MISMATCH
 */
export function checkBinding(link: Link, local: Bytes, remote: Bytes): void {
  if (equalBytes(link.binding.local, local) && equalBytes(link.binding.remote, remote)) return
  throw new TsunagiError('BINDING_MISMATCH', 'The link ends at another certificate than the peer signed for.')
}
