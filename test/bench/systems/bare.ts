/**
 * A plain RTCDataChannel, ordered and reliable, with the fastest settings found: what everything else is measured against. And
 * the same where the page signs and encrypts each message by itself: what that costs where nothing is done to make it cost less.
 */
import { LOW_MARK, roomIn } from './channel.ts'
import { enterRoom, type Tell } from './rendezvous.ts'
import { SignedEnd } from './signed.ts'
import type { End, System } from './system.ts'

type Signal = { readonly description: RTCSessionDescriptionInit } | { readonly candidate: RTCIceCandidateInit }

export const bare: System = { name: 'bare', join: joinWith((channel) => new BareEnd(channel)) }

export const bareSigned: System = {
  name: 'bare signed',
  join: joinWith((channel, hosts) => new SignedEnd(new BareEnd(channel), hosts)),
}

function joinWith(endOf: (channel: RTCDataChannel, hosts: boolean) => End): System['join'] {
  return async ({ relay }, { room, hosts, known, opened }) => {
    const connections: RTCPeerConnection[] = []
    const socket = await enterRoom(relay, room, (tell) => {
      known()
      const connection = connect(tell, (channel) => opened(endOf(channel, hosts)))
      connections.push(connection)
      const described = hosts ? undefined : describe(connection, tell)
      return async (signal: Signal) => {
        await described
        if ('candidate' in signal) {
          await connection.addIceCandidate(signal.candidate)
        } else {
          await connection.setRemoteDescription(signal.description)
          if (signal.description.type === 'offer') await describe(connection, tell)
        }
      }
    })
    return {
      async leave() {
        for (const connection of connections) connection.close()
        socket.close()
      },
    }
  }
}

function connect(tell: Tell, onOpen: (channel: RTCDataChannel) => void): RTCPeerConnection {
  const connection = new RTCPeerConnection()
  // Agreed beforehand: saves the message that would announce it.
  const channel = connection.createDataChannel('', { negotiated: true, id: 0 })
  channel.onopen = () => onOpen(channel)
  connection.onicecandidate = ({ candidate }) => {
    if (candidate !== null) tell({ candidate: candidate.toJSON() })
  }
  return connection
}

async function describe(connection: RTCPeerConnection, tell: Tell): Promise<void> {
  await connection.setLocalDescription()
  tell({ description: connection.localDescription })
}

class BareEnd implements End {
  onMessage: End['onMessage'] = () => undefined
  readonly #channel: RTCDataChannel

  constructor(channel: RTCDataChannel) {
    this.#channel = channel
    channel.binaryType = 'arraybuffer'
    channel.bufferedAmountLowThreshold = LOW_MARK
    channel.onmessage = ({ data }: MessageEvent<ArrayBuffer>) => this.onMessage(new Uint8Array(data))
  }

  send(message: Uint8Array<ArrayBuffer>): Promise<unknown> | undefined {
    this.#channel.send(message)
    return roomIn(this.#channel)
  }

  async delivered(): Promise<void> {
    // A channel does not tell its sender what has arrived.
  }
}
