import { fingerprintOf, PROTOCOL } from '@tsunagi/protocol'
import { css, html, LitElement, nothing } from 'lit'
import { store } from '../peer-store.ts'
import { controls } from '../styles/controls.ts'
import './copy-button.ts'
import './peer-identicon.ts'

/** This tab as others see it: its picture, its name, its fingerprint. */
export class WhoIAm extends LitElement {
  static override styles = [
    controls,
    css`
      section {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: var(--space-1) var(--space-2);
      }
      peer-identicon {
        width: 2.25rem;
        height: 2.25rem;
      }
      label {
        flex: 1 1 5rem;
        min-width: 0;
      }
      input {
        background: none;
        border-color: transparent transparent var(--control-rule);
        border-radius: 0;
        padding-inline: var(--space-1);
        font-weight: 600;
      }
      input::placeholder {
        color: var(--ink-soft);
        opacity: 1;
        font-weight: 400;
      }
      .hint {
        flex: 1 0 100%;
      }
    `,
  ]
  #stale = false

  constructor() {
    super()
    store.drawOnChange(this)
  }

  override render() {
    const { peer } = store
    if (peer === undefined) return nothing
    return html`
      <section aria-label="Who I am">
        <peer-identicon .peer=${peer.id}></peer-identicon>
        <label>
          <span class="aloud">My name</span>
          <input
            .value=${store.name}
            maxlength=${PROTOCOL.maxName}
            placeholder="My name"
            autocomplete="off"
            spellcheck="false"
            @change=${this.#rename}
          />
        </label>
        <p><span class="aloud">My fingerprint</span> <code title=${peer.id}>${fingerprintOf(peer.id)}</code></p>
        <copy-button label="Copy id" .text=${peer.id}></copy-button>
        ${this.#stale && store.name !== peer.name ? this.#renderHint() : nothing}
      </section>
    `
  }

  #renderHint() {
    return html`<p class="hint small" role="status">
      Kept, and told to others at the next join.
      <button type="button" class="quiet" @click=${this.#joinAgain}>Join again</button>
    </p>`
  }

  #rename(event: Event) {
    try {
      store.name = (event.target as HTMLInputElement).value.trim()
      this.#stale = true
    } catch {
      store.report('My name', new Error('The browser keeps nothing for this page. Allow site data to keep a name.'))
    }
  }

  #joinAgain() {
    const { place } = store
    if (place.kind === 'joined') void store.join(place.address)
  }
}

customElements.define('who-i-am', WhoIAm)
