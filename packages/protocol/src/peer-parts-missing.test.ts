/** A page that can load nothing any more: its network is gone, or a newer version took its place. */
import { beforeEach, expect, test, vi } from 'vitest'
import { createWebCryptoProvider } from './crypto/index.ts'
import { Mesh, type MeshPeer, watch } from './mesh.fixture.ts'

let mesh: Mesh
/** Has loaded all before that. */
let alice: MeshPeer
let bob: MeshPeer

beforeEach(async () => {
  vi.resetModules()
  vi.doUnmock('./tasks/work.ts')
  vi.doUnmock('./bulk/transfers.ts')
  mesh = await Mesh.create(createWebCryptoProvider())
  alice = await mesh.join('alice')
  vi.resetModules()
  for (const part of ['./tasks/work.ts', './bulk/transfers.ts']) {
    vi.doMock(part, () => {
      throw new Error('not there')
    })
  }
  bob = await mesh.join('bob', { lazy: true })
  await mesh.pass(2_000)
})

/** Modules are loaded outside the clock of the test. */
const until = (holds: () => boolean) =>
  vi.waitFor(async () => {
    await mesh.quiet()
    expect(holds()).toBe(true)
  })

test('what needs a part fails with a code, and the rest of the peer goes on', async () => {
  const task = bob.service.delegate('x', 1, { to: alice.id })
  const transfer = bob.service.transfer(alice.id, new Uint8Array(1))
  const outcomes = [
    watch(task.result),
    watch(bob.service.map('x', [1]).all()),
    watch(transfer.done),
    watch(bob.service.load()),
  ]
  await until(() => outcomes.every((outcome) => outcome().settled))
  expect(outcomes.map((outcome) => outcome().code)).toEqual(Array(4).fill('LOAD_FAILED'))
  expect([task.info.state, transfer.info.state]).toEqual(['failed', 'failed'])
  expect([bob.service.tasks, bob.service.transfers]).toEqual([[], []])
  expect(bob.codes).toContain('LOAD_FAILED')
  const sent = bob.send(alice, 'still here')
  await until(() => sent().settled)
  expect([sent().code, alice.heard(bob)]).toEqual([undefined, ['still here']])
})

test('a task for it is refused, and not kept waiting', async () => {
  bob.service.provide({ name: 'x', version: '1' }, () => 1)
  await until(() => bob.codes.includes('LOAD_FAILED'))
  const { result } = alice.service.delegate('x', 1, { to: bob.id, retries: 0 })
  await expect(result).rejects.toMatchObject({ code: 'TASK_REJECTED' })
})

test('an offer to it fails, and its page is told why', async () => {
  bob.service.on('transfer', (offer) => void offer.accept())
  const { done } = alice.service.transfer(bob.id, new Uint8Array(1))
  await expect(done).rejects.toMatchObject({ code: 'QUEUE_FULL' })
  expect(bob.codes).toEqual(['LOAD_FAILED'])
})
