/** A mesh of which a newcomer is shown only a part: work finds those who can do it all the same (SPEC R50b). */
import { beforeEach, expect, test } from 'vitest'
import { createWebCryptoProvider } from './crypto/index.ts'
import { LIMITS } from './limits.ts'
import { Mesh, type MeshPeer, watch } from './mesh.fixture.ts'

const crypto = createWebCryptoProvider()
let mesh: Mesh
let able: MeshPeer
let newcomer: MeshPeer

beforeEach(async () => {
  mesh = await Mesh.create(crypto)
  able = await mesh.join('able')
  able.service.provide({ name: 'double', version: '1.0' }, (n: number) => 2 * n)
  await mesh.quiet()
  mesh.server.sample = 0
  mesh.server.tellsOfNewcomers = false
  newcomer = await mesh.join('newcomer')
  expect(newcomer.sees(able)).toBeUndefined()
})

test('a task for which nobody is known goes to a peer that the server finds by its tag', async () => {
  const task = watch(newcomer.service.delegate('double', 21).result)
  await mesh.pass(3 * LIMITS.nobodyPoll)
  expect(task()).toEqual({ value: 42, settled: true })
  expect(newcomer.sees(able)?.session?.state).toBe('established')
})

test('one that nobody offers ends with UNKNOWN_CAPABILITY', async () => {
  const task = watch(newcomer.service.delegate('triple', 1).result)
  await mesh.pass(LIMITS.nobodyPatience + 2 * LIMITS.nobodyPoll)
  expect(task().code).toBe('UNKNOWN_CAPABILITY')
})

test('discover() names those who announced a capability, and opens links to them', async () => {
  const found = watch(newcomer.service.discover('double'))
  await mesh.quiet()
  expect(found().value).toEqual([able.id])
  await mesh.pass(1_000)
  expect(newcomer.sees(able)?.capabilities.map(({ name }) => name)).toEqual(['double'])
})

test('what was withdrawn is not found any more', async () => {
  const withdraw = able.service.provide({ name: 'triple', version: '1.0' }, (n: number) => 3 * n)
  await mesh.quiet()
  withdraw()
  await mesh.quiet()
  const found = watch(newcomer.service.discover('triple'))
  await mesh.quiet()
  expect(found().value).toEqual([])
})

test('in a mesh that is known as a whole such a task ends at once, also when some have left', async () => {
  mesh.server.sample = Number.POSITIVE_INFINITY
  const late = await mesh.join('late')
  await able.service.close()
  await mesh.pass(1_000)
  const task = watch(late.service.delegate('triple', 1).result)
  await mesh.quiet()
  expect(task().code).toBe('UNKNOWN_CAPABILITY')
})
