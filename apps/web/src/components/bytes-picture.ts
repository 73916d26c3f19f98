import { css, html, LitElement, type PropertyValues } from 'lit'
import { controls } from '../styles/controls.ts'

/** A picture that came as bytes, on a canvas: decoded by its kind, so that nothing in it can act. */
export class BytesPicture extends LitElement {
  static override properties = { bytes: { attribute: false }, type: { attribute: false } }
  static override styles = [
    controls,
    css`
      canvas {
        display: block;
        max-width: 100%;
        height: auto;
        border-radius: var(--corner);
      }
    `,
  ]
  declare bytes: Uint8Array<ArrayBuffer>
  declare type: string
  #fault = false

  override render() {
    if (this.#fault) return html`<p class="soft">The picture is damaged and cannot be shown.</p>`
    return html`<canvas width="0" height="0" role="img" aria-label="Picture that came as the result"></canvas>`
  }

  protected override updated(changed: PropertyValues<this>) {
    if (changed.has('bytes')) void this.#draw()
  }

  async #draw() {
    try {
      const picture = await createImageBitmap(new Blob([this.bytes], { type: this.type }))
      const canvas = this.renderRoot.querySelector('canvas')
      if (canvas !== null) Object.assign(canvas, { width: picture.width, height: picture.height })
      canvas?.getContext('2d')?.drawImage(picture, 0, 0)
      picture.close()
    } catch {
      // A stranger's bytes: what the browser says of them helps nobody.
      this.#fault = true
      this.requestUpdate()
    }
  }
}

customElements.define('bytes-picture', BytesPicture)
