import type { Peer, PeerId, TraceEntry } from '@tsunagi/protocol'
import { css, html, LitElement, nothing } from 'lit'
import { repeat } from 'lit/directives/repeat.js'
import { count, exactTime, size } from '../format.ts'
import { store } from '../peer-store.ts'
import { controls } from '../styles/controls.ts'
import { markStyles, stateMark } from './state-mark.ts'
import './message-proof.ts'

/** Messages kept for reading; the oldest give way. */
const MAX_MESSAGES = 500
/** The list is drawn this often while messages come, in milliseconds. */
const DRAW_INTERVAL = 500
const COLUMNS = ['Time', 'Direction', 'Type', 'Peer', 'Number', 'Size', 'Proof']

/** Every message in and out, also of the time before it was unfolded. A message opens to its fields and its proof. */
export class MessageInspector extends LitElement {
  static override properties = { peer: { attribute: false } }
  static override styles = [
    controls,
    markStyles,
    css`
      .tools {
        display: flex;
        flex-wrap: wrap;
        align-items: end;
        gap: var(--space-3);
        padding-block: var(--space-3);
      }
      .tools label {
        flex: 1 1 9rem;
        max-width: 16rem;
      }
      .tools p {
        margin-inline-start: auto;
      }
      .list {
        max-height: 28rem;
        overflow: auto;
        /* Painted apart, or each moving dot of the picture would paint 500 rows anew. */
        contain: content;
        will-change: transform;
        border-block-start: 1px solid var(--rule);
      }
      table {
        width: 100%;
        border-collapse: collapse;
        font-size: var(--text-small);
      }
      th {
        position: sticky;
        top: 0;
        background: var(--surface);
        text-align: start;
        font-weight: 400;
        color: var(--ink-soft);
      }
      th,
      td {
        padding: 2px var(--space-3) 2px 0;
        white-space: nowrap;
      }
      td {
        border-block-start: 1px solid var(--rule);
      }
      .number {
        text-align: end;
      }
      td:nth-child(4) {
        overflow: hidden;
        text-overflow: ellipsis;
        max-width: 16rem;
      }
      td button.quiet {
        min-height: 1.75rem;
        padding: 0;
        font-family: var(--mono);
      }
      .open {
        background: var(--well);
        padding: 0;
        white-space: normal;
      }
      .none {
        padding-block: var(--space-3);
      }
      @media (max-width: 40rem) {
        table,
        tbody,
        td {
          display: block;
        }
        thead {
          display: none;
        }
        tr {
          display: flex;
          flex-wrap: wrap;
          align-items: center;
          gap: 0 var(--space-3);
          border-block-end: 1px solid var(--rule);
          padding-block: var(--space-1);
        }
        td {
          border: 0;
          padding-inline-end: 0;
        }
        /* The type takes the rest of the first line, so that the second begins with the peer. */
        td:nth-child(3) {
          flex: 1 0 50%;
        }
        td:nth-child(4) {
          max-width: 8rem;
        }
        .open {
          flex: 1 0 100%;
        }
      }
    `,
  ]
  declare peer: Peer
  #messages: TraceEntry[] = []
  #shown: readonly TraceEntry[] = []
  #fresh = 0
  #paused = false
  #onlyPeer: PeerId | '' = ''
  #onlyType = ''
  #opened: TraceEntry | undefined
  #unfolded = false
  #stopTrace: () => void = () => undefined
  #drawing: ReturnType<typeof setTimeout> | undefined
  readonly #types = new Set<string>()

  override connectedCallback() {
    super.connectedCallback()
    this.#stopTrace = store.onTrace((message) => this.#add(message))
  }

  override disconnectedCallback() {
    super.disconnectedCallback()
    this.#stopTrace()
    clearTimeout(this.#drawing)
    this.#drawing = undefined
  }

  override render() {
    return html`
      <section class="panel" aria-label="Inspector">
        <details @toggle=${this.#unfold}>
          <summary><h2>Inspector</h2> <span class="soft small">every message with its proof</span></summary>
          ${this.#unfolded ? this.#renderMessages() : nothing}
        </details>
      </section>
    `
  }

  #renderMessages() {
    const peers = new Set([...this.peer.peers.map(({ id }) => id), ...(this.#onlyPeer === '' ? [] : [this.#onlyPeer])])
    return html`
      <div class="tools">
        <label>
          Peer
          <select @change=${this.#choosePeer}>
            <option value="">All</option>
            ${Array.from(peers, (id) => html`<option value=${id} ?selected=${id === this.#onlyPeer}>${store.labelOf(id)}</option>`)}
          </select>
        </label>
        <label>
          Type
          <select @change=${this.#chooseType}>
            <option value="">All</option>
            ${Array.from(this.#types, (type) => html`<option ?selected=${type === this.#onlyType}>${type}</option>`)}
          </select>
        </label>
        <button type="button" aria-pressed=${this.#paused} @click=${this.#pause}>Pause</button>
        <button type="button" @click=${this.#clear}>Clear</button>
        <p class="small soft">
          ${count(this.#shown.length, 'message')}${
            this.#fresh > 0
              ? `, ${this.#fresh} newer wait ${this.#paused ? 'for you to go on' : 'while you are at the list'}`
              : nothing
          }
        </p>
      </div>
      <div class="list" @pointerleave=${this.#draw} @focusout=${this.#draw}>
        <table role="table" aria-label="Messages, newest first">
          <thead role="rowgroup">
            <tr role="row">
              ${COLUMNS.map((name) => html`<th role="columnheader" class=${numeric(name)}>${name}</th>`)}
            </tr>
          </thead>
          <tbody role="rowgroup">
            ${repeat(
              this.#shown,
              (message) => message,
              (message) => this.#renderMessage(message),
            )}
          </tbody>
        </table>
        ${this.#shown.length === 0 ? html`<p class="none soft">Nothing yet. Sessions speak at least every few seconds.</p>` : nothing}
      </div>
    `
  }

  #renderMessage(message: TraceEntry) {
    const open = message === this.#opened
    return html`
      <tr role="row">
        <td role="cell">${exactTime(message.at)}</td>
        <td role="cell">${message.direction === 'out' ? '→ out' : '← in'}</td>
        <td role="cell">
          <button type="button" class="quiet" aria-expanded=${open} @click=${() => this.#open(open ? undefined : message)}>
            ${message.type}
          </button>
        </td>
        <td role="cell">${store.labelOf(message.peer)}</td>
        <td role="cell" class="number">${message.sequence === 0 ? '–' : `#${message.sequence}`}</td>
        <td role="cell" class="number">${size(message.size)}</td>
        <td role="cell">${
          message.verified
            ? html`${stateMark('check')}${message.direction === 'out' ? 'signed' : 'verified'}`
            : html`${stateMark('cross')}refused`
        }</td>
      </tr>
      ${
        open
          ? html`<tr role="row">
              <td role="cell" class="open" colspan=${COLUMNS.length}>
                <message-proof .message=${message}></message-proof>
              </td>
            </tr>`
          : nothing
      }
    `
  }

  #unfold({ target }: Event) {
    this.#unfolded = (target as HTMLDetailsElement).open
    this.#refresh()
  }

  #add(message: TraceEntry) {
    this.#messages.push(message)
    // Cut in halves, so that a busy mesh does not move 500 entries for each message.
    if (this.#messages.length >= 2 * MAX_MESSAGES) this.#messages = this.#messages.slice(-MAX_MESSAGES)
    this.#types.add(message.type)
    if (!this.#unfolded) return
    this.#fresh++
    this.#drawing ??= setTimeout(this.#draw, DRAW_INTERVAL)
  }

  /** Brings the list up to date, unless somebody paused it or is about to pick a line of it. */
  readonly #draw = () => {
    clearTimeout(this.#drawing)
    this.#drawing = undefined
    const list = this.renderRoot.querySelector('.list')
    if (!this.#paused && !list?.matches(':hover, :focus-within')) this.#refresh()
    this.requestUpdate()
  }

  #refresh() {
    this.#fresh = 0
    this.#shown = this.#messages
      .slice(-MAX_MESSAGES)
      .filter(({ peer }) => this.#onlyPeer === '' || peer === this.#onlyPeer)
      .filter(({ type }) => this.#onlyType === '' || type === this.#onlyType)
      .reverse()
    this.requestUpdate()
  }

  #choosePeer({ target }: Event) {
    this.#onlyPeer = (target as HTMLSelectElement).value
    this.#refresh()
  }

  #chooseType({ target }: Event) {
    this.#onlyType = (target as HTMLSelectElement).value
    this.#refresh()
  }

  #pause() {
    this.#paused = !this.#paused
    this.#draw()
  }

  #clear() {
    this.#messages = []
    this.#refresh()
  }

  #open(message: TraceEntry | undefined) {
    this.#opened = message
    this.requestUpdate()
  }
}

function numeric(column: string): string {
  return column === 'Number' || column === 'Size' ? 'number' : ''
}

customElements.define('message-inspector', MessageInspector)
