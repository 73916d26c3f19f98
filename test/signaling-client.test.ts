/** The peer's side of signaling against the real server, over real sockets. */
import { once } from 'node:events'
import { createCryptoProvider } from '@tsunagi/protocol/crypto'
import {
  type Bytes,
  type CryptoProvider,
  deriveMesh,
  equalBytes,
  type MeshKeys,
  PROTOCOL,
  SignalingClient,
  type SigningKey,
  utf8,
} from '@tsunagi/protocol/signaling'
import { createSignalingServer, SIGNALING_PATH, type SignalingServer } from '@tsunagi/signaling'
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { clock, openSocket } from './node-ports.ts'

/** A client and what it told, as lines that a test waits for. */
class Peer extends EventTarget {
  readonly key: SigningKey
  readonly client: SignalingClient
  readonly told: string[] = []

  constructor(key: SigningKey, client: (tell: (line: string) => void) => SignalingClient) {
    super()
    this.key = key
    this.client = client((line) => {
      this.told.push(line)
      this.dispatchEvent(new Event('told'))
    })
    this.client.start()
    peers.push(this)
  }

  async until(line: string, count = 1): Promise<void> {
    while (this.told.filter((told) => told === line).length < count) await once(this, 'told')
  }
}

let crypto: CryptoProvider
let mesh: MeshKeys
let server: SignalingServer
let peers: Peer[]

beforeAll(async () => {
  crypto = await createCryptoProvider()
  mesh = await deriveMesh(crypto, 'kitchen', 'a secret')
})

beforeEach(async () => {
  peers = []
  server = await createSignalingServer({ port: 0 })
})

afterEach(async () => {
  for (const peer of peers) peer.client.close()
  await server.close()
})

async function join(key?: SigningKey): Promise<Peer> {
  const ours = key ?? (await crypto.generateSigningKey())
  const current = await crypto.generateIntroductionKey()
  const name = (publicKey: Bytes) => peers.findIndex((peer) => equalBytes(peer.key.publicKey, publicKey))
  return new Peer(
    ours,
    (tell) =>
      new SignalingClient({
        clock,
        crypto,
        key: ours,
        introductionKeys: async () => ({ current, notAfter: clock.now() + PROTOCOL.introductionKeyLife }),
        mesh,
        url: `ws://127.0.0.1:${server.port}${SIGNALING_PATH}`,
        openSocket,
        onStatus: tell,
        onMember: (publicKey, how) => tell(`${how} ${name(publicKey)}`),
        onLeft: (publicKey) => tell(`left ${name(publicKey)}`),
        onFrame: (frame, sender) => tell(`frame of ${name(sender)}: ${Buffer.from(frame)}`),
        onUnknownPeer: (publicKey) => tell(`unknown ${name(publicKey)}`),
        onError: (error) => tell(error.code),
      }),
  )
}

test('peers find each other, speak, and are told who leaves', async () => {
  const first = await join()
  await first.until('online')
  const second = await join()
  await Promise.all([first.until('joined 1'), second.until('present 0')])
  await second.client.relay(first.key.publicKey, utf8('an offer'))
  await first.until('frame of 1: an offer')
  await first.client.relay(second.key.publicKey, utf8('an answer'))
  await second.until('frame of 0: an answer')
  second.client.close()
  await first.until('left 1')
  expect(first.told).toEqual(['online', 'joined 1', 'frame of 1: an offer', 'left 1'])
})

test('a key that joins again replaces its older socket, whose client stays away', async () => {
  const key = await crypto.generateSigningKey()
  const older = await join(key)
  await older.until('online')
  const newer = await join(key)
  await newer.until('online')
  await older.until('SIGNALING_REFUSED')
  expect(older.told).toEqual(['online', 'closed', 'SIGNALING_REFUSED'])
  expect(newer.client.status).toBe('online')
})

test('peers come back to a server that was restarted, and meet again', async () => {
  const first = await join()
  await first.until('online')
  const second = await join()
  await second.until('present 0')
  const { port } = server
  await server.close()
  await Promise.all([first.until('offline'), second.until('offline')])
  server = await createSignalingServer({ port })
  await Promise.all([first.until('online', 2), second.until('online', 2)])
  // Whoever is back later finds the other there.
  await Promise.race([first.until('present 1'), first.until('joined 1', 2)])
  await first.client.relay(second.key.publicKey, utf8('still here'))
  await second.until('frame of 0: still here')
})
