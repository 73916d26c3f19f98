/** What a session is given by the peer it works for, and what it tells it. */
import type { TsunagiError } from '../errors.ts'
import type { SessionPayload, SessionType } from '../messages.ts'
import type { SecureChannelHost } from './secure-channel.ts'
import type { SessionMessage } from './session-messages.ts'
import type { SessionState } from './states.ts'
import type { SessionStore, StoredMessage, StoredSession } from './store.ts'

/** What the inspector shows of one message or refused frame. */
export interface SessionTrace {
  readonly direction: 'out' | 'in'
  readonly type: string
  readonly sequence: number
  readonly size: number
  readonly epoch: number
  readonly counter: number
  readonly refused: string | undefined
}

export interface SessionHost extends SecureChannelHost {
  /** Undefined where the host keeps nothing: then no message is durable. */
  readonly store: SessionStore | undefined
  /** A verified frame came: page code of the other side lives. */
  onHeard(): void
  onMessage(message: SessionMessage, size: number): void
  /** A message went to a link for the first time. */
  onSent(type: SessionType, size: number): void
  onDelivered(messages: number): void
  /** A frame or a message of the peer was refused; the session goes on. */
  onRefused(error: TsunagiError): void
  /** Whether there is room to store durable messages; where not, inboxHasRoom() is called later. */
  canTake(): boolean
  /** A durable message was taken, for the first time. It stays stored until the store is told that it was handled. */
  onTaken(message: StoredMessage, size: number): void
  /** A durable message of ours was accepted, has arrived, or failed with `error`; also one of a page before this. */
  onDurable(message: StoredMessage, state: DurableState, error?: TsunagiError): void
  onStorageFailure(error: TsunagiError): void
  /** The state changed. `error` says why it ended or was suspended. */
  onState(state: SessionState, error: TsunagiError | undefined): void
  /** There was no link for so long that nothing but durable messages is waited for. */
  onGivenUp(): void
  /** Undefined while nobody wants it. */
  readonly onTrace: ((trace: SessionTrace) => void) | undefined
}

export type DurableState = 'accepted' | 'delivered' | 'failed'

/** Why the other side closed a link on purpose, so that it is not opened again at once. */
export type Rest = SessionPayload<'session_suspend'>['reason']

/** What a page before this one left of a session. */
export interface KeptSession {
  readonly session: StoredSession
  readonly outbox: readonly StoredMessage[]
}
