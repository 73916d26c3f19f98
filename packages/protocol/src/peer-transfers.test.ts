/** Transfers between whole peers. */
import { beforeEach, describe, expect, test } from 'vitest'
import type { TransferSource } from './api.ts'
import { MemoryTransferHost } from './bulk/memory-host.fixture.ts'
import { createWebCryptoProvider } from './crypto/webcrypto.ts'
import { PROTOCOL } from './limits.ts'
import { Mesh, type MeshPeer } from './mesh.fixture.ts'

let mesh: Mesh
let ann: MeshPeer
let bob: MeshPeer
let received: Uint8Array[]

beforeEach(async () => {
  mesh = await Mesh.create(createWebCryptoProvider())
  ;[ann, bob] = await mesh.joinAll('ann', 'bob')
  received = []
})

const data = new Uint8Array(3_000_000).map((_, i) => i >> 9)
const isReceived = () => Buffer.compare(Buffer.concat(received), data) === 0
const acceptAll = () =>
  bob.service.on('transfer', (offer) => {
    offer.accept({ write: (bytes) => received.push(bytes.slice()), close: () => undefined, abort: () => undefined })
  })

test('a transfer arrives, and both sides are told of its progress', async () => {
  acceptAll()
  const states: string[] = []
  bob.service.on('transferprogress', ({ state }) => states.push(state))
  const transfer = ann.service.transfer(bob.id, data, { name: 'notes' })
  await mesh.quiet()
  await transfer.done
  expect(isReceived()).toBe(true)
  expect([states[0], states.at(-1)]).toEqual(['running', 'completed'])
  expect(ann.service.transfers[0]?.info).toMatchObject({ name: 'notes', state: 'completed', bytes: data.length })
})

test('a file with a longer name than a transfer can have is called by what fits of it', async () => {
  acceptAll()
  // The last unit that fits is the first half of a character.
  const fitting = 'n'.repeat(PROTOCOL.maxTransferName - 1)
  const sender = await mesh.join('sender', { transfers: new MemoryTransferHost() })
  const file = new File([data], `${fitting}😀.txt`, { type: `text/${'x'.repeat(PROTOCOL.maxMediaType)}` })
  const transfer = sender.service.transfer(bob.id, file)
  await mesh.pass(2_000)
  await transfer.done
  expect(transfer.info).toMatchObject({ name: fitting, type: '' })
})

test('a message overtakes a transfer, and a transfer goes on over another link', async () => {
  acceptAll()
  let frames = 0
  mesh.onLinkFrame = (frame, deliver) => {
    // One of them is lost with its link, in the middle of a chunk.
    if (++frames === 20) mesh.net.cut()
    else deliver(frame)
  }
  const transfer = ann.service.transfer(bob.id, data)
  await ann.service.send(bob.id, 'by the way')
  const before = received.length
  await mesh.pass(20_000)
  await transfer.done
  expect(before).toBeLessThan(received.length)
  expect(isReceived()).toBe(true)
})

test('nobody who listens: the transfer is rejected', async () => {
  const transfer = ann.service.transfer(bob.id, data)
  await expect(transfer.done).rejects.toMatchObject({ code: 'TRANSFER_REJECTED' })
})

test('a listener may take its time, and reject', async () => {
  let decide: () => void = () => undefined
  const decision = new Promise<void>((fulfil) => {
    decide = fulfil
  })
  bob.service.on('transfer', (offer) => decision.then(() => offer.reject()))
  const transfer = ann.service.transfer(bob.id, data)
  await mesh.quiet()
  expect(transfer.info.state).toBe('offered')
  decide()
  await expect(transfer.done).rejects.toMatchObject({ code: 'TRANSFER_REJECTED' })
})

test('a host without files has no place for what goes to no sink', async () => {
  bob.service.on('transfer', (offer) => {
    offer.accept()
  })
  await expect(ann.service.transfer(bob.id, data).done).rejects.toMatchObject({ code: 'TRANSFER_REJECTED' })
  expect(bob.codes).toEqual(['LISTENER_FAILED'])
})

test('it ends on both sides when one closes', async () => {
  bob.service.on('transfer', (offer) => {
    offer.accept({ write: () => new Promise(() => undefined), close: () => undefined, abort: () => undefined })
  })
  const transfer = ann.service.transfer(bob.id, data)
  await mesh.quiet()
  await bob.service.close()
  await mesh.quiet()
  expect(transfer.info.error?.code).toBe('PEER_CLOSED')
  expect(bob.service.transfers[0]?.info.error?.code).toBe('PEER_CLOSED')
})

describe('wrong arguments reject at once:', () => {
  test.each([
    ['no source', undefined],
    ['a text', 'text'],
    ['an object', {}],
  ])('%s', async (_, source) => {
    const { done } = ann.service.transfer(bob.id, source as TransferSource)
    await expect(done).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  })

  test.each([{ name: 'x'.repeat(257) }, { type: 7 }, { signal: {} }, { onProgress: 'often' }, null])(
    'options %j',
    async (options) => {
      const { done } = ann.service.transfer(bob.id, data, options as never)
      await expect(done).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    },
  )

  test('nobody of that id, and a transfer that is not there', async () => {
    await expect(ann.service.transfer('bob', data).done).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    await expect(ann.service.resumeTransfer('x', data).done).rejects.toMatchObject({ code: 'INVALID_STATE' })
    await ann.service.close()
    await expect(ann.service.transfer(bob.id, data).done).rejects.toMatchObject({ code: 'PEER_CLOSED' })
  })
})
