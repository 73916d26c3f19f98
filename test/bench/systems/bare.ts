/**
 * A plain RTCDataChannel, ordered and reliable, with the fastest settings found: what everything else is measured against. And
 * the same where the page signs and encrypts each message by itself: what that costs where nothing is done to make it cost less.
 */
import { LOW_MARK, roomIn } from './channel.ts'
import { type Dealings, enterRoom, type Signal, type Tell } from './rendezvous.ts'
import { dealSigned } from './signed.ts'
import type { End, System } from './system.ts'

export const bare: System = {
  name: 'bare',
  join: joinWith((tell) => ({ tell, read: async (signal: Signal) => signal, endOver: (end) => end })),
}

export const bareSigned: System = { name: 'bare signed', join: joinWith(dealSigned) }

function joinWith(deal: (tell: Tell, hosts: boolean) => Dealings): System['join'] {
  return async ({ relay }, { room, hosts, known, opened }) => {
    const connections: RTCPeerConnection[] = []
    const socket = await enterRoom(relay, room, (tellPlainly) => {
      known()
      const { tell, read, endOver } = deal(tellPlainly, hosts)
      const connection = connect(tell, (end) => opened(endOver(end)))
      connections.push(connection)
      const described = hosts ? undefined : describe(connection, tell)
      return async (told: never) => {
        const [signal] = await Promise.all([read(told), described])
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

function connect(tell: Tell, onOpen: (end: End) => void): RTCPeerConnection {
  const connection = new RTCPeerConnection()
  // Agreed beforehand: saves the message that would announce it.
  const channel = connection.createDataChannel('', { negotiated: true, id: 0 })
  channel.onopen = () => onOpen(new BareEnd(channel))
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
