import type { TraceEntry } from '@tsunagi/protocol'
import { css, html, LitElement } from 'lit'
import { exactTime } from '../format.ts'
import { proofOf } from '../proof.ts'
import { controls } from '../styles/controls.ts'
import { markStyles, stateMark } from './state-mark.ts'

/** The fields of one message, and why it was believed or refused. */
export class MessageProof extends LitElement {
  static override properties = { message: { attribute: false } }
  static override styles = [
    controls,
    markStyles,
    css`
      :host {
        padding: var(--space-3);
        font-size: var(--text-small);
      }
      dl {
        display: grid;
        grid-template-columns: max-content minmax(0, 1fr);
        gap: 0 var(--space-4);
        margin-block-end: var(--space-2);
      }
      dt {
        color: var(--ink-soft);
      }
      dd {
        overflow-wrap: anywhere;
      }
      ul {
        list-style: none;
      }
    `,
  ]
  declare message: TraceEntry

  override render() {
    const { message } = this
    const { held, claims } = proofOf(message)
    const fields: [string, string][] = [
      ['type', message.type],
      [message.direction === 'out' ? 'recipient' : 'sender', message.peer],
      ['session', message.session || 'none'],
      ['sequence number', message.sequence === 0 ? 'none' : String(message.sequence)],
      ['epoch', String(message.epoch)],
      ['counter', String(message.counter)],
      ['size', `${message.size} bytes`],
      ['time', exactTime(message.at)],
    ]
    return html`
      <dl>
        ${fields.map(([name, value]) => html`<dt>${name}</dt><dd><code>${value}</code></dd>`)}
      </dl>
      <ul aria-label="Proof">
        ${claims.map((claim) => html`<li>${stateMark(held ? 'check' : 'cross')}${claim}</li>`)}
      </ul>
    `
  }
}

customElements.define('message-proof', MessageProof)
