import type { CapabilityDescription, Peer } from '@tsunagi/protocol'
import { digestFile, fileSha256 } from './file-sha256.ts'
import { drawTile, fractalTile } from './fractal-tile.ts'

/** What every tab of this app can do for others. */
export const BUILT_IN: readonly CapabilityDescription[] = [fractalTile, fileSha256]

export function provideBuiltIn(peer: Peer): void {
  peer.provide(fractalTile, drawTile)
  peer.provide(fileSha256, digestFile)
}
