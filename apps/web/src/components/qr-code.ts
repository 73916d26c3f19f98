import { css, html, LitElement } from 'lit'
import { encode } from 'uqr'

/** `text` as a QR code, for the camera of another device. */
export class QrCode extends LitElement {
  static override properties = { text: { attribute: false }, label: { type: String } }
  static override styles = css`
    :host {
      display: block;
    }
    svg {
      display: block;
      width: 100%;
      background: var(--qr-ground);
      border-radius: var(--corner);
    }
    path {
      fill: var(--qr-ink);
    }
  `
  declare text: string
  declare label: string

  override render() {
    // Scanners want four light modules around the code.
    const { size, data } = encode(this.text, { ecc: 'M', border: 4 })
    const path = data.flatMap((row, y) => row.map((dark, x) => (dark ? `M${x} ${y}h1v1h-1z` : ''))).join('')
    return html`<svg viewBox="0 0 ${size} ${size}" role="img" aria-label=${this.label} shape-rendering="crispEdges">
      <path d=${path}></path>
    </svg>`
  }
}

customElements.define('qr-code', QrCode)
