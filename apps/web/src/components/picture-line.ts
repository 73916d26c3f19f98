import type { PeerId } from '@tsunagi/protocol'
import { css, html, LitElement, nothing, type PropertyValues, svg } from 'lit'
import { about, count, span, timeLeft } from '../format.ts'
import { type Shown, taskStateOf } from '../peer-state.ts'
import { problemOf, store } from '../peer-store.ts'
import type { Picture, PictureTile } from '../picture.ts'
import { controls } from '../styles/controls.ts'
import { paint } from './tile-picture.ts'
import { lineAction } from './work-line.ts'

const INTERRUPTED: Shown = { mark: 'empty', word: 'interrupted' }

/** A picture that the mesh draws: its tiles as they come, and who drew which. */
export class PictureLine extends LitElement {
  static override properties = { picture: { attribute: false }, now: { attribute: false } }
  static override styles = [
    controls,
    css`
      figure {
        display: grid;
        gap: var(--space-2);
        margin: 0;
      }
      .frame {
        position: relative;
        justify-self: start;
        max-width: 100%;
        line-height: 0;
        background: var(--well);
        border-radius: var(--corner);
        overflow: hidden;
      }
      canvas {
        max-width: 100%;
        height: auto;
      }
      svg {
        position: absolute;
        inset: 0;
        width: 100%;
        height: 100%;
      }
      text {
        font: 600 3px var(--mono);
        text-anchor: middle;
        dominant-baseline: central;
        fill: var(--ink);
        stroke: var(--surface);
        stroke-width: 1;
        stroke-linejoin: round;
        paint-order: stroke;
      }
      ul {
        list-style: none;
        display: flex;
        flex-wrap: wrap;
        gap: 0 var(--space-4);
      }
      label {
        display: flex;
        align-items: center;
        gap: var(--space-2);
      }
      label input {
        width: 1.1rem;
        height: 1.1rem;
        min-height: 0;
        accent-color: var(--accent);
      }
    `,
  ]
  declare picture: Picture
  /** Milliseconds since 1970. */
  declare now: number
  #open = true
  #letters: boolean | undefined
  readonly #painted = new Set<PictureTile>()

  override render() {
    const { picture } = this
    const { tiles, state, endedAt, error } = picture
    const drawn = tiles.filter((tile) => tile.drawn !== undefined)
    const byPeer = this.#drawers(drawn)
    const subject = `Draw a fractal, ${picture.subject}`
    const elapsed = Math.max(0, (endedAt ?? this.now) - picture.startedAt)
    const left = endedAt === undefined ? timeLeft(drawn.length / tiles.length, elapsed) : undefined
    const names = [...byPeer].map(([peer]) => store.labelOf(peer))
    return html`
      <work-line
        .heading=${'Draw a fractal'}
        .subject=${subject}
        .shown=${state === 'interrupted' ? INTERRUPTED : taskStateOf(state)}
        .progress=${endedAt === undefined ? drawn.length / tiles.length : undefined}
        .who=${`${picture.subject}, ${names.length === 0 ? `${tiles.length} tiles` : `done by ${names.join(', ')}`}`}
        .time=${left === undefined ? span(elapsed) : `${span(elapsed)}, ${about(left)} left`}
        .open=${this.#open}
        @fold=${({ detail }: CustomEvent<boolean>) => this.#fold(detail)}
      >
        ${
          state === 'working'
            ? lineAction('Cancel', subject, picture.cancel)
            : state === 'completed'
              ? nothing
              : lineAction('Retry', subject, picture.again)
        }
        ${state === 'interrupted' ? html`<p>It was interrupted by the reload of the page. Retry draws it anew.</p>` : nothing}
        ${error === undefined ? nothing : html`<p class="fault">${problemOf(error).text} <code class="small">${problemOf(error).code}</code></p>`}
        ${this.#open ? this.#renderFigure(byPeer) : nothing}
      </work-line>
    `
  }

  #renderFigure(byPeer: ReadonlyMap<PeerId, readonly PictureTile[]>) {
    const { width, height } = this.picture.tile
    const total = this.picture.tiles.length
    const letters = this.#letters ?? this.picture.state !== 'completed'
    const peers = [...byPeer]
    const drawn = peers.reduce((sum, [, tiles]) => sum + tiles.length, 0)
    return html`<figure>
      <div class="frame">
        <canvas
          width=${width}
          height=${height}
          role="img"
          aria-label="Fractal, ${width} by ${height} pixels, ${drawn} of ${total} tiles drawn"
        ></canvas>
        ${letters ? this.#renderLetters(peers.map(([, tiles]) => tiles)) : nothing}
      </div>
      <figcaption class="small">
        <ul>
          ${peers.map(([peer, tiles], at) => html`<li><b>${letterOf(at)}</b> ${store.labelOf(peer)}, ${count(tiles.length, 'tile')}</li>`)}
        </ul>
        <label><input type="checkbox" .checked=${letters} @change=${this.#toggleLetters} /> Show who drew which</label>
      </figcaption>
    </figure>`
  }

  /** In a measure of 100 across, so that a letter is as large in a small picture as in a large one. */
  #renderLetters(byPeer: readonly (readonly PictureTile[])[]) {
    const { width, height } = this.picture.tile
    const unit = 100 / width
    const letter = (tile: PictureTile, text: string) =>
      svg`<text x=${(tile.left + tile.width / 2) * unit} y=${(tile.top + tile.height / 2) * unit}>${text}</text>`
    return html`<svg viewBox="0 0 100 ${height * unit}" aria-hidden="true">
      ${byPeer.map((tiles, at) => tiles.map((tile) => letter(tile, letterOf(at))))}
    </svg>`
  }

  protected override updated(_changed: PropertyValues<this>) {
    const canvas = this.renderRoot.querySelector('canvas')
    const context = canvas?.getContext('2d')
    if (context === null || context === undefined) return
    for (const tile of this.picture.tiles) {
      if (tile.drawn === undefined || this.#painted.has(tile)) continue
      paint(context, tile.drawn.picture, tile.left, tile.top)
      this.#painted.add(tile)
    }
  }

  #drawers(drawn: readonly PictureTile[]): Map<PeerId, PictureTile[]> {
    const drawers = new Map<PeerId, PictureTile[]>()
    for (const tile of drawn) {
      const by = tile.drawn?.by ?? ''
      drawers.set(by, [...(drawers.get(by) ?? []), tile])
    }
    return drawers
  }

  #fold(open: boolean) {
    this.#open = open
    // The canvas goes with the fold, and what was on it.
    this.#painted.clear()
    this.requestUpdate()
  }

  #toggleLetters({ target }: Event) {
    this.#letters = (target as HTMLInputElement).checked
    this.requestUpdate()
  }
}

function letterOf(at: number): string {
  return at < 26 ? String.fromCharCode(65 + at) : `${at + 1}`
}

customElements.define('picture-line', PictureLine)
