/** Peers for the signaling tests: one under test, which notes all that its client tells, and others it may hear of. */
import type { PeerStatus } from '../api.ts'
import type { TsunagiError } from '../errors.ts'
import { PROTOCOL } from '../limits.ts'
import type { FakeClock } from '../liveness/fake-clock.fixture.ts'
import type { CryptoProvider, IntroductionKey, SigningKey } from '../ports.ts'
import type { Bytes } from '../wire/bytes.ts'
import { SignalingClient } from './client.ts'
import type { IntroductionKeys } from './introductions.ts'
import { type MeshKeys, relayInfo } from './messages.ts'
import { sealPresence } from './presence.ts'
import type { ScriptedServer } from './scripted-server.fixture.ts'

/** Another member: its record and what it seals. */
export class Member {
  readonly crypto: CryptoProvider
  readonly mesh: MeshKeys
  readonly key: SigningKey
  readonly introductionKey: IntroductionKey

  private constructor(crypto: CryptoProvider, mesh: MeshKeys, key: SigningKey, introductionKey: IntroductionKey) {
    this.crypto = crypto
    this.mesh = mesh
    this.key = key
    this.introductionKey = introductionKey
  }

  static async create(crypto: CryptoProvider, mesh: MeshKeys): Promise<Member> {
    return new Member(crypto, mesh, await crypto.generateSigningKey(), await crypto.generateIntroductionKey())
  }

  get publicKey(): Bytes {
    return this.key.publicKey
  }

  /** The same peer a week later. */
  async withNewIntroductionKey(): Promise<Member> {
    return new Member(this.crypto, this.mesh, this.key, await this.crypto.generateIntroductionKey())
  }

  /** @param now milliseconds since 1970 at which it is signed */
  record(now: number, notAfter = now + PROTOCOL.introductionKeyLife, meshId = this.mesh.meshId): Promise<Bytes> {
    const introductionKey = this.introductionKey.publicKey
    return sealPresence(this.crypto, this.key, meshId, { introductionKey, timestamp: now, notAfter })
  }

  seal(recipient: Bytes, introductionKey: Bytes, frame: Bytes): Promise<Bytes> {
    return this.crypto.seal(introductionKey, relayInfo(this.mesh.meshId, this.publicKey, recipient), frame)
  }

  open(sender: Bytes, sealed: Bytes): Promise<Bytes> {
    return this.introductionKey.open(relayInfo(this.mesh.meshId, sender, this.publicKey), sealed)
  }
}

interface Telling {
  status: { readonly status: PeerStatus }
  present: { readonly peer: string }
  joined: { readonly peer: string }
  left: { readonly peer: string }
  unknown: { readonly peer: string }
  frame: { readonly peer: string; readonly frame: string }
  error: { readonly error: TsunagiError }
}
type What = keyof Telling
/** What a client told, in order. Keys and frames are in hex, so that a failing test can be read. */
export type Told = { [W in What]: { readonly what: W } & Telling[W] }[What]

export class PeerUnderTest {
  readonly told: Told[] = []
  readonly client: SignalingClient
  #introduction: IntroductionKeys
  #wake: () => void = () => undefined

  readonly member: Member
  readonly clock: FakeClock
  readonly #server: ScriptedServer

  private constructor(member: Member, clock: FakeClock, server: ScriptedServer) {
    this.member = member
    this.clock = clock
    this.#server = server
    this.#introduction = {
      current: member.introductionKey,
      notAfter: clock.now() + PROTOCOL.introductionKeyLife,
    }
    const tell = (told: Told) => {
      this.told.push(told)
      this.#wake()
    }
    this.client = new SignalingClient({
      clock,
      crypto: member.crypto,
      key: member.key,
      introductionKeys: async () => this.#introduction,
      mesh: member.mesh,
      url: 'ws://mesh.example:8787/signaling',
      openSocket: server.openSocket,
      onStatus: (status) => tell({ what: 'status', status }),
      onMember: (publicKey, how) => tell({ what: how, peer: hex(publicKey) }),
      onLeft: (publicKey) => tell({ what: 'left', peer: hex(publicKey) }),
      onFrame: (frame, sender) => tell({ what: 'frame', peer: hex(sender), frame: hex(frame) }),
      onUnknownPeer: (publicKey) => tell({ what: 'unknown', peer: hex(publicKey) }),
      onError: (error) => tell({ what: 'error', error }),
    })
  }

  static async create(crypto: CryptoProvider, mesh: MeshKeys, clock: FakeClock, server: ScriptedServer) {
    return new PeerUnderTest(await Member.create(crypto, mesh), clock, server)
  }

  get publicKey(): Bytes {
    return this.member.publicKey
  }

  get introductionKey(): Bytes {
    return this.#introduction.current.publicKey
  }

  /** From the next join on, with the key so far as the previous one. */
  async changeIntroductionKey(): Promise<void> {
    this.#introduction = {
      current: await this.member.crypto.generateIntroductionKey(),
      notAfter: this.clock.now() + PROTOCOL.introductionKeyLife,
      previous: this.#introduction.current,
    }
  }

  /** Waits until the client has told as much as `count` of that kind. */
  async until(what: What, count = 1): Promise<void> {
    while (this.all(what).length < count) await this.#more()
  }

  /** Waits until the client has worked through all that its open socket brought: a frame sent now comes last. */
  async catchUp(): Promise<void> {
    const last = await Member.create(this.member.crypto, this.member.mesh)
    const sealed = await last.seal(this.publicKey, this.introductionKey, new Uint8Array([1]))
    this.#server.socket.relay(last.publicKey, sealed)
    const isLast = (told: Told) => told.what === 'frame' && told.peer === hex(last.publicKey)
    while (!this.told.some(isLast)) await this.#more()
    this.told.splice(this.told.findIndex(isLast), 1)
  }

  #more(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }

  all<W extends What>(what: W): Extract<Told, { what: W }>[] {
    return this.told.filter((told): told is Extract<Told, { what: W }> => told.what === what)
  }

  get statuses(): string[] {
    return this.all('status').map(({ status }) => status)
  }

  get errors(): string[] {
    return this.all('error').map(({ error }) => error.code)
  }

  /** All told but the status. */
  get news(): Told[] {
    return this.told.filter(({ what }) => what !== 'status')
  }
}

export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
