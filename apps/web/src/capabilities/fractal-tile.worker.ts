import { renderTile, type Tile } from './mandelbrot.ts'
import { serve } from './worker-side.ts'

export interface TilePicture {
  readonly width: number
  readonly height: number
  /** One palette index a pixel, row by row from the top left. */
  readonly pixels: Uint8Array<ArrayBuffer>
}

serve<Tile>(async (tile, report) => {
  const { width, height } = tile
  // A report for each of 200 parts: enough for a smooth bar, few enough to cost nothing.
  const part = Math.max(1, Math.floor(height / 200))
  const pixels = renderTile(tile, (rows) => {
    if (rows % part === 0) report(rows / height, `row ${rows} of ${height}`)
  })
  const output: TilePicture = { width, height, pixels }
  return [output, [pixels.buffer]]
})
