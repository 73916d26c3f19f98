import { css, html, LitElement, nothing } from 'lit'
import type { Shown } from '../peer-state.ts'
import { controls } from '../styles/controls.ts'
import { markStyles, stateMark } from './state-mark.ts'

/**
 * One line for something that takes time, which opens to its parts. What can be done about it is in the slot `actions`,
 * what it opens to in the slot without a name.
 */
export class WorkLine extends LitElement {
  static override properties = {
    heading: { attribute: false },
    subject: { attribute: false },
    shown: { attribute: false },
    progress: { attribute: false },
    who: { attribute: false },
    time: { attribute: false },
    open: { attribute: false },
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
        min-height: 2rem;
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
      ::slotted(button[slot='actions']) {
        min-height: 2rem;
      }
      .body {
        display: grid;
        grid-template-columns: minmax(0, 1fr);
        gap: var(--space-2);
        padding: var(--space-1) 0 var(--space-3) 1.1rem;
        overflow-wrap: anywhere;
      }
    `,
  ]
  declare heading: string
  /** The line in a few words, for whoever hears it apart from its place. */
  declare subject: string
  declare shown: Shown
  /** 0 to 1; undefined where it has ended. */
  declare progress: number | undefined
  declare who: string
  declare time: string
  declare open: boolean

  override render() {
    const { shown, progress, open } = this
    return html`
      <div class="line">
        <button
          type="button"
          class="quiet title"
          aria-expanded=${open}
          @click=${() => this.dispatchEvent(new CustomEvent('fold', { detail: !open }))}
        >
          <span>${this.heading}</span>
        </button>
        <div>
          <span>${stateMark(shown.mark)}${shown.word}${
            progress !== undefined && progress > 0 ? ` ${Math.floor(progress * 100)} %` : ''
          }</span>
          <slot name="actions"></slot>
        </div>
        <p class="about small soft"><span class="who">${this.who}</span> <span>${this.time}</span></p>
        ${
          progress === undefined
            ? nothing
            : html`<progress aria-label="Progress of ${this.subject}" max="1" .value=${progress}></progress>`
        }
      </div>
      ${open ? html`<div class="body"><slot></slot></div>` : nothing}
    `
  }
}

/** A button for the slot `actions`. `subject` tells it apart from those of other lines. */
export function lineAction(word: string, subject: string, act: () => void) {
  return html`<button slot="actions" type="button" class="quiet" aria-label="${word} ${subject}" @click=${act}>
    ${word}
  </button>`
}

customElements.define('work-line', WorkLine)
