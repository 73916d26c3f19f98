import { css, html, LitElement, type PropertyValues } from 'lit'
import type { TilePicture as Picture } from '../capabilities/fractal-tile.ts'
import { colourOf } from '../capabilities/mandelbrot.ts'

/** Four bytes a colour in the order of a canvas, read as one number each. */
const PALETTE = new Uint32Array(
  Uint8Array.from(Array.from({ length: 256 }, (_, index) => colourOf(index)).flat()).buffer,
)

/** A fractal tile on a canvas. */
export class TilePicture extends LitElement {
  static override properties = { picture: { attribute: false } }
  static override styles = css`
    canvas {
      display: block;
      max-width: 100%;
      height: auto;
      border-radius: var(--corner);
    }
  `
  declare picture: Picture

  override render() {
    const { width, height } = this.picture
    return html`<canvas
      width=${width}
      height=${height}
      role="img"
      aria-label="Fractal tile, ${width} by ${height} pixels"
    ></canvas>`
  }

  protected override updated(changed: PropertyValues<this>) {
    if (!changed.has('picture')) return
    const context = this.renderRoot.querySelector('canvas')?.getContext('2d')
    if (context) paint(context, this.picture, 0, 0)
  }
}

/** Puts a picture on a canvas, its top left at that pixel. */
export function paint(context: CanvasRenderingContext2D, picture: Picture, left: number, top: number): void {
  const { width, height, pixels } = picture
  const image = new ImageData(width, height)
  const colours = new Uint32Array(image.data.buffer)
  for (let at = 0; at < pixels.length; at++) colours[at] = PALETTE[pixels[at] ?? 0] ?? 0
  context.putImageData(image, left, top)
}

customElements.define('tile-picture', TilePicture)
