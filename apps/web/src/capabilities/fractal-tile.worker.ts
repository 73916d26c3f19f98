import { serveTasks } from '@tsunagi/protocol/browser'
import { partOf, renderTile, type Tile } from './mandelbrot.ts'

export interface TilePicture {
  readonly width: number
  readonly height: number
  /** One palette index a pixel, row by row from the top left. */
  readonly pixels: Uint8Array<ArrayBuffer>
}

serveTasks<Tile>((tile, context): TilePicture => {
  const { width, height } = partOf(tile)
  // A report for each of 200 parts: enough for a smooth bar, few enough to cost nothing.
  const step = Math.max(1, Math.floor(height / 200))
  const pixels = renderTile(tile, (rows) => {
    if (rows % step === 0) context.progress(rows / height, `row ${rows} of ${height}`)
  })
  return { width, height, pixels }
})
