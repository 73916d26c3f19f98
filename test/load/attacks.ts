/**
 * What strangers do to a server, each for some seconds from one address and from a process of its own, so that the honest
 * peers beside them are measured and not the attacker: `attacks.ts <attack> <url> <address> <seconds> <seed>`. The last line
 * says what came of it.
 */
import { once } from 'node:events'
import { connect as connectTcp } from 'node:net'
import { setPriority } from 'node:os'
import { setTimeout as wait } from 'node:timers/promises'
import { createCryptoProvider } from '@tsunagi/protocol/crypto'
import {
  type Bytes,
  type CryptoProvider,
  decodeSignaling,
  encodeSignaling,
  SIGNALING_TYPES,
} from '@tsunagi/protocol/signaling'
import { SIGNALING_PATH } from '@tsunagi/signaling'
import { WebSocket } from 'ws'
import { HOSTILE_JOINS } from '../../apps/signaling/src/hostile-joins.fixture.ts'
import { LoadPeer } from './load-peer.ts'

/** The mesh of the honest peers, which an attacker of a mesh without secret can join. */
export const MESH: Bytes = new Uint8Array(32).fill(7)

export interface Outcome {
  /** Sockets, or TCP connections, that were tried. */
  attempts: number
  /** Of these, those that the server refused or ended. */
  ended: number
}

interface Scene {
  readonly crypto: CryptoProvider
  readonly url: string
  readonly localAddress: string
  readonly outcome: Outcome
  /** From 0 to 1, the same for the same seed. */
  readonly random: () => number
  isOver(): boolean
}

const ATTACKS = {
  'zombies that answer nothing': (scene: Scene) =>
    inParallel(100, scene, async (peer) => {
      peer.fallAsleep()
      await peer.closed()
    }),

  'slow readers whom accomplices send to': (scene: Scene) =>
    inParallel(20, scene, async (peer) => {
      peer.fallAsleep()
      const accomplice = await proven(scene)
      while (!scene.isOver() && accomplice.isOpen) {
        for (let i = 0; i < 10; i++) accomplice.relay(peer.key.publicKey, new Uint8Array(60_000))
        await wait(20)
      }
      peer.leave()
    }),

  spammers: (scene: Scene) =>
    inParallel(20, scene, async (peer) => {
      const target = scene.crypto.randomBytes(32)
      while (!scene.isOver() && peer.isOpen) {
        for (let i = 0; i < 50; i++) peer.relay(target, new Uint8Array(100))
        await wait(5)
      }
    }),

  'half-open upgrades': (scene: Scene) =>
    flood(scene, 500, async () => {
      const { hostname, port } = new URL(scene.url)
      const socket = connectTcp({ host: hostname, port: Number(port), localAddress: scene.localAddress })
      socket.on('error', () => scene.outcome.ended++)
      socket.write(`GET ${SIGNALING_PATH} HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgr`)
    }),

  'floods of fragments': (scene: Scene) =>
    withSocket(scene, async (socket) => {
      const byte = new Uint8Array([SIGNALING_TYPES.ping])
      while (!scene.isOver() && socket.readyState === WebSocket.OPEN) {
        for (let i = 0; i < 500; i++) socket.send(byte, { fin: false })
        await wait(1)
      }
    }),

  'oversized and malformed frames': (scene: Scene) =>
    withSocket(scene, async (socket) => {
      if (scene.random() < 0.5) socket.send(new Uint8Array(1_000_000))
      else socket.send(fuzzed(scene))
      await once(socket, 'close')
    }),

  'a thousand joins a second': (scene: Scene) =>
    flood(scene, 1_000, async () => {
      const peer = new LoadPeer(scene.crypto, await scene.crypto.generateSigningKey(), MESH, {
        localAddress: scene.localAddress,
      })
      await peer.join(scene.url).catch(() => scene.outcome.ended++)
    }),

  'replayed and foreign joins': (scene: Scene) => {
    const attacks = Object.values(HOSTILE_JOINS)
    return withSocket(scene, async (socket, challenge, time) => {
      const payload = await (attacks[Math.floor(scene.random() * attacks.length)] as (typeof attacks)[0])({
        crypto: scene.crypto,
        key: await scene.crypto.generateSigningKey(),
        victim: await scene.crypto.generateSigningKey(),
        challenge,
        origin: scene.url.replace(/^http/, 'ws'),
        meshId: MESH,
        now: time,
      })
      socket.send(encodeSignaling({ type: 'join', payload }))
      await once(socket, 'close')
    })
  },

  'random bytes where a message, a frame or a request belongs': async (scene: Scene) => {
    await Promise.all([
      withSocket(scene, async (socket) => {
        while (!scene.isOver() && socket.readyState === WebSocket.OPEN) {
          socket.send(fuzzed(scene), { fin: scene.random() < 0.9, binary: scene.random() < 0.9 })
          await wait(1)
        }
      }),
      flood(scene, 100, async () => {
        const { hostname, port } = new URL(scene.url)
        const socket = connectTcp({ host: hostname, port: Number(port), localAddress: scene.localAddress })
        socket.on('error', () => undefined)
        socket.on('close', () => scene.outcome.ended++)
        // Half of them get as far as a socket, so that what follows is read as WebSocket frames.
        if (scene.random() < 0.5) socket.write(UPGRADE)
        socket.write(fuzzed(scene))
        await wait(500)
        socket.destroy()
      }),
    ])
  },
} satisfies Record<string, (scene: Scene) => Promise<unknown>>

export type Attack = keyof typeof ATTACKS
export const ATTACK_NAMES = Object.keys(ATTACKS) as Attack[]

const UPGRADE = [
  `GET ${SIGNALING_PATH} HTTP/1.1`,
  'Host: any',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
  'Sec-WebSocket-Version: 13',
  '\r\n',
].join('\r\n')

/** A message of a type that exists, or of any, with bytes behind it that may begin like CBOR. */
function fuzzed({ random }: Scene): Uint8Array {
  const bytes = Uint8Array.from({ length: Math.floor(random() ** 4 * 2_000) }, () => Math.floor(random() * 256))
  if (bytes.length > 0 && random() < 0.8) bytes[0] = Math.floor(random() * 14)
  if (bytes.length > 1 && random() < 0.5) bytes[1] = 0xa0 + Math.floor(random() * 8)
  return bytes
}

async function proven({ crypto, url, localAddress }: Scene): Promise<LoadPeer> {
  const peer = new LoadPeer(crypto, await crypto.generateSigningKey(), MESH, { localAddress })
  await peer.join(url)
  return peer
}

/** So many proven peers at any time; each that is sent away is followed by another. */
async function inParallel(width: number, scene: Scene, action: (peer: LoadPeer) => Promise<void>): Promise<void> {
  const one = async () => {
    while (!scene.isOver()) {
      scene.outcome.attempts++
      try {
        await action(await proven(scene))
      } catch {
        // Refused: it tries again.
      }
      scene.outcome.ended++
      await wait(50)
    }
  }
  await Promise.race([Promise.all(Array.from({ length: width }, one)), over(scene)])
}

/** One after the other, some at once, each with what the server asked. */
async function withSocket(
  scene: Scene,
  action: (socket: WebSocket, challenge: Bytes, time: number) => Promise<unknown>,
): Promise<void> {
  const one = async () => {
    while (!scene.isOver()) {
      scene.outcome.attempts++
      const socket = new WebSocket(scene.url.replace(/^http/, 'ws') + SIGNALING_PATH, {
        perMessageDeflate: false,
        localAddress: scene.localAddress,
      })
      try {
        const [data] = await once(socket, 'message')
        const message = decodeSignaling(new Uint8Array(data))
        if (message.type === 'challenge') await action(socket, message.payload.challenge, message.payload.time)
      } catch {
        // Refused or ended: it tries again.
      }
      socket.on('error', () => undefined)
      socket.terminate()
      scene.outcome.ended++
      await wait(5)
    }
  }
  await Promise.race([Promise.all(Array.from({ length: 10 }, one)), over(scene)])
}

/** @param rate attempts a second */
async function flood(scene: Scene, rate: number, action: () => Promise<unknown>): Promise<void> {
  const begun = performance.now()
  while (!scene.isOver()) {
    for (const due = ((performance.now() - begun) / 1_000) * rate; scene.outcome.attempts < due; ) {
      scene.outcome.attempts++
      action().catch(() => undefined)
    }
    await wait(5)
  }
}

async function over(scene: Scene): Promise<void> {
  while (!scene.isOver()) await wait(20)
}

/** Mulberry32: 32 bits of state are enough for inputs that repeat. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

const [name, url, localAddress, seconds, seed] = process.argv.slice(2)
if (name !== undefined && name in ATTACKS && url !== undefined && localAddress !== undefined) {
  const end = performance.now() + 1_000 * Number(seconds)
  const outcome = { attempts: 0, ended: 0 }
  const isOver = () => performance.now() >= end
  // Attackers have machines of their own: here theirs is what the server and the honest peers leave of this one.
  setPriority(19)
  console.log('begun')
  const crypto = await createCryptoProvider()
  await ATTACKS[name as Attack]({ crypto, url, localAddress, outcome, random: seeded(Number(seed)), isOver })
  console.log(JSON.stringify(outcome))
  process.exit(0)
}
