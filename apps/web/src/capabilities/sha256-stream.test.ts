import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Sha256 } from './sha256-stream.ts'

async function expected(pieces: Uint8Array<ArrayBuffer>[]): Promise<string> {
  const whole = await new Blob(pieces).arrayBuffer()
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', whole))
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

function streamed(pieces: Uint8Array[]): string {
  const hash = new Sha256()
  for (const piece of pieces) hash.update(piece)
  return hash.digest()
}

test('bytes in any pieces have the digest that WebCrypto gives the whole', async () => {
  const pieces = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 12 })
  await fc.assert(
    fc.asyncProperty(pieces, async (pieces) => {
      expect(streamed(pieces)).toBe(await expected(pieces.map((piece) => piece.slice())))
    }),
  )
})

test.each([0, 1, 55, 56, 63, 64, 65, 119, 120, 1_000_000])('of %d bytes', async (length) => {
  const bytes = Uint8Array.from({ length }, (_, i) => i * 7)
  expect(streamed([bytes])).toBe(await expected([bytes]))
})
