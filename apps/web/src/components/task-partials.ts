import { css, html, LitElement } from 'lit'
import { textOf } from '../result-text.ts'
import { controls } from '../styles/controls.ts'

/** What has come of a result so far. */
export class TaskPartials extends LitElement {
  static override properties = { partials: { attribute: false } }
  static override styles = [
    controls,
    css`
      pre {
        margin: 0;
        max-height: 16rem;
        overflow: auto;
        white-space: pre-wrap;
        overflow-wrap: anywhere;
        font: var(--text-small) var(--mono);
      }
      pre.words {
        font: inherit;
      }
    `,
  ]
  declare partials: readonly unknown[]

  override render() {
    const { partials } = this
    // Texts are the pieces of one text; anything else is one line each, the latest first.
    return partials.every((partial) => typeof partial === 'string')
      ? html`<pre class="words" tabindex="0" role="region" aria-label="Result so far">${partials.join('')}</pre>`
      : html`<pre tabindex="0" role="region" aria-label="Result so far">${partials.toReversed().slice(0, 20).map(textOf).join('\n')}</pre>`
  }
}

customElements.define('task-partials', TaskPartials)
