/** A js-libp2p node by which pages find each other, without the limits that a public one needs. */
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { circuitRelayServer } from '@libp2p/circuit-relay-v2'
import { identify } from '@libp2p/identify'
import { webSockets } from '@libp2p/websockets'
import { createLibp2p } from 'libp2p'

const MOST = 1_000

/** @returns its address, with its id */
export async function startCircuitRelay(): Promise<string> {
  const node = await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0/ws'] },
    transports: [webSockets()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionManager: { maxConnections: MOST, inboundConnectionThreshold: MOST },
    services: {
      identify: identify(),
      relay: circuitRelayServer({ reservations: { maxReservations: MOST, applyDefaultLimit: false } }),
    },
  })
  return String(node.getMultiaddrs()[0])
}
