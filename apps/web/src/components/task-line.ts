import type { TaskInfo } from '@tsunagi/protocol'
import { css, html, LitElement, nothing } from 'lit'
import { titleOf } from '../capabilities/index.ts'
import { span, timeOfDay } from '../format.ts'
import { taskStateOf } from '../peer-state.ts'
import { type HandedOver, store } from '../peer-store.ts'
import { controls } from '../styles/controls.ts'
import { markStyles, stateMark } from './state-mark.ts'
import './task-output.ts'

/** One task in one line, which opens to its result or what went wrong. */
export class TaskLine extends LitElement {
  static override properties = {
    info: { attribute: false },
    handedOver: { attribute: false },
    now: { attribute: false },
  }
  static override styles = [
    controls,
    markStyles,
    css`
      .line {
        display: grid;
        grid-template-columns: minmax(0, 1fr) auto;
        align-items: center;
        gap: 0 var(--space-2);
        padding-block: var(--space-1);
      }
      button.title {
        display: flex;
        min-width: 0;
        padding-inline: 0 var(--space-1);
        color: var(--ink);
        font-weight: 600;
        text-align: start;
      }
      .title::before {
        content: '▸' / '';
        flex: none;
        width: 1.1rem;
        color: var(--ink-soft);
      }
      .title[aria-expanded='true']::before {
        content: '▾' / '';
      }
      .title span {
        overflow: hidden;
        text-overflow: ellipsis;
      }
      .about {
        grid-column: 1 / -1;
        display: flex;
        flex-wrap: wrap;
        gap: 0 var(--space-3);
        padding-inline-start: 1.1rem;
      }
      .about .who {
        flex: 1;
        min-width: 0;
        overflow-wrap: anywhere;
      }
      progress {
        grid-column: 1 / -1;
        display: block;
        appearance: none;
        width: 100%;
        height: 4px;
        margin-block: var(--space-1);
        border: 0;
        background: var(--rule);
        color: var(--accent);
      }
      progress::-webkit-progress-bar {
        background: var(--rule);
      }
      progress::-webkit-progress-value {
        background: var(--accent);
      }
      progress::-moz-progress-bar {
        background: var(--accent);
      }
      .body {
        display: grid;
        gap: var(--space-2);
        padding: var(--space-1) 0 var(--space-3) 1.1rem;
        overflow-wrap: anywhere;
      }
      .quiet {
        min-height: 2rem;
      }
    `,
  ]
  declare info: TaskInfo
  declare handedOver: HandedOver | undefined
  /** Milliseconds since 1970; what a running task's time is counted to. */
  declare now: number
  #open: boolean | undefined

  override render() {
    const { info, handedOver } = this
    const { mark, word } = taskStateOf(info.state)
    const running = info.endedAt === undefined
    // The line opens by itself when there is something to see, unless it was folded by hand.
    const open = this.#open ?? (handedOver?.output !== undefined || info.error !== undefined)
    const title = titleOf(info.capability)
    const subject = handedOver?.subject ? `${title}, ${handedOver.subject}` : title
    return html`
      <div class="line">
        <button type="button" class="quiet title" aria-expanded=${open} @click=${() => this.#toggle(!open)}>
          <span>${title}</span>
        </button>
        <div>
          <span>${stateMark(mark)}${word}${running && info.progress > 0 ? ` ${Math.floor(info.progress * 100)} %` : ''}</span>
          ${
            running && handedOver !== undefined
              ? html`<button type="button" class="quiet" aria-label="Cancel ${subject}" @click=${() => handedOver.task.cancel()}>
                  Cancel
                </button>`
              : nothing
          }
        </div>
        <p class="about small soft">
          <span class="who">${handedOver?.subject ? `${handedOver.subject}, ` : ''}${who(info)}</span>
          <span>${span(Math.max(0, (info.endedAt ?? this.now) - info.createdAt))}</span>
        </p>
        ${
          running
            ? html`<progress aria-label="Progress of ${subject}" max="1" .value=${info.progress}></progress>`
            : nothing
        }
      </div>
      ${open ? this.#renderBody() : nothing}
    `
  }

  #renderBody() {
    const { info } = this
    return html`<div class="body">
      ${
        info.error === undefined
          ? nothing
          : html`<p class="fault">${info.error.message} <code class="small">${info.error.code}</code></p>`
      }
      ${info.state === 'completed' && info.direction === 'out' ? this.#renderOutput() : nothing}
      ${info.note === '' || info.endedAt !== undefined ? nothing : html`<p>${info.note}</p>`}
      <p class="small soft">
        <code>${info.capability}</code>, ${info.priority} priority, handed over ${timeOfDay(info.createdAt)}${
          info.endedAt === undefined ? `, due ${timeOfDay(info.deadlineAt)}` : nothing
        }<br />
        Task <code>${info.id}</code>
      </p>
    </div>`
  }

  #renderOutput() {
    const output = this.handedOver?.output
    if (output === undefined) return html`<p class="soft">This page does not hold the result of this task.</p>`
    return html`<task-output .capability=${this.info.capability} .output=${output.value}></task-output>`
  }

  #toggle(open: boolean) {
    this.#open = open
    this.requestUpdate()
  }
}

function who({ direction, peer, endedAt }: TaskInfo): string {
  if (peer === '') return endedAt === undefined ? 'to nobody yet' : 'given to nobody'
  return `${direction === 'out' ? 'done by' : 'for'} ${store.labelOf(peer)}`
}

customElements.define('task-line', TaskLine)
