/** A page that has a fractal drawn by others tile by tile, or draws tiles for others, one at a time. */
import { createPeer, workerHandler } from '@tsunagi/protocol/browser'
import { renderTile, type Tile } from '../../apps/web/src/capabilities/mandelbrot.ts'

type Peer = Awaited<ReturnType<typeof createPeer>>

export interface Picture {
  /** Tiles a side. */
  readonly side: number
  /** Pixels a side of each tile. */
  readonly pixels: number
  readonly iterations: number
}

export interface Drawn {
  readonly ms: number
  /** Of the bytes of all tiles in their order. */
  readonly digest: string
}

declare global {
  interface Window {
    map: MapPage
  }
}

class MapPage {
  #peer: Peer | undefined

  async join(signaling: string, draws: boolean): Promise<void> {
    const peer = await createPeer({ signaling, mesh: 'map' })
    this.#peer = peer
    const start = () => new Worker(new URL('./map.worker.ts', import.meta.url), { type: 'module' })
    if (draws) peer.provide({ name: 'tile', version: '1', concurrency: 1, idempotent: true }, workerHandler(start))
  }

  /** Peers that draw, as far as this page knows. */
  get executors(): number {
    return this.#peer?.peers.filter(({ capabilities }) => capabilities.length > 0).length ?? 0
  }

  byOthers(picture: Picture): Promise<Drawn> {
    return drawn(async () => (await this.#peer?.map<Uint8Array>('tile', tilesOf(picture)).all()) ?? [])
  }

  here(picture: Picture): Promise<Drawn> {
    return drawn(async () => tilesOf(picture).map((tile) => renderTile(tile, () => undefined)))
  }
}

/** A square about the middle of the set, where some tiles take much longer than others. */
function tilesOf({ side, pixels, iterations }: Picture): Tile[] {
  const scale = 3 / side
  return Array.from({ length: side * side }, (_, n) => ({
    cx: -2.2 + scale * ((n % side) + 0.5),
    cy: 1.5 - scale * (Math.floor(n / side) + 0.5),
    scale,
    width: pixels,
    height: pixels,
    iterations,
  }))
}

async function drawn(draw: () => Promise<readonly Uint8Array[]>): Promise<Drawn> {
  const start = performance.now()
  const tiles = await draw()
  const ms = performance.now() - start
  const bytes = await new Blob(tiles.map((tile) => new Uint8Array(tile))).arrayBuffer()
  return { ms, digest: String(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))) }
}

window.map = new MapPage()
