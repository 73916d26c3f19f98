import type { CapabilityDescription, Peer } from '@tsunagi/protocol'
import { digestFile, fileSha256 } from './file-sha256.ts'
import { drawTile, fractalTile } from './fractal-tile.ts'

/** What every tab of this app can do for others. */
export const BUILT_IN: readonly CapabilityDescription[] = [fractalTile, fileSha256]

const TITLES: ReadonlyMap<string, string> = new Map([
  [fractalTile.name, 'Draw a fractal tile'],
  [fileSha256.name, 'SHA-256 of a file'],
])

/** What a capability is called on the page: its own name where this app does not know it. */
export function titleOf(capability: string): string {
  return TITLES.get(capability) ?? capability
}

export function provideBuiltIn(peer: Peer): void {
  peer.provide(fractalTile, drawTile)
  peer.provide(fileSha256, digestFile)
}
