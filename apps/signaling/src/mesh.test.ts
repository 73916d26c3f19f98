import { type Bytes, decodeSignaling } from '@tsunagi/protocol/signaling'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Member, Mesh, Meshes, mapKey, type Seat } from './mesh.ts'

const keyOf = (number: number): Bytes => new Uint8Array(32).fill(number)
const EVERYONE = [0, 1, 2, 3, 4, 5]

/** A member that believes what it is told: `known` is the mesh as this member sees it. */
class Believer implements Member {
  readonly key: string
  readonly publicKey: Bytes
  seat: Seat | undefined
  readonly presence: Bytes
  readonly known = new Set<number>()
  isReplaced = false

  constructor(number: number) {
    this.publicKey = keyOf(number)
    this.key = mapKey(this.publicKey)
    this.presence = this.publicKey
  }

  tell(message: Bytes): void {
    const decoded = decodeSignaling(message)
    if (decoded.type !== 'presence') throw new Error(`A mesh sent a ${decoded.type}`)
    const { payload } = decoded
    if (payload.event === 'joined') this.known.add(payload.presence[0] as number)
    else if (!this.known.delete(payload.public_key[0] as number)) throw new Error('Somebody unknown left')
  }

  relay(): boolean {
    return true
  }

  mail(): boolean {
    return true
  }

  undelivered(): void {
    throw new Error('There is no other node.')
  }

  replaced(): void {
    this.isReplaced = true
  }
}

const LIMITS = { maxMembers: 4, maxAcquainted: 10, sampleSize: 10, discoverSize: 2 }

function enter(mesh: Mesh, number: number): Believer | undefined {
  const member = new Believer(number)
  if (!mesh.join(member)) return undefined
  const others = mesh.sample(member)
  for (const other of others) member.known.add(other.publicKey[0] as number)
  mesh.introduce(member, others)
  return member
}

function enterAll(mesh: Mesh, count: number): Believer[] {
  return Array.from({ length: count }, (_, number) => enter(mesh, number) as Believer)
}

describe('a mesh', () => {
  test('small enough tells every member, whatever the order of joins, replacements and leaves, just who is in it', () => {
    const step = fc.record({ number: fc.constantFrom(...EVERYONE), joins: fc.boolean() })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const mesh = new Mesh(keyOf(9), LIMITS)
        const present = new Map<number, Believer>()
        for (const { number, joins } of steps) {
          const older = present.get(number)
          if (joins) {
            const member = enter(mesh, number)
            expect(member !== undefined).toBe(older !== undefined || present.size < 4)
            if (member === undefined) continue
            present.set(number, member)
            // As its connection does when it learns that it was replaced.
            if (older !== undefined) mesh.leave(older)
            expect(older?.isReplaced ?? true).toBe(true)
          } else if (older !== undefined) {
            mesh.leave(older)
            present.delete(number)
          }
          expect(mesh.size).toBe(present.size)
          for (const [own, { known }] of present) {
            expect([...known].sort()).toEqual([...present.keys()].filter((other) => other !== own).sort())
          }
          for (const other of EVERYONE) expect(mesh.member(keyOf(other))).toBe(present.get(other))
        }
      }),
    )
  })

  test('is kept as long as somebody holds it', async () => {
    const meshes = new Meshes(LIMITS)
    const [mesh, same] = await Promise.all([meshes.hold(keyOf(9)), meshes.hold(keyOf(9))])
    expect(same).toBe(mesh)
    meshes.release(keyOf(9))
    expect(meshes.size).toBe(1)
    meshes.release(keyOf(9))
    expect(meshes.size).toBe(0)
  })

  test('shows each of the others in some sample, none twice, and never the one who asks', () => {
    const mesh = new Mesh(keyOf(9), { ...LIMITS, maxMembers: 10, sampleSize: 2 })
    const members = enterAll(mesh, EVERYONE.length)
    for (const member of members) {
      const seen = new Set<Member>()
      // 200 samples of 2 in 5 miss one of the others with a chance of 10^-44.
      for (let i = 0; i < 200; i++) {
        const sample = mesh.sample(member)
        expect(new Set(sample).size).toBe(2)
        for (const other of sample) seen.add(other)
      }
      expect(seen).toEqual(new Set(members.filter((other) => other !== member)))
    }
  })

  test('too large for that tells of a join as many as it shows, and of a leaving just those who know', () => {
    const mesh = new Mesh(keyOf(9), { ...LIMITS, maxMembers: 100, maxAcquainted: 100, sampleSize: 3 })
    const others = enterAll(mesh, 50)
    const knew = new Map(others.map((other) => [other, new Set(other.known)]))
    const late = enter(mesh, 99) as Believer
    expect(late.known.size).toBe(3)
    // Who was shown is told: either may begin.
    const told = others.filter((other) => other.known.has(99))
    expect(new Set(told.map(({ publicKey }) => publicKey[0]))).toEqual(late.known)
    mesh.leave(late)
    // Nobody hears of the leaving of one whom it did not know: a believer throws at that.
    for (const other of others) expect(other.known).toEqual(knew.get(other))
  })

  test('never acquaints a member with more than it may know', () => {
    const mesh = new Mesh(keyOf(9), { ...LIMITS, maxMembers: 200, maxAcquainted: 5, sampleSize: 2 })
    const popular = enter(mesh, 0) as Believer
    for (let number = 1; number < 100; number++) {
      const other = enter(mesh, number) as Believer
      mesh.relay(other, popular.key, keyOf(1))
      other.known.add(0)
    }
    let told = 0
    for (const other of mesh.members as Believer[]) other.tell = () => told++
    mesh.leave(popular)
    expect(told).toBe(5)
  })

  test('finds by a tag those who announced it last, at most so many, and not who asks', () => {
    const mesh = new Mesh(keyOf(9), { ...LIMITS, maxMembers: 10 })
    const [asks, a, b, c] = enterAll(mesh, 4) as [Believer, Believer, Believer, Believer]
    const tag = keyOf(200)
    expect(mesh.discover(asks, tag)).toEqual([])
    mesh.announce(asks, [tag])
    mesh.announce(a, [keyOf(201), tag])
    expect(mesh.discover(asks, tag)).toEqual([a])
    mesh.announce(a, [keyOf(201)])
    expect(mesh.discover(asks, tag)).toEqual([])
    for (const member of [a, b, c]) mesh.announce(member, [tag])
    expect(mesh.discover(asks, tag)).toHaveLength(2)
    mesh.leave(b)
    mesh.leave(c)
    expect(mesh.discover(asks, tag)).toEqual([a])
    expect(mesh.tagsOf(a)).toEqual([tag])
  })

  test('forgets the tags of a socket that was replaced', () => {
    const mesh = new Mesh(keyOf(9), LIMITS)
    const [asks, other] = enterAll(mesh, 2) as [Believer, Believer]
    mesh.announce(other, [keyOf(200)])
    enter(mesh, 1)
    expect(mesh.discover(asks, keyOf(200))).toEqual([])
  })
})
