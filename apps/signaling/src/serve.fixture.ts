/** Servers on ports of the system's choosing and their clients, which end with the test. */
import { createCryptoProvider } from '@tsunagi/protocol/crypto'
import type { Bytes, CryptoProvider, SignalingPayload, SigningKey } from '@tsunagi/protocol/signaling'
import { onTestFinished } from 'vitest'
import type { ClientOptions } from 'ws'
import { SignalingClient } from './client.fixture.ts'
import { createSignalingServer, type SignalingServer, type SignalingServerOptions } from './server.ts'

export const crypto: CryptoProvider = await createCryptoProvider()
export const MESH: Bytes = new Uint8Array(32).fill(7)

export interface Joined {
  readonly client: SignalingClient
  readonly key: SigningKey
  readonly welcome: SignalingPayload<'welcome'>
}

/** Its end is not spread over time, so that tests end at once. */
export async function serve({ limits, ...options }: SignalingServerOptions = {}): Promise<SignalingServer> {
  const server = await createSignalingServer({ port: 0, crypto, limits: { drainSpread: 0, ...limits }, ...options })
  onTestFinished(() => server.close())
  return server
}

export function connect(server: SignalingServer, options?: ClientOptions): SignalingClient {
  const client = new SignalingClient(server.url, options)
  onTestFinished(() => client.socket.terminate())
  return client
}

/** A new peer in the mesh, or the one whose key is given. */
export async function joined(
  server: SignalingServer,
  { meshId = MESH, key, ...options }: Pick<ClientOptions, 'autoPong'> & { meshId?: Bytes; key?: SigningKey } = {},
): Promise<Joined> {
  const client = connect(server, options)
  const own = key ?? (await crypto.generateSigningKey())
  return { client, key: own, welcome: await client.join(crypto, own, meshId) }
}
