import type { MapOptions, Peer, PeerId } from '@tsunagi/protocol'
import type { Account } from './account.ts'
import { fractalTile, isTilePicture, type TilePicture } from './capabilities/fractal-tile.ts'
import { type Part, partsOf, type Tile } from './capabilities/mandelbrot.ts'
import type { PageHost, PagePart } from './page-part.ts'
import { weightOf } from './weight.ts'

/** One tile of a picture: where it belongs, and once it is drawn, what it shows and who drew it. */
export interface PictureTile extends Part {
  readonly drawn: { readonly picture: TilePicture; readonly by: PeerId } | undefined
}

export interface Picture {
  readonly id: string
  readonly tile: Tile
  readonly subject: string
  /** The picture that this one is another try of. */
  readonly retryOf: string | undefined
  /** Milliseconds since 1970. */
  readonly startedAt: number
  readonly endedAt: number | undefined
  readonly state: 'working' | 'completed' | 'failed' | 'canceled'
  readonly error: unknown
  readonly tiles: readonly PictureTile[]
  cancel(): void
  again(): void
}

/** Tiles a side: enough that four tabs have always something to do, few enough that each takes longer than its journey. */
const TILES_A_SIDE = 8
/** Pictures kept for looking at: 4 MiB each at most. */
const MAX_PICTURES = 8

/** Fractal pictures that the whole mesh draws, a tile each: more tabs are sooner done. */
export class Pictures implements PagePart {
  readonly #host: PageHost
  readonly #account: Account
  readonly #tasks = new Map<string, string>()
  #pictures: readonly Picture[] = []
  #peer: Peer | undefined
  #count = 0

  constructor(host: PageHost, account: Account) {
    this.#host = host
    this.#account = account
  }

  attach(peer: Peer): void {
    this.#peer = peer
  }

  detach(): void {
    this.#peer = undefined
    this.#pictures = []
    this.#tasks.clear()
  }

  /** Newest first. */
  get all(): readonly Picture[] {
    return this.#pictures
  }

  /** Whether the task draws a tile of a picture, which has a line of its own. */
  has(taskId: string): boolean {
    return this.#tasks.has(taskId)
  }

  draw(tile: Tile, subject: string, options: Pick<MapOptions, 'priority'>, retryOf?: string): void {
    const peer = this.#peer
    if (peer === undefined) return
    const id = `picture ${++this.#count}`
    const parts = partsOf(tile, Math.ceil(Math.max(tile.width, tile.height) / TILES_A_SIDE))
    const run = peer.map(
      fractalTile.name,
      parts.map((part): Tile => ({ ...tile, part })),
      {
        ...options,
        onTask: (at, task) => {
          this.#tasks.set(task.id, id)
          task.result.then(
            (output) => this.#show(id, at, output, task.info.peer),
            // Another task may have drawn the tile; where none did, the map fails.
            () => undefined,
          )
        },
      },
    )
    const picture: Picture = {
      id,
      tile,
      subject,
      retryOf,
      startedAt: Date.now(),
      endedAt: undefined,
      state: 'working',
      error: undefined,
      tiles: parts.map((part) => ({ ...part, drawn: undefined })),
      cancel: () => {
        this.#end(id, 'canceled', undefined)
        run.cancel()
      },
      again: () => this.draw(tile, subject, options, id),
    }
    this.#pictures = [picture, ...this.#pictures]
    this.#forgetOldest()
    this.#host.changed()
    run.all().then(
      () => this.#end(id, 'completed', undefined),
      (error) => this.#end(id, 'failed', error),
    )
  }

  /** Another peer made the output: one of another size is no tile. */
  #show(id: string, at: number, output: unknown, by: PeerId): void {
    const picture = this.#pictures.find((known) => known.id === id)
    const tile = picture?.tiles[at]
    if (picture === undefined || tile === undefined || tile.drawn !== undefined) return
    if (!isTilePicture(output) || output.width !== tile.width || output.height !== tile.height) {
      this.#end(id, 'failed', new Error('A tile came back in another size than was asked for.'))
      return
    }
    this.#account.moved(by, weightOf(picture.tile), weightOf(output))
    this.#change(id, { tiles: picture.tiles.with(at, { ...tile, drawn: { picture: output, by } }) })
  }

  #end(id: string, state: Picture['state'], error: unknown): void {
    const picture = this.#pictures.find((known) => known.id === id)
    if (picture === undefined || picture.state !== 'working') return
    this.#change(id, { state, error, endedAt: Date.now() })
    if (state === 'completed') this.#host.announce('“Draw a fractal” is completed.')
    else if (state === 'failed') this.#host.announce('“Draw a fractal” ended without a result.')
  }

  #change(id: string, change: Partial<Picture>): void {
    this.#pictures = this.#pictures.map((picture) => (picture.id === id ? { ...picture, ...change } : picture))
    this.#host.changed()
  }

  #forgetOldest(): void {
    const extra = this.#pictures.filter(({ endedAt }) => endedAt !== undefined).slice(MAX_PICTURES)
    this.#pictures = this.#pictures.filter((picture) => !extra.includes(picture))
    // Their tasks stay out of the list of tasks for as long as the library remembers them.
    const known = new Set(this.#peer?.tasks.map(({ id }) => id))
    for (const id of this.#tasks.keys()) if (!known.has(id)) this.#tasks.delete(id)
  }
}
