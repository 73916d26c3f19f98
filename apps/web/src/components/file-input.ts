import { css, html, LitElement } from 'lit'
import { type FileInput as Input, MAX_FILE, MAX_INLINE } from '../capabilities/file-sha256.ts'
import { size } from '../format.ts'
import { controls } from '../styles/controls.ts'
import type { Work, WorkInput } from './work-input.ts'

/** Asks for a file, whatever its size. */
export class FileInput extends LitElement implements WorkInput {
  static override styles = [
    controls,
    css`
      input {
        padding: var(--space-1);
      }
      input::file-selector-button {
        font: inherit;
        color: inherit;
        background: var(--well);
        border: 1px solid var(--control-rule);
        border-radius: var(--corner);
        margin-inline-end: var(--space-2);
      }
    `,
  ]

  override render() {
    return html`<label>
      File, of any size
      <input type="file" />
    </label>`
  }

  async read(): Promise<Work> {
    const field = this.renderRoot.querySelector('input')
    const file = field?.files?.[0]
    try {
      if (file === undefined) throw new Error('Choose a file first.')
      if (file.size > MAX_FILE)
        throw new Error(`“${file.name}” has ${size(file.size)}; nobody takes more than ${size(MAX_FILE)}.`)
      return await workOf(file)
    } catch (error) {
      field?.focus()
      throw error
    }
  }
}

async function workOf(file: File): Promise<Work> {
  const subject = `${file.name}, ${size(file.size)}`
  if (file.size > MAX_INLINE) {
    const token = crypto.randomUUID()
    return { input: { file: token, size: file.size } satisfies Input, subject, file: { token, file } }
  }
  const bytes = await file.arrayBuffer().catch((cause) => {
    throw new Error(`“${file.name}” could not be read. It may have moved or changed; choose it again.`, { cause })
  })
  return { input: { bytes: new Uint8Array(bytes) } satisfies Input, subject }
}

customElements.define('file-input', FileInput)
