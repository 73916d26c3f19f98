import { type Bytes, decodeSignaling } from '@tsunagi/protocol/signaling'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Member, type Mesh, Meshes } from './mesh.ts'

const keyOf = (number: number): Bytes => new Uint8Array(32).fill(number)
const EVERYONE = [0, 1, 2, 3, 4, 5]

/** A member that believes what it is told: `known` is the mesh as this member sees it. */
class Believer implements Member {
  readonly publicKey: Bytes
  readonly presence: Bytes
  readonly known = new Set<number>()
  isReplaced = false

  constructor(number: number) {
    this.publicKey = keyOf(number)
    this.presence = this.publicKey
  }

  send(message: Bytes): void {
    const decoded = decodeSignaling(message)
    if (decoded.type !== 'presence') throw new Error(`A mesh sent a ${decoded.type}`)
    const { payload } = decoded
    if (payload.event === 'joined') this.known.add(payload.presence[0] as number)
    else if (!this.known.delete(payload.public_key[0] as number)) throw new Error('Somebody unknown left')
  }

  replaced(): void {
    this.isReplaced = true
  }
}

function enter(mesh: Mesh, number: number): Believer | undefined {
  const member = new Believer(number)
  if (!mesh.join(member)) return undefined
  for (const other of mesh.sample(EVERYONE.length, member)) member.known.add(other.publicKey[0] as number)
  mesh.announce(member)
  return member
}

describe('a mesh', () => {
  test('tells every member, whatever the order of joins, replacements and leaves, just who is in it', () => {
    const step = fc.record({ number: fc.constantFrom(...EVERYONE), joins: fc.boolean() })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const meshes = new Meshes(4)
        const present = new Map<number, Believer>()
        for (const { number, joins } of steps) {
          const mesh = meshes.get(keyOf(9))
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
        for (const member of present.values()) meshes.get(keyOf(9)).leave(member)
      }),
    )
  })

  test('is forgotten when its last member leaves', () => {
    const meshes = new Meshes(4)
    const mesh = meshes.get(keyOf(9))
    const members = [enter(mesh, 1), enter(mesh, 2)]
    expect(meshes.size).toBe(1)
    for (const member of members) if (member !== undefined) mesh.leave(member)
    expect(meshes.size).toBe(0)
  })

  test('shows each of the others in some sample, none twice, and never the one who asks', () => {
    const mesh = new Meshes(10).get(keyOf(9))
    const members = EVERYONE.map((number) => enter(mesh, number) as Believer)
    for (const member of members) {
      const seen = new Set<Member>()
      // 200 samples of 2 in 5 miss one of the others with a chance of 10^-44.
      for (let i = 0; i < 200; i++) {
        const sample = mesh.sample(2, member)
        expect(new Set(sample).size).toBe(2)
        for (const other of sample) seen.add(other)
      }
      expect(seen).toEqual(new Set(members.filter((other) => other !== member)))
    }
  })
})
