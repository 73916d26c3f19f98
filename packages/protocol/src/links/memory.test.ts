import { describe, expect, test } from 'vitest'
import { type LinkImplementation, linkConformance } from '../conformance/links.ts'
import { Listener } from '../conformance/listener.ts'
import type { Bytes } from '../wire/bytes.ts'
import type { LinkTransport } from './link.ts'
import { createMemoryNetwork, type MemoryNetwork, type MemoryNetworkOptions } from './memory.ts'

describe('the memory link passes the conformance suite', () => {
  const net = network()
  const implementation: LinkImplementation = {
    transports: [net.transport('a'), net.transport('b')],
    withFingerprint: (description, fingerprint) => Uint8Array.of(description[0] as number, ...fingerprint),
  }
  test.each(linkConformance)('$name', async ({ run }) => {
    await run(implementation)
    await settled()
    expect({ ends: net.openEnds, attempts: net.openAttempts }, 'nothing is left behind').toEqual({
      ends: 0,
      attempts: 0,
    })
  })
})

test('a cut link is lost on both sides, others stay', async () => {
  const net = network()
  const [a, b] = await open(net.transport(), net.transport())
  const [c, d] = await open(net.transport(), net.transport())
  net.cut(b.link)
  await settled()
  expect([...a.closes, ...b.closes]).toMatchObject([{ code: 'LINK_LOST' }, { code: 'LINK_LOST' }])
  expect([...c.closes, ...d.closes]).toEqual([])
  net.cut()
  await settled()
  expect([...c.closes, ...d.closes]).toMatchObject([{ code: 'LINK_LOST' }, { code: 'LINK_LOST' }])
})

test('frames can be lost, repeated, altered and held back on the way', async () => {
  const held: (() => void)[] = []
  const net = network({
    onFrame(frame, deliver, from) {
      if (from === 'b' || frame[0] === 0) return
      deliver(frame)
      if (frame[0] === 2) deliver(frame)
      if (frame[0] === 3) held.push(() => deliver(Uint8Array.of(30)))
    },
  })
  const [a, b] = await open(net.transport('a'), net.transport('b'))
  for (const first of [0, 1, 2, 3]) a.link.send(Uint8Array.of(first))
  b.link.send(Uint8Array.of(1))
  await settled()
  for (const deliver of held) deliver()
  expect(b.frames.map(([first]) => first)).toEqual([1, 2, 2, 3, 30])
  expect(a.frames).toEqual([])
})

test('a frame held back beyond the close is not delivered', async () => {
  let release: (() => void) | undefined
  const net = network({
    onFrame(frame, deliver) {
      release = () => deliver(frame)
    },
  })
  const [a, b] = await open(net.transport(), net.transport())
  a.link.send(Uint8Array.of(1))
  await settled()
  a.link.close()
  await settled()
  release?.()
  expect(b.frames).toEqual([])
})

test('nothing moves before the test lets it', async () => {
  const actions: (() => void)[] = []
  const net = network({ schedule: (action) => actions.push(action) })
  const run = async () => {
    for (let action = actions.shift(); action; action = actions.shift()) {
      action()
      await settled()
    }
  }
  const opening = open(net.transport(), net.transport())
  await settled()
  await run()
  const [a, b] = await opening
  a.link.send(Uint8Array.of(1))
  await settled()
  expect(b.frames).toEqual([])
  expect(a.link.bufferedAmount).toBe(1)
  await run()
  expect(b.frames).toEqual([Uint8Array.of(1)])
  expect(a.link.bufferedAmount).toBe(0)
})

function network(options: Partial<MemoryNetworkOptions> = {}): MemoryNetwork {
  let made = 0
  const randomBytes = (length: number): Bytes => new Uint8Array(length).fill(++made)
  return createMemoryNetwork({ schedule: queueMicrotask, randomBytes, ...options })
}

async function open(first: LinkTransport, second: LinkTransport): Promise<[Listener, Listener]> {
  const offering = first.offer(() => undefined, [])
  const answering = second.answer((await offering.description).data, () => undefined, [])
  offering.accept((await answering.description).data)
  return [new Listener(await offering.opened), new Listener(await answering.opened)]
}

/** All microtasks queued by now, and those they queue, have run. */
function settled(): Promise<void> {
  return new Promise((fulfil) => setImmediate(fulfil))
}
