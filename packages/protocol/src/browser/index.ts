export { createPeer } from './create-peer.ts'
/** The parts createPeer() puts together, for a host that puts them together otherwise. */
export { type Database, openDatabase } from './database.ts'
export { type Identity, loadIdentity } from './identity.ts'
export { type IdentitySlot, takeIdentitySlot } from './identity-slot.ts'
export { createSessionStore } from './session-store.ts'
export { openWebSocket } from './web-socket.ts'
export { createWebRtcTransport } from './webrtc-link.ts'
export { createWorkerClock, type WorkerClock } from './worker-clock.ts'
