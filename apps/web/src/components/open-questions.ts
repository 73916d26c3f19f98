import { css, html, LitElement, nothing } from 'lit'
import { repeat } from 'lit/directives/repeat.js'
import { span } from '../format.ts'
import { store } from '../peer-store.ts'
import type { Question } from '../questions.ts'
import { SecondHand } from '../second-hand.ts'
import { controls } from '../styles/controls.ts'

/** What others would have of this browser, for the person to decide: at the lower edge, so that nothing moves for it. */
export class OpenQuestions extends LitElement {
  static override styles = [
    controls,
    css`
      section {
        width: min(28rem, 100%);
        max-height: 45vh;
        margin-inline-start: auto;
        padding-inline: var(--space-2);
        overflow: auto;
        pointer-events: auto;
      }
      article {
        display: grid;
        gap: var(--space-2);
        margin-block-start: var(--space-2);
        padding: var(--space-3) var(--space-4);
        background: var(--surface);
        border: 1px solid var(--accent);
        border-inline-start-width: 4px;
        border-radius: var(--corner);
        overflow-wrap: anywhere;
      }
      article:last-child {
        margin-block-end: var(--space-4);
      }
      .answers {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: var(--space-2);
      }
    `,
  ]
  readonly #secondHand = new SecondHand(this)

  constructor() {
    super()
    store.drawOnChange(this)
  }

  override render() {
    const { open } = store.questions
    this.#secondHand.run(open.length > 0)
    return html`<section aria-label="Questions" tabindex="-1">
      ${repeat(
        open,
        ({ id }) => id,
        (question) => this.#renderQuestion(question),
      )}
    </section>`
  }

  #renderQuestion({ id, from, wish, detail, yes, no, until }: Question) {
    const who = store.labelOf(from)
    const about = `${who} ${wish} ${detail}`
    return html`<article aria-label=${about}>
      <p><b><bdi>${who}</bdi></b>${store.peer?.contacts.has(from) ? ' (contact)' : nothing} ${wish}</p>
      <p class="small"><bdi>${detail}</bdi></p>
      <div class="answers">
        <button type="button" class="primary" aria-label="${yes}: ${about}" @click=${() => this.#answer(id, true)}>${yes}</button>
        <button type="button" aria-label="${no}: ${about}" @click=${() => this.#answer(id, false)}>${no}</button>
        <span class="small soft">${span(Math.max(0, until - Date.now()))} left</span>
      </div>
    </article>`
  }

  #answer(id: number, agreed: boolean) {
    store.questions.answer(id, agreed)
    // The button goes away with its question; the focus stays among the questions.
    this.renderRoot.querySelector('section')?.focus()
  }
}

customElements.define('open-questions', OpenQuestions)
