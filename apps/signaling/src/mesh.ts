/** Who is in which mesh. A mesh id is all the server knows of a mesh, and nothing passes from one mesh to another. */
import { type Bytes, encodeSignaling, type SignalingPayload } from '@tsunagi/protocol/signaling'
import { DrawSet } from './draw-set.ts'
import type { SignalingLimits } from './limits.ts'

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
  readonly publicKey: Bytes
  /** The record it signed for the others, told to them unchanged. */
  readonly presence: Bytes
  /** The node that has its socket, undefined where that is this one. */
  readonly node?: string
  /** Who is where: each node tells its own members, so nothing is done for one of another node. */
  tell(message: Uint8Array): void
  /** Answers whether it was taken for delivery. */
  relay(sender: Bytes, payload: Bytes): boolean
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

  constructor(limits: MeshLimits, others?: OtherNodes) {
    this.#limits = limits
    this.#others = others
  }

  /** The mesh of that id, which is kept until each who holds it has released it. */
  async hold(id: Bytes): Promise<Mesh> {
    const name = mapKey(id)
    let held = this.#meshes.get(name)
    if (held === undefined) {
      const mesh = new Mesh(new Uint8Array(id), this.#limits, this.#others)
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

/** A member's place, which passes on to a newer socket of its key. */
interface Seat {
  member: Member
  tags: readonly string[]
  /** Who was told of this one or the reverse: each hears of the other's leaving. In the order in which they met. */
  readonly acquainted: Set<Seat>
}

export class Mesh {
  readonly id: Bytes
  readonly #limits: MeshLimits
  readonly #others: OtherNodes | undefined
  readonly #seats = new Map<string, Seat>()
  readonly #all = new DrawSet<Seat>()
  readonly #tagged = new Map<string, DrawSet<Seat>>()

  constructor(id: Bytes, limits: MeshLimits, others?: OtherNodes) {
    this.id = id
    this.#limits = limits
    this.#others = others
  }

  get size(): number {
    return this.#all.size
  }

  get members(): Member[] {
    return Array.from(this.#all, ({ member }) => member)
  }

  member(publicKey: Uint8Array): Member | undefined {
    return this.#seats.get(mapKey(publicKey))?.member
  }

  tagsOf(member: Member): Bytes[] {
    return this.#seatOf(member)?.tags.map((tag) => new Uint8Array(Buffer.from(tag, 'latin1'))) ?? []
  }

  /**
   * Seats a member. Where the key has a seat already the newer member takes it. Answers false, and does nothing, where the
   * mesh is full. Nobody is told before introduce().
   */
  join(member: Member): boolean {
    const name = mapKey(member.publicKey)
    const seat = this.#seats.get(name)
    if (seat !== undefined) {
      const older = seat.member
      seat.member = member
      this.#tag(seat, [])
      older.replaced()
      return true
    }
    if (this.size >= this.#limits.maxMembers) return false
    const taken: Seat = { member, tags: [], acquainted: new Set() }
    this.#seats.set(name, taken)
    this.#all.add(taken)
    return true
  }

  /** Some of the others, drawn at random: all of them in a mesh that is small enough. */
  sample(member: Member): Member[] {
    const seat = this.#seatOf(member)
    if (seat === undefined) return []
    return this.#all.draw(this.#limits.sampleSize, seat).map((other) => other.member)
  }

  /**
   * Tells others of a member that was shown to them, and those who know its key already of its newer record. In a large mesh
   * that is not everybody: a join would cost as much as there are members, and no peer connects to so many.
   */
  introduce(member: Member, others: readonly Member[]): void {
    const seat = this.#seatOf(member)
    if (seat === undefined) return
    const told = new Set(seat.acquainted)
    for (const other of others) {
      const known = this.#seatOf(other)
      if (known === undefined || known === seat) continue
      this.#acquaint(seat, known)
      told.add(known)
    }
    if (member.node === undefined) this.#others?.joined(this, member, others)
    tellEach(told, { event: 'joined', presence: member.presence })
  }

  /** Tells those who know a member that it left. Does nothing for one whose seat a newer member has taken. */
  leave(member: Member): void {
    const seat = this.#seatOf(member)
    if (seat === undefined) return
    this.#seats.delete(mapKey(member.publicKey))
    this.#all.delete(seat)
    this.#tag(seat, [])
    for (const other of seat.acquainted) other.acquainted.delete(seat)
    if (member.node === undefined) this.#others?.left(this, member)
    tellEach(seat.acquainted, { event: 'left', public_key: member.publicKey })
  }

  /** By these tags a member is found from now on, and by no others. */
  announce(member: Member, tags: readonly Bytes[]): void {
    const seat = this.#seatOf(member)
    if (seat === undefined) return
    this.#tag(seat, tags.map(mapKey))
    if (member.node === undefined) this.#others?.announced(this, member, tags)
  }

  /** Some of those that announced a tag, drawn at random. */
  discover(member: Member, tag: Bytes): Member[] {
    const seat = this.#seatOf(member)
    if (seat === undefined) return []
    const found = this.#tagged.get(mapKey(tag))?.draw(this.#limits.discoverSize, seat) ?? []
    for (const other of found) this.#acquaint(seat, other)
    return found.map((other) => other.member)
  }

  /** Answers whether the addressee was there to relay to. */
  relay(sender: Member, addressee: Bytes, payload: Bytes): boolean {
    const from = this.#seatOf(sender)
    const to = this.#seats.get(mapKey(addressee))
    if (to === undefined) return false
    if (from !== undefined && from !== to) this.#acquaint(from, to)
    return to.member.relay(sender.publicKey, payload)
  }

  /** Undefined also for a member whose seat a newer one has taken. */
  #seatOf(member: Member): Seat | undefined {
    const seat = this.#seats.get(mapKey(member.publicKey))
    return seat?.member === member ? seat : undefined
  }

  #acquaint(one: Seat, other: Seat): void {
    // Two of other nodes are told of each other there.
    const areElsewhere = one.member.node !== undefined && other.member.node !== undefined
    if (areElsewhere || one.acquainted.has(other)) return
    for (const seat of [one, other]) {
      if (seat.acquainted.size < this.#limits.maxAcquainted) continue
      // The one it met first of all; a peer forgets in that order too.
      const [oldest] = seat.acquainted
      if (oldest === undefined) continue
      seat.acquainted.delete(oldest)
      oldest.acquainted.delete(seat)
    }
    one.acquainted.add(other)
    other.acquainted.add(one)
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

/** A copy of `seats` is told: who reads too slowly is closed by the telling and leaves them. */
function tellEach(seats: Iterable<Seat>, payload: SignalingPayload<'presence'>): void {
  const message = encodeSignaling({ type: 'presence', payload })
  for (const { member } of [...seats]) member.tell(message)
}

/** 32 bytes as text with a character for each, since a Map compares arrays by identity. */
export function mapKey(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
}
