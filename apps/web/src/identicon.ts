import type { PeerId } from '@tsunagi/protocol'

/** A picture of a peer id: a grid of 5 × 5, mirrored about its middle column, in one of eight hues. */
export interface Identicon {
  /** SVG path of the filled cells in units of one cell, within 0 0 5 5. */
  readonly path: string
  /** 0 to 7: which of the --hue tokens colours it. */
  readonly hue: number
}

export const IDENTICON_CELLS = 5
const COLUMNS = 3

/**
 * Helps the eye; 18 bits prove nothing, so any even hash does (FNV-1a with the finish of MurmurHash3, so that
 * ids that differ in one character look unlike).
 */
function hash(id: PeerId): number {
  let value = 0x811c9dc5
  for (let i = 0; i < id.length; i++) value = Math.imul(value ^ id.charCodeAt(i), 0x01000193)
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35)
  return (value ^ (value >>> 16)) >>> 0
}

export function identiconOf(id: PeerId): Identicon {
  const bits = hash(id)
  let path = ''
  for (let row = 0; row < IDENTICON_CELLS; row++) {
    for (let column = 0; column < COLUMNS; column++) {
      if ((bits & (1 << (row * COLUMNS + column))) === 0) continue
      path += cell(column, row)
      if (column < COLUMNS - 1) path += cell(IDENTICON_CELLS - 1 - column, row)
    }
  }
  return { path, hue: bits >>> 29 }
}

function cell(x: number, y: number): string {
  return `M${x} ${y}h1v1h-1z`
}
