/** Who is in which mesh. A mesh id is all the server knows of a mesh, and nothing passes from one mesh to another. */
import { type Bytes, encodeSignaling, type SignalingPayload } from '@tsunagi/protocol/signaling'

/** A proven peer as its mesh sees it. */
export interface Member {
  readonly publicKey: Bytes
  /** The record it signed for the others, told to them unchanged. */
  readonly presence: Bytes
  send(message: Uint8Array): void
  /** A newer socket has proved the same key. */
  replaced(): void
}

export class Meshes {
  readonly #meshes = new Map<string, Mesh>()
  readonly #maxMembers: number

  constructor(maxMembers: number) {
    this.#maxMembers = maxMembers
  }

  /** The mesh of that id, which is made where nobody is in it yet and forgotten when the last one leaves. */
  get(id: Bytes): Mesh {
    const name = mapKey(id)
    let mesh = this.#meshes.get(name)
    if (mesh === undefined) {
      mesh = new Mesh(this.#maxMembers, () => this.#meshes.delete(name))
      this.#meshes.set(name, mesh)
    }
    return mesh
  }

  get size(): number {
    return this.#meshes.size
  }
}

interface Seat {
  member: Member
  /** Its place in the list, so that a member leaves without a search. */
  place: number
}

export class Mesh {
  readonly #maxMembers: number
  readonly #emptied: () => void
  readonly #seats = new Map<string, Seat>()
  readonly #list: Seat[] = []

  constructor(maxMembers: number, emptied: () => void) {
    this.#maxMembers = maxMembers
    this.#emptied = emptied
  }

  get size(): number {
    return this.#list.length
  }

  member(publicKey: Uint8Array): Member | undefined {
    return this.#seats.get(mapKey(publicKey))?.member
  }

  /**
   * Seats a member, of whom announce() then tells the others. Where the key has a seat already the newer member takes it.
   * Answers false, and does nothing, where the mesh is full.
   */
  join(member: Member): boolean {
    const name = mapKey(member.publicKey)
    const seat = this.#seats.get(name)
    if (seat !== undefined) {
      const older = seat.member
      seat.member = member
      older.replaced()
      return true
    }
    if (this.size >= this.#maxMembers) return false
    const taken = { member, place: this.size }
    this.#seats.set(name, taken)
    this.#list.push(taken)
    return true
  }

  /** Tells the others of a member's record, which for a key they know takes the place of its older one. */
  announce(member: Member): void {
    this.#tellOthers(member, { event: 'joined', presence: member.presence })
  }

  /** Tells the others that a member left. Does nothing for one whose seat a newer member has taken. */
  leave(member: Member): void {
    const name = mapKey(member.publicKey)
    const seat = this.#seats.get(name)
    if (seat?.member !== member) return
    this.#seats.delete(name)
    const last = this.#list.pop() as Seat
    if (last !== seat) {
      this.#list[seat.place] = last
      last.place = seat.place
    }
    if (this.size === 0) this.#emptied()
    this.#tellOthers(member, { event: 'left', public_key: member.publicKey })
  }

  /** Up to `count` of the others, each as likely as any other, in O(count): Floyd's choice without repetition. */
  sample(count: number, member: Member): Member[] {
    const own = this.#seats.get(mapKey(member.publicKey))?.place
    // The last seat stands in for the member's own, so that the others are the places below it.
    const others = own === undefined ? this.size : this.size - 1
    const places = new Set<number>()
    for (let last = Math.max(0, others - count); last < others; last++) {
      const place = Math.floor(Math.random() * (last + 1))
      places.add(places.has(place) ? last : place)
    }
    return Array.from(places, (place) => (this.#list[place === own ? others : place] as Seat).member)
  }

  #tellOthers(member: Member, payload: SignalingPayload<'presence'>): void {
    const message = encodeSignaling({ type: 'presence', payload })
    // A copy: who reads too slowly is closed by the sending and leaves the list.
    for (const seat of [...this.#list]) if (seat.member !== member) seat.member.send(message)
  }
}

/** 32 bytes as text with a character for each, since a Map compares arrays by identity. */
function mapKey(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
}
