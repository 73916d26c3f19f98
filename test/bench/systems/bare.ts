/** A plain RTCDataChannel, ordered and reliable, with the fastest settings found: what everything else is measured against. */
import type { End, System } from './system.ts'

/** Marks of the channel's buffer: measured with 64 KiB to 4 MiB, these are as fast as any. */
const LOW_MARK = 256 * 1024
const HIGH_MARK = 1024 * 1024

type Signal =
  | { readonly known: 'present' | 'joined' }
  | { readonly description: RTCSessionDescriptionInit }
  | { readonly candidate: RTCIceCandidateInit }

export const bare: System = {
  name: 'bare',
  async join({ relay }, room, onKnown) {
    const socket = new WebSocket(`${relay}/${room}`)
    const tell = (signal: Signal) => socket.send(JSON.stringify(signal))
    const connection = new RTCPeerConnection()
    // Agreed beforehand: saves the message that would announce it.
    const channel = connection.createDataChannel('', { negotiated: true, id: 0 })
    const connected = new Promise<End>((fulfil, reject) => {
      channel.onopen = () => fulfil(new BareEnd(connection, channel, socket))
      connection.onicecandidate = ({ candidate }) => {
        if (candidate !== null) tell({ candidate: candidate.toJSON() })
      }
      const describe = async () => {
        await connection.setLocalDescription()
        tell({ description: connection.localDescription as RTCSessionDescription })
      }
      const handle = async (signal: Signal) => {
        if ('known' in signal) {
          onKnown()
          if (signal.known === 'present') await describe()
        } else if ('candidate' in signal) {
          await connection.addIceCandidate(signal.candidate)
        } else {
          await connection.setRemoteDescription(signal.description)
          if (signal.description.type === 'offer') await describe()
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
