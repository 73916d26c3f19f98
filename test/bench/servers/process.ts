/** Runs all of them until it is killed, and tells the process that started it their addresses. */
import './with-resolvers.ts'
import { createSignalingServer, SIGNALING_PATH } from '@tsunagi/signaling'
import { startCircuitRelay } from './circuit-relay.ts'
import { startNostrRelay } from './nostr.ts'
import { startPeerServer } from './peer-server.ts'
import { startRelay } from './relay.ts'

const signaling = await createSignalingServer({ port: 0 })
process.send?.({
  relay: await startRelay(),
  signaling: `ws://127.0.0.1:${signaling.port}${SIGNALING_PATH}`,
  peerServer: await startPeerServer(),
  nostr: await startNostrRelay(),
  circuitRelay: await startCircuitRelay(),
})
