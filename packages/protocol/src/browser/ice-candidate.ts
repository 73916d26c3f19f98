import { type Bytes, fromUtf8, utf8 } from '../wire/bytes.ts'

/** As the handshake carries them: candidates in one message, bytes in one candidate (about 150 in practice). */
const MOST_IN_GROUP = 16
const MOST_BYTES = 1_024

/** Milliseconds: a link by the first address is mostly open by then, where it leads anywhere. */
const HOST_PATIENCE = 30

/** A candidate of the other side, or undefined where the bytes are none. */
export function readCandidate(data: Bytes): RTCIceCandidateInit | undefined {
  if (data.length > MOST_BYTES) return undefined
  let value: unknown
  try {
    value = JSON.parse(fromUtf8(data))
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value === null || !('candidate' in value)) return undefined
  const { candidate, sdpMid, sdpMLineIndex } = value as Record<string, unknown>
  if (typeof candidate !== 'string') return undefined
  if (typeof sdpMid === 'string') return { candidate, sdpMid }
  return typeof sdpMLineIndex === 'number' ? { candidate, sdpMLineIndex } : undefined
}

/**
 * Groups this side's candidates: those found before the browser's next turn go together, since each group costs a
 * signed and sealed message. A message port gives the turn: timers of hidden pages come up to a second late. Further addresses of
 * this machine wait a little where the page is visible, for a link that opens without them, or for others to go with.
 */
export class CandidateGroups {
  readonly #tell: (candidates: Bytes[]) => void
  readonly #turn = new MessageChannel()
  #group: Bytes[] = []
  #hasTold = false

  constructor(tell: (candidates: Bytes[]) => void) {
    this.#tell = tell
    this.#turn.port1.onmessage = () => this.#flush()
  }

  add(init: RTCIceCandidateInit): void {
    const { candidate } = init
    // No browser waits at a TCP port for what would come from there.
    if (!candidate || candidate.includes(' tcptype active')) return
    this.#group.push(utf8(JSON.stringify(init)))
    if (this.#group.length === MOST_IN_GROUP) this.#flush()
    else if (this.#hasTold && candidate.includes(' typ host') && !isHidden()) {
      setTimeout(() => this.#flush(), HOST_PATIENCE)
    } else this.#turn.port2.postMessage(null)
  }

  end(): void {
    this.#group = []
    this.#turn.port1.close()
  }

  #flush(): void {
    const group = this.#group
    this.#group = []
    if (group.length === 0) return
    this.#hasTold = true
    this.#tell(group)
  }
}

function isHidden(): boolean {
  return globalThis.document?.visibilityState === 'hidden'
}
