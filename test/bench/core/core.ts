/** What the library's own work costs, without a network: the same in Node and in a page. */
import { HandshakeManager } from '../../../packages/protocol/src/handshake/handshake-manager.ts'
import type { LinkEvents } from '../../../packages/protocol/src/links/link.ts'
import { createMemoryNetwork } from '../../../packages/protocol/src/links/memory.ts'
import { SESSION_TYPES } from '../../../packages/protocol/src/messages.ts'
import type { Clock, CryptoProvider, SigningKey } from '../../../packages/protocol/src/ports.ts'
import type { FrameBody, Record as FrameRecord } from '../../../packages/protocol/src/session/frame.ts'
import { Incoming } from '../../../packages/protocol/src/session/incoming.ts'
import { SecureChannel } from '../../../packages/protocol/src/session/secure-channel.ts'
import type { Bytes } from '../../../packages/protocol/src/wire/bytes.ts'
import { decodeCbor, encodeCbor } from '../../../packages/protocol/src/wire/cbor.ts'

export interface Figure {
  readonly what: string
  readonly unit: string
  readonly value: number
}

/** Messages of 200 bytes in a frame: one alone, some that came together, and a frame of the target size. */
const BATCHES = [1, 16, 280]
const RECORD: FrameRecord = {
  type: SESSION_TYPES.message,
  raw: true,
  more: false,
  durable: false,
  lane: 1,
  payload: new Uint8Array(200),
}
/** As large and as deep as the payload of a task. */
const MESSAGE = {
  task: new Uint8Array(16).fill(7),
  capability: 'text.count',
  version: '1.0',
  priority: 'normal',
  deadline: 300_000,
  input: { text: 'to be or not to be '.repeat(8), options: { words: true, lines: false, limit: 1_000 } },
}

const clock: Clock = {
  now: Date.now,
  after(delay, action) {
    const timer = setTimeout(action, delay)
    return () => clearTimeout(timer)
  },
}

/** @param duration milliseconds for each figure */
export async function measureCore(crypto: CryptoProvider, duration: number): Promise<Figure[]> {
  const figures: Figure[] = []
  const add = (what: string, unit: string, value: number) => figures.push({ what, unit, value })
  add('handshakes', 'both sides, 1/s', await rate(duration, () => pair(crypto).then((two) => two.close())))
  for (const batch of BATCHES) {
    const two = await pair(crypto)
    const frames = await two.frames(batch, duration)
    two.close()
    add(`frames of ${batch} messages`, 'sealed and opened, 1/s', frames)
    add(`messages in frames of ${batch}`, 'sealed and opened, 1/s', frames * batch)
  }
  const encoded = encodeCbor(MESSAGE)
  add(
    `encode ${encoded.length} bytes of CBOR`,
    '1/s',
    rateOf(duration, () => encodeCbor(MESSAGE)),
  )
  add(
    `decode ${encoded.length} bytes of CBOR`,
    '1/s',
    rateOf(duration, () => decodeCbor(encoded)),
  )
  const inOrder = new Incoming(() => undefined)
  add(
    'sequence buffer, in order',
    'messages/s',
    rateOf(duration, () => inOrder.take(inOrder.expected, [RECORD])),
  )
  const swapped = new Incoming(() => undefined)
  const bothSwapped = () => {
    const first = swapped.expected
    swapped.take(first + 1, [RECORD])
    swapped.take(first, [RECORD])
  }
  add('sequence buffer, each pair swapped', 'messages/s', 2 * rateOf(duration, bothSwapped))
  return figures
}

interface Pair {
  /** @returns frames a second that one side sealed and the other opened */
  frames(batch: number, duration: number): Promise<number>
  close(): void
}

/** Two sides that have shaken hands. */
async function pair(crypto: CryptoProvider): Promise<Pair> {
  const net = createMemoryNetwork({
    schedule: (action) => queueMicrotask(action),
    randomBytes: (length) => crypto.randomBytes(length),
  })
  const keys = await Promise.all([crypto.generateSigningKey(), crypto.generateSigningKey()])
  const sides = keys.map((key) => new Side(crypto, key, net.transport()))
  const [first, second] = sides as [Side, Side]
  first.other = second
  second.other = first
  first.manager.sendHandshake(second.key.publicKey, 'memory')
  const [sending, receiving] = await Promise.all([first.secured, second.secured])
  return {
    async frames(batch, duration) {
      const body: FrameBody = {
        prompt: false,
        resend: false,
        provisional: false,
        ack: 1,
        window: 0,
        first: 1,
        records: Array.from({ length: batch }, () => RECORD),
      }
      let opened = 0
      let tell = () => undefined as unknown
      second.onFrame = () => {
        opened++
        tell()
      }
      const start = performance.now()
      let sent = 0
      const send = () => {
        while (sending.hasRoom && performance.now() - start < duration) {
          sending.send(body)
          sent++
        }
      }
      first.onRoom = send
      send()
      await new Promise<void>((fulfil) => {
        tell = () => opened === sent && performance.now() - start >= duration && fulfil()
      })
      return (1_000 * opened) / (performance.now() - start)
    },
    close() {
      for (const secured of [sending, receiving]) secured.close()
      for (const side of sides) side.manager.close()
    },
  }
}

class Side {
  readonly key: SigningKey
  readonly manager: HandshakeManager
  readonly secured: Promise<SecureChannel>
  other: Side | undefined
  onFrame: () => void = () => undefined
  onRoom: () => void = () => undefined

  constructor(
    crypto: CryptoProvider,
    key: SigningKey,
    transport: ReturnType<ReturnType<typeof createMemoryNetwork>['transport']>,
  ) {
    this.key = key
    let fulfil: (secured: SecureChannel) => void
    let reject: (error: Error) => void
    this.secured = new Promise((resolve, fail) => {
      fulfil = resolve
      reject = fail
    })
    this.manager = new HandshakeManager({
      clock,
      crypto,
      key,
      meshSecret: new Uint8Array(),
      transport: () => transport,
      iceServers: () => [],
      serverNow: Date.now,
      sendOpen: (_, frame: Bytes) => this.other?.manager.handleOpenFrame(frame, key.publicKey),
      resumable: () => undefined,
      onFailed: (_peer, _kind, error) => reject(error),
      onEstablished: (channel): LinkEvents => {
        const secured = new SecureChannel(
          channel,
          { clock, crypto, key },
          {
            frame: () => this.onFrame(),
            refused: (error) => reject(error),
            room: () => this.onRoom(),
            closed: () => undefined,
          },
        )
        fulfil(secured)
        return secured.linkEvents
      },
    })
  }
}

/** @returns how often a second, one after the other */
async function rate(duration: number, action: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  let count = 0
  for (; performance.now() - start < duration; count++) await action()
  return (1_000 * count) / (performance.now() - start)
}

/** Of what takes so little that looking at the clock each time would count. */
function rateOf(duration: number, action: () => unknown): number {
  const start = performance.now()
  let count = 0
  for (; performance.now() - start < duration; count += 100) for (let n = 0; n < 100; n++) action()
  return (1_000 * count) / (performance.now() - start)
}
