/** What arrives in a session, from verified records to what its host is told, and what of it is refused. */
import type { PeerId } from '../api.ts'
import { TsunagiError, toTsunagiError } from '../errors.ts'
import type { Record } from './frame.ts'
import type { SessionHost } from './host.ts'
import { Inbox } from './inbox.ts'
import { Incoming, type IncomingMessage } from './incoming.ts'
import type { FrameNumber } from './secure-channel.ts'
import { DURABLE, readMessage, type SessionMessage, typeOf } from './session-messages.ts'
import type { StoredSession } from './store.ts'

export type Goodbye = Extract<SessionMessage, { type: 'session_close' | 'session_suspend' }>

/** The session that it arrives in. */
export interface ArrivalsOwner {
  isOver(): boolean
  /** As it is to be stored. */
  record(): StoredSession
  /** The frame that is being read. */
  reading(): FrameNumber
  /** More may be acknowledged than before. */
  onProgress(): void
  onGoodbye(goodbye: Goodbye): void
  /** A message was not understood, which its sender does not know. */
  onRefused(error: TsunagiError): void
  /** The peer broke the rules: the session ends. */
  onViolation(error: TsunagiError): void
}

export class Arrivals {
  readonly incoming = new Incoming((message) => this.#arrived(message))
  readonly inbox: Inbox
  readonly #host: SessionHost
  readonly #owner: ArrivalsOwner
  #received = 0

  /** @param durableExpected number of the next durable message */
  constructor(host: SessionHost, owner: ArrivalsOwner, peer: PeerId, durableExpected: number) {
    this.#host = host
    this.#owner = owner
    const inboxHost: ConstructorParameters<typeof Inbox>[0] = {
      store: host.store,
      now: () => host.clock.now(),
      record: () => owner.record(),
      canTake: () => host.canTake(),
      onVolatile: (message) => this.#deliver(message),
      onTaken: (message, incoming) => {
        this.#received++
        this.#trace(incoming, undefined)
        host.onTaken(message, incoming.payload.length)
      },
      onProgress: () => owner.onProgress(),
      onViolation: (error) => owner.onViolation(error),
      onStorageFailure: (error) => host.onStorageFailure(error),
    }
    this.inbox = new Inbox(inboxHost, peer, durableExpected)
  }

  /** Messages delivered. */
  get received(): number {
    return this.#received
  }

  /** The last message on a link, outside the order: what is missing before it will not come. */
  takeGoodbye(goodbye: Record, sequence: number): void {
    this.#deliver({ ...goodbye, sequence })
  }

  /** The session is over. */
  stop(): void {
    this.incoming.dropEarly()
    this.inbox.stop()
  }

  #arrived(message: IncomingMessage): void {
    if (this.#owner.isOver()) return
    if (!message.durable || DURABLE.has(message.type)) this.inbox.add(message)
    else this.#owner.onViolation(new TsunagiError('INVALID_FORMAT', 'The peer sent as durable what cannot be.'))
  }

  #deliver(incoming: IncomingMessage): void {
    if (this.#owner.isOver()) return
    this.#received++
    const type = typeOf(incoming.type)
    let message: SessionMessage
    try {
      message = readMessage(type, incoming.raw, incoming.payload)
    } catch (cause) {
      const refused = toTsunagiError(cause, 'INVALID_FORMAT', 'A message of the peer could not be read.')
      this.#trace(incoming, refused)
      this.#host.onRefused(refused)
      // Two peers would answer each other's errors for ever.
      if (type !== 'error') this.#owner.onRefused(refused)
      return
    }
    this.#trace(incoming, undefined)
    if (message.type === 'session_close' || message.type === 'session_suspend') this.#owner.onGoodbye(message)
    else this.#host.onMessage(message, incoming.payload.length)
  }

  #trace({ type, sequence, payload }: IncomingMessage, refused: TsunagiError | undefined): void {
    this.#host.onTrace?.({
      direction: 'in',
      type: typeOf(type) ?? `unknown (${type})`,
      sequence,
      size: payload.length,
      ...this.#owner.reading(),
      refused: refused?.message,
    })
  }
}
