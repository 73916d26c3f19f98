import type { Peer, PeerId, Task } from '@tsunagi/protocol'
import type { Account } from './account.ts'
import { fractalTile, isTilePicture, type TilePicture } from './capabilities/fractal-tile.ts'
import { type Part, partsOf, type Tile } from './capabilities/mandelbrot.ts'
import { type KeptPicture, keepPictures, keptPictures, type PictureInfo } from './kept-pictures.ts'
import type { PageHost, PagePart } from './page-part.ts'
import { weightOf } from './weight.ts'

/** One tile of a picture: where it belongs, and once it is drawn, what it shows and who drew it. */
export interface PictureTile extends Part {
  readonly drawn: { readonly picture: TilePicture; readonly by: PeerId } | undefined
}

export interface Picture extends PictureInfo {
  readonly id: string
  /** The picture that this one is another try of. */
  readonly retryOf: string | undefined
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
  /** The tasks that draw tiles: of which picture, and which tile. */
  readonly #tasks = new Map<string, { readonly picture: string; readonly tile: number }>()
  #pictures: readonly Picture[] = []
  #peer: Peer | undefined
  #count = 0

  constructor(host: PageHost, account: Account) {
    this.#host = host
    this.#account = account
  }

  attach(peer: Peer): void {
    this.#peer = peer
    this.#pictures = keptPictures(ownerOf(peer)).map((kept) => this.#restore(peer, kept))
  }

  detach(): void {
    this.#peer = undefined
    this.#pictures = []
    this.#tasks.clear()
  }

  /** Keeps the pictures for the page that this tab loads next. */
  save(): void {
    if (this.#peer === undefined) return
    const kept = this.#pictures.slice(0, MAX_PICTURES).map(
      ({ id, tile, subject, options, startedAt, endedAt, state }): KeptPicture => ({
        tile,
        subject,
        options,
        startedAt,
        endedAt,
        state,
        tasks: [...this.#tasks].flatMap(([task, of]) => (of.picture === id ? [[task, of.tile] as const] : [])),
      }),
    )
    keepPictures(ownerOf(this.#peer), kept)
  }

  /** Newest first. */
  get all(): readonly Picture[] {
    return this.#pictures
  }

  /** Whether the task draws a tile of a picture, which has a line of its own. */
  has(taskId: string): boolean {
    return this.#tasks.has(taskId)
  }

  draw(tile: Tile, subject: string, options: Picture['options'], retryOf?: string): void {
    const peer = this.#peer
    if (peer === undefined) return
    const id = `picture ${++this.#count}`
    const parts = tilesOf(tile)
    const run = peer.map(
      fractalTile.name,
      parts.map(({ drawn: _, ...part }): Tile => ({ ...tile, part })),
      {
        ...options,
        onTask: (at, task) => this.#follow(id, at, task),
      },
    )
    const picture: Picture = {
      id,
      tile,
      subject,
      options,
      retryOf,
      startedAt: Date.now(),
      endedAt: undefined,
      state: 'working',
      error: undefined,
      tiles: parts,
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

  /** A picture of the page before this one: it is whole again when the results of all its tiles are still there. */
  #restore(peer: Peer, { tasks, ...kept }: KeptPicture): Picture {
    const id = `picture ${++this.#count}`
    const running: Task[] = []
    for (const [taskId, tile] of tasks) {
      const task = peer.task(taskId)
      if (task === undefined) continue
      this.#follow(id, tile, task)
      if (task.info.endedAt === undefined) running.push(task)
    }
    const cancel = () => {
      for (const task of running) task.cancel()
    }
    return {
      ...kept,
      id,
      retryOf: undefined,
      endedAt: kept.endedAt ?? Date.now(),
      state: kept.state === 'failed' || kept.state === 'canceled' ? kept.state : 'interrupted',
      error: undefined,
      tiles: tilesOf(kept.tile),
      cancel,
      again: () => {
        cancel()
        this.draw(kept.tile, kept.subject, kept.options, id)
      },
    }
  }

  #follow(id: string, at: number, task: Task): void {
    this.#tasks.set(task.id, { picture: id, tile: at })
    const isOld = task.info.endedAt !== undefined
    task.result.then(
      (output) => this.#show(id, at, output, task.info.peer, isOld),
      // Another task may have drawn the tile; where none did, the map fails.
      () => undefined,
    )
  }

  /** Another peer made the output: one of another size is no tile. @param isOld a page before this one counted it */
  #show(id: string, at: number, output: unknown, by: PeerId, isOld: boolean): void {
    const picture = this.#pictures.find((known) => known.id === id)
    const tile = picture?.tiles[at]
    if (picture === undefined || tile === undefined || tile.drawn !== undefined) return
    if (!isTilePicture(output) || output.width !== tile.width || output.height !== tile.height) {
      this.#end(id, 'failed', new Error('A tile came back in another size than was asked for.'))
      return
    }
    if (!isOld) this.#account.moved(by, weightOf(picture.tile), weightOf(output))
    const tiles = picture.tiles.with(at, { ...tile, drawn: { picture: output, by } })
    const isWhole = picture.state === 'interrupted' && tiles.every(({ drawn }) => drawn !== undefined)
    this.#change(id, { tiles, ...(isWhole && { state: 'completed' }) })
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

function ownerOf({ id, mesh }: Peer): string {
  return `${id} ${mesh}`
}

function tilesOf(tile: Tile): PictureTile[] {
  const side = Math.ceil(Math.max(tile.width, tile.height) / TILES_A_SIDE)
  return partsOf(tile, side).map((part) => ({ ...part, drawn: undefined }))
}
