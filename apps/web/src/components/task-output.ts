import { css, html, LitElement } from 'lit'
import { type FileDigest, fileSha256, isFileDigest } from '../capabilities/file-sha256.ts'
import { fractalTile, isTilePicture, type TilePicture } from '../capabilities/fractal-tile.ts'
import { size, span } from '../format.ts'
import { controls } from '../styles/controls.ts'
import './copy-button.ts'
import './tile-picture.ts'

/** More of an unknown result is not read here; the console has all of it. */
const MAX_TEXT = 4_000

/** What a task brought back. It was made by another peer, so it is shown only as far as it fits its promise. */
export class TaskOutput extends LitElement {
  static override properties = { capability: { attribute: false }, output: { attribute: false } }
  static override styles = [
    controls,
    css`
      .digest {
        display: block;
        padding: var(--space-2);
        background: var(--well);
        border-radius: var(--corner);
        overflow-wrap: anywhere;
      }
      .row {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        justify-content: space-between;
        gap: var(--space-2);
      }
      pre {
        margin: 0;
        max-height: 16rem;
        overflow: auto;
        white-space: pre-wrap;
        overflow-wrap: anywhere;
        font: var(--text-small) var(--mono);
      }
    `,
  ]
  declare capability: string
  declare output: unknown

  override render() {
    const { capability, output } = this
    if (capability === fileSha256.name && isFileDigest(output)) return renderDigest(output)
    if (capability === fractalTile.name && isTilePicture(output)) return renderPicture(output)
    return html`<pre tabindex="0" aria-label="Result">${textOf(output)}</pre>`
  }
}

function renderDigest({ digest, size: bytes, ms }: FileDigest) {
  return html`
    <code class="digest">${digest}</code>
    <div class="row">
      <span class="small soft">SHA-256 of ${size(bytes)}, hashed in ${span(ms)}</span>
      <copy-button label="Copy digest" .text=${digest}></copy-button>
    </div>
  `
}

function renderPicture(picture: TilePicture) {
  return html`<tile-picture .picture=${picture}></tile-picture>`
}

function textOf(output: unknown): string {
  const text =
    JSON.stringify(
      output,
      (_key, value) => {
        if (value instanceof Uint8Array) return `${value.length} bytes`
        return typeof value === 'bigint' ? String(value) : value
      },
      2,
    ) ?? 'nothing'
  return text.length <= MAX_TEXT ? text : `${text.slice(0, MAX_TEXT)}…`
}

customElements.define('task-output', TaskOutput)
