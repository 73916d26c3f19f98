import { fingerprintOf, type Peer, type PeerId, type PeerInfo } from '@tsunagi/protocol'
import { css, html, LitElement, nothing } from 'lit'
import { repeat } from 'lit/directives/repeat.js'
import { span } from '../format.ts'
import { detourWord, healthOf, linkWord, sessionWord } from '../peer-state.ts'
import { store } from '../peer-store.ts'
import { controls } from '../styles/controls.ts'
import { markStyles, stateMark } from './state-mark.ts'
import './peer-details.ts'
import './peer-identicon.ts'

const COLUMNS = ['Peer', 'Health', 'Round trip', 'Link', 'Session']

/** The peers as a table; a row opens to its details. Roles are written out, since a phone shows rows as blocks. */
export class PeerList extends LitElement {
  static override properties = { peer: { attribute: false }, selected: { attribute: false } }
  static override styles = [
    controls,
    markStyles,
    css`
      table {
        width: 100%;
        border-collapse: collapse;
      }
      th {
        text-align: start;
        font-size: var(--text-small);
        font-weight: 400;
        white-space: nowrap;
        color: var(--ink-soft);
      }
      th,
      td {
        padding: var(--space-1) var(--space-3) var(--space-1) 0;
        border-block-end: 1px solid var(--rule);
      }
      td {
        white-space: nowrap;
      }
      td:first-child {
        width: 40%;
        white-space: normal;
      }
      .number {
        text-align: end;
      }
      .name {
        display: flex;
        align-items: center;
        gap: var(--space-1);
        min-width: 0;
      }
      .name button {
        display: flex;
        align-items: center;
        overflow-wrap: anywhere;
        text-align: start;
        white-space: normal;
        color: var(--ink);
        font-weight: 600;
      }
      .name code {
        margin-inline-start: var(--space-2);
        color: var(--ink-soft);
        font-weight: 400;
      }
      .name code.unnamed {
        margin-inline-start: 0;
        color: var(--ink);
      }
      .name button::before {
        content: '▸' / '';
        flex: none;
        width: 1.1em;
        color: var(--ink-soft);
      }
      .name button[aria-expanded='true']::before {
        content: '▾' / '';
      }
      td.detour {
        width: auto;
        white-space: normal;
      }
      .label {
        display: none;
      }
      .open {
        background: var(--well);
        padding: 0;
        white-space: normal;
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
          gap: 0 var(--space-4);
          border-block-end: 1px solid var(--rule);
          padding-block: var(--space-2);
        }
        td,
        td:first-child {
          width: auto;
          border: 0;
          padding: 2px 0;
        }
        td:first-child,
        .open {
          flex: 1 0 100%;
        }
        .label {
          display: inline-block;
          width: 1px;
          height: 1px;
          overflow: hidden;
          clip-path: inset(50%);
        }
      }
    `,
  ]
  declare peer: Peer
  declare selected: PeerId | undefined

  constructor() {
    super()
    store.drawOnChange(this)
  }

  override render() {
    return html`
      <table role="table" aria-label="Peers">
        <thead role="rowgroup">
          <tr role="row">
            ${COLUMNS.map(
              (name) => html`<th role="columnheader" class=${name === 'Round trip' ? 'number' : ''}>${name}</th>`,
            )}
          </tr>
        </thead>
        <tbody role="rowgroup">
          ${repeat(
            this.peer.peers,
            ({ id }) => id,
            (info) => this.#renderPeer(info),
          )}
        </tbody>
      </table>
    `
  }

  #renderPeer(info: PeerInfo) {
    const open = this.selected === info.id
    const health = healthOf(info)
    const detour = detourWord(info, Date.now())
    const label = (text: string) => html`<span class="label">${text} </span>`
    return html`
      <tr role="row">
        <td role="cell">
          <div class="name">
            <peer-identicon .peer=${info.id}></peer-identicon>
            <button type="button" class="quiet" aria-expanded=${open} @click=${() => this.#pick(open ? undefined : info.id)}>
              ${info.name}<code class=${info.name === '' ? 'unnamed' : ''}>${fingerprintOf(info.id)}</code>
            </button>
            ${this.peer.contacts.has(info.id) ? html`<span class="small soft">contact</span>` : nothing}
          </div>
        </td>
        <td role="cell">${label('Health')}${stateMark(health.mark)}${health.word}</td>
        <td role="cell" class="number">${label('Round trip')}${info.roundTrip === undefined ? '–' : span(info.roundTrip)}</td>
        <td role="cell">${label('Link')}${linkWord(info)}</td>
        <td role="cell">${label('Session')}${sessionWord(info)}</td>
      </tr>
      ${
        detour === undefined
          ? nothing
          : html`<tr role="row"><td role="cell" class="detour small soft" colspan=${COLUMNS.length}>${detour}</td></tr>`
      }
      ${
        open
          ? html`<tr role="row">
              <td role="cell" class="open" colspan=${COLUMNS.length}>
                <peer-details .peer=${this.peer} .info=${info}></peer-details>
              </td>
            </tr>`
          : nothing
      }
    `
  }

  #pick(id: PeerId | undefined) {
    this.dispatchEvent(new CustomEvent('peer-picked', { detail: id }))
  }
}

customElements.define('peer-list', PeerList)
