import { type PeerOptions, TsunagiError } from '@tsunagi/protocol'
import type { ReactiveControllerHost } from 'lit'
import { beforeEach, expect, test, vi } from 'vitest'
import { PeerStore } from './peer-store.ts'
import { ScriptedPeer } from './scripted-peer.fixture.ts'

interface Attempt {
  readonly options: PeerOptions
  readonly peer: ScriptedPeer
  succeed(): void
  fail(error: Error): void
}

const attempts = vi.hoisted((): Attempt[] => [])
vi.mock('@tsunagi/protocol/browser', () => ({
  createPeer: (options: PeerOptions) =>
    new Promise((resolve, reject) => {
      const peer = new ScriptedPeer(options)
      attempts.push({ options, peer, succeed: () => resolve(peer), fail: reject })
    }),
}))

const settled = () => new Promise((resolve) => setTimeout(resolve))
const red = { mesh: 'red', secret: 'hush' }
const blue = { mesh: 'blue', secret: undefined }

async function joined(address = red) {
  const store = new PeerStore()
  const join = store.join(address)
  await settled()
  const attempt = attempts.at(-1)
  if (attempt === undefined) throw new Error('no peer was created')
  attempt.succeed()
  await join
  return { store, peer: attempt.peer, options: attempt.options }
}

beforeEach(() => {
  attempts.length = 0
  vi.stubGlobal('location', new URL('https://mesh.example/app#mesh=red&secret=hush'))
  const kept = new Map([['tsunagi.name', 'kitchen']])
  vi.stubGlobal('localStorage', {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => kept.set(key, value),
  })
})

test('joining reaches signaling on the same host, under the kept name, and offers the built-in work', async () => {
  const { store, peer, options } = await joined()
  expect(options).toEqual({ signaling: 'wss://mesh.example/signaling', mesh: 'red', secret: 'hush', name: 'kitchen' })
  expect(peer.provided).toEqual(['fractal.tile', 'file.sha256'])
  expect(store.peer).toBe(peer)
  expect(globalThis.peer).toBe(peer)
})

test('joining another mesh closes the peer of the first one before the next is made', async () => {
  const { store, peer } = await joined()
  const next = store.join(blue)
  expect(attempts).toHaveLength(1)
  await settled()
  expect(peer.closed).toBe(true)
  expect(attempts).toHaveLength(2)
  attempts[1]?.succeed()
  await next
  expect(store.place).toMatchObject({ kind: 'joined', address: blue })
})

test('of two joins the later one counts, whichever is done first', async () => {
  const store = new PeerStore()
  const joins = [store.join(red)]
  await settled()
  joins.push(store.join(blue))
  await settled()
  attempts[1]?.succeed()
  attempts[0]?.succeed()
  await Promise.all(joins)
  expect(store.place).toMatchObject({ kind: 'joined', address: blue })
  expect(attempts[0]?.peer.closed).toBe(true)
  expect(attempts[1]?.peer.closed).toBe(false)
})

test('a join that fails says why and can be tried again', async () => {
  const store = new PeerStore()
  const join = store.join(red)
  await settled()
  attempts[0]?.fail(new TsunagiError('STORAGE_FAILED', 'Allow site data.'))
  await join
  expect(store.place).toEqual({
    kind: 'failed',
    address: red,
    problem: { text: 'Allow site data.', code: 'STORAGE_FAILED' },
  })
  const again = store.join(red)
  await settled()
  attempts[1]?.succeed()
  await again
  expect(store.place.kind).toBe('joined')
})

test('the peer traces only while somebody listens, also across meshes', async () => {
  const { store, peer } = await joined()
  expect(peer.listeners('trace')).toBe(0)
  const stops = [store.onTrace(() => undefined), store.onTrace(() => undefined)]
  expect(peer.listeners('trace')).toBe(1)
  const next = store.join(blue)
  await settled()
  attempts[1]?.succeed()
  await next
  expect(peer.listeners('trace')).toBe(0)
  expect(attempts[1]?.peer.listeners('trace')).toBe(1)
  for (const stop of stops) stop()
  expect(attempts[1]?.peer.listeners('trace')).toBe(0)
})

test('a result is kept for its task, and the oldest ended ones give way', async () => {
  const { store, peer } = await joined()
  for (let i = 0; i < 40; i++) {
    store.delegate('fractal.tile', {}, `tile ${i}`, {})
    const { info } = store.handedOver(`task ${i}`)?.task ?? {}
    if (i < 39) Object.assign(info ?? {}, { endedAt: i })
    peer.settle[i]?.fulfil(i)
  }
  await settled()
  expect(store.handedOver('task 39')).toMatchObject({ subject: 'tile 39', output: { value: 39 } })
  expect(store.handedOver('task 38')?.output).toEqual({ value: 38 })
  expect(store.handedOver('task 0')).toBeUndefined()
})

test('a task that was given to nobody is told as a problem; one in the list is told there', async () => {
  const { store, peer } = await joined()
  store.delegate('file.sha256', {}, 'a file', {})
  store.delegate('file.sha256', {}, 'a file', {})
  peer.tasks = [{ id: 'task 1' } as ScriptedPeer['tasks'][number]]
  for (const { reject } of peer.settle) reject(new TsunagiError('UNKNOWN_CAPABILITY', 'Nobody offers it.'))
  await settled()
  expect(store.notices).toMatchObject([
    { subject: 'Handing over “SHA-256 of a file”', text: 'Nobody offers it.', code: 'UNKNOWN_CAPABILITY', times: 1 },
  ])
})

test('an attempt to connect that the peer repeats by itself is no problem for the person', async () => {
  const { store, peer } = await joined()
  peer.emit('error', new TsunagiError('LINK_FAILED', 'It ended before it was open.'))
  expect(store.notices).toEqual([])
})

test('a problem that repeats is counted in place, and the list of problems is bounded', async () => {
  const { store, peer } = await joined()
  const error = new TsunagiError('BINDING_MISMATCH', 'Another one answered.', { peer: 'did:key:z6MkStranger1' })
  peer.emit('error', error)
  store.report('Something else', 'It broke.')
  peer.emit('error', error)
  expect(store.notices.map(({ subject, times }) => [subject, times])).toEqual([
    ['Something else', 1],
    ['Peer tranger1', 2],
  ])
  for (let i = 0; i < 50; i++) store.report(`Thing ${i}`, 'It broke.')
  expect(store.notices).toHaveLength(8)
})

test('however much happens, a component is drawn a few times', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const store = new PeerStore()
  const requestUpdate = vi.fn()
  const host = {
    requestUpdate,
    addController: (controller: { hostConnected?(): void }) => controller.hostConnected?.(),
  } as unknown as ReactiveControllerHost
  store.drawOnChange(host)
  for (let i = 0; i < 1_000; i++) store.report(`Thing ${i}`, 'It broke.')
  vi.runAllTimers()
  vi.useRealTimers()
  expect(requestUpdate).toHaveBeenCalledOnce()
})
