/** Whole peers in one program: memory links, a signaling server in memory, and one clock, which the test moves. */
import type { DelegateOptions, PeerEvents, PeerId, PeerInfo, TaskInfo, WakePolicy, WakeUpOptions } from './api.ts'
import type { TransferHost, TransferPlace } from './bulk/ports.ts'
import { isTsunagiError, type TsunagiError } from './errors.ts'
import { PROTOCOL } from './limits.ts'
import type { LinkTransport } from './links/link.ts'
import { createMemoryNetwork, type MemoryNetwork } from './links/memory.ts'
import { FakeClock } from './liveness/fake-clock.fixture.ts'
import { MeshServer } from './mesh-server.fixture.ts'
import { PeerService } from './peer.ts'
import type { CryptoProvider, IntroductionKey, SigningKey } from './ports.ts'
import type { SessionStore } from './session/store.ts'
import { deriveMesh, type MeshKeys } from './signaling/messages.ts'
import type { TaskStore } from './tasks/store.ts'
import type { Bytes } from './wire/bytes.ts'
import { Work } from './work.fixture.ts'

export interface MeshPeerOptions {
  /** In place of the mesh's own: whoever lies does it there. */
  readonly crypto?: CryptoProvider
  readonly key?: SigningKey
  readonly introductionKey?: IntroductionKey
  readonly keys?: MeshKeys
  /** Without it the peer keeps no files. */
  readonly transfers?: TransferHost
  readonly transport?: (real: LinkTransport) => LinkTransport
  readonly store?: SessionStore
  readonly taskStore?: TaskStore
  readonly wakePolicy?: WakePolicy
  /** Parts of the library are loaded when they are first needed, not before the test goes on. */
  readonly lazy?: boolean
}

export class Mesh {
  readonly clock = new FakeClock()
  readonly server = new MeshServer(this.clock)
  readonly net: MemoryNetwork
  readonly crypto: CryptoProvider
  readonly keys: MeshKeys
  /** What the links do with a frame; `from` is the name of the peer that sent it. */
  onLinkFrame: (frame: Bytes, deliver: (frame: Bytes) => void, from: string) => void = (frame, deliver) =>
    deliver(frame)
  readonly #work = new Work()

  static async create(crypto: CryptoProvider): Promise<Mesh> {
    return new Mesh(crypto, await deriveMesh(crypto, 'kitchen', undefined))
  }

  constructor(crypto: CryptoProvider, keys: MeshKeys) {
    this.crypto = this.#work.counted(crypto)
    this.keys = keys
    this.net = createMemoryNetwork({
      schedule: queueMicrotask,
      randomBytes: (length) => crypto.randomBytes(length),
      onFrame: (frame, deliver, from) => this.onLinkFrame(frame, deliver, from),
    })
  }

  /** A peer that has done all it can do without the clock. */
  async join(name: string, options: MeshPeerOptions = {}): Promise<MeshPeer> {
    const key = options.key ? this.#work.counted(options.key) : await this.crypto.generateSigningKey()
    const current = options.introductionKey ?? (await this.crypto.generateIntroductionKey())
    const real = this.net.transport(name)
    const peer = new MeshPeer(
      key,
      new PeerService({
        clock: this.clock,
        crypto: options.crypto ?? this.crypto,
        key,
        introductionKeys: async () => ({ current, notAfter: this.clock.now() + PROTOCOL.introductionKeyLife }),
        meshName: 'kitchen',
        mesh: options.keys ?? this.keys,
        name,
        signaling: 'ws://mesh.example/signaling',
        openSocket: this.server.openSocket,
        transport: options.transport?.(real) ?? real,
        store: options.store,
        wakePolicy: options.wakePolicy,
        taskStore: options.taskStore,
        transfers: options.transfers && placeOf(options.transfers),
        onClosed: () => {
          peer.timesClosed++
        },
      }),
    )
    await peer.service.start()
    if (options.lazy !== true) await peer.service.load()
    await this.quiet()
    return peer
  }

  async joinAll<Names extends readonly string[]>(...names: Names): Promise<{ [N in keyof Names]: MeshPeer }> {
    const peers: MeshPeer[] = []
    for (const name of names) peers.push(await this.join(name))
    return peers as { [N in keyof Names]: MeshPeer }
  }

  /** Fulfils when nothing more happens unless the test does something or the clock moves. */
  quiet(): Promise<void> {
    return this.#work.done()
  }

  /** Lets time pass in steps that leave room for what a timer sets off. */
  async pass(ms: number, step = 500): Promise<void> {
    for (let passed = 0; passed < ms; passed += step) {
      this.clock.advance(Math.min(step, ms - passed))
      await this.quiet()
    }
  }
}

function placeOf(host: TransferHost): TransferPlace {
  return { isEmpty: async () => (await host.load()).length === 0, open: async () => host }
}

/** What became of a promise: how it ended, or undefined so far. */
export interface Outcome {
  readonly value?: unknown
  /** The code of what it was rejected with; the text of that where it is no TsunagiError. */
  readonly code?: string
  readonly settled: boolean
}

export function watch(promise: Promise<unknown>): () => Outcome {
  let outcome: Outcome = { settled: false }
  promise.then(
    (value) => {
      outcome = { value, settled: true }
    },
    (error: unknown) => {
      outcome = { code: isTsunagiError(error) ? error.code : String(error), settled: true }
    },
  )
  return () => outcome
}

/** A peer and all that it told. */
export class MeshPeer {
  readonly key: SigningKey
  readonly service: PeerService
  readonly messages: PeerEvents['message'][] = []
  readonly left: PeerInfo[] = []
  readonly statuses: string[] = []
  readonly errors: TsunagiError[] = []
  readonly tasks: TaskInfo[] = []
  readonly wakeUps: PeerEvents['wakeup'][] = []
  timesClosed = 0

  constructor(key: SigningKey, service: PeerService) {
    this.key = key
    this.service = service
    service.on('message', (message) => this.messages.push(message))
    service.on('peerleft', (peer) => this.left.push(peer))
    service.on('status', (status) => this.statuses.push(status))
    service.on('error', (error) => this.errors.push(error))
    service.on('task', (task) => this.tasks.push(task))
    service.on('wakeup', (wakeUp) => this.wakeUps.push(wakeUp))
  }

  get id(): PeerId {
    return this.service.id
  }

  get codes(): string[] {
    return this.errors.map(({ code }) => code)
  }

  /** What came from that peer, or from all. */
  heard(from?: MeshPeer): unknown[] {
    return this.messages.filter((message) => from === undefined || message.from === from.id).map(({ data }) => data)
  }

  sees(other: MeshPeer): PeerInfo | undefined {
    return this.service.peers.find(({ id }) => id === other.id)
  }

  send(to: MeshPeer, data: unknown): () => Outcome {
    return watch(this.service.send(to.id, data))
  }

  wake(target: MeshPeer, options: WakeUpOptions = {}): () => Outcome {
    return watch(this.service.wakeUp(target.id, options))
  }

  delegate(to: MeshPeer, capability: string, input: unknown, options: DelegateOptions = {}): () => Outcome {
    return watch(this.service.delegate(capability, input, { ...options, to: to.id }).result)
  }
}
