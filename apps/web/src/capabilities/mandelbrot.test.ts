import { expect, test } from 'vitest'
import { colourOf, partsOf, renderTile, shade, type Tile } from './mandelbrot.ts'

/** The definition, written plainly: does z → z² + c stay bounded for so many steps? */
function inside(re: number, im: number, iterations: number): boolean {
  let z = { re: 0, im: 0 }
  for (let n = 0; n < iterations; n++) {
    z = { re: z.re * z.re - z.im * z.im + re, im: 2 * z.re * z.im + im }
    if (Math.hypot(z.re, z.im) > 256) return false
  }
  return true
}

const whole: Tile = { cx: -0.5, cy: 0, scale: 3, width: 12, height: 8, iterations: 200 }

test('every pixel is inside or outside as the definition says of its middle', () => {
  const pixels = renderTile({ ...whole, cy: 0.1 }, () => undefined)
  const step = 3 / 12
  for (let row = 0; row < 8; row++)
    for (let column = 0; column < 12; column++) {
      const [re, im] = [-0.5 + (column - 5.5) * step, 0.1 - (row - 3.5) * step]
      expect(pixels[row * 12 + column] === 0, `${re} + ${im}i`).toBe(inside(re, im, 200))
    }
})

test('the set is its own mirror image about the real axis', () => {
  const pixels = renderTile(whole, () => undefined)
  for (let row = 0; row < 8; row++)
    expect(pixels.slice(row * 12, row * 12 + 12)).toEqual(pixels.slice((7 - row) * 12, (8 - row) * 12))
})

test('parts put together are the whole, to the bit, and none is drawn twice', () => {
  const tile = { ...whole, width: 13, cx: -0.743643887, scale: 0.004 }
  const pixels = new Uint8Array(13 * 8)
  let drawn = 0
  for (const part of partsOf(tile, 5)) {
    const drawnPart = renderTile({ ...tile, part }, () => undefined)
    drawn += drawnPart.length
    for (let row = 0; row < part.height; row++)
      pixels.set(drawnPart.subarray(row * part.width, (row + 1) * part.width), (part.top + row) * 13 + part.left)
  }
  expect(drawn).toBe(pixels.length)
  expect(pixels).toEqual(renderTile(tile, () => undefined))
})

test('points nearer to the set take longer to escape', () => {
  expect(shade(2, 2, 100)).toBeLessThan(shade(0.5, 0.5, 100))
  expect(shade(0, 0, 100)).toBe(0)
})

test('progress is told row by row', () => {
  const rows: number[] = []
  renderTile({ ...whole, height: 3 }, (done) => rows.push(done))
  expect(rows).toEqual([1, 2, 3])
})

test('the palette has an opaque colour for each index, and the inside is darkest', () => {
  const brightness = Array.from({ length: 256 }, (_, index) => {
    const [red, green, blue, alpha] = colourOf(index)
    expect(alpha).toBe(255)
    for (const part of [red, green, blue]) expect(part >= 0 && part <= 255 && Number.isInteger(part)).toBe(true)
    return red + green + blue
  })
  expect(Math.min(...brightness)).toBe(brightness[0])
})
