import { css, html, LitElement, nothing } from 'lit'
import { until } from 'lit/directives/until.js'
import { type FileDigest, fileSha256, isFileDigest } from '../capabilities/file-sha256.ts'
import { fractalTile, isTilePicture } from '../capabilities/fractal-tile.ts'
import { plainText, size, span } from '../format.ts'
import { pictureIn } from '../picture-file.ts'
import { jsonOf, MAX_ROWS, type Row, readable, rowsOf, textOf } from '../result-text.ts'
import { controls } from '../styles/controls.ts'
import './bytes-picture.ts'
import './copy-button.ts'
import './download-button.ts'
import './tile-picture.ts'

/** A file of more is not read to look at it, but only saved. */
const MAX_SHOWN_FILE = 8 * 1_024 * 1_024
/** Bytes inside an object that are shown each by itself. */
const MAX_PARTS = 8
const MAX_TEXT = 20_000

/** What a task brought back. It was made by another peer, so it is shown only as far as it fits its promise. */
export class TaskOutput extends LitElement {
  static override properties = { capability: { attribute: false }, output: { attribute: false } }
  static override styles = [
    controls,
    css`
      :host {
        display: grid;
        grid-template-columns: minmax(0, 1fr);
        gap: var(--space-2);
      }
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
      pre,
      .scroll {
        margin: 0;
        max-height: 16rem;
        overflow: auto;
      }
      pre {
        white-space: pre-wrap;
        overflow-wrap: anywhere;
        font: var(--text-small) var(--mono);
      }
      pre.words {
        font: inherit;
      }
      table {
        border-collapse: collapse;
        font-size: var(--text-small);
      }
      th,
      td {
        padding: var(--space-1) var(--space-3) var(--space-1) 0;
        border-block-end: 1px solid var(--rule);
        text-align: start;
        vertical-align: top;
      }
      th {
        font-weight: 400;
        color: var(--ink-soft);
      }
    `,
  ]
  declare capability: string
  declare output: unknown

  override render() {
    const { capability, output } = this
    if (capability === fileSha256.name && isFileDigest(output)) return renderDigest(output)
    if (capability === fractalTile.name && isTilePicture(output))
      return html`<tile-picture .picture=${output}></tile-picture>`
    if (output instanceof Uint8Array) return renderBytes('result', output)
    if (output instanceof Blob) return renderFile('result', output)
    if (typeof output === 'string') return renderText(output)
    return renderValue(output)
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

function renderText(text: string) {
  return html`
    <pre class="words" tabindex="0" role="region" aria-label="Result">${text.slice(0, MAX_TEXT)}${text.length > MAX_TEXT ? '…' : nothing}</pre>
    <div class="row">
      <copy-button label="Copy text" .text=${text}></copy-button>
      <download-button label="Download text" .parts=${[text]} name="result.txt" type="text/plain"></download-button>
    </div>
  `
}

function renderBytes(name: string, bytes: Uint8Array) {
  const picture = pictureIn(bytes)
  const text = picture === undefined ? readable(bytes) : undefined
  const file = `${name}.${picture?.extension ?? (text === undefined ? 'bin' : 'txt')}`
  const type = picture?.type ?? (text === undefined ? 'application/octet-stream' : 'text/plain')
  return html`
    ${picture === undefined ? nothing : html`<bytes-picture .bytes=${bytes} .type=${picture.type}></bytes-picture>`}
    ${
      text === undefined
        ? nothing
        : html`<pre class="words" tabindex="0" role="region" aria-label="Result as text">${text.slice(0, MAX_TEXT)}</pre>`
    }
    <div class="row">
      <span class="small soft">${plainText(name)}, ${size(bytes.length)}</span>
      <download-button label="Download ${plainText(file)}" .parts=${[bytes]} name=${file} type=${type}></download-button>
    </div>
  `
}

function renderFile(name: string, file: Blob) {
  if (file.size <= MAX_SHOWN_FILE)
    return html`${until(file.arrayBuffer().then((bytes) => renderBytes(name, new Uint8Array(bytes))))}`
  return html`<div class="row">
    <span class="small soft">${plainText(name)}, ${size(file.size)}</span>
    <download-button label="Download ${plainText(name)}" .parts=${[file]} name=${name} type="application/octet-stream"></download-button>
  </div>`
}

function isPart(value: unknown): value is Uint8Array | Blob {
  return value instanceof Uint8Array || value instanceof Blob
}

function renderValue(output: unknown) {
  const entries = typeof output === 'object' && output !== null && !Array.isArray(output) ? Object.entries(output) : []
  const parts = entries.filter((entry): entry is [string, Uint8Array | Blob] => isPart(entry[1]))
  const rest = parts.length === 0 ? output : Object.fromEntries(entries.filter(([, part]) => !isPart(part)))
  const isEmpty = parts.length > 0 && entries.length === parts.length
  const rows = rowsOf(rest)
  return html`
    ${parts.slice(0, MAX_PARTS).map(([name, part]) => (part instanceof Blob ? renderFile(name, part) : renderBytes(name, part)))}
    ${
      isEmpty
        ? nothing
        : rows === undefined
          ? html`<pre tabindex="0" role="region" aria-label="Result">${textOf(rest)}</pre>`
          : renderTable(rows)
    }
    ${isEmpty ? nothing : renderDownload(output)}
  `
}

function renderTable(rows: readonly Row[]) {
  const columns = Object.keys(rows[0] ?? {})
  const cell = (row: Row, column: string) => plainText(String(row[column] ?? '–'), 1_000)
  // One object reads better down than across.
  if (rows.length === 1)
    return html`<div class="scroll" tabindex="0" role="region" aria-label="Result"><table>
      ${columns.map((column) => html`<tr><th scope="row">${plainText(column)}</th><td>${cell(rows[0] ?? {}, column)}</td></tr>`)}
    </table></div>`
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Result"><table>
    <tr>${columns.map((column) => html`<th scope="col">${plainText(column)}</th>`)}</tr>
    ${rows.slice(0, MAX_ROWS).map((row) => html`<tr>${columns.map((column) => html`<td>${cell(row, column)}</td>`)}</tr>`)}
  </table></div>
  ${rows.length > MAX_ROWS ? html`<p class="small soft">The first ${MAX_ROWS} of ${rows.length}.</p>` : nothing}`
}

function renderDownload(output: unknown) {
  const json = () =>
    jsonOf(output, (bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''))) ?? ''
  return html`<div class="row">
    <span></span>
    <download-button label="Download as JSON" .make=${json} name="result.json" type="application/json"></download-button>
  </div>`
}

customElements.define('task-output', TaskOutput)
