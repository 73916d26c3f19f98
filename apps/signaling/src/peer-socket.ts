import type { Socket } from 'node:net'
import { WebSocket } from 'ws'

/** Hears what becomes of a socket. */
export interface SocketOwner {
  received(message: Buffer<ArrayBuffer>, isBinary: boolean): void
  /** A WebSocket ping came, which is to be answered with the same bytes. */
  pinged(bytes: Buffer): void
  ponged(bytes: Buffer): void
  failed(error: Error): void
  ended(code: number): void
}

/** Bytes. */
const MOST_HELD = 16_384

/** Sockets with frames that leave together, when all that has come is handled. */
const held: PeerSocket[] = []

function releaseAll(): void {
  for (const socket of held) socket.release()
  held.length = 0
}

/** The socket of a peer. */
export class PeerSocket extends WebSocket {
  owner: SocketOwner | undefined
  #line: Socket | undefined
  #isHeld = false
  /** How far the line must come, and from when on that is waited for. */
  #awaited: { readonly bytes: number; readonly since: number } | undefined

  /** @param line what ws has made this socket on */
  begin(line: Socket): void {
    this.#line = line
  }

  /** What ws says goes to the owner: listeners would take a table for each socket, and more time for each message. */
  override emit(event: string | symbol, first?: unknown, second?: unknown): boolean {
    const { owner } = this
    if (owner === undefined) return super.emit(event, first, second)
    switch (event) {
      case 'message':
        owner.received(first as Buffer<ArrayBuffer>, second as boolean)
        return true
      case 'ping':
        owner.pinged(first as Buffer)
        return true
      case 'pong':
        owner.ponged(first as Buffer)
        return true
      case 'error':
        owner.failed(first as Error)
        return true
      case 'close':
        owner.ended(first as number)
        return true
      default:
        return super.emit(event, first, second)
    }
  }

  /** Bytes that wait to be read by the peer. */
  get waiting(): number {
    return this.#line?.writableLength ?? 0
  }

  /**
   * Writes what openFrame() or frameOf() made, for a socket that is open. The write is most of what a relay costs, so there is
   * one for all that comes for a peer at once, as long as that is little.
   */
  write(frame: Buffer<ArrayBuffer>): void {
    const line = this.#line
    if (line === undefined) return
    if (!this.#isHeld && line.writableLength + frame.length < MOST_HELD) {
      this.#isHeld = true
      line.cork()
      if (held.push(this) === 1) setImmediate(releaseAll)
    }
    line.write(frame)
    if (this.#isHeld && line.writableLength >= MOST_HELD) this.release()
  }

  release(): void {
    this.#isHeld = false
    this.#line?.uncork()
  }

  /**
   * Whether something waits that has waited for `deadline` milliseconds. To be asked again and again: found out at twice the
   * deadline at the latest, and the time between two questions.
   */
  isOverdue(now: number, deadline: number): boolean {
    if (this.#line === undefined || this.#line.writableLength === 0) {
      this.#awaited = undefined
      return false
    }
    const { bytesWritten, writableLength } = this.#line
    if (this.#awaited === undefined || bytesWritten - writableLength >= this.#awaited.bytes) {
      this.#awaited = { bytes: bytesWritten, since: now }
      return false
    }
    return now - this.#awaited.since >= deadline
  }
}
