/**
 * js-libp2p as its WebRTC transport's documentation shows it: WebSockets to a circuit relay run locally, WebRTC between the
 * pages, Noise, one stream with a length before each message.
 */
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { identify } from '@libp2p/identify'
import type { Stream } from '@libp2p/interface'
import { webRTC } from '@libp2p/webrtc'
import { webSockets } from '@libp2p/websockets'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { createLibp2p, type Libp2p } from 'libp2p'
import { Uint8ArrayList } from 'uint8arraylist'
import { enterRoom } from './rendezvous.ts'
import type { End, System } from './system.ts'

const PROTOCOL = '/bench/1.0.0'
const MOST_CONNECTIONS = 100
const MOST_DIALS = 3
/** Length of a message. */
const HEAD = 4

export const libp2p: System = {
  name: 'libp2p',
  async join({ relay, circuitRelay }, { room, hosts, known, opened }) {
    const node = await createLibp2p({
      addresses: { listen: hosts ? ['/p2p-circuit', '/webrtc'] : [] },
      transports: [webSockets(), webRTC({ rtcConfiguration: { iceServers: [] } }), circuitRelayTransport()],
      connectionEncrypters: [noise()],
      streamMuxers: [yamux()],
      // In pages it refuses to dial this machine unless it is told otherwise.
      connectionGater: { denyDialMultiaddr: () => false },
      connectionManager: {
        maxIncomingPendingConnections: MOST_CONNECTIONS,
        inboundConnectionThreshold: MOST_CONNECTIONS,
      },
      services: { identify: identify() },
    })
    const webrtcAddress = () => node.getMultiaddrs().find((address) => address.toString().includes('/webrtc'))
    await node.dial(multiaddr(circuitRelay))
    if (hosts) {
      await node.handle(PROTOCOL, (stream) => opened(new Libp2pEnd(stream)))
      while (webrtcAddress() === undefined) {
        await new Promise((fulfil) => node.addEventListener('self:peer:update', fulfil, { once: true }))
      }
    }
    const socket = await enterRoom(relay, room, (tell) => {
      if (hosts) tell(webrtcAddress()?.toString())
      return async (address: string) => {
        known()
        opened(new Libp2pEnd(await dial(node, multiaddr(address))))
      }
    })
    return {
      async leave() {
        socket.close()
        await node.stop()
      },
    }
  },
}

/** Some dials come to nothing, which is known only after its ten seconds: an application would try again. */
async function dial(node: Libp2p, address: Multiaddr): Promise<Stream> {
  for (let tries = 1; ; tries++) {
    try {
      return await node.dialProtocol(address, PROTOCOL)
    } catch (error) {
      if (tries === MOST_DIALS) throw error
    }
  }
}

class Libp2pEnd implements End {
  onMessage: End['onMessage'] = () => undefined
  readonly #stream: Stream
  /** What came and is not yet a whole message. */
  readonly #bytes = new Uint8ArrayList()

  constructor(stream: Stream) {
    this.#stream = stream
    stream.addEventListener('message', ({ data }) => {
      this.#bytes.append(data)
      this.#take()
    })
  }

  send(message: Uint8Array<ArrayBuffer>): Promise<void> | undefined {
    const head = new Uint8Array(HEAD)
    new DataView(head.buffer).setUint32(0, message.length)
    return this.#stream.send(new Uint8ArrayList(head, message)) ? undefined : this.#stream.onDrain()
  }

  async delivered(): Promise<void> {
    // A stream does not tell its sender what has arrived.
  }

  #take(): void {
    while (this.#bytes.length >= HEAD) {
      const end = HEAD + this.#bytes.getUint32(0)
      if (this.#bytes.length < end) return
      const message = this.#bytes.subarray(HEAD, end)
      this.#bytes.consume(end)
      this.onMessage(message)
    }
  }
}
