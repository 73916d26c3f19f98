/** A rectangle of the Mandelbrot set, `scale` wide in the complex plane, around cx + cy·i. */
export interface Tile {
  readonly cx: number
  readonly cy: number
  readonly scale: number
  /** Pixels. */
  readonly width: number
  readonly height: number
  /** Steps after which a point counts as inside. */
  readonly iterations: number
  /** The pixels that are drawn; all of them where it is left out. */
  readonly part?: Part
}

/** A rectangle of pixels inside a tile, from its top left. */
export interface Part {
  readonly left: number
  readonly top: number
  readonly width: number
  readonly height: number
}

/** Leaving this radius, a point never comes back; far beyond 2, so that the smooth count has no steps. */
const ESCAPE = 256

/** Palette index of a point: 0 inside the set, else 1 to 255, rising and starting anew as escape takes longer. */
export function shade(cx: number, cy: number, iterations: number): number {
  let x = 0
  let y = 0
  let xx = 0
  let yy = 0
  for (let n = 0; n < iterations; n++) {
    y = 2 * x * y + cy
    x = xx - yy + cx
    xx = x * x
    yy = y * y
    if (xx + yy > ESCAPE * ESCAPE) {
      const smooth = n + 1 - Math.log2(Math.log2(xx + yy) / 2 / Math.log2(ESCAPE))
      return 1 + (Math.floor(12 * Math.sqrt(smooth)) % 255)
    }
  }
  return 0
}

export function partOf({ width, height, part = { left: 0, top: 0, width, height } }: Tile): Part {
  return part
}

/** Cuts `tile` into parts of at most `side` pixels a side, row by row from the top left. */
export function partsOf({ width, height }: Tile, side: number): Part[] {
  const starts = (length: number) => Array.from({ length: Math.ceil(length / side) }, (_, at) => at * side)
  return starts(height).flatMap((top) =>
    starts(width).map((left) => ({
      left,
      top,
      width: Math.min(side, width - left),
      height: Math.min(side, height - top),
    })),
  )
}

/**
 * One palette index a pixel of the part, row by row from the top left: to the bit what the whole tile has there.
 * `onRow` hears how many rows are done.
 */
export function renderTile(tile: Tile, onRow: (rows: number) => void): Uint8Array<ArrayBuffer> {
  const { cx, cy, scale, width, height, iterations } = tile
  const part = partOf(tile)
  const pixels = new Uint8Array(part.width * part.height)
  const step = scale / width
  for (let row = 0; row < part.height; row++) {
    const y = cy - (part.top + row + 0.5 - height / 2) * step
    for (let column = 0; column < part.width; column++)
      pixels[row * part.width + column] = shade(cx + (part.left + column + 0.5 - width / 2) * step, y, iterations)
    onRow(row + 1)
  }
  return pixels
}

/** Red, green, blue and alpha of a palette index: the inside is black, the rest runs from deep green to white and back. */
export function colourOf(index: number): [number, number, number, number] {
  if (index === 0) return [8, 12, 12, 255]
  const wave = (phase: number) => 0.5 - 0.5 * Math.cos((index / 127.5 + phase) * Math.PI)
  return [Math.round(255 * wave(0) ** 1.8), Math.round(40 + 215 * wave(0.12)), Math.round(60 + 180 * wave(0.2)), 255]
}
