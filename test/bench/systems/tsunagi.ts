/** This library as an app uses it: createPeer(), and send() whose promises are all awaited. */
import type { Peer, PeerId } from '@tsunagi/protocol'
import { createPeer } from '@tsunagi/protocol/browser'
import type { End, System } from './system.ts'

/** Bytes not yet acknowledged at which the sender waits for the oldest quarter of them: from 256 KiB to 8 MiB none was clearly faster. */
const MOST_WAITING = 1024 * 1024

export const tsunagi: System = {
  name: 'tsunagi',
  async join({ signaling }, room, onKnown) {
    const peer = await createPeer({ signaling, mesh: room })
    let isKnown = false
    const connected = new Promise<End>((fulfil) => {
      // A handshake that failed is tried again, which the set-up then shows.
      peer.on('error', ({ code, message }) => console.warn(`${code}: ${message}`))
      peer.on('peer', (other) => {
        if (!isKnown) onKnown()
        isKnown = true
        if (other.session?.state === 'established') fulfil(new TsunagiEnd(peer, other.id))
      })
    })
    await new Promise<void>((fulfil) => {
      peer.on('status', (status) => {
        if (status === 'online') fulfil()
      })
    })
    return { connected }
  },
}

class TsunagiEnd implements End {
  onMessage: End['onMessage'] = () => undefined
  readonly #peer: Peer
  readonly #other: PeerId
  #waiting: { readonly size: number; readonly delivery: Promise<void> }[] = []
  #waitingBytes = 0

  constructor(peer: Peer, other: PeerId) {
    this.#peer = peer
    this.#other = other
    peer.on('message', ({ data }) => this.onMessage(data as Uint8Array))
  }

  send(message: Uint8Array<ArrayBuffer>): Promise<void> | undefined {
    this.#waiting.push({ size: message.length, delivery: this.#peer.send(this.#other, message) })
    this.#waitingBytes += message.length
    return this.#waitingBytes < MOST_WAITING ? undefined : this.#oldestDelivered()
  }

  async delivered(): Promise<void> {
    await Promise.all(this.#waiting.map(({ delivery }) => delivery))
    this.#waiting = []
    this.#waitingBytes = 0
  }

  close(): Promise<void> {
    return this.#peer.close()
  }

  async #oldestDelivered(): Promise<void> {
    let bytes = 0
    const count = this.#waiting.findIndex(({ size }) => {
      bytes += size
      return bytes >= MOST_WAITING / 4
    })
    const oldest = this.#waiting.splice(0, count + 1)
    await Promise.all(oldest.map(({ delivery }) => delivery))
    this.#waitingBytes -= bytes
  }
}
