import type { OpenSocket } from '../ports.ts'

/** How a browser calls the end of a socket that nobody closed, and of one that never was (RFC 6455 §7.4.1). */
const ABNORMAL = 1006
const UNSUPPORTED_DATA = 1003

/** The port to the signaling server over the browser's WebSocket (SPEC §10). Carries bytes only. */
export const openWebSocket: OpenSocket = (url, events) => {
  let socket: WebSocket
  try {
    socket = new WebSocket(url)
  } catch (error) {
    // No address of a WebSocket, or one that this page may not use; told later, as every other failure is.
    queueMicrotask(() => events.close(ABNORMAL, error instanceof Error ? error.message : ''))
    return { bufferedAmount: 0, send: () => undefined, close: () => undefined }
  }
  let ended = false
  const end = (code: number, reason: string) => {
    if (ended) return
    ended = true
    queueMicrotask(() => events.close(code, reason))
  }
  socket.binaryType = 'arraybuffer'
  // Browsers tell neither of them once close() was called.
  socket.onopen = () => events.open()
  socket.onmessage = ({ data }) => {
    if (data instanceof ArrayBuffer) events.message(new Uint8Array(data))
    else {
      socket.close()
      end(UNSUPPORTED_DATA, 'The server sent text where only bytes belong.')
    }
  }
  socket.onclose = ({ code, reason }) => end(code, reason)
  return {
    get bufferedAmount() {
      return socket.bufferedAmount
    },
    send: (data) => socket.send(data),
    close(code = 1000, reason = '') {
      socket.close(code, reason)
      // Not when the browser says so: it waits up to a minute for the answer of a server that is gone.
      end(code, reason)
    },
  }
}
