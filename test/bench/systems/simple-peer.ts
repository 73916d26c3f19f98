/**
 * simple-peer in its two ways of use: send() with the channel's own back-pressure, and the stream that it is, in object mode
 * so that messages keep their bounds. Trickled candidates and an agreed channel, as for the bare one.
 */
import type { Instance } from 'simple-peer'
import SimplePeer from 'simple-peer/simplepeer.min.js'
import { LOW_MARK, roomIn } from './channel.ts'
import { enterRoom } from './rendezvous.ts'
import type { End, System } from './system.ts'

/** simple-peer shows its channel to nobody; its documentation has no other way to back-pressure for send(). */
type Peer = Instance & { readonly _channel: RTCDataChannel }

export const simplePeer: System = { name: 'simple-peer', join: joinWith((peer) => new SendEnd(peer)) }
export const simplePeerStream: System = { name: 'simple-peer stream', join: joinWith((peer) => new StreamEnd(peer)) }

function joinWith(endOf: (peer: Peer) => End): System['join'] {
  return async ({ relay }, { room, hosts, known, opened }) => {
    const peers: Peer[] = []
    const socket = await enterRoom(relay, room, (tell) => {
      known()
      const options = { initiator: !hosts, objectMode: true, channelConfig: { negotiated: true, id: 0 } }
      const peer = new SimplePeer({ ...options, config: { iceServers: [] } }) as Peer
      peers.push(peer)
      peer.on('signal', tell)
      peer.on('connect', () => opened(endOf(peer)))
      return async (signal) => peer.signal(signal)
    })
    return {
      async leave() {
        for (const peer of peers) peer.destroy()
        socket.close()
      },
    }
  }
}

abstract class SimplePeerEnd implements End {
  onMessage: End['onMessage'] = () => undefined
  protected readonly peer: Peer

  constructor(peer: Peer) {
    this.peer = peer
    peer.on('data', (message: Uint8Array) => this.onMessage(message))
    // The other side leaves first.
    peer.on('error', () => undefined)
  }

  abstract send(message: Uint8Array<ArrayBuffer>): Promise<unknown> | undefined

  async delivered(): Promise<void> {
    // A channel does not tell its sender what has arrived.
  }
}

class SendEnd extends SimplePeerEnd {
  constructor(peer: Peer) {
    super(peer)
    peer._channel.bufferedAmountLowThreshold = LOW_MARK
  }

  send(message: Uint8Array<ArrayBuffer>): Promise<unknown> | undefined {
    this.peer.send(message)
    return roomIn(this.peer._channel)
  }
}

class StreamEnd extends SimplePeerEnd {
  send(message: Uint8Array<ArrayBuffer>): Promise<unknown> | undefined {
    if (this.peer.write(message)) return undefined
    return new Promise((fulfil) => this.peer.once('drain', fulfil))
  }
}
