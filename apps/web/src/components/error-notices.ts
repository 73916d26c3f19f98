import { css, html, LitElement, nothing } from 'lit'
import { repeat } from 'lit/directives/repeat.js'
import { store } from '../peer-store.ts'
import { controls } from '../styles/controls.ts'

/** What went wrong, at the lower edge so that nothing on the page moves for it. Stays until it is dismissed. */
export class ErrorNotices extends LitElement {
  static override styles = [
    controls,
    css`
      section {
        width: min(28rem, 100%);
        max-height: 45vh;
        margin-inline-start: auto;
        padding-inline: var(--space-2);
        overflow: auto;
        pointer-events: auto;
      }
      article:last-child {
        margin-block-end: var(--space-4);
      }
      article {
        display: grid;
        grid-template-columns: minmax(0, 1fr) auto;
        gap: var(--space-1) var(--space-2);
        align-items: start;
        margin-block-start: var(--space-2);
        padding: var(--space-3) var(--space-2) var(--space-3) var(--space-4);
        background: var(--alarm-well);
        border: 1px solid var(--alarm);
        border-inline-start-width: 4px;
        border-radius: var(--corner);
        overflow-wrap: anywhere;
      }
      button.quiet {
        color: var(--ink);
      }
    `,
  ]

  constructor() {
    super()
    store.drawOnChange(this)
  }

  override render() {
    return html`<section aria-label="Problems" aria-live="polite" tabindex="-1">
      ${repeat(
        store.notices,
        ({ id }) => id,
        ({ id, subject, text, code, times }) => html`<article>
          <div>
            <h3>${subject}${times > 1 ? html` <span class="soft">(${times} times)</span>` : nothing}</h3>
            <p>${text}</p>
            ${code === undefined ? nothing : html`<p class="small"><code>${code}</code></p>`}
          </div>
          <button type="button" class="quiet" aria-label="Dismiss: ${subject}" @click=${() => this.#dismiss(id)}>
            Dismiss
          </button>
        </article>`,
      )}
    </section>`
  }

  #dismiss(id: number) {
    store.dismiss(id)
    // The button goes away with its notice; the focus stays among the problems.
    this.renderRoot.querySelector('section')?.focus()
  }
}

customElements.define('error-notices', ErrorNotices)
