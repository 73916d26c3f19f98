import { expect, test } from 'vitest'
import { assignSlots, layOut, PICTURE_SLOTS } from './mesh-layout.ts'

const peers = (amount: number) => Array.from({ length: amount }, (_, i) => `peer ${i}`)
const size = { width: 700, height: 400 }

test('a peer keeps its place while others come and go', () => {
  const before = assignSlots(new Map(), peers(5))
  const after = assignSlots(before, ['new', 'peer 4', 'peer 1'])
  expect(after.get('peer 4')).toBe(before.get('peer 4'))
  expect(after.get('peer 1')).toBe(before.get('peer 1'))
  expect(after.get('new')).toBe(before.get('peer 0'))
  expect(after.size).toBe(3)
})

test('more peers than the picture holds are left to the list', () => {
  expect(assignSlots(new Map(), peers(100)).size).toBe(PICTURE_SLOTS)
})

test.each([1, 2, 3, 6, 7, 12, 13, 24])('%d peers stand inside the picture and none on another', (amount) => {
  for (const { width, height } of [size, { width: 296, height: 320 }]) {
    const layout = layOut(assignSlots(new Map(), peers(amount)), { width, height }, amount === 1)
    const points = [layout.self, ...layout.peers.values()]
    for (const [i, a] of points.entries()) {
      expect(a.x).toBeGreaterThanOrEqual(layout.side / 2)
      expect(a.x).toBeLessThanOrEqual(width - layout.side / 2)
      expect(a.y).toBeGreaterThanOrEqual(layout.side / 2)
      expect(a.y).toBeLessThanOrEqual(height - layout.side / 2)
      for (const b of points.slice(i + 1)) expect(Math.hypot(a.x - b.x, a.y - b.y)).toBeGreaterThanOrEqual(layout.side)
    }
  }
})

test('two peers alone share the middle', () => {
  const { self, peers } = layOut(new Map([['other', 3]]), size, true)
  const other = peers.get('other')
  expect((self.x + (other?.x ?? 0)) / 2).toBeCloseTo(size.width / 2)
  expect((self.y + (other?.y ?? 0)) / 2).toBeCloseTo(size.height / 2)
})
