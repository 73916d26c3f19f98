/** Blobs as inputs and outputs of tasks, between whole peers (SPEC R92). */
import { beforeEach, expect, test } from 'vitest'
import type { TaskHandler } from './api.ts'
import { MemoryTransferHost } from './bulk/memory-host.fixture.ts'
import { createWebCryptoProvider } from './crypto/webcrypto.ts'
import { LIMITS } from './limits.ts'
import { Mesh, type MeshPeer, watch } from './mesh.fixture.ts'
import { MemoryStore } from './session/memory-store.fixture.ts'
import { MemoryTaskStore } from './tasks/memory-task-store.fixture.ts'

let mesh: Mesh
let alice: MeshPeer
let hosts: Record<string, MemoryTransferHost>

const blob = { type: 'string', contentEncoding: 'blob' }
const bytes = new Uint8Array(3_000_000).map((_, n) => n >> 10)
const file = new File([bytes], 'data.bin', { type: 'application/x-test' })

async function join(name: string): Promise<MeshPeer> {
  const host = new MemoryTransferHost()
  hosts[name] = host
  return mesh.join(name, { transfers: host, store: new MemoryStore(), taskStore: new MemoryTaskStore() })
}

beforeEach(async () => {
  hosts = {}
  mesh = await Mesh.create(createWebCryptoProvider())
  alice = await join('alice')
})

async function helper(name: string, handler: TaskHandler, differs: object = {}): Promise<MeshPeer> {
  const peer = await join(name)
  peer.service.provide({ name: 'work', version: '1', ...differs }, handler)
  await mesh.pass(1_000)
  return peer
}

const isSame = async (received: Blob) => Buffer.compare(new Uint8Array(await received.arrayBuffer()), bytes) === 0

async function ended(task: { result: Promise<unknown> }, within = 20_000) {
  const outcome = watch(task.result)
  for (let passed = 0; passed < within && !outcome().settled; passed += 500) await mesh.pass(500)
  return outcome()
}

/** Nobody reaches anybody until what this returns is called; wake-ups are kept. */
function away(): () => void {
  const { onRelay } = mesh.server
  mesh.server.onRelay = () => undefined
  mesh.server.onWakeUp = () => 'mailbox'
  mesh.net.cut()
  return () => {
    mesh.server.onRelay = onRelay
  }
}

test('a Blob goes to the handler and comes back, whatever its size, and nothing of the input is left', async () => {
  let size = 0
  const bob = await helper(
    'bob',
    async ({ file: input }: { file: File }) => {
      size = input.size
      return { copies: [new Blob([await input.arrayBuffer()], { type: 'image/x-test' })], same: await isSame(input) }
    },
    { input: { type: 'object', properties: { file: blob }, required: ['file'] } },
  )
  const offers: unknown[] = []
  bob.service.on('transfer', (offer) => offers.push(offer))
  const { value } = await ended(alice.service.delegate('work', { file }))
  const { copies, same } = value as { copies: Blob[]; same: boolean }
  expect([size, same, copies[0]?.type]).toEqual([bytes.length, true, 'image/x-test'])
  expect(await isSame(copies[0] as Blob)).toBe(true)
  await mesh.quiet()
  expect([hosts['bob']?.files.size, hosts['alice']?.files.size]).toEqual([0, 1])
  // They are the task's, and no offer to the app.
  expect(offers).toEqual([])
})

test('goes on over another link', async () => {
  await helper('bob', async (input: Blob) => input.slice(0, 100))
  let frames = 0
  mesh.onLinkFrame = (frame, deliver) => {
    if (++frames === 15) mesh.net.cut()
    else deliver(frame)
  }
  const { value } = await ended(alice.service.delegate('work', file))
  expect((value as Blob).size).toBe(100)
  expect(frames).toBeGreaterThan(15)
})

test('a Blob waits for a link as the task does, however long that is away before the other side has answered its offer', async () => {
  let finish: (output: Blob) => void = () => undefined
  const bob = await helper('bob', () => new Promise<Blob>((fulfil) => (finish = fulfil)))
  const task = alice.service.delegate('work', null, { to: bob.id, failover: false })
  await mesh.pass(1_000)
  const isBack = away()
  await mesh.pass(5_000)
  finish(file)
  await mesh.pass(LIMITS.linkPatience)
  isBack()
  expect(await ended(task, 60_000)).toMatchObject({ value: { size: bytes.length } })
})

test('a Blob of an input that its user agrees to after the link was away comes all the same', async () => {
  let agree: (yes: boolean) => void = () => undefined
  const ask = () => new Promise<boolean>((answer) => (agree = answer))
  const bob = await helper('bob', (input: Blob) => input.size, { policy: { who: 'ask', ask } })
  const task = alice.service.delegate('work', file, { to: bob.id })
  await mesh.pass(1_000)
  const isBack = away()
  await mesh.pass(LIMITS.linkPatience + 5_000)
  isBack()
  await mesh.pass(10_000)
  agree(true)
  expect(await ended(task, 60_000)).toMatchObject({ value: bytes.length })
})

test('a task that is cancelled takes its files with it, on both sides', async () => {
  const inputs: Blob[] = []
  await helper('bob', (input: Blob, { signal }) => {
    inputs.push(input)
    return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  })
  const running = alice.service.delegate('work', file)
  await mesh.pass(3_000)
  expect([inputs.length, hosts['bob']?.files.size]).toEqual([1, 1])
  running.cancel()
  await mesh.quiet()
  const coming = alice.service.delegate('work', file)
  coming.cancel()
  await mesh.pass(1_000)
  expect([inputs.length, hosts['bob']?.files.size, hosts['alice']?.files.size]).toEqual([1, 0, 0])
})

test('what its policy allows a caller counts Blobs, and a file that does not fit its schema never comes', async () => {
  const bob = await helper('bob', () => 1, { input: { ...blob, maxLength: 4_000_000 } })
  bob.service.policy('work', { who: 'mesh', bytes: 3_500_000 })
  const to = bob.id
  expect((await ended(alice.service.delegate('work', file, { to }))).value).toBe(1)
  expect((await ended(alice.service.delegate('work', file, { to }))).code).toBe('TASK_REJECTED')
  const large = new Blob([bytes, bytes])
  bob.service.policy('work', { who: 'mesh' })
  expect((await ended(alice.service.delegate('work', large, { to }))).code).toBe('TASK_INPUT_INVALID')
  expect(alice.service.transfers.filter(({ info }) => info.size === large.size && info.bytes > 0)).toEqual([])
})

test('a file whose task was refused is offered to nobody', async () => {
  const bob = await helper('bob', () => 1, { policy: { who: 'nobody' } })
  const offers: unknown[] = []
  bob.service.on('transfer', (offer) => offers.push(offer))
  expect((await ended(alice.service.delegate('work', file, { to: bob.id }))).code).toBe('TASK_REJECTED')
  await mesh.pass(5_000)
  expect([offers, hosts['bob']?.files.size]).toEqual([[], 0])
})

test('the user is asked before any byte of it is taken', async () => {
  let agree: (yes: boolean) => void = () => undefined
  let asked: unknown
  const ask = (request: { input: unknown; size: number }) => {
    asked = [request.input, request.size]
    return new Promise<boolean>((answer) => {
      agree = answer
    })
  }
  await helper('bob', (input: Blob) => input.size, { policy: { who: 'ask', ask } })
  const task = alice.service.delegate('work', file)
  await mesh.pass(2_000)
  expect(asked).toEqual([
    { size: bytes.length, type: file.type, name: file.name },
    expect.toSatisfy((size: number) => size > bytes.length),
  ])
  expect(hosts['bob']?.files.size).toBe(0)
  agree(true)
  expect((await ended(task)).value).toBe(bytes.length)
})
