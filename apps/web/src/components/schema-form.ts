import { css, html, LitElement, nothing } from 'lit'
import { plainText, size } from '../format.ts'
import { type Field, type Kind, numberWords, parse, range } from '../schema-fields.ts'
import { controls } from '../styles/controls.ts'
import type { Work, WorkInput } from './work-input.ts'

type TypedKind = Exclude<Kind, { type: 'file' | 'flag' }>

/** Asks for the input of any capability by fields made from its schema. All words in it are those of another peer. */
export class SchemaForm extends LitElement implements WorkInput {
  static override properties = { fields: { attribute: false } }
  static override styles = [
    controls,
    css`
      :host {
        display: grid;
        gap: var(--space-3);
      }
      label.flag {
        display: flex;
        align-items: center;
        gap: var(--space-2);
      }
      .flag input {
        flex: none;
        width: 1.25rem;
        height: 1.25rem;
        min-height: 0;
        accent-color: var(--accent);
      }
      label,
      p {
        overflow-wrap: anywhere;
      }
      label + p {
        margin-block-start: var(--space-1);
      }
      textarea {
        field-sizing: content;
        min-height: 2.25rem;
        max-height: 16rem;
      }
    `,
  ]
  declare fields: readonly Field[]

  override render() {
    if (this.fields.length === 0) return html`<p class="small soft">It takes no input.</p>`
    return this.fields.map((field, at) => this.#renderField(field, at))
  }

  #renderField(field: Field, at: number) {
    const title = plainText(field.title)
    const words = hintOf(field)
    const hint = words === '' ? nothing : html`<p class="small soft" id="hint-${at}">${words}</p>`
    if (field.kind.type === 'flag' && field.list === undefined) {
      return html`<div>
        <label class="flag">
          <input type="checkbox" id="field-${at}" ?checked=${field.initial === true} aria-describedby="hint-${at}" />
          <bdi>${title}</bdi>
        </label>
        ${hint}
      </div>`
    }
    return html`<div>
      <label>
        <span><bdi>${title}</bdi>${field.required ? nothing : ', if wanted'}</span>
        ${this.#renderControl(field, at)}
      </label>
      ${hint}
    </div>`
  }

  #renderControl({ kind, list, initial, required }: Field, at: number) {
    const [id, hint] = [`field-${at}`, `hint-${at}`]
    if (kind.type === 'file')
      return html`<input type="file" id=${id} aria-describedby=${hint} ?multiple=${list !== undefined} />`
    const lines = list !== undefined ? 3 : kind.type === 'text' ? kind.lines : 0
    if (lines > 0)
      return html`<textarea id=${id} aria-describedby=${hint} rows=${lines} .value=${textOf(initial)}></textarea>`
    if (kind.type === 'choice')
      return html`<select id=${id} aria-describedby=${hint}>
        ${required ? nothing : html`<option value="">–</option>`}
        ${kind.options.map(
          (option) => html`<option value=${String(option)} ?selected=${option === initial}>
            ${plainText(String(option))}
          </option>`,
        )}
      </select>`
    return html`<input
      id=${id}
      aria-describedby=${hint}
      inputmode=${kind.type === 'number' ? (kind.whole ? 'numeric' : 'decimal') : 'text'}
      autocomplete="off"
      .value=${textOf(initial)}
    />`
  }

  async read(): Promise<Work> {
    const input: Record<string, unknown> = {}
    const subjects: string[] = []
    for (const [at, field] of this.fields.entries()) {
      const control = this.renderRoot.querySelector<HTMLInputElement>(`#field-${at}`)
      if (control === null) throw new TypeError(`This form has no field ${field.name}.`)
      try {
        const { value, subject } = await readField(field, control)
        if (value !== undefined) input[field.name] = value
        if (subject !== '') subjects.push(subject)
      } catch (error) {
        control.focus()
        throw error
      }
    }
    return { input, subject: plainText(subjects[0] ?? '', 60) }
  }
}

interface Reading {
  /** Undefined where nothing was filled in that need not be. */
  readonly value: unknown
  readonly subject: string
}

async function readField(field: Field, control: HTMLInputElement): Promise<Reading> {
  const { kind, list, required } = field
  const title = plainText(field.title)
  if (kind.type === 'file') return readFiles(field, kind, [...(control.files ?? [])])
  if (kind.type === 'flag' && list === undefined) return { value: control.checked, subject: '' }
  const typed: TypedKind = kind.type === 'flag' ? { type: 'choice', options: [true, false] } : kind
  if (list !== undefined) {
    const lines = control.value.split('\n').filter((line) => line.trim() !== '')
    if (lines.length === 0 && !required) return { value: undefined, subject: '' }
    checkCount(title, lines.length, list)
    return { value: lines.map((line) => parse(line, typed, title)), subject: lines[0] ?? '' }
  }
  if (control.value === '') {
    if (required) throw new Error(`Fill in “${title}” first.`)
    return { value: undefined, subject: '' }
  }
  return { value: parse(control.value, typed, title), subject: typed.type === 'text' ? control.value : '' }
}

async function readFiles(
  { title, list, required }: Field,
  { least, most, as }: Extract<Kind, { type: 'file' }>,
  files: readonly File[],
): Promise<Reading> {
  const [first] = files
  if (first === undefined && !required) return { value: undefined, subject: '' }
  if (first === undefined) throw new Error(`Choose a file for “${plainText(title)}” first.`)
  if (list !== undefined) checkCount(plainText(title), files.length, list)
  const wrong = files.find((file) => file.size < least || file.size > most)
  if (wrong !== undefined)
    throw new Error(
      `“${plainText(wrong.name)}” has ${size(wrong.size)}; this takes ${least > 0 ? `${size(least)} to ` : 'at most '}${size(most)}.`,
    )
  const values = as === 'blob' ? files : await Promise.all(files.map(bytesOf))
  return { value: list === undefined ? values[0] : values, subject: `${first.name}, ${size(first.size)}` }
}

async function bytesOf(file: File): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return new Uint8Array(await file.arrayBuffer())
  } catch (cause) {
    throw new Error(`“${plainText(file.name)}” could not be read. It may have moved or changed; choose it again.`, {
      cause,
    })
  }
}

function checkCount(title: string, amount: number, { least, most }: { least: number; most: number }): void {
  if (amount >= least && amount <= most) return
  throw new Error(`“${title}” takes ${range(least, most)} entries; there are ${amount}.`)
}

/** What its owner says of a field, and what fits into it. */
function hintOf({ kind, list, description }: Field): string {
  const parts = [plainText(description)]
  if (kind.type === 'number' && (kind.least > -Infinity || kind.most < Infinity))
    parts.push(sentence(numberWords(kind)))
  if (kind.type === 'file') parts.push(`At most ${size(kind.most)}.`)
  if (list !== undefined && kind.type !== 'file') parts.push('One on each line.')
  if (list !== undefined && kind.type === 'choice') parts.push(`Each is one of ${kind.options.join(', ')}.`)
  return parts.filter((part) => part !== '').join(' ')
}

function sentence(words: string): string {
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}.`
}

function textOf(initial: unknown): string {
  if (Array.isArray(initial)) return initial.map(textOf).join('\n')
  return typeof initial === 'string' || typeof initial === 'number' || typeof initial === 'boolean'
    ? String(initial)
    : ''
}

customElements.define('schema-form', SchemaForm)
