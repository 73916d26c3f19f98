/** Peers that load what does tasks and transfers when it is first needed: what others, and their own page, see of that. */
import { beforeEach, expect, test, vi } from 'vitest'
import { MemoryTransferHost } from './bulk/memory-host.fixture.ts'
import { createWebCryptoProvider } from './crypto/index.ts'
import { Mesh, type MeshPeer, watch } from './mesh.fixture.ts'

const crypto = createWebCryptoProvider()
let mesh: Mesh
let alice: MeshPeer
let bob: MeshPeer

beforeEach(async () => {
  mesh = await Mesh.create(crypto)
  alice = await mesh.join('alice', { lazy: true })
  bob = await mesh.join('bob', { lazy: true })
  await mesh.pass(2_000)
})

/** Modules are loaded outside the clock of the test. */
async function until(holds: () => boolean): Promise<void> {
  await vi.waitFor(async () => {
    await mesh.quiet()
    expect(holds()).toBe(true)
  })
}

test('a task is done by peers that had not loaded what does tasks', async () => {
  bob.service.provide({ name: 'double', version: '1', input: { type: 'number' } }, (input: number) => 2 * input)
  await mesh.quiet()
  const outcome = alice.delegate(bob, 'double', 21)
  await until(() => outcome().settled)
  expect(outcome()).toEqual({ value: 42, settled: true })
})

test('a task that comes to a peer that does none is answered', async () => {
  const outcome = alice.delegate(bob, 'double', 21)
  await until(() => outcome().settled)
  expect(outcome().code).toBe('UNKNOWN_CAPABILITY')
  expect(bob.codes).toEqual([])
})

test('a task given away before that is listed, found, and named as it stays', async () => {
  const task = alice.service.delegate('double', 21, { to: bob.id, idempotencyKey: 'once' })
  expect(task.info).toMatchObject({ id: task.id, state: 'submitted', capability: 'double' })
  expect(alice.service.tasks.map(({ id }) => id)).toEqual([task.id])
  expect(alice.service.task(task.id)).toBe(task)
  expect(alice.service.delegate('double', 21, { to: bob.id, idempotencyKey: 'once' })).toBe(task)
  const outcome = watch(task.result)
  await until(() => outcome().settled)
  expect(alice.service.tasks.map(({ id }) => id)).toEqual([task.id])
  expect(task.info).toMatchObject({ id: task.id, state: 'rejected', peer: bob.id })
})

test('its input is taken as it was when it was given away', async () => {
  bob.service.provide({ name: 'first', version: '1' }, ([first]: number[]) => first)
  await mesh.quiet()
  const input = [1, 2]
  const outcome = alice.delegate(bob, 'first', input)
  input[0] = 9
  await until(() => outcome().settled)
  expect(outcome().value).toBe(1)
})

test('what is cancelled before that is cancelled', async () => {
  const task = alice.service.delegate('first', 1, { to: bob.id })
  const transfer = alice.service.transfer(bob.id, new Uint8Array(1))
  task.cancel()
  transfer.cancel()
  const outcomes = [watch(task.result), watch(transfer.done)]
  await until(() => outcomes.every((outcome) => outcome().settled))
  expect(outcomes.map((outcome) => outcome().code)).toEqual(['TASK_CANCELED', 'TRANSFER_CANCELED'])
  expect([task.info.state, transfer.info.state]).toEqual(['canceled', 'failed'])
})

test('wrong arguments are told as ever', async () => {
  expect(() => bob.service.provide({ name: 'x', version: '1', input: { type: 'nonsense' } }, () => 1)).toThrow(
    expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
  )
  expect(() => bob.service.policy('x', { who: 'all' as 'mesh' })).toThrow(
    expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
  )
  const outcomes = [
    watch(alice.service.delegate('', 1).result),
    watch(alice.service.delegate('x', () => 1, { to: bob.id }).result),
    watch(alice.service.map('x', 5 as unknown as []).all()),
    watch(alice.service.transfer(bob.id, 'text' as unknown as Uint8Array).done),
  ]
  await until(() => outcomes.every((outcome) => outcome().settled))
  expect(outcomes.map((outcome) => outcome().code)).toEqual(Array(4).fill('INVALID_ARGUMENT'))
})

test('inputs are spread over the mesh', async () => {
  bob.service.provide({ name: 'double', version: '1' }, (input: number) => 2 * input)
  await mesh.quiet()
  const outcome = watch(alice.service.map('double', [1, 2, 3]).all())
  await until(() => outcome().settled)
  expect(outcome().value).toEqual([2, 4, 6])
})

test('a transfer is offered and arrives', async () => {
  const parts: Uint8Array[] = []
  bob.service.on('transfer', (offer) => {
    offer.accept({ write: (bytes) => parts.push(bytes.slice()), close: () => undefined, abort: () => undefined })
  })
  const transfer = alice.service.transfer(bob.id, new Uint8Array([1, 2, 3]), { name: 'three' })
  expect(transfer.info).toMatchObject({ id: transfer.id, state: 'offered', peer: bob.id })
  expect(alice.service.transfers).toEqual([transfer])
  const outcome = watch(transfer.done)
  await until(() => outcome().settled)
  expect(outcome().code).toBeUndefined()
  expect(parts.flatMap((bytes) => [...bytes])).toEqual([1, 2, 3])
  expect(alice.service.transfers.map(({ id }) => id)).toEqual([transfer.id])
})

test('an offer that nobody listens for is rejected', async () => {
  const outcome = watch(alice.service.transfer(bob.id, new Uint8Array(3)).done)
  await until(() => outcome().settled)
  expect(outcome().code).toBe('TRANSFER_REJECTED')
})

test('files of a task arrive although both parts are loaded for it', async () => {
  const [carl, dora] = await Promise.all(
    ['carl', 'dora'].map((name) => mesh.join(name, { lazy: true, transfers: new MemoryTransferHost() })),
  )
  if (carl === undefined || dora === undefined) throw new Error('They joined.')
  await mesh.pass(2_000)
  dora.service.provide({ name: 'size', version: '1' }, (input: Blob) => input.size)
  await mesh.quiet()
  const outcome = carl.delegate(dora, 'size', new Blob(['four']))
  await until(() => outcome().settled)
  expect(outcome()).toEqual({ value: 4, settled: true })
})

test('a peer that is closed meanwhile says so', async () => {
  const outcomes = [
    alice.delegate(bob, 'x', 1),
    watch(alice.service.map('x', [1]).all()),
    watch(alice.service.transfer(bob.id, new Uint8Array(1)).done),
  ]
  await alice.service.close()
  await until(() => outcomes.every((outcome) => outcome().settled))
  expect(outcomes.map((outcome) => outcome().code)).toEqual(Array(3).fill('PEER_CLOSED'))
})
