/** The library's own signaling client, over `ws`. */
import { type Bytes, type CryptoProvider, type MeshKeys, PROTOCOL, SignalingClient } from '@tsunagi/protocol/signaling'
import { clock, openSocket } from '../node-ports.ts'

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
    clock,
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
