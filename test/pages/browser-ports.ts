/** A page with the ports the browser gives the core: its clock and its socket. */
import { createWorkerClock, openWebSocket } from '@tsunagi/protocol/browser'

declare global {
  interface Window {
    createWorkerClock: typeof createWorkerClock
    openWebSocket: typeof openWebSocket
  }
}

window.createWorkerClock = createWorkerClock
window.openWebSocket = openWebSocket
