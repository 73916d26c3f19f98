/** The library's own signaling client, over `ws`. */
import {
  type Bytes,
  type CryptoProvider,
  type MeshKeys,
  type OpenSocket,
  PROTOCOL,
  SignalingClient,
} from '@tsunagi/protocol/signaling'
import { WebSocket } from 'ws'

const openSocket: OpenSocket = (url, events) => {
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

/** @param tell gets each status, and what other peers sent as `frame: …` */
export async function startClient(
  crypto: CryptoProvider,
  mesh: MeshKeys,
  url: string,
  tell: (line: string) => void,
): Promise<{ readonly client: SignalingClient; readonly publicKey: Bytes }> {
  const key = await crypto.generateSigningKey()
  const current = await crypto.generateIntroductionKey()
  const client = new SignalingClient({
    clock: {
      now: Date.now,
      after(delay, action) {
        const timer = setTimeout(action, delay)
        return () => clearTimeout(timer)
      },
    },
    crypto,
    key,
    introductionKeys: async () => ({ current, notAfter: Date.now() + PROTOCOL.introductionKeyLife }),
    mesh,
    url,
    openSocket,
    onStatus: tell,
    onMember: () => undefined,
    onLeft: () => undefined,
    onFrame: (frame) => tell(`frame: ${Buffer.from(frame)}`),
    onUnknownPeer: () => undefined,
    onError: (error) => tell(error.code),
  })
  client.start()
  return { client, publicKey: key.publicKey }
}
