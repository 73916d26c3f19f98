import type { PeerId } from '../../packages/protocol/src/api.ts'
import { Mesh, type MeshPeer, type Outcome, watch } from '../../packages/protocol/src/mesh.fixture.ts'
import { SESSION_FRAME, SESSION_TYPES, TASK_REJECT_REASONS } from '../../packages/protocol/src/messages.ts'
import type { CryptoProvider, SigningKey, TrafficKey } from '../../packages/protocol/src/ports.ts'
import { HEADER_LENGTH, RECORD_FLAGS, RECORD_HEAD, signedBytes } from '../../packages/protocol/src/session/frame.ts'
import { type Bytes, concat, utf8 } from '../../packages/protocol/src/wire/bytes.ts'
import { encodeCbor } from '../../packages/protocol/src/wire/cbor.ts'
import { uuidBytes } from '../../packages/protocol/src/wire/uuid.ts'
import { signalingMessage } from './encodings.ts'
import { mutate, Recent } from './mutation.ts'
import type { Random } from './random.ts'
import type { Findings, Target } from './target.ts'

const NORMAL_LANE = 1 << 2

/** Where the parts of a session frame begin: type, session, epoch, counter, what is sealed. */
const FIELDS = [0, 1, 17, 21, 29]
const AT_EACH_FRAME = 8
/** So many bytes may wait to be opened that these few are all that fits. */
const AT_A_LARGE_FRAME = 1
/** Milliseconds that a task takes: lies about it come while it is under way. */
const WORK = 200
const LIES_IN_A_ROUND = 20
/** Share of lies for which a peer is left at once: after it nobody hears the others. */
const FATAL = 0.01

/** What is signed of a session frame begins with this and two keys; then comes the header. */
const SIGNED_FRAME = utf8('tsunagi/1.1/session-frame\0')
const CONTEXT_LENGTH = SIGNED_FRAME.length + 64
/** Where the records begin in what is sealed, and where they end before its end. */
const RECORDS_AT = 21
const SIGNATURE_LENGTH = 64

/** What is to become of the next message that the rogue sends. */
interface Disguise {
  readonly type: number
  readonly flags: number
}

/**
 * A peer that owns its keys, so that all it says is proven to be its own: before it seals, it puts other types and flags to its
 * messages, or changes any byte, and signs that.
 */
class Rogue {
  readonly key: SigningKey
  readonly crypto: CryptoProvider
  readonly disguises: Disguise[] = []
  frames = 0
  /** Sender and recipient of frames that were signed and not yet sealed, by their headers. */
  readonly #contexts = new Map<string, Bytes>()

  constructor(random: Random, crypto: CryptoProvider, real: SigningKey) {
    this.key = {
      publicKey: real.publicKey,
      sign: (data) => {
        if (SIGNED_FRAME.every((byte, i) => data[i] === byte)) {
          const header = data.subarray(CONTEXT_LENGTH, CONTEXT_LENGTH + HEADER_LENGTH)
          this.#contexts.set(header.toString(), data.slice(0, CONTEXT_LENGTH))
        }
        return real.sign(data)
      },
    }
    this.crypto = {
      ...crypto,
      derivationKey: async (secret) => {
        const key = await crypto.derivationKey(secret)
        return {
          derive: (...input) => key.derive(...input),
          trafficKey: async (...input) => lying(await key.trafficKey(...input)),
        }
      },
    }
    const lying = (key: TrafficKey): TrafficKey => ({
      open: (...sealed) => key.open(...sealed),
      seal: async (nonce, header, plaintext) => {
        const context = this.#contexts.get(header.toString())
        this.#contexts.delete(header.toString())
        const body = plaintext.slice(0, -SIGNATURE_LENGTH)
        if (context === undefined || !this.#disguise(random, body)) return key.seal(nonce, header, plaintext)
        const signed = await signedBytes(crypto, context, new Uint8Array(header), body)
        return key.seal(nonce, header, concat(body, await real.sign(signed)))
      },
    })
  }

  /** @returns whether anything was changed */
  #disguise(random: Random, body: Bytes): boolean {
    const view = new DataView(body.buffer)
    let changed = false
    for (let at = RECORDS_AT; at < body.length; at += RECORD_HEAD + view.getUint32(at + 2)) {
      if (body[at] !== SESSION_TYPES.message) continue
      const disguise = this.disguises.shift()
      if (disguise === undefined) continue
      body[at] = disguise.type
      body[at + 1] = disguise.flags
      changed = true
    }
    if (changed && random.chance(FATAL)) body[random.below(body.length)] = random.below(256)
    if (changed) this.frames++
    return changed
  }
}

/** What one honest peer says to the other, and what becomes of it. */
interface Talk {
  readonly peers: readonly [MeshPeer, MeshPeer]
  readonly said: readonly string[]
  readonly sent: readonly (() => Outcome)[]
  /** The number that the other doubles. */
  readonly n: number
  readonly task: () => Outcome
}

/** Three whole peers: two honest ones and a rogue, on links and at a server that alter and invent. */
export class Peers implements Target {
  readonly name = 'peers'
  readonly share = 0.5
  readonly #random: Random
  readonly #findings: Findings
  readonly #mesh: Mesh
  readonly #honest: readonly [MeshPeer, MeshPeer]
  readonly #recent = new Recent()
  /** Work that one of the honest asked the other for and that has not begun. */
  readonly #expected = new Set<string>()
  #rogue: { readonly rogue: Rogue; readonly peer: MeshPeer } | undefined
  #said = 0
  #sent = 0
  /** What the rogue was told to say, and how many frames of it left as lies. */
  #lies = 0
  #lieFrames = 0

  static async create(crypto: CryptoProvider, random: Random, findings: Findings): Promise<Peers> {
    const mesh = await Mesh.create(crypto)
    return new Peers(random, findings, mesh, await mesh.joinAll('first', 'second'))
  }

  private constructor(random: Random, findings: Findings, mesh: Mesh, honest: readonly [MeshPeer, MeshPeer]) {
    this.#random = random
    this.#findings = findings
    this.#mesh = mesh
    this.#honest = honest
    const names = honest.map(({ service }) => service.name)
    mesh.onLinkFrame = (frame, deliver, from) => {
      // What opens a session is left alone: on a link that alters that there is none.
      const isHonest = names.includes(from) && frame[0] === SESSION_FRAME
      if (isHonest) this.#attack(frame, deliver)
      deliver(frame)
      if (isHonest) this.#attack(frame, deliver)
    }
    for (const [i, { service }] of honest.entries()) {
      service.provide(
        { name: 'double', version: '1.0', input: { type: 'object', properties: { n: { type: 'integer' } } } },
        ({ n }: { n?: number }, { caller }) => {
          if (caller === honest[1 - i]?.id && !this.#expected.delete(`${caller} ${n}`)) findings.forged_delivered++
          return new Promise((fulfil) => mesh.clock.after(WORK, () => fulfil(2 * (n ?? 0))))
        },
      )
    }
  }

  async round(frames: number): Promise<number> {
    this.#sent = 0
    await this.#changeRogue()
    while (this.#sent < frames) {
      this.#confuse()
      const conversation = this.#talk()
      await this.#lieOften()
      await this.#listen(conversation)
      this.#takeStock()
    }
    return this.#sent
  }

  figures(): Record<string, number> {
    const { net, clock, server } = this.#mesh
    const [a, b] = this.#honest
    return {
      ends: net.openEnds,
      attempts: net.openAttempts,
      timers: clock.pending,
      sockets: server.openSockets,
      peers: a.service.peers.length + b.service.peers.length,
      'delegated work': this.#expected.size,
    }
  }

  async close(): Promise<void> {
    const peers = [...this.#honest, ...(this.#rogue ? [this.#rogue.peer] : [])]
    const closing = peers.map(({ service }) => service.close())
    await this.#mesh.pass(2_000)
    await Promise.all(closing)
    if (this.#lies > 0 && this.#lieFrames === 0)
      throw new Error('None of the lies left: the rogue seals otherwise now.')
  }

  #attack(genuine: Bytes, deliver: (frame: Bytes) => void): void {
    this.#recent.add(genuine)
    const count = genuine.length > 20_000 ? AT_A_LARGE_FRAME : AT_EACH_FRAME / 2
    for (let i = 0; i < count; i++) {
      this.#sent++
      deliver(mutate(this.#random, genuine, this.#recent, FIELDS))
    }
  }

  /** The server says anything to one of the honest, and now and then all links break. */
  #confuse(): void {
    if (this.#random.chance(0.05)) {
      this.#sent++
      const message = signalingMessage(this.#random)
      const { key } = this.#random.of(this.#honest)
      this.#mesh.server.tellBytes(key.publicKey, mutate(this.#random, message, this.#recent, [0, 1, 33]))
    }
    if (this.#random.chance(0.02)) this.#mesh.net.cut()
  }

  /** Both honest say something and ask for some work. */
  #talk(): Talk[] {
    const [a, b] = this.#honest
    return [
      [a, b],
      [b, a],
    ].map(([from, to]) => {
      const peers = [from, to] as [MeshPeer, MeshPeer]
      const said = Array.from({ length: 1 + this.#random.below(4) }, () => this.#message())
      const n = this.#said++
      this.#expected.add(`${peers[0].id} ${n}`)
      const task = peers[0].delegate(peers[1], 'double', { n })
      return { peers, said, n, task, sent: said.map((data) => peers[0].send(peers[1], data)) }
    })
  }

  /** What the honest said arrives once, in order, and their work is done. */
  async #listen(outcomes: readonly Talk[]): Promise<void> {
    await this.#mesh.pass(1_000)
    // A lost link is tried for again within this, and much sooner.
    for (let i = 0; i < 60 && !outcomes.every(({ sent, task }) => [...sent, task].every((of) => of().settled)); i++) {
      await this.#mesh.pass(500)
    }
    for (const { peers, said, n, task, sent } of outcomes) {
      const [from, to] = peers
      const heard = to.heard(from)
      // Each is unlike all others, so what came twice is not the only one of its kind.
      const forged = heard.filter((data, i) => !said.includes(data as string) || heard.indexOf(data) !== i)
      this.#findings.forged_delivered += forged.length
      const isAsSaid = heard.length === said.length && heard.every((data, i) => data === said[i])
      const isDone = task().value === 2 * n && sent.every((outcome) => outcome().settled && !outcome().code)
      if (!isAsSaid || !isDone)
        this.#complain(
          peers,
          task().code,
          sent.map((outcome) => outcome().code),
        )
      const seen = from.sees(to)
      if (seen?.name !== to.service.name || seen.capabilities.map(({ name }) => name).join() !== 'double') {
        this.#findings.forged_delivered++
        console.error('A peer passes for another:', seen)
      }
    }
  }

  /** Nobody else was heard; and all that was told is forgotten. */
  #takeStock(): void {
    for (const peer of this.#honest) {
      const known: PeerId[] = [...this.#honest.map(({ id }) => id), this.#rogue?.peer.id ?? '']
      this.#findings.forged_delivered += peer.messages.filter(({ from }) => !known.includes(from)).length
      for (const list of [peer.messages, peer.left, peer.statuses, peer.errors, peer.tasks]) list.length = 0
    }
  }

  #complain([from, to]: readonly [MeshPeer, MeshPeer], ...codes: unknown[]): void {
    this.#findings.lost++
    console.error(`From ${from.service.name} to ${to.service.name} not all arrived:`, codes, from.sees(to)?.session)
  }

  #message(): string {
    const size = this.#random.chance(0.02) ? 100_000 : this.#random.below(300)
    return `${this.#said++} ${'x'.repeat(size)}`
  }

  /** A new stranger from time to time: what was kept of the one before must not stay. */
  async #changeRogue(): Promise<void> {
    if (this.#rogue !== undefined && this.#random.chance(0.8)) return
    const leaving = this.#rogue?.peer.service.close()
    this.#rogue = undefined
    await this.#mesh.pass(2_000)
    await leaving
    const rogue = new Rogue(this.#random, this.#mesh.crypto, await this.#mesh.crypto.generateSigningKey())
    this.#rogue = { rogue, peer: await this.#mesh.join('rogue', { key: rogue.key, crypto: rogue.crypto }) }
  }

  async #lieOften(): Promise<void> {
    if (this.#rogue === undefined) return
    const { rogue, peer } = this.#rogue
    const before = rogue.frames
    for (let i = 0; i < LIES_IN_A_ROUND; i++) await this.#lie(rogue, peer)
    this.#sent += rogue.frames - before
    this.#lieFrames += rogue.frames - before
    for (const list of [peer.messages, peer.left, peer.statuses, peer.errors, peer.tasks]) list.length = 0
  }

  /** The rogue says to both what no correct peer says, where they still listen to it. */
  async #lie(rogue: Rogue, peer: MeshPeer): Promise<void> {
    for (const victim of this.#honest) {
      if (peer.sees(victim)?.session?.state !== 'established') continue
      for (let i = 1 + this.#random.below(4); i > 0; i--) {
        const [type, payload] = this.#lieFor(victim)
        const flags = this.#random.chance(FATAL) ? this.#random.below(256) : NORMAL_LANE | this.#flags()
        this.#lies++
        rogue.disguises.push({ type: this.#random.chance(0.05) ? this.#random.below(256) : type, flags })
        watch(peer.service.send(victim.id, payload))
      }
    }
    await this.#mesh.quiet()
    rogue.disguises.length = 0
  }

  #flags(): number {
    if (this.#random.chance(FATAL)) return RECORD_FLAGS.durable
    return this.#random.of([0, 0, 0, 0, 0, 0, RECORD_FLAGS.raw, RECORD_FLAGS.more])
  }

  #lieFor(victim: MeshPeer): [number, Bytes] {
    const random = this.#random
    const name = random.of(Object.keys(SESSION_TYPES)) as keyof typeof SESSION_TYPES
    const known = victim.service.tasks.slice(0, 4)
    const fields: Record<string, unknown> = {
      task_id: known.length > 0 && random.chance(0.7) ? uuidBytes(random.of(known).id) : random.bytes(16),
      nonce: random.below(2 ** 32),
      load: random.of([0, 0.5, 1]),
      queue_depth: random.below(100),
      last_sequence: random.below(100),
      name: random.of(['first', 'second', 'rogue']),
      uptime: random.below(10_000),
      running: random.below(10),
      capabilities_digest: random.bytes(32),
      capabilities: [{ name: 'double', version: '1.0' }],
      digest: random.bytes(32),
      capability: random.of(['double', 'nothing']),
      input: random.of([{ n: random.below(100) }, random.value()]),
      deadline: 1 + random.below(100_000),
      priority: random.of(['high', 'low']),
      queue_position: random.below(10),
      reason: random.of([...TASK_REJECT_REASONS, 'leaving', 'idle']),
      message: 'because',
      progress: random.of([0, 0.5, 1]),
      state: random.of(['completed', 'failed', 'canceled']),
      output: random.value(),
      code: random.of(['TASK_FAILED', 'PEER_CLOSED', 'SESSION_NOT_FOUND']),
    }
    const wanted: Partial<Record<keyof typeof SESSION_TYPES, string>> = {
      ping: 'nonce',
      pong: 'nonce',
      heartbeat: 'load queue_depth last_sequence',
      status_report: 'name uptime load running queue_depth capabilities_digest',
      capability_response: 'capabilities digest',
      task_delegate: 'task_id capability input deadline priority',
      task_accept: 'task_id queue_position',
      task_reject: 'task_id reason message',
      task_progress: 'task_id progress',
      task_result: random.chance(0.5) ? 'task_id state output' : 'task_id state code message',
      task_cancel: 'task_id',
      error: 'code message',
      session_close: 'code message',
      session_suspend: 'reason',
      wake_up: 'nonce reason priority expires',
      wake_up_ack: 'wake_nonce state',
    }
    // The last word ends the session, so it is not said as often as others.
    if (/^session_/.test(name) && random.chance(0.95)) return this.#lieFor(victim)
    const chosen: Record<string, unknown> = Object.fromEntries(
      (wanted[name] ?? '').split(' ').map((field) => [field, fields[field] ?? null]),
    )
    if (random.chance(0.2)) chosen[random.of(Object.keys(chosen))] = random.value()
    const payload = random.chance(0.05) ? random.bytes(random.below(200)) : encodeCbor(chosen)
    return [SESSION_TYPES[name], random.chance(0.05) ? payload.subarray(0, random.below(payload.length)) : payload]
  }
}
