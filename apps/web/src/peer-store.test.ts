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
vi.mock('@tsunagi/protocol/browser', async (original) => ({
  ...(await original<object>()),
  createPeer: (options: PeerOptions) =>
    new Promise((resolve, reject) => {
      const peer = new ScriptedPeer(options)
      attempts.push({ options, peer, succeed: () => resolve(peer), fail: reject })
    }),
}))

// The account is kept in IndexedDB, which only browsers have.
vi.mock('./account.ts', () => ({
  Account: class {
    attach() {
      return undefined
    }
    detach() {
      return undefined
    }
    moved() {
      return undefined
    }
  },
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
  vi.stubGlobal('addEventListener', () => undefined)
  vi.stubGlobal('removeEventListener', () => undefined)
  vi.stubGlobal('location', new URL('https://mesh.example/app#mesh=red&secret=hush'))
  const kept = new Map([['tsunagi.name', 'kitchen']])
  vi.stubGlobal('localStorage', {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => kept.set(key, value),
  })
})

test('joining reaches signaling on the same host, under the kept name, and offers the built-in work', async () => {
  const { store, peer, options } = await joined()
  const given = {
    signaling: 'wss://mesh.example/signaling',
    mesh: 'red',
    secret: 'hush',
    name: 'kitchen',
    preload: true,
  }
  expect(options).toEqual(given)
  await settled()
  // Node has no language model built in, and so offers none.
  expect(peer.provided).toEqual(['fractal.tile', 'file.sha256', 'wasm.run'])
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
  for (let i = 0; i < 80; i++) {
    store.handOver('file.sha256', { input: {}, subject: `file ${i}` }, {})
    const { info } = store.given.of(`task ${i}`)?.task ?? {}
    if (i < 79) Object.assign(info ?? {}, { endedAt: i })
    peer.settle[i]?.fulfil(i)
  }
  await settled()
  expect(store.given.of('task 79')).toMatchObject({ subject: 'file 79', output: { value: 79 } })
  expect(store.given.of('task 78')?.subject).toBe('file 78')
  expect(store.given.of('task 0')).toBeUndefined()
})

test('what weighs more than a page may hold gives way, but not what is under way', async () => {
  const { store, peer } = await joined()
  const input = { bytes: new Uint8Array(60 * 1_024 * 1_024) }
  for (let i = 0; i < 3; i++) store.handOver('file.sha256', { input, subject: '' }, {})
  expect([0, 1, 2].map((i) => store.given.of(`task ${i}`) !== undefined)).toEqual([true, true, true])
  Object.assign(store.given.of('task 1')?.task.info ?? {}, { endedAt: 1 })
  peer.settle[2]?.fulfil(1)
  await settled()
  expect([0, 1, 2].map((i) => store.given.of(`task ${i}`) !== undefined)).toEqual([true, false, true])
})

test('work that ended can be given away again with the same input', async () => {
  const { store, peer } = await joined()
  store.handOver('file.sha256', { input: {}, subject: 'a file' }, {})
  store.given.of('task 0')?.again?.()
  expect(peer.settle).toHaveLength(2)
  expect(store.given.of('task 1')?.subject).toBe('a file')
})

test('a task that was given to nobody is told as a problem; one in the list is told there', async () => {
  const { store, peer } = await joined()
  store.handOver('file.sha256', { input: {}, subject: 'a file' }, {})
  store.handOver('file.sha256', { input: {}, subject: 'a file' }, {})
  peer.tasks = [{ id: 'task 1' } as ScriptedPeer['tasks'][number]]
  for (const { reject } of peer.settle) reject(new TsunagiError('UNKNOWN_CAPABILITY', 'Nobody offers it.'))
  await settled()
  expect(store.notices).toMatchObject([
    { subject: 'Handing over “SHA-256 of a file”', text: 'Nobody offers it.', code: 'UNKNOWN_CAPABILITY', times: 1 },
  ])
})

test('who may use what is told to the peer before it is offered, and a kept choice that cannot be read is none', async () => {
  const kept = JSON.stringify({
    'file.sha256': { who: 'contacts', seconds: 60, bytes: -1 },
    'fractal.tile': { who: 'everybody' },
  })
  localStorage.setItem('tsunagi.consent', kept)
  const { store, peer } = await joined()
  expect(peer.policies.get('file.sha256')).toMatchObject({ who: 'contacts', seconds: 60 })
  expect(peer.policies.get('file.sha256')?.bytes).toBeUndefined()
  expect(peer.policies.get('fractal.tile')?.who).toBe('mesh')
  store.consent.choose('fractal.tile', { who: 'nobody' })
  expect(peer.policies.get('fractal.tile')?.who).toBe('nobody')
  expect(JSON.parse(localStorage.getItem('tsunagi.consent') ?? '')).toMatchObject({ 'fractal.tile': { who: 'nobody' } })
})

test('a question is answered by the person, by its withdrawal, or by silence', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] })
  const { questions } = new PeerStore()
  const withdrawn = new AbortController()
  const ask = () =>
    questions.ask({ from: 'did:key:z6MkA', wish: '', detail: '', yes: 'Yes', no: 'No' }, 60_000, withdrawn.signal)
  const answers = [ask(), ask(), ask(), ask()]
  const [first, second] = questions.open
  questions.answer(first?.id ?? 0, true)
  questions.answer(second?.id ?? 0, false)
  await vi.advanceTimersByTimeAsync(59_999)
  expect(questions.open).toHaveLength(2)
  await vi.advanceTimersByTimeAsync(1)
  answers.push(ask())
  withdrawn.abort()
  vi.useRealTimers()
  expect(await Promise.all(answers)).toEqual(['yes', 'no', 'silence', 'silence', 'silence'])
  expect(questions.open).toEqual([])
})

test('the person who refused a task is known to have done so, and not one who kept silent', async () => {
  const { store, peer } = await joined()
  const withdrawn = new AbortController()
  const ask = (taskId: string) =>
    peer.policies.get('wasm.run')?.ask?.({
      taskId,
      caller: 'did:key:z6MkA',
      capability: 'wasm.run',
      input: {},
      size: 1,
      signal: withdrawn.signal,
    })
  const answers = [ask('refused'), ask('silent')]
  store.questions.answer(store.questions.open[0]?.id ?? 0, false)
  withdrawn.abort()
  expect(await Promise.all(answers)).toEqual([false, false])
  const hasRefused = (id: string) => store.consent.hasRefused({ peer: 'did:key:z6MkA', id })
  expect([hasRefused('refused'), hasRefused('silent')]).toEqual([true, false])
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
