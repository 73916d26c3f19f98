/** Who is in which mesh. A mesh id is all the server knows of a mesh, and nothing passes from one mesh to another. */
import { type Bytes, encodeSignaling, type SignalingPayload } from '@tsunagi/protocol/signaling'
import { applyDelta, deltaOf } from './delta.ts'
import { DrawSet } from './draw-set.ts'
import type { SignalingLimits } from './limits.ts'
import { type NumberList, NumberLists } from './number-lists.ts'

/** A wake-up that is kept for a peer. */
export interface Mail {
  /** 16 bytes, by which the peer says that it has it. */
  readonly id: Bytes
  readonly sender: Bytes
  /** For nobody but the peer to read. */
  readonly sealed: Bytes
}

/** A proven peer as its mesh sees it. */
export interface Member {
  /** Its public key as mapKey() gives it. */
  readonly key: string
  readonly publicKey: Bytes
  /** The record it signed for the others, told to them unchanged. */
  readonly presence: Bytes
  /** The node that has its socket, undefined where that is this one. */
  readonly node?: string
  /** Its place, which its mesh sets. */
  seat: Seat | undefined
  /** Who is where: each node tells its own members, so nothing is done for one of another node. */
  tell(message: Uint8Array): void
  /** Answers whether it was taken for delivery. */
  relay(sender: string, payload: Bytes): boolean
  /** Answers whether it was handed to its socket, or to the node that has that. */
  mail(mail: Mail): boolean
  /** What it had relayed to another node did not find the addressee there. */
  undelivered(addressee: Bytes): void
  /** A newer socket has proved the same key. */
  replaced(): void
}

/** The other nodes, which hear what members of this one do. */
export interface OtherNodes {
  /** Fulfils once the members at other nodes are in the mesh, or nothing can be learnt of them now. */
  enter(mesh: Mesh): Promise<void>
  leave(mesh: Mesh): void
  joined(mesh: Mesh, member: Member, introduced: readonly Member[]): void
  left(mesh: Mesh, member: Member): void
  announced(mesh: Mesh, member: Member, tags: readonly Bytes[]): void
}

type MeshLimits = Pick<SignalingLimits, 'maxMembers' | 'maxAcquainted' | 'sampleSize' | 'discoverSize'>

export class Meshes {
  readonly #meshes = new Map<string, { readonly mesh: Mesh; readonly entered: Promise<void>; holders: number }>()
  readonly #limits: MeshLimits
  readonly #others: OtherNodes | undefined
  readonly #acquaintances: NumberLists

  constructor(limits: MeshLimits, others?: OtherNodes) {
    this.#limits = limits
    this.#others = others
    this.#acquaintances = new NumberLists(limits.maxMembers)
  }

  /** The mesh of that id, which is kept until each who holds it has released it. */
  async hold(id: Bytes): Promise<Mesh> {
    const name = mapKey(id)
    let held = this.#meshes.get(name)
    if (held === undefined) {
      const mesh = new Mesh(new Uint8Array(id), this.#limits, this.#others, this.#acquaintances)
      held = { mesh, entered: this.#others?.enter(mesh) ?? Promise.resolve(), holders: 0 }
      this.#meshes.set(name, held)
    }
    held.holders++
    await held.entered
    return held.mesh
  }

  release(id: Bytes): void {
    const name = mapKey(id)
    const held = this.#meshes.get(name)
    if (held === undefined || --held.holders > 0) return
    this.#meshes.delete(name)
    this.#others?.leave(held.mesh)
  }

  get size(): number {
    return this.#meshes.size
  }
}

/**
 * A member's place, which passes on to a newer socket of its key. As a list it has the numbers of those who were told of this
 * one or the reverse, in the order in which they met: each hears of the other's leaving.
 */
export interface Seat extends NumberList {
  /** Of the member. */
  readonly key: string
  /** Of no other seat in the mesh while it is taken. */
  readonly number: number
  member: Member
  tags: readonly string[]
}

const NO_TAGS: readonly string[] = []

export class Mesh {
  readonly id: Bytes
  readonly #limits: MeshLimits
  readonly #others: OtherNodes | undefined
  readonly #acquaintances: NumberLists
  readonly #seats = new DrawSet<Seat>()
  /** The seats by their numbers. */
  readonly #numbered: (Seat | undefined)[] = []
  readonly #freeNumbers: number[] = []
  readonly #tagged = new Map<string, DrawSet<Seat>>()
  /** The first presence record that was packed. */
  #form: Bytes | undefined

  constructor(id: Bytes, limits: MeshLimits, others?: OtherNodes, acquaintances = new NumberLists(limits.maxMembers)) {
    this.id = id
    this.#limits = limits
    this.#others = others
    this.#acquaintances = acquaintances
  }

  get size(): number {
    return this.#seats.size
  }

  get members(): Member[] {
    return Array.from(this.#seats, ({ member }) => member)
  }

  member(publicKey: Uint8Array): Member | undefined {
    return this.#seats.get(mapKey(publicKey))?.member
  }

  tagsOf(member: Member): Bytes[] {
    return member.seat?.tags.map(keyBytes) ?? []
  }

  /**
   * Seats a member. Where the key has a seat already the newer member takes it. Answers false, and does nothing, where the
   * mesh is full. Nobody is told before introduce().
   */
  join(member: Member): boolean {
    const seat = this.#seats.get(member.key)
    if (seat !== undefined) {
      const older = seat.member
      older.seat = undefined
      member.seat = seat
      seat.member = member
      this.#tag(seat, NO_TAGS)
      older.replaced()
      return true
    }
    if (this.size >= this.#limits.maxMembers) return false
    const number = this.#freeNumbers.pop() ?? this.#numbered.length
    const taken: Seat = { key: member.key, number, member, tags: NO_TAGS, start: 0, size: 0 }
    member.seat = taken
    this.#seats.add(taken)
    this.#numbered[number] = taken
    return true
  }

  /** A presence record in less memory: all of a mesh have the same form. */
  pack(presence: Bytes): string {
    this.#form ??= new Uint8Array(presence)
    return deltaOf(presence, this.#form)
  }

  /** What was packed. */
  unpack(packed: string): Bytes {
    return applyDelta(packed, this.#form ?? new Uint8Array())
  }

  /** Some of the others, drawn at random: all of them in a mesh that is small enough. */
  sample({ seat }: Member): Member[] {
    if (seat === undefined) return []
    return this.#seats.draw(this.#limits.sampleSize, seat).map((other) => other.member)
  }

  /**
   * Tells others of a member that was shown to them, and those who know its key already of its newer record. In a large mesh
   * that is not everybody: a join would cost as much as there are members, and no peer connects to so many.
   */
  introduce(member: Member, others: readonly Member[]): void {
    const { seat } = member
    if (seat === undefined) return
    const told = new Set(this.#acquaintedWith(seat))
    for (const other of others) {
      const known = other.seat
      if (known === undefined || known === seat) continue
      this.#acquaint(seat, known)
      told.add(known)
    }
    if (member.node === undefined) this.#others?.joined(this, member, others)
    tellEach(told, { event: 'joined', presence: member.presence })
  }

  /** Tells those who know a member that it left. Does nothing for one whose seat a newer member has taken. */
  leave(member: Member): void {
    const { seat } = member
    if (seat === undefined) return
    member.seat = undefined
    this.#seats.delete(seat)
    this.#tag(seat, NO_TAGS)
    const acquainted = this.#acquaintedWith(seat)
    for (const other of acquainted) this.#acquaintances.remove(other, seat.number)
    this.#acquaintances.clear(seat)
    this.#numbered[seat.number] = undefined
    this.#freeNumbers.push(seat.number)
    if (member.node === undefined) this.#others?.left(this, member)
    tellEach(acquainted, { event: 'left', public_key: member.publicKey })
  }

  /** By these tags a member is found from now on, and by no others. */
  announce(member: Member, tags: readonly Bytes[]): void {
    const { seat } = member
    if (seat === undefined) return
    this.#tag(seat, tags.map(mapKey))
    if (member.node === undefined) this.#others?.announced(this, member, tags)
  }

  /** Some of those that announced a tag, drawn at random. */
  discover({ seat }: Member, tag: Bytes): Member[] {
    if (seat === undefined) return []
    const found = this.#tagged.get(mapKey(tag))?.draw(this.#limits.discoverSize, seat) ?? []
    for (const other of found) this.#acquaint(seat, other)
    return found.map((other) => other.member)
  }

  /** Answers whether the addressee, whose key is given, was there to relay to. */
  relay(sender: Member, addressee: string, payload: Bytes): boolean {
    const to = this.#seats.get(addressee)
    if (to === undefined) return false
    const from = sender.seat
    if (from !== undefined && from !== to) this.#acquaint(from, to)
    return to.member.relay(sender.key, payload)
  }

  #acquaint(one: Seat, other: Seat): void {
    // Two of other nodes are told of each other there.
    const areElsewhere = one.member.node !== undefined && other.member.node !== undefined
    if (areElsewhere || this.#acquaintances.has(one, other.number)) return
    this.#acquaintances.add(one, other.number)
    this.#acquaintances.add(other, one.number)
    for (const seat of [one, other]) {
      if (seat.size <= this.#limits.maxAcquainted) continue
      // The one it met first of all; a peer forgets in that order too.
      const oldest = this.#numbered[this.#acquaintances.numbers(seat)[0] as number] as Seat
      this.#acquaintances.remove(seat, oldest.number)
      this.#acquaintances.remove(oldest, seat.number)
    }
  }

  #acquaintedWith(seat: Seat): Seat[] {
    return Array.from(this.#acquaintances.numbers(seat), (number) => this.#numbered[number] as Seat)
  }

  #tag(seat: Seat, tags: readonly string[]): void {
    for (const tag of seat.tags) {
      const tagged = this.#tagged.get(tag)
      tagged?.delete(seat)
      if (tagged?.size === 0) this.#tagged.delete(tag)
    }
    seat.tags = tags
    for (const tag of tags) {
      const tagged = this.#tagged.get(tag) ?? new DrawSet()
      tagged.add(seat)
      this.#tagged.set(tag, tagged)
    }
  }
}

function tellEach(seats: Iterable<Seat>, payload: SignalingPayload<'presence'>): void {
  const message = encodeSignaling({ type: 'presence', payload })
  for (const { member } of seats) member.tell(message)
}

/** 32 bytes as text with a character for each, since a Map compares arrays by identity. */
export function mapKey(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
}

export function keyBytes(key: string): Bytes {
  return new Uint8Array(Buffer.from(key, 'latin1'))
}
