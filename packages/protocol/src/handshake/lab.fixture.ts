/** Peers that shake hands over memory links, with a signaling server that does what a test says. */
import type { TsunagiError } from '../errors.ts'
import type { LinkEvents, LinkKind, LinkTransport } from '../links/link.ts'
import { createMemoryNetwork, type MemoryNetwork } from '../links/memory.ts'
import { FakeClock } from '../liveness/fake-clock.fixture.ts'
import type { OpenType } from '../messages.ts'
import type { CryptoProvider, SigningKey } from '../ports.ts'
import { type Bytes, compareBytes, equalBytes, utf8 } from '../wire/bytes.ts'
import { openFrameType } from '../wire/open-frame.ts'
import { Work } from '../work.fixture.ts'
import type { Channel, Resumption } from './channel.ts'
import { HandshakeManager } from './handshake-manager.ts'
import type { HandshakeHost, OpenFrameTrace } from './host.ts'

/** A frame on its way through the server. */
export interface Mail {
  readonly from: LabPeer
  readonly to: Bytes
  readonly frame: Bytes
  readonly type: OpenType | undefined
}

export interface LabPeerOptions {
  readonly key?: SigningKey
  readonly crypto?: CryptoProvider
  readonly meshSecret?: Bytes
  readonly transport?: (real: LinkTransport) => LinkTransport
  /** Kinds of links this peer has; all of them are memory links that go by that name. Default: memory. */
  readonly kinds?: readonly LinkKind[]
  /** Milliseconds by which this peer's clock is ahead. */
  readonly clockAhead?: number
}

type LinkHook = (frame: Bytes, deliver: (frame: Bytes) => void, from: string) => unknown

export class Lab {
  readonly clock = new FakeClock()
  readonly net: MemoryNetwork
  readonly crypto: CryptoProvider
  readonly peers: LabPeer[] = []
  /** Everything the server was given, in order. */
  readonly mail: Mail[] = []
  /** What the server does with a frame. */
  server: (mail: Mail) => unknown = (mail) => this.deliver(mail)
  /** What the link does with one. */
  onLinkFrame: LinkHook = (frame, deliver) => deliver(frame)
  /** Signature checks begun. */
  verifications = 0
  readonly #work = new Work((name) => {
    if (name === 'verify') this.verifications++
  })

  constructor(crypto: CryptoProvider) {
    this.crypto = this.#work.counted(crypto)
    this.net = createMemoryNetwork({
      schedule: queueMicrotask,
      randomBytes: (length) => crypto.randomBytes(length),
      onFrame: (frame, deliver, from) => this.onLinkFrame(frame, deliver, from),
    })
  }

  async peer(name: string, options: LabPeerOptions = {}): Promise<LabPeer> {
    const key = options.key ? this.#work.counted(options.key) : await this.crypto.generateSigningKey()
    const crypto = options.crypto ? this.#work.counted(options.crypto) : this.crypto
    const peer = new LabPeer(this, name, { ...options, key, crypto })
    this.peers.push(peer)
    return peer
  }

  /** Two peers in the order of their keys: the first stays initiator where both start. */
  async pair(first: LabPeerOptions = {}, second: LabPeerOptions = {}): Promise<[LabPeer, LabPeer]> {
    const keys = await Promise.all([this.crypto.generateSigningKey(), this.crypto.generateSigningKey()])
    keys.sort((a, b) => compareBytes(a.publicKey, b.publicKey))
    const [lower, higher] = keys as [SigningKey, SigningKey]
    return [await this.peer('lower', { key: lower, ...first }), await this.peer('higher', { key: higher, ...second })]
  }

  /** Hands a frame over, altered or to another than it was meant for where the test says so. */
  deliver(mail: Mail, differs: { readonly frame?: Bytes; readonly to?: Bytes; readonly claimed?: Bytes } = {}): void {
    const to = differs.to ?? mail.to
    const peer = this.peers.find(({ id }) => equalBytes(id, to))
    peer?.manager.handleOpenFrame((differs.frame ?? mail.frame).slice(), differs.claimed ?? mail.from.id)
  }

  /** Until nothing happens any more without the clock or the server. */
  settle(): Promise<void> {
    return this.#work.done()
  }

  /** Time enough for every state of every handshake to run out. */
  async waitForTimeouts(): Promise<void> {
    for (let state = 0; state < 6; state++) {
      await this.settle()
      this.clock.advance(10_000)
    }
    await this.settle()
  }
}

export class LabPeer implements LinkEvents {
  readonly id: Bytes
  readonly name: string
  readonly key: SigningKey
  readonly manager: HandshakeManager
  readonly channels: Channel[] = []
  readonly failures: TsunagiError[] = []
  readonly traces: OpenFrameTrace[] = []
  /** Frames that the session got from its links, and how those ended. */
  readonly frames: Bytes[] = []
  readonly closes: (Error | undefined)[] = []
  resumption: Resumption | undefined
  /** What the session does with a channel before anything else. */
  onChannel: (channel: Channel) => void = () => undefined

  constructor(lab: Lab, name: string, options: LabPeerOptions & Pick<HandshakeHost, 'key' | 'crypto'>) {
    const { key, crypto } = options
    this.id = key.publicKey
    this.name = name
    this.key = key
    const real = lab.net.transport(name)
    const transport = options.transport?.(real) ?? real
    const host: HandshakeHost = {
      clock: lab.clock,
      crypto,
      key,
      meshSecret: options.meshSecret ?? new Uint8Array(),
      transport: (kind) => ((options.kinds ?? ['memory']).includes(kind) ? { ...transport, kind } : undefined),
      iceServers: () => [],
      serverNow: () => lab.clock.now() + (options.clockAhead ?? 0),
      sendOpen: (to, frame) => {
        const mail = { from: this, to, frame: frame.slice(), type: openFrameType(frame) }
        lab.mail.push(mail)
        lab.server(mail)
      },
      resumable: () => this.resumption,
      onEstablished: (channel) => {
        this.channels.push(channel)
        this.onChannel(channel)
        return this
      },
      onFailed: (_peer, _kind, error) => this.failures.push(error),
      onOpenFrame: (trace) => this.traces.push(trace),
    }
    this.manager = new HandshakeManager(host)
  }

  frame(bytes: Bytes): void {
    this.frames.push(bytes)
  }

  drain(): void {
    // Nothing waits for room in a test.
  }

  close(reason?: Error): void {
    this.closes.push(reason)
  }

  get channel(): Channel {
    const [channel] = this.channels
    if (!channel) throw new Error(`${this.name} has no channel: ${this.failures.concat(this.refusals).join('; ')}`)
    return channel
  }

  /** Codes of the handshakes that failed here. */
  get failed(): string[] {
    return this.failures.map(({ code }) => code)
  }

  get refusals(): TsunagiError[] {
    return this.traces.flatMap(({ refused }) => refused ?? [])
  }

  /** Codes of the frames that were refused here. */
  get refused(): string[] {
    return this.refusals.map(({ code }) => code)
  }
}

const NONCE = new Uint8Array(12)
const NO_DATA = new Uint8Array()

/** Whether what one side sends can be read at the other, both ways, and not by the side that sent it. */
export async function keysAgree(a: Channel, b: Channel): Promise<boolean> {
  const reads = async (from: Channel, to: Channel) => {
    const sealed = await from.sendKeys.key.seal(NONCE, NO_DATA, utf8('a message'))
    const open = ({ key }: Channel['sendKeys']) =>
      key.open(NONCE, NO_DATA, sealed).then(
        () => true,
        () => false,
      )
    return (await open(to.receiveKeys)) && !(await open(from.receiveKeys))
  }
  return (await reads(a, b)) && (await reads(b, a))
}
