/** The public shape of a peer: what createPeer() gives and what an app may rely on. */
export type * from './api/abort-signal.ts'
export type * from './api/capabilities.ts'
export type * from './api/messages.ts'
export type * from './api/peer.ts'
export type * from './api/remote-peers.ts'
export type * from './api/tasks.ts'
export type * from './api/transfers.ts'
export type * from './api/wake-ups.ts'
