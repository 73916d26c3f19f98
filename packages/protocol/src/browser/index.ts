export { createWebRtcTransport } from './webrtc-link.ts'
