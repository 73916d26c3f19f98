/** What is compared: something that connects pages and moves messages between them. One file each, at its recommended settings. */
import type { Servers } from '../servers/index.ts'
import type { SystemName } from './names.ts'

/** One of the two ends of a connection. */
export interface End {
  /** Called with each message in its order; set right after the end is there. */
  onMessage: (message: Uint8Array) => void
  /** Bytes of the largest message that it sends; without it as many as a channel of the browser. */
  readonly largest?: number
  /** Sends one message; where it returns a promise, no more is sent until that is fulfilled. */
  send(message: Uint8Array<ArrayBuffer>): unknown
  /** Fulfils when the system knows that all sent has arrived; at once where it never knows. */
  delivered(): Promise<unknown>
  /** The way of its own that a system has for many bytes; fulfils when it knows that they arrived. */
  transfer?(bytes: Uint8Array<ArrayBuffer>): Promise<void>
  /** Called with what came that way; set right after the end is there. */
  onTransferred?: (part: Uint8Array<ArrayBuffer>) => void
}

/** The first page of a room hosts: all that come later connect to it, and none is told of another. */
export interface Visit {
  readonly room: string
  readonly hosts: boolean
  /** A guest knows of the host and is connected to the servers: from now on the set-up counts. */
  known(): void
  /** Connected: messages may be sent, and come. */
  opened(end: End): void
}

export interface System {
  readonly name: SystemName
  /** Enters a room. Fulfils when a guest that comes now finds this page. */
  join(servers: Servers, visit: Visit): Promise<{ leave(): Promise<void> }>
}
