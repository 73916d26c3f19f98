/** A plain RTCDataChannel, ordered and reliable, with the fastest settings found: what everything else is measured against. */
import type { End, System } from './system.ts'

/** Marks of the channel's buffer: of five pairs from 64 KiB to 4 MiB this one carried most small messages, and large ones as well as any. */
const LOW_MARK = 1024 * 1024
const HIGH_MARK = 4 * 1024 * 1024

type Signal =
  | { readonly known: 'present' | 'joined' }
  | { readonly description: RTCSessionDescriptionInit }
  | { readonly candidate: RTCIceCandidateInit }

export const bare: System = {
  name: 'bare',
  async join({ relay }, room, onKnown) {
    const socket = new WebSocket(`${relay}/${room}`)
    const connected = new Promise<End>((fulfil, reject) => {
      let connection: RTCPeerConnection | undefined
      const handle = async (signal: Signal) => {
        if ('known' in signal) {
          onKnown()
          connection = connect(socket, fulfil)
          if (signal.known === 'present') await describe(connection, socket)
        } else if ('candidate' in signal) {
          await connection?.addIceCandidate(signal.candidate)
        } else {
          await connection?.setRemoteDescription(signal.description)
          if (connection && signal.description.type === 'offer') await describe(connection, socket)
        }
      }
      socket.onmessage = ({ data }: MessageEvent<string>) => handle(JSON.parse(data) as Signal).catch(reject)
      socket.onerror = () => reject(new Error('The relay cannot be reached.'))
    })
    // Where the socket fails, both say so.
    connected.catch(() => undefined)
    await Promise.race([new Promise((opened) => socket.addEventListener('open', opened)), connected])
    return { connected }
  },
}

function tell(socket: WebSocket, signal: Signal): void {
  socket.send(JSON.stringify(signal))
}

function connect(socket: WebSocket, onOpen: (end: End) => void): RTCPeerConnection {
  const connection = new RTCPeerConnection()
  // Agreed beforehand: saves the message that would announce it.
  const channel = connection.createDataChannel('', { negotiated: true, id: 0 })
  channel.onopen = () => onOpen(new BareEnd(connection, channel, socket))
  connection.onicecandidate = ({ candidate }) => {
    if (candidate !== null) tell(socket, { candidate: candidate.toJSON() })
  }
  return connection
}

async function describe(connection: RTCPeerConnection, socket: WebSocket): Promise<void> {
  await connection.setLocalDescription()
  tell(socket, { description: connection.localDescription as RTCSessionDescription })
}

class BareEnd implements End {
  onMessage: End['onMessage'] = () => undefined
  readonly #connection: RTCPeerConnection
  readonly #channel: RTCDataChannel
  readonly #socket: WebSocket

  constructor(connection: RTCPeerConnection, channel: RTCDataChannel, socket: WebSocket) {
    this.#connection = connection
    this.#channel = channel
    this.#socket = socket
    channel.binaryType = 'arraybuffer'
    channel.bufferedAmountLowThreshold = LOW_MARK
    channel.onmessage = ({ data }: MessageEvent<ArrayBuffer>) => this.onMessage(new Uint8Array(data))
  }

  send(message: Uint8Array<ArrayBuffer>): Promise<void> | undefined {
    const channel = this.#channel
    channel.send(message)
    if (channel.bufferedAmount < HIGH_MARK) return undefined
    return new Promise((fulfil) => {
      channel.onbufferedamountlow = () => fulfil()
    })
  }

  async delivered(): Promise<void> {
    // A channel does not tell its sender what has arrived.
  }

  async close(): Promise<void> {
    this.#connection.close()
    this.#socket.close()
  }
}
