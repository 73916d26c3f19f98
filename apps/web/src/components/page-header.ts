import { css, html, LitElement, nothing } from 'lit'
import { type Shown, statusOf } from '../peer-state.ts'
import { store } from '../peer-store.ts'
import { controls } from '../styles/controls.ts'
import { markStyles, stateMark } from './state-mark.ts'
import './who-i-am.ts'

/** What this page is, which mesh it is in, whether it is in touch, and who it is there. */
export class PageHeader extends LitElement {
  static override styles = [
    controls,
    markStyles,
    css`
      header {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: var(--space-2) var(--space-5);
        max-width: 88rem;
        margin: 0 auto;
        padding: var(--space-3) var(--space-5);
      }
      h1 {
        display: flex;
        align-items: center;
        gap: var(--space-2);
        font-size: var(--text-large);
        font-weight: 700;
        letter-spacing: -0.01em;
      }
      h1 svg {
        width: 1.6em;
        fill: var(--ground);
        stroke: var(--accent);
        stroke-width: 3;
      }
      h1 .filled {
        fill: var(--accent);
      }
      .mesh {
        min-width: 0;
        overflow-wrap: anywhere;
        font-weight: 600;
      }
      /* The room between takes a longer sentence, so that the page below stays where it is. */
      .status {
        flex: 1 1 4rem;
      }
      who-i-am {
        flex: 0 1 26rem;
      }
      @media (max-width: 40rem) {
        header {
          padding: var(--space-3) var(--space-4);
          gap: var(--space-1) var(--space-4);
        }
        who-i-am {
          flex: 1 0 100%;
        }
      }
    `,
  ]

  constructor() {
    super()
    store.drawOnChange(this)
  }

  override render() {
    const { place } = store
    const address = 'address' in place ? place.address : undefined
    const status = this.#status()
    return html`
      <header>
        <h1>
          <svg viewBox="0 0 32 16" aria-hidden="true">
            <path d="M8 8h16" />
            <circle cx="7" cy="8" r="5" class="filled" />
            <circle cx="25" cy="8" r="5" />
          </svg>
          Tsunagi
        </h1>
        ${address === undefined ? nothing : html`<p class="mesh"><span class="aloud">Mesh</span> ${address.mesh}</p>`}
        <p class="status small" role="status" aria-label="Connection">
          ${status === undefined ? nothing : html`${stateMark(status.mark)}${status.word}`}
        </p>
        <who-i-am></who-i-am>
      </header>
    `
  }

  #status(): Shown | undefined {
    const { place } = store
    if (place.kind === 'joined') return statusOf(place.peer.status)
    if (place.kind === 'joining') return { mark: 'dashed', word: 'Joining…' }
    if (place.kind === 'failed') return { mark: 'cross', word: 'Not joined' }
    return undefined
  }
}

customElements.define('page-header', PageHeader)
