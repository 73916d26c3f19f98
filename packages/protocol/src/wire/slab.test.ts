import { expect, test } from 'vitest'
import { Slab } from './slab.ts'

test('copies stand apart from what they were made of and from each other, whatever their sizes', () => {
  const slab = new Slab()
  const sizes = [0, 1, 200, 1_024, 1_025, 65_536, 3, ...Array.from({ length: 200 }, (_, i) => i * 7)]
  const originals = sizes.map((size, i) => new Uint8Array(size).fill(i))
  const copies = originals.map((bytes) => slab.copy(bytes))
  for (const bytes of originals) bytes.fill(255)
  for (const [i, copy] of copies.entries()) {
    expect(copy).toEqual(new Uint8Array(sizes[i] ?? 0).fill(i))
    copy.fill(254)
  }
})
