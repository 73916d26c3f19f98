import { css, html, LitElement } from 'lit'
import { controls } from '../styles/controls.ts'
import type { Work, WorkInput } from './work-input.ts'

/** Asks for the input of a capability this page knows only from its description. */
export class JsonInput extends LitElement implements WorkInput {
  static override properties = { schema: { attribute: false } }
  static override styles = [
    controls,
    css`
      textarea,
      pre {
        font-family: var(--mono);
        font-size: var(--text-small);
      }
      pre {
        margin: var(--space-2) 0 0;
        max-height: 12rem;
        overflow: auto;
      }
    `,
  ]
  declare schema: Record<string, unknown> | undefined

  override render() {
    return html`
      <label>
        Input, as JSON
        <textarea rows="3" spellcheck="false" .value=${'{}'}></textarea>
      </label>
      <details>
        <summary class="small soft">What it takes</summary>
        <pre tabindex="0">${this.schema === undefined ? 'Its owner does not say.' : JSON.stringify(this.schema, null, 2)}</pre>
      </details>
    `
  }

  async read(): Promise<Work> {
    const field = this.renderRoot.querySelector('textarea')
    try {
      return { input: JSON.parse(field?.value ?? ''), subject: '' }
    } catch (cause) {
      field?.focus()
      throw new Error(`The input is no JSON: ${(cause as Error).message}.`, { cause })
    }
  }
}

customElements.define('json-input', JsonInput)
