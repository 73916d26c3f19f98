/** What a peer's side of signaling is given by Node. */
import type { Clock, OpenSocket } from '@tsunagi/protocol/signaling'
import { WebSocket } from 'ws'

export const clock: Clock = {
  now: Date.now,
  after(delay, action) {
    const timer = setTimeout(action, delay)
    return () => clearTimeout(timer)
  },
}

export const openSocket: OpenSocket = (url, events) => {
  const socket = new WebSocket(url)
  socket.on('open', events.open)
  socket.on('message', (data) => events.message(new Uint8Array(data as Buffer)))
  // A close follows, and that is told.
  socket.on('error', () => undefined)
  socket.on('close', (code, reason) => events.close(code, reason.toString()))
  return {
    send: (data) => socket.send(data),
    get bufferedAmount() {
      return socket.bufferedAmount
    },
    close: (code, reason) => socket.close(code, reason),
  }
}
