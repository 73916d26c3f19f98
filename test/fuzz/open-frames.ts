import { keysAgree, Lab, type LabPeer } from '../../packages/protocol/src/handshake/lab.fixture.ts'
import { OPEN_TYPES, type OpenType } from '../../packages/protocol/src/messages.ts'
import type { CryptoProvider, SigningKey } from '../../packages/protocol/src/ports.ts'
import { type Bytes, concat, utf8 } from '../../packages/protocol/src/wire/bytes.ts'
import { encodeCbor } from '../../packages/protocol/src/wire/cbor.ts'
import { uuidV4 } from '../../packages/protocol/src/wire/uuid.ts'
import { mutate, Recent } from './mutation.ts'
import type { Random } from './random.ts'
import type { Findings, Target } from './target.ts'

/** Where type, signature, and about where the first fields of the envelope begin. */
const FIELDS = [0, 1, 33, 65, 70, 80, 100, 140]
const MOST_IN_A_ROUND = 160
/** Milliseconds between rounds, in which the gates' buckets fill again: the rate of the honest is used up in their name. */
const PAUSE = 20_000
const HANDSHAKE = ['ephemeral', 'challenge', 'versions', 'suites', 'link', 'fingerprint', 'offer']
const TYPES = Object.keys(OPEN_TYPES) as OpenType[]

/** Open frames through two handshake managers, while the two shake hands over and over again. */
export class OpenFrames implements Target {
  readonly name = 'open frames'
  readonly share = 0.2
  readonly #random: Random
  readonly #findings: Findings
  readonly #lab: Lab
  readonly #peers: readonly [LabPeer, LabPeer]
  /** A peer of the mesh whose frames are signed and say anything. */
  readonly #rogue: SigningKey
  readonly #recent = new Recent()
  #sent = 0

  static async create(crypto: CryptoProvider, random: Random, findings: Findings): Promise<OpenFrames> {
    const lab = new Lab(crypto)
    return new OpenFrames(random, findings, lab, await lab.pair(), await lab.crypto.generateSigningKey())
  }

  private constructor(
    random: Random,
    findings: Findings,
    lab: Lab,
    peers: readonly [LabPeer, LabPeer],
    rogue: SigningKey,
  ) {
    this.#random = random
    this.#findings = findings
    this.#lab = lab
    this.#peers = peers
    this.#rogue = rogue
  }

  async round(frames: number): Promise<number> {
    const budget = Math.min(frames, MOST_IN_A_ROUND)
    this.#sent = 0
    this.#lab.clock.advance(PAUSE)
    this.#lab.server = (mail) => {
      this.#recent.add(mail.frame)
      this.#attack(mail.frame, budget / 8)
      this.#lab.deliver(mail)
      this.#attack(mail.frame, budget / 8)
    }
    const [first, second] = this.#random.chance(0.5) ? this.#peers : [this.#peers[1], this.#peers[0]]
    first.manager.sendHandshake(second.id, 'memory')
    await this.#lab.settle()
    for (let i = this.#random.below(4); i > 0; i--) await this.#attackSigned()
    await this.#lab.settle()
    await this.#settleAccounts()
    return this.#sent
  }

  figures(): Record<string, number> {
    const { openEnds, openAttempts } = this.#lab.net
    return { ends: openEnds, attempts: openAttempts, timers: this.#lab.clock.pending }
  }

  async close(): Promise<void> {
    for (const { manager } of this.#peers) manager.close()
    await this.#lab.settle()
  }

  #attack(genuine: Bytes, count: number): void {
    for (let i = 0; i < count; i++) this.#deliver(mutate(this.#random, genuine, this.#recent, FIELDS))
  }

  async #attackSigned(): Promise<void> {
    const type = this.#random.of(TYPES)
    const envelope = encodeCbor({
      version: '1.1',
      msg_type: type,
      sender_id: this.#rogue.publicKey,
      recipient_id: this.#random.of(this.#peers).id,
      session_id: uuidV4(this.#random.bytes(16)),
      sequence_num: 0,
      timestamp: this.#lab.clock.now() + this.#random.of([0, 0, 0, 50_000, 10 ** 9]),
      nonce: this.#random.bytes(16),
      payload: this.#payload(),
    })
    const signature = await this.#rogue.sign(concat(utf8(`tsunagi/1.1/${type}\0`), envelope))
    const frame = concat(Uint8Array.of(OPEN_TYPES[type]), signature, envelope)
    this.#recent.add(frame)
    this.#deliver(frame, this.#rogue.publicKey)
  }

  /** The right fields, each with what it should have or with anything. */
  #payload(): Record<string, unknown> {
    const random = this.#random
    const offer = concat(Uint8Array.of(1), random.bytes(32))
    const payload: Record<string, unknown> = {
      ephemeral: random.bytes(32),
      challenge: random.bytes(32),
      versions: ['1.1'],
      suites: ['Ed25519-X25519-HKDF-SHA256-AES-256-GCM'],
      link: 'memory',
      fingerprint: offer.slice(1),
      offer,
      challenge_response: random.bytes(64),
      mac: random.bytes(32),
      candidates: [random.bytes(20)],
      code: 'CHALLENGE_INVALID',
      message: 'no',
    }
    const fields = random.chance(0.5) ? HANDSHAKE : Object.keys(payload).filter(() => random.chance(0.3))
    const chosen: Record<string, unknown> = Object.fromEntries(fields.map((field) => [field, payload[field]]))
    if (fields.length > 0 && random.chance(0.5)) chosen[random.of(fields)] = random.value()
    return chosen
  }

  #deliver(frame: Bytes, claimed?: Bytes): void {
    const [a, b] = this.#peers
    const sender = claimed ?? this.#random.of([a.id, b.id, this.#rogue.publicKey, this.#random.bytes(32)])
    this.#sent++
    this.#random.of(this.#peers).manager.handleOpenFrame(frame.slice(), sender)
  }

  /** One channel at each side, of the other and with the same keys; then all is forgotten. */
  async #settleAccounts(): Promise<void> {
    const [a, b] = this.#peers
    const [toB, ...moreOfA] = a.channels
    const [toA, ...moreOfB] = b.channels
    this.#findings.forged_delivered += moreOfA.length + moreOfB.length
    if (toB === undefined || toA === undefined || !(await keysAgree(toB, toA))) {
      this.#findings.lost++
      console.error('A handshake did not come about:', [...a.failures, ...b.failures].map(String))
    }
    for (const channel of [...a.channels, ...b.channels]) channel.link.close()
    await this.#lab.settle()
    this.#lab.mail.length = 0
    for (const { channels, failures, traces, frames, closes } of this.#peers) {
      for (const list of [channels, failures, traces, frames, closes]) list.length = 0
    }
  }
}
