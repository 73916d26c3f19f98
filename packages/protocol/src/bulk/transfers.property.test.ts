import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createWebCryptoProvider } from '../crypto/webcrypto.ts'
import { CHUNK_SIZE } from './chunk.ts'
import { Pages } from './pages.fixture.ts'

/** What may happen to a transfer on its way. */
const happening = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ what: fc.constant('deliver' as const), count: fc.integer({ min: 1, max: 20 }) }),
  },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('relink' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      what: fc.constantFrom('reload sender' as const, 'reload receiver' as const),
      lost: fc.integer({ min: 0, max: 25 }),
      flushed: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
  },
)

test('whatever is lost on the way, and whichever page crashes when, what arrives is what was sent', async () => {
  const crypto = createWebCryptoProvider()
  const size = fc.oneof(fc.constantFrom(0, 1, CHUNK_SIZE, 2 * CHUNK_SIZE), fc.integer({ min: 0, max: 24 * CHUNK_SIZE }))
  await fc.assert(
    fc.asyncProperty(size, fc.array(happening, { maxLength: 14 }), async (length, happenings) => {
      const data = new Uint8Array(length).map((_, i) => (i * 2_654_435_761) >>> 24)
      const pages = new Pages(crypto)
      let transfer = pages.a.transfers.offer('b', data, { name: 'data' })
      const { id } = transfer
      for (const happened of happenings) {
        if (happened.what === 'deliver') await pages.deliver(happened.count)
        else if (happened.what === 'relink') await pages.relink()
        else if (happened.what === 'reload receiver') await pages.reload('b', happened)
        else if (pages.disks.a.notes.size > 0) {
          await pages.reload('a', happened)
          transfer = pages.a.transfers.resume(id, data, {})
        }
      }
      await pages.deliver()
      expect(transfer.info).toMatchObject({ state: 'completed', bytes: length, error: undefined })
      const blob = await pages.b.incoming.blob()
      expect(Buffer.compare(new Uint8Array(await blob.arrayBuffer()), data)).toBe(0)
      expect(pages.a.errors).toEqual([])
      expect(pages.b.errors).toEqual([])
    }),
    { numRuns: 40 },
  )
}, 120_000)
