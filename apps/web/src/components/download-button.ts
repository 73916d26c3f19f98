import { css, html, LitElement } from 'lit'
import { controls } from '../styles/controls.ts'

/** The browser reads a download within this time of the click. */
const READ_WITHIN = 60_000

/** Saves what it is given as a file. It never opens in the page, whatever its type claims. */
export class DownloadButton extends LitElement {
  static override properties = {
    label: { type: String },
    name: { type: String },
    type: { type: String },
    parts: { attribute: false },
    make: { attribute: false },
  }
  static override styles = [
    controls,
    css`
      :host {
        display: inline-block;
      }
    `,
  ]
  declare label: string
  declare name: string
  declare type: string
  declare parts: readonly BlobPart[] | undefined
  /** Makes the content when it is asked for. */
  declare make: (() => BlobPart | Promise<Blob>) | undefined

  override render() {
    return html`<button type="button" aria-label=${this.label} @click=${this.#save}>Download</button>`
  }

  async #save() {
    const parts = this.parts ?? [await (this.make?.() ?? '')]
    const link = document.createElement('a')
    link.href = URL.createObjectURL(new Blob([...parts], { type: this.type }))
    link.download = this.name
    link.click()
    setTimeout(() => URL.revokeObjectURL(link.href), READ_WITHIN)
  }
}

customElements.define('download-button', DownloadButton)
