/** This library as an app uses it: createPeer(), send() whose promises are all awaited, and transfer() for many bytes. */
import type { Peer, PeerId } from '@tsunagi/protocol'
import { createPeer } from '@tsunagi/protocol/browser'
import type { End, System } from './system.ts'

/**
 * Bytes not yet acknowledged at which the sender waits for the oldest quarter: of 1/2, 1 and 2 MiB the most small messages a second,
 * and large ones as with 2.
 */
const MOST_WAITING = 1024 * 1024

export const tsunagi: System = { name: 'tsunagi', join: joinWith((peer, other) => new TsunagiEnd(peer, other)) }

export const tsunagiTransfer: System = {
  name: 'tsunagi transfer',
  join: joinWith((peer, other) => new TransferEnd(peer, other)),
}

function joinWith(endOf: (peer: Peer, other: PeerId) => TsunagiEnd): System['join'] {
  return async ({ signaling }, { room, hosts, known, opened }) => {
    const peer = await createPeer({ signaling, mesh: room })
    const ends = new Map<PeerId, TsunagiEnd>()
    peer.on('message', ({ from, data }) => ends.get(from)?.onMessage(data as Uint8Array))
    // A handshake that failed is tried again, which the set-up then shows.
    peer.on('error', ({ code, message }) => console.warn(`${code}: ${message}`))
    let isKnown = hosts
    peer.on('peer', (other) => {
      if (!isKnown) known()
      isKnown = true
      if (other.session?.state !== 'established' || ends.has(other.id)) return
      const end = endOf(peer, other.id)
      ends.set(other.id, end)
      opened(end)
    })
    await new Promise<void>((fulfil) => {
      peer.on('status', (status) => {
        if (status === 'online') fulfil()
      })
    })
    return { leave: () => peer.close() }
  }
}

class TsunagiEnd implements End {
  onMessage: End['onMessage'] = () => undefined
  protected readonly peer: Peer
  protected readonly other: PeerId
  #waiting: { readonly size: number; readonly delivery: Promise<void> }[] = []
  #waitingBytes = 0

  constructor(peer: Peer, other: PeerId) {
    this.peer = peer
    this.other = other
  }

  send(message: Uint8Array<ArrayBuffer>): Promise<void> | undefined {
    this.#waiting.push({ size: message.length, delivery: this.peer.send(this.other, message) })
    this.#waitingBytes += message.length
    return this.#waitingBytes < MOST_WAITING ? undefined : this.#oldestDelivered()
  }

  async delivered(): Promise<void> {
    await Promise.all(this.#waiting.map(({ delivery }) => delivery))
    this.#waiting = []
    this.#waitingBytes = 0
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

/** Each chunk is verified, acknowledged and kept by the receiver before more is asked for. */
class TransferEnd extends TsunagiEnd implements End {
  onTransferred: (part: Uint8Array<ArrayBuffer>) => void = () => undefined

  constructor(peer: Peer, other: PeerId) {
    super(peer, other)
    peer.on('transfer', (offer) => {
      const nothing = () => undefined
      const sink = {
        write: (part: Uint8Array<ArrayBuffer>) => this.onTransferred(part),
        close: nothing,
        abort: nothing,
      }
      offer.accept(sink)
    })
  }

  transfer(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    return this.peer.transfer(this.other, bytes).done
  }
}
