import type { Peer } from '@tsunagi/protocol'

/** What the page's store gives its parts. */
export interface PageHost {
  /** Something that is shown is different now. */
  changed(): void
  /** Says something aloud. */
  announce(text: string): void
  /** Shows that something failed: `subject` says what was to be done, or whom it is about. */
  report(subject: string, reason: unknown): void
}

/** A part of what the page knows, for as long as it is in one mesh. */
export interface PagePart {
  attach(peer: Peer): void
  detach(): void
}
