import type { MapOptions } from '@tsunagi/protocol'
import type { Tile } from './capabilities/mandelbrot.ts'

/** `interrupted`: by a reload of the page, which ends what gives the tiles away; those given away may still come. */
export type PictureState = 'working' | 'interrupted' | 'completed' | 'failed' | 'canceled'

/** A picture as it was asked for, and how far it came. */
export interface PictureInfo {
  readonly tile: Tile
  readonly subject: string
  readonly options: Pick<MapOptions, 'priority'>
  /** Milliseconds since 1970. */
  readonly startedAt: number
  readonly endedAt: number | undefined
  readonly state: PictureState
}

/** With it the next page of this tab can show the picture. */
export interface KeptPicture extends PictureInfo {
  /** Which task draws which tile. */
  readonly tasks: readonly (readonly [id: string, tile: number])[]
}

const KEY = 'tsunagi.pictures'

/** @param owner the peer and mesh that they belong to: a tab may hold others later, and a copied tab is another peer */
export function keepPictures(owner: string, pictures: readonly KeptPicture[]): void {
  try {
    sessionStorage.setItem(KEY, JSON.stringify({ owner, pictures }))
  } catch {
    // Storage that is switched off: the next page lists the tiles as tasks.
  }
}

export function keptPictures(owner: string): readonly KeptPicture[] {
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEY) ?? '{}') as { owner?: string; pictures?: KeptPicture[] }
    return kept.owner === owner ? (kept.pictures ?? []) : []
  } catch {
    // Only this page writes there; where it may not, nothing was kept.
    return []
  }
}
