import type { Audience, Peer } from '@tsunagi/protocol'
import { css, html, LitElement } from 'lit'
import { live } from 'lit/directives/live.js'
import { BUILT_IN, type BuiltIn } from '../capabilities/index.ts'
import { AUDIENCES, BOUNDS, type Choice } from '../consent.ts'
import { store } from '../peer-store.ts'
import { controls } from '../styles/controls.ts'
import './waking-choice.ts'

const WHO: Readonly<Record<Audience, string>> = {
  mesh: 'everybody in the mesh',
  contacts: 'my contacts',
  ask: 'whom I allow each time',
  nobody: 'nobody',
}

type Bound = (typeof BOUNDS)[number]
const MIB = 1_024 * 1_024

/** How a bound is written: what it counts, and how many of the policy's unit one of the shown is. */
const BOUND: Readonly<Record<Bound, { readonly title: string; readonly unit: number }>> = {
  tasksAtOnce: { title: 'Tasks at once', unit: 1 },
  seconds: { title: 'Seconds an hour', unit: 1 },
  bytes: { title: 'MiB an hour', unit: MIB },
}

/** Who may use what this browser can do, and how much of it. */
export class ConsentPanel extends LitElement {
  static override properties = { peer: { attribute: false } }
  static override styles = [
    controls,
    css`
      fieldset {
        display: grid;
        grid-template-columns: minmax(11rem, 2fr) repeat(3, minmax(5.5rem, 1fr));
        gap: var(--space-1) var(--space-3);
        align-items: end;
        margin: 0;
        padding: var(--space-3) 0;
        border: 0;
        border-block-start: 1px solid var(--rule);
      }
      legend {
        float: left;
        grid-column: 1 / -1;
        padding: 0;
        font-weight: 600;
      }
      .why {
        grid-column: 1 / -1;
      }
      details > p {
        margin-block: var(--space-2) var(--space-3);
      }
      @media (max-width: 40rem) {
        fieldset {
          grid-template-columns: repeat(3, minmax(0, 1fr));
        }
        .who {
          grid-column: 1 / -1;
        }
      }
    `,
  ]

  declare peer: Peer

  constructor() {
    super()
    store.drawOnChange(this)
  }

  override render() {
    return html`
      <section class="panel" aria-label="What others may use">
        <details>
          <summary><h2>What others may use</h2> <span class="soft small">of this browser</span></summary>
          <p class="small soft">Bounds hold for each peer by itself. An empty field sets none.</p>
          ${BUILT_IN.map((capability) => this.#renderCapability(capability))}
          <waking-choice .peer=${this.peer}></waking-choice>
        </details>
      </section>
    `
  }

  #renderCapability({ name, title }: BuiltIn) {
    const choice = store.consent.of(name)
    const lacks = store.lackingFor(name)
    return html`<fieldset>
      <legend>${title}</legend>
      <label class="who">
        Who
        <select @change=${({ target }: Event) => this.#choose(name, { ...choice, who: (target as HTMLSelectElement).value as Audience })}>
          ${AUDIENCES.map((who) => html`<option value=${who} ?selected=${who === choice.who}>${WHO[who]}</option>`)}
        </select>
      </label>
      ${BOUNDS.map((bound) => this.#renderBound(name, choice, bound))}
      ${lacks === undefined ? '' : html`<p class="why small soft">${lacks}</p>`}
    </fieldset>`
  }

  #renderBound(name: string, choice: Choice, bound: Bound) {
    const { title, unit } = BOUND[bound]
    const most = choice[bound]
    return html`<label>
      ${title}
      <input
        inputmode="numeric"
        autocomplete="off"
        placeholder="any"
        .value=${live(most === undefined ? '' : String(most / unit))}
        @change=${({ target }: Event) => this.#bound(name, choice, bound, (target as HTMLInputElement).value)}
      />
    </label>`
  }

  /** What is no number above 0 is taken back, so that no field shows a bound that does not hold. */
  #bound(name: string, choice: Choice, bound: Bound, text: string) {
    const { [bound]: before, ...others } = choice
    const most = Number(text) * BOUND[bound].unit
    const kept = text.trim() === '' ? undefined : most > 0 && Number.isFinite(most) ? Math.ceil(most) : before
    this.#choose(name, kept === undefined ? others : { ...others, [bound]: kept })
  }

  #choose(name: string, choice: Choice) {
    try {
      store.consent.choose(name, choice)
    } catch (cause) {
      store.report(
        'What others may use',
        new Error('The choice holds for this page only: the browser keeps nothing for it.', { cause }),
      )
    }
    this.requestUpdate()
  }
}

customElements.define('consent-panel', ConsentPanel)
