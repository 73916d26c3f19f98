import type { Socket } from 'node:net'
import { WebSocket } from 'ws'

/** Hears what becomes of a socket. */
export interface SocketOwner {
  received(message: Buffer<ArrayBuffer>, isBinary: boolean): void
  /** A WebSocket ping or pong came with so many bytes. */
  signOfLife(bytes: number): void
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

/** The socket of a peer. Its listeners are the same functions for all: closures for each would cost more memory than what they do. */
export class PeerSocket extends WebSocket {
  owner: SocketOwner | undefined
  #line: Socket | undefined
  #isHeld = false
  /** How far the line must come, and from when on that is waited for. */
  #awaited: { readonly bytes: number; readonly since: number } | undefined

  /** @param line what ws has made this socket on */
  begin(line: Socket): void {
    this.#line = line
    this.on('message', onMessage)
    this.on('ping', onSignOfLife)
    this.on('pong', onSignOfLife)
    this.on('error', onError)
    this.on('close', onClose)
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

function onMessage(this: WebSocket, message: unknown, isBinary: boolean): void {
  ;(this as PeerSocket).owner?.received(message as Buffer<ArrayBuffer>, isBinary)
}

function onSignOfLife(this: WebSocket, { length }: Buffer): void {
  ;(this as PeerSocket).owner?.signOfLife(length)
}

function onError(this: WebSocket, error: Error): void {
  ;(this as PeerSocket).owner?.failed(error)
}

function onClose(this: WebSocket, code: number): void {
  ;(this as PeerSocket).owner?.ended(code)
}
