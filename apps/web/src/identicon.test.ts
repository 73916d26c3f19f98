import { expect, test } from 'vitest'
import { identiconOf } from './identicon.ts'

const cells = (path: string) => new Set(Array.from(path.matchAll(/M(\d) (\d)h1v1h-1z/g), ([, x, y]) => `${x},${y}`))
const ids = Array.from({ length: 300 }, (_, i) => `did:key:z6Mk${i}`)

test('the same id gives the same picture, on every machine', () => {
  expect(identiconOf('did:key:z6MkpTHR8VNsBxYAAWHut2Geadd9jSwuBV8xRoAnwWsdvktH')).toMatchInlineSnapshot(`
    {
      "hue": 5,
      "path": "M0 0h1v1h-1zM4 0h1v1h-1zM1 2h1v1h-1zM3 2h1v1h-1zM2 2h1v1h-1zM0 3h1v1h-1zM4 3h1v1h-1zM1 3h1v1h-1zM3 3h1v1h-1zM0 4h1v1h-1zM4 4h1v1h-1zM1 4h1v1h-1zM3 4h1v1h-1z",
    }
  `)
})

test('every picture is its own mirror image', () => {
  for (const id of ids) {
    const filled = cells(identiconOf(id).path)
    for (const cell of filled) {
      const [x, y] = cell.split(',').map(Number)
      expect(filled, id).toContain(`${4 - (x ?? 0)},${y}`)
    }
  }
})

test('neighbouring ids look unlike', () => {
  const pictures = ids.map((id) => identiconOf(id))
  expect(new Set(pictures.map(({ path, hue }) => `${hue} ${path}`)).size).toBeGreaterThan(295)
  expect(new Set(pictures.map(({ hue }) => hue))).toEqual(new Set([0, 1, 2, 3, 4, 5, 6, 7]))
})
