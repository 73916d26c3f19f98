import { fingerprintOf } from '@tsunagi/protocol'
import { css, html, LitElement, nothing } from 'lit'
import { type Balance, OTHERS } from '../account.ts'
import { count, plainText, size, span } from '../format.ts'
import { store } from '../peer-store.ts'
import { controls } from '../styles/controls.ts'

const COLUMNS = ['Peer', 'Done for it', 'Done by it', 'Sent', 'Received']

/** What this browser has done for others, and others for it. */
export class AccountPanel extends LitElement {
  static override styles = [
    controls,
    css`
      .scroll {
        overflow-x: auto;
        margin-block: var(--space-2);
      }
      table {
        width: 100%;
        border-collapse: collapse;
      }
      th,
      td {
        padding: var(--space-1) var(--space-3) var(--space-1) 0;
        border-block-end: 1px solid var(--rule);
        text-align: end;
        white-space: nowrap;
      }
      th {
        font-weight: 400;
        font-size: var(--text-small);
        color: var(--ink-soft);
      }
      th:first-child {
        text-align: start;
      }
      tbody th {
        font-size: var(--text);
        color: var(--ink);
        min-width: 6rem;
        white-space: normal;
        overflow-wrap: anywhere;
      }
      tfoot th,
      tfoot td {
        font-size: var(--text);
        font-weight: 600;
        color: var(--ink);
        border: 0;
      }
    `,
  ]

  constructor() {
    super()
    store.drawOnChange(this)
  }

  override render() {
    const { balances, total } = store.account
    return html`
      <section class="panel" aria-label="Given and taken">
        <details>
          <summary><h2>Given and taken</h2>
            <span class="soft small">${
              balances.length === 0
                ? 'nothing yet'
                : `${count(total.tasksDone, 'task')} done for others, ${count(total.tasksGot, 'task')} done by others`
            }</span></summary>
          ${
            balances.length === 0
              ? html`<p class="soft">What this browser does for others, and others for it, is added up here.</p>`
              : this.#renderTable()
          }
        </details>
      </section>
    `
  }

  #renderTable() {
    const { balances, total } = store.account
    return html`
      <div class="scroll" tabindex="0" role="region" aria-label="Account">
        <table>
          <thead>
            <tr>${COLUMNS.map((column) => html`<th scope="col">${column}</th>`)}</tr>
          </thead>
          <tbody>
            ${balances.map((balance) => html`<tr><th scope="row">${labelOf(balance)}</th>${cells(balance)}</tr>`)}
          </tbody>
          <tfoot>
            ${balances.length > 1 ? html`<tr><th scope="row">In all</th>${cells(total)}</tr>` : nothing}
          </tfoot>
        </table>
      </div>
      <p class="small soft">
        Counted in this browser, over all its tabs and meshes.
        <button type="button" class="quiet" @click=${() => store.account.clear()}>Start anew</button>
      </p>
    `
  }
}

function labelOf({ peer, name }: Balance): string {
  if (peer === OTHERS) return 'Others before'
  return name === '' ? fingerprintOf(peer) : `${plainText(name)} · ${fingerprintOf(peer)}`
}

function cells(sums: Omit<Balance, 'peer' | 'name' | 'lastAt'>) {
  return html`
    <td>${work(sums.tasksDone, sums.millisecondsDone)}</td>
    <td>${work(sums.tasksGot, sums.millisecondsGot)}</td>
    <td>${size(sums.bytesSent)}</td>
    <td>${size(sums.bytesReceived)}</td>
  `
}

function work(tasks: number, milliseconds: number): string {
  return tasks === 0 ? '–' : `${count(tasks, 'task')}, ${span(milliseconds)}`
}

customElements.define('account-panel', AccountPanel)
