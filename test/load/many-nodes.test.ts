/** Two nodes and a Redis: one service. */
import { setTimeout as wait } from 'node:timers/promises'
import { createCryptoProvider } from '@tsunagi/protocol/crypto'
import {
  type Bytes,
  type CryptoProvider,
  deriveMesh,
  equalBytes,
  SIGNALING_CLOSE,
  type SignalingPayload,
  type SigningKey,
  utf8,
} from '@tsunagi/protocol/signaling'
import { createSignalingServer, type SignalingServer, type SignalingServerOptions } from '@tsunagi/signaling'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { SignalingClient } from '../../apps/signaling/src/client.fixture.ts'
import { Browser, PushService } from '../../apps/signaling/src/push-service.fixture.ts'
import { openRedisStore } from '../../apps/signaling/src/redis-store.fixture.ts'
import type { Store } from '../../apps/signaling/src/store.ts'
import { storeSuite } from '../../apps/signaling/src/store-suite.fixture.ts'
import { startClient } from './real-client.ts'
import { TestRedis } from './redis.ts'
import { ServerProcess } from './server-process.ts'
import { TcpProxy } from './tcp-proxy.ts'

const MESH = new Uint8Array(32).fill(7)
const TAG = new Uint8Array(32).fill(9)
const SOON = { timeout: 15_000, interval: 20 }

let crypto: CryptoProvider
let redis: TestRedis
let here: SignalingServer
let there: SignalingServer
let peers: Peer[]
let servers: SignalingServer[]

beforeAll(async () => {
  crypto = await createCryptoProvider()
  redis = await TestRedis.start()
})
afterAll(() => redis.stop())

async function node(options: SignalingServerOptions = {}): Promise<SignalingServer> {
  const server = await createSignalingServer({ port: 0, redisUrl: redis.url, limits: { drainSpread: 0 }, ...options })
  servers.push(server)
  return server
}

beforeEach(async () => {
  peers = []
  servers = []
  ;[here, there] = await Promise.all([node(), node()])
})
afterEach(async () => {
  for (const { client } of peers) client.socket.terminate()
  await Promise.all(servers.map((server) => server.close()))
})

/** A peer that keeps what it is told: who is there, and what was relayed. */
class Peer {
  readonly key: SigningKey
  readonly client: SignalingClient
  readonly members = new Set<string>()
  readonly relayed: string[] = []
  readonly unknown: string[] = []
  readonly found: number[] = []
  /** What woke it, and how far its own wake-ups came. */
  readonly mail: string[] = []
  readonly steps: string[] = []
  readonly subscribed: boolean[] = []
  vapidKey: Bytes | undefined
  pongs = 0

  constructor(client: SignalingClient, key: SigningKey) {
    this.client = client
    this.key = key
  }

  get name(): string {
    return nameOf(this.key.publicKey)
  }

  relay(other: Peer, text: string): void {
    this.client.relay(other.key.publicKey, utf8(text))
  }

  wakeUp(other: Peer, text: string): void {
    const expires = Date.now() + 600_000
    const sealed = utf8(text)
    const wake = {
      wake_id: crypto.randomBytes(16),
      public_key: other.key.publicKey,
      priority: 'normal',
      expires,
      sealed,
    }
    this.client.send({ type: 'wake_up', payload: wake as SignalingPayload<'wake_up'> })
  }

  discover(): void {
    this.client.send({ type: 'discover', payload: { tag: TAG } })
  }
}

const nameOf = (publicKey: Bytes) => Buffer.from(publicKey).toString('hex')

/** The key a presence record is of, from the peers of the test: the record itself is for peers to read. */
function ownerOf(presence: Bytes): string {
  const owner = peers.find(({ key }) => Buffer.from(presence).includes(Buffer.from(key.publicKey)))
  return owner?.name ?? 'a stranger'
}

async function join(server: Pick<SignalingServer, 'url'>, key?: SigningKey): Promise<Peer> {
  const own = key ?? (await crypto.generateSigningKey())
  const peer = new Peer(new SignalingClient(server.url), own)
  const isKnown = peers.some((other) => equalBytes(other.key.publicKey, own.publicKey))
  if (!isKnown) peers.push(peer)
  const { members, vapid_key } = await peer.client.join(crypto, own, MESH)
  peer.vapidKey = vapid_key
  for (const member of members) peer.members.add(ownerOf(member))
  void listen(peer)
  return peer
}

async function listen(peer: Peer): Promise<void> {
  const { members, relayed, unknown, found, mail, steps, subscribed } = peer
  for await (const message of peer.client.messages()) {
    if (message.type === 'mail') mail.push(Buffer.from(message.payload.sealed).toString())
    if (message.type === 'wake_step') steps.push(message.payload.step)
    if (message.type === 'push_state') subscribed.push(message.payload.subscribed)
    if (message.type === 'pong') peer.pongs++
    if (message.type === 'relay') relayed.push(Buffer.from(message.payload).toString())
    if (message.type === 'found') found.push(message.payload.members.length)
    if (message.type === 'error') unknown.push(message.payload.code)
    if (message.type !== 'presence') continue
    if (message.payload.event === 'joined') members.add(ownerOf(message.payload.presence))
    else members.delete(nameOf(message.payload.public_key))
  }
}

const knows = (peer: Peer, ...others: Peer[]) =>
  vi.waitFor(() => expect([...peer.members].sort()).toEqual(others.map(({ name }) => name).sort()), SOON)
const readiness = async (server: SignalingServer) => (await (await fetch(`${server.url}/readyz`)).json()).status
const cameSoFar = (peer: Peer, ...steps: string[]) => vi.waitFor(() => expect(peer.steps).toEqual(steps), SOON)
const isWokenBy = (peer: Peer, ...texts: string[]) => vi.waitFor(() => expect(peer.mail).toEqual(texts), SOON)
const hears = (peer: Peer, ...texts: string[]) => vi.waitFor(() => expect(peer.relayed).toEqual(texts), SOON)

describe('peers at two nodes', () => {
  test('see each other, speak, find each other by a tag, and hear who leaves', async () => {
    const alice = await join(here)
    const bob = await join(there)
    await knows(bob, alice)
    await knows(alice, bob)
    alice.relay(bob, 'an offer')
    await hears(bob, 'an offer')
    for (let i = 0; i < 50; i++) bob.relay(alice, `${i}`)
    await hears(alice, ...Array.from({ length: 50 }, (_, i) => `${i}`))

    bob.client.send({ type: 'announce', payload: { tags: [TAG] } })
    await vi.waitFor(() => {
      alice.discover()
      expect(alice.found.at(-1)).toBe(1)
    }, SOON)

    bob.client.socket.close()
    await knows(alice)
    alice.relay(bob, 'too late')
    await vi.waitFor(() => expect(alice.unknown).toEqual(['UNKNOWN_PEER']), SOON)
  })

  test('who comes to a node that had nobody of the mesh is shown those at the other, and found by them', async () => {
    const alice = await join(here)
    alice.client.send({ type: 'announce', payload: { tags: [TAG] } })
    alice.client.send({ type: 'ping', payload: new Uint8Array() })
    await vi.waitFor(() => expect(alice.pongs).toBe(1))
    const bob = await join(there)
    await knows(bob, alice)
    bob.discover()
    await vi.waitFor(() => expect(bob.found).toEqual([1]), SOON)
  })

  test('two that join at both at once do not miss each other', async () => {
    for (let n = 0; n < 40; n++) {
      const [a, b] = await Promise.all([join(here), join(there)])
      await vi.waitFor(() => expect(a.members.has(b.name) || b.members.has(a.name)).toBe(true), SOON)
      for (const { client } of [a, b]) client.socket.terminate()
    }
  })

  test('a key that joins at the other node is there, and nowhere else', async () => {
    const witness = await join(here)
    const older = await join(here)
    await knows(witness, older)
    const newer = await join(there, older.key)
    expect((await older.client.closed).code).toBe(SIGNALING_CLOSE.replaced)
    witness.relay(newer, 'to the newer')
    await hears(newer, 'to the newer')
    await knows(witness, newer)
  })

  test('a key that moved is at its new node for a third node too, and when it has left, nowhere', async () => {
    // Both nodes go on in the mesh, and one key moves each way: whichever node is read last.
    const [alice, bob] = [await join(here), await join(there)]
    const [one, two] = [await join(here), await join(there)]
    await knows(alice, bob, one, two)
    const moved = [await join(there, one.key), await join(here, two.key)] as const
    await Promise.all([one.client.closed, two.client.closed])
    const third = await node()
    const carol = await join(third)
    await knows(carol, alice, bob, one, two)
    for (const peer of moved) {
      carol.relay(peer, 'are you there?')
      await hears(peer, 'are you there?')
    }
    for (const { client } of moved) client.socket.close()
    await knows(carol, alice, bob)
    const dave = await join(await node())
    expect([...dave.members].sort()).toEqual([alice, bob, carol].map(({ name }) => name).sort())
  })

  test('a key that joins at both at once is left at one of them', async () => {
    const key = await crypto.generateSigningKey()
    const witness = await join(here)
    const both = await Promise.all([join(here, key), join(there, key)])
    await Promise.race(both.map(({ client }) => client.closed))
    witness.relay(both[0], 'who is it?')
    await vi.waitFor(() => expect(both.flatMap(({ relayed }) => relayed)).toEqual(['who is it?']), SOON)
  })
})

describe('waking', () => {
  test('reaches a peer at the other node, and one that went from here when it comes there', async () => {
    const [alice, bob] = [await join(here), await join(there)]
    await knows(alice, bob)
    alice.wakeUp(bob, 'you there')
    await cameSoFar(alice, 'socket')
    await isWokenBy(bob, 'you there')
    bob.client.socket.close()
    await knows(alice)
    alice.wakeUp(bob, 'you wherever')
    await cameSoFar(alice, 'socket', 'mailbox')
    await isWokenBy(await join(there, bob.key), 'you wherever')
  })

  test('a push goes by whichever node, under the one key that all of them have', async () => {
    const service = await PushService.start()
    const nodes = [await node({ pushHosts: [service.origin] }), await node({ pushHosts: [service.origin] })] as const
    const browser = service.newBrowser()
    const [alice, bob] = [await join(nodes[1]), await join(nodes[0])]
    expect(bob.vapidKey).toEqual(alice.vapidKey)
    bob.client.send({ type: 'push_subscribe', payload: { subscription: browser.subscription } })
    await vi.waitFor(() => expect(bob.subscribed).toEqual([true]), SOON)
    await knows(alice, bob)
    bob.client.socket.close()
    await knows(alice)
    alice.wakeUp(bob, 'wake')
    await cameSoFar(alice, 'push')
    const [push] = service.received
    expect(push && new Uint8Array(browser.decrypt(push))).toEqual(browser.subscription.label)
    // Once a minute, whichever node is asked.
    const moved = await join(nodes[0], alice.key)
    moved.wakeUp(bob, 'wake again')
    await cameSoFar(moved, 'mailbox')
    expect(service.received).toHaveLength(1)
  })

  test('without Redis says that nothing is kept, and reaches those of its own node; after it all is as before', async () => {
    const [alice, bob, carol] = [await join(here), await join(here), await join(there)]
    await knows(alice, bob, carol)
    await redis.stop()
    await knows(alice, bob)
    alice.wakeUp(bob, 'near')
    await isWokenBy(bob, 'near')
    alice.wakeUp(carol, 'far')
    bob.client.send({
      type: 'push_subscribe',
      payload: { subscription: new Browser('https://fcm.googleapis.com/a').subscription },
    })
    await cameSoFar(alice, 'unavailable', 'unavailable')
    await vi.waitFor(() => expect(bob.subscribed).toEqual([false]), SOON)

    // With nothing in it.
    await redis.start()
    await knows(alice, bob, carol)
    alice.wakeUp(carol, 'far again')
    await isWokenBy(carol, 'far again')
    await cameSoFar(alice, 'unavailable', 'unavailable', 'socket')
    carol.client.socket.close()
    await knows(alice, bob)
    alice.wakeUp(carol, 'and back')
    await cameSoFar(alice, 'unavailable', 'unavailable', 'socket', 'mailbox')
    const back = await join(here, carol.key)
    await isWokenBy(back, 'and back')
    expect(back.vapidKey).toEqual(alice.vapidKey)
  })

  test('is answered in time by a Redis that answers nothing', async () => {
    const [alice, bob] = [await join(here), await join(here)]
    redis.freeze()
    try {
      alice.wakeUp(bob, 'wake')
      await cameSoFar(alice, 'unavailable')
      await isWokenBy(bob, 'wake')
    } finally {
      redis.thaw()
    }
    await vi.waitFor(async () => expect(await readiness(here)).toBe('ready'), SOON)
  })
})

test('a node that dies is missed by the others, and its peers are at home at another', async () => {
  // One whose end nobody hears of: it loses Redis and says nothing.
  const proxy = await TcpProxy.to(redis.port)
  const dying = await node({ redisUrl: `redis://127.0.0.1:${proxy.port}` })
  const [alice, bob, carol] = [await join(here), await join(dying), await join(dying)]
  await knows(alice, bob, carol)
  proxy.cut()
  const moved = await join(there, bob.key)
  moved.relay(alice, 'still me')
  await hears(alice, 'still me')
  await knows(alice, moved)
})

test('a key that went from a node that died is met where it is, also by who came before the death was noticed', async () => {
  const proxies = [await TcpProxy.to(redis.port), await TcpProxy.to(redis.port)]
  const dying = await Promise.all(proxies.map(({ port }) => node({ redisUrl: `redis://127.0.0.1:${port}` })))
  const [one, two, ...others] = await Promise.all([...dying, ...dying].map((server) => join(server)))
  for (const proxy of proxies) proxy.cut()
  const moved = [await join(here, one?.key), await join(there, two?.key)] as const
  const alice = await join(await node())
  await knows(alice, ...moved, ...others)
  await knows(alice, ...moved)
  for (const peer of moved) {
    alice.relay(peer, 'still you')
    await hears(peer, 'still you')
  }
})

test('a node that stood still so long that it counted as dead is one of many when it goes on', async () => {
  const stopped = await ServerProcess.start({ REDIS_URL: redis.url })
  try {
    const [alice, bob] = [await join(stopped), await join(here)]
    await knows(bob, alice)
    stopped.signal('SIGSTOP')
    await knows(bob)
    stopped.signal('SIGCONT')
    await knows(bob, alice)
    bob.relay(alice, 'there you are')
    await hears(alice, 'there you are')
    await knows(alice, bob)
    alice.client.socket.close()
    await knows(bob)
  } finally {
    stopped.signal('SIGKILL')
  }
})

test('of a node that is killed all peers are at the other within 5 seconds, and meet again', async () => {
  const proxy = await TcpProxy.to()
  const settings = { REDIS_URL: redis.url, TSUNAGI_ORIGINS: `ws://127.0.0.1:${proxy.port}` }
  const [one, other] = [await ServerProcess.start(settings), await ServerProcess.start(settings)]
  const mesh = await deriveMesh(crypto, 'kitchen', undefined)
  const told: string[] = []
  proxy.upstream = one.port
  const clients = await Promise.all(
    [0, 1, 2].map((name) =>
      startClient(crypto, mesh, `ws://127.0.0.1:${proxy.port}/signaling`, (line) => told.push(`${name} ${line}`)),
    ),
  )
  try {
    const all = ['0', '1', '2']
    const areOnline = (times: number) =>
      vi.waitFor(() => {
        for (const name of all) expect(told.filter((line) => line === `${name} online`)).toHaveLength(times)
      }, SOON)
    await areOnline(1)
    proxy.upstream = other.port
    const killed = performance.now()
    one.signal('SIGKILL')
    await areOnline(2)
    expect(performance.now() - killed).toBeLessThan(5_000)
    const [first, second] = clients as [(typeof clients)[0], (typeof clients)[0]]
    await vi.waitFor(() => first.client.relay(second.publicKey, utf8('still here')), SOON)
    await vi.waitFor(() => expect(told).toContain('1 frame: still here'), SOON)
  } finally {
    for (const { client } of clients) client.close()
    for (const process of [one, other]) process.signal('SIGKILL')
    proxy.cut()
  }
})

describe('without Redis', () => {
  test('peers of one node go on, no socket closes, and all is told anew when it is back', async () => {
    const [alice, bob, carol] = [await join(here), await join(here), await join(there)]
    let closed = 0
    for (const { client } of peers) client.socket.on('close', () => closed++)
    await knows(alice, bob, carol)
    await redis.stop()
    await knows(alice, bob)
    expect(await readiness(here)).toBe('degraded')
    expect((await fetch(`${here.url}/livez`)).status).toBe(200)
    alice.relay(bob, 'here we are')
    await hears(bob, 'here we are')
    alice.relay(carol, 'are you there?')
    await vi.waitFor(() => expect(alice.unknown).toEqual(['UNKNOWN_PEER']), SOON)
    // Who comes meanwhile is at home at once, and told to the others later.
    const dave = await join(there)
    await knows(carol, dave)

    await redis.start()
    await knows(alice, bob, carol, dave)
    await knows(dave, alice, bob, carol)
    alice.relay(dave, 'welcome')
    await hears(dave, 'welcome')
    expect(await readiness(here)).toBe('ready')
    expect(closed).toBe(0)
  })

  test('for half a minute, nobody is sent away, and after it who is there meets, speaks and wakes again', async () => {
    const [alice, bob] = [await join(here), await join(there)]
    let closed = 0
    for (const { client } of peers) client.socket.on('close', () => closed++)
    await knows(alice, bob)
    await redis.stop()
    await knows(alice)
    await wait(30_000)
    expect(await Promise.all([here, there].map(readiness))).toEqual(['degraded', 'degraded'])
    await redis.start()
    await knows(alice, bob)
    await knows(bob, alice)
    alice.relay(bob, 'still here')
    await hears(bob, 'still here')
    await vi.waitFor(async () => expect(await readiness(there)).toBe('ready'), SOON)
    bob.wakeUp(alice, 'wake')
    await isWokenBy(alice, 'wake')
    expect(closed).toBe(0)
  }, 120_000)

  test('that keeps its connections but answers nothing, peers of one node go on', async () => {
    const [alice, bob] = [await join(here), await join(there)]
    await knows(alice, bob)
    redis.freeze()
    let carol: Peer
    try {
      await vi.waitFor(async () => expect(await readiness(here)).toBe('degraded'), SOON)
      carol = await join(here)
      carol.relay(alice, 'hello')
      await hears(alice, 'hello')
    } finally {
      redis.thaw()
    }
    await knows(bob, alice, carol)
    expect(await readiness(there)).toBe('ready')
    bob.relay(alice, 'back')
    await hears(alice, 'hello', 'back')
  })

  test('who leaves a node as the last of the mesh is missed by those at others when it is back', async () => {
    const proxy = await TcpProxy.to(redis.port)
    onTestFinished(() => proxy.cut())
    const away = await node({ redisUrl: `redis://127.0.0.1:${proxy.port}` })
    const [alice, bob] = [await join(away), await join(here)]
    await knows(bob, alice)
    proxy.upstream = 0
    proxy.drop()
    await vi.waitFor(async () => expect(await readiness(away)).toBe('degraded'), SOON)
    alice.client.socket.close()
    await alice.client.closed
    await knows(bob, alice)
    // So soon that no other node counts it as dead.
    proxy.upstream = redis.port
    await vi.waitFor(async () => expect(await readiness(away)).toBe('ready'), SOON)
    await knows(bob)
    await knows(await join(await node()), bob)
    await knows(await join(away), ...peers.slice(1, 3))
  })

  test('who joined just before it was lost makes room for the same key at another node after it', async () => {
    const alice = await join(here)
    redis.freeze()
    const older = await join(here)
    await redis.stop()
    await vi.waitFor(async () => expect(await readiness(here)).toBe('degraded'), SOON)
    await redis.start()
    await knows(await join(there), alice, older)
    const newer = await join(there, older.key)
    expect((await older.client.closed).code).toBe(SIGNALING_CLOSE.replaced)
    alice.relay(newer, 'to the newer')
    await hears(newer, 'to the newer')
  })

  test('a node starts, and is one of many when it is there', async () => {
    await redis.stop()
    const late = await node()
    const alice = await join(late)
    expect(await readiness(late)).toBe('degraded')
    await redis.start()
    await vi.waitFor(async () => expect(await readiness(late)).toBe('ready'), SOON)
    await knows(await join(here), alice)
  })
})

describe('the store in Redis', () => {
  let store: Store | undefined
  afterEach(() => store?.close())

  storeSuite(
    async () => {
      await store?.close()
      store = await openRedisStore(redis.url)
      return store
    },
    { reopens: true },
  )
})
