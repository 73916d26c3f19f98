/** Sending messages, and looking at those that pass (SPEC §5). */
import type { PeerId } from './remote-peers.ts'

export interface SendOptions {
  /**
   * The message is stored before it counts as accepted and sent until the other side has stored it, over lost links, reloads
   * and crashes of either side, once and in order among the durable ones; default false: it survives a lost link, not a page.
   */
  readonly durable?: boolean
}

/** Fulfils when the other side has the message. */
export interface Delivery extends Promise<void> {
  /** UUIDv4 text that the other side is told; '' where the message is not durable. */
  readonly id: string
  /** Fulfils when the message will be delivered as far as it depends on this side: stored where it is durable, else queued. */
  readonly accepted: Promise<void>
}

/** A durable message of ours, also of a page before this one. */
export interface DeliveryInfo {
  readonly id: string
  readonly to: PeerId
  readonly state: 'accepted' | 'delivered' | 'failed'
  /** Milliseconds since 1970. */
  readonly acceptedAt: number
  /** Bytes. */
  readonly size: number
  readonly error: { readonly code: string; readonly message: string } | undefined
}

/** One message as the inspector shows it. */
export interface TraceEntry {
  readonly at: number
  readonly peer: PeerId
  readonly direction: 'out' | 'in'
  readonly type: string
  /** 0 for open frames, which have no number. */
  readonly sequence: number
  /** Bytes of the message itself. */
  readonly size: number
  /** Outgoing: signed by us. Incoming: signature, session and number checked; false for a frame that was refused. */
  readonly verified: boolean
  readonly session: string
  readonly epoch: number
  readonly counter: number
  /** Why a frame was refused. */
  readonly refused: string | undefined
}
