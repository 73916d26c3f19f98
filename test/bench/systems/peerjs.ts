/** PeerJS with a PeerServer run locally: as it comes (`binary`: its own packing, in chunks of 16 KB), and `raw`. */
import { type DataConnection, Peer } from 'peerjs'
import { LOW_MARK, roomIn } from './channel.ts'
import type { End, System } from './system.ts'

export const peerJs: System = { name: 'peerjs', join: joinWith('binary') }
export const peerJsRaw: System = { name: 'peerjs raw', join: joinWith('raw') }

function joinWith(serialization: 'binary' | 'raw'): System['join'] {
  return async ({ peerServer }, { room, hosts, known, opened }) => {
    const { hostname: host, port } = new URL(peerServer)
    const options = { host, port: Number(port), path: '/', config: { iceServers: [] } }
    const hostId = room.replaceAll(/[^a-z0-9]+/g, '-')
    const peer = hosts ? new Peer(hostId, options) : new Peer(options)
    await new Promise<void>((fulfil, reject) => {
      peer.once('open', () => fulfil())
      peer.once('error', reject)
    })
    const take = (connection: DataConnection) => connection.on('open', () => opened(new PeerJsEnd(connection)))
    if (hosts) {
      peer.on('connection', take)
    } else {
      known()
      take(peer.connect(hostId, { serialization, reliable: true }))
    }
    return { leave: async () => peer.destroy() }
  }
}

class PeerJsEnd implements End {
  onMessage: End['onMessage'] = () => undefined
  readonly #connection: DataConnection

  constructor(connection: DataConnection) {
    this.#connection = connection
    connection.dataChannel.bufferedAmountLowThreshold = LOW_MARK
    connection.on('data', (data) => {
      this.onMessage(data instanceof ArrayBuffer ? new Uint8Array(data) : (data as Uint8Array))
    })
  }

  send(message: Uint8Array<ArrayBuffer>): unknown {
    return this.#connection.send(message) ?? roomIn(this.#connection.dataChannel)
  }

  async delivered(): Promise<void> {
    // A channel does not tell its sender what has arrived.
  }
}
