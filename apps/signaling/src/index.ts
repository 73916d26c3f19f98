/** The signaling server for programs that start it themselves, such as tests. */
export { SIGNALING_PATH } from './gate.ts'
export type { SignalingLimits } from './limits.ts'
export { createSignalingServer, type SignalingServer, type SignalingServerOptions } from './server.ts'
