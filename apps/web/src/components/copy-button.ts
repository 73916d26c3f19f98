import { css, html, LitElement } from 'lit'
import { store } from '../peer-store.ts'
import { controls } from '../styles/controls.ts'

const SHOWN_FOR = 2_000

/** Puts `text` on the clipboard and says so, without changing its own width. */
export class CopyButton extends LitElement {
  static override properties = { text: { attribute: false }, label: { type: String } }
  static override styles = [
    controls,
    css`
      :host {
        display: inline-block;
      }
      button {
        display: grid;
        align-items: center;
      }
      button > span {
        grid-area: 1 / 1;
      }
      .off {
        visibility: hidden;
      }
    `,
  ]
  declare text: string
  declare label: string
  #copied = false

  override render() {
    return html`
      <button type="button" aria-label=${this.label} @click=${this.#copy}>
        <span class=${this.#copied ? 'off' : ''}>${this.label}</span>
        <span class=${this.#copied ? '' : 'off'} aria-hidden="true">Copied</span>
      </button>
      <span class="aloud" role="status">${this.#copied ? 'Copied' : ''}</span>
    `
  }

  async #copy() {
    try {
      await navigator.clipboard.writeText(this.text)
    } catch {
      store.report(this.label, new Error('The browser refused. Select the text and copy it by hand.'))
      return
    }
    this.#copied = true
    this.requestUpdate()
    setTimeout(() => {
      this.#copied = false
      this.requestUpdate()
    }, SHOWN_FOR)
  }
}

customElements.define('copy-button', CopyButton)
