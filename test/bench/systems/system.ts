/** What is compared: something that connects two pages and moves messages between them. One file each. */
import type { Servers } from '../servers.ts'

/** One of the two ends of a connection. */
export interface End {
  /** Called with each message in its order; set right after the end is there. */
  onMessage: (message: Uint8Array) => void
  /** Sends one message; where it returns a promise, no more is sent until that is fulfilled. */
  send(message: Uint8Array<ArrayBuffer>): Promise<unknown> | undefined
  /** Fulfils when the system knows that all sent has arrived; at once where it never knows. */
  delivered(): Promise<unknown>
  close(): Promise<void>
}

export interface System {
  readonly name: string
  /**
   * Enters `room`, where one other page is or will be. Fulfils when that one can find this page; `connected`, when both may
   * send. `onKnown` is called as soon as this page knows of the other, before it does anything to connect.
   */
  join(servers: Servers, room: string, onKnown: () => void): Promise<{ readonly connected: Promise<End> }>
}
