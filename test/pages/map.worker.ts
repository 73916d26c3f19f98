/** Draws a tile with the code of the app. */
import { serveTasks } from '@tsunagi/protocol/browser'
import { renderTile, type Tile } from '../../apps/web/src/capabilities/mandelbrot.ts'

serveTasks<Tile>((tile) => renderTile(tile, () => undefined))
