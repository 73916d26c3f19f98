import { css, html, LitElement } from 'lit'
import { live } from 'lit/directives/live.js'
import { MAX_ITERATIONS } from '../capabilities/fractal-tile.ts'
import type { Tile } from '../capabilities/mandelbrot.ts'
import { controls } from '../styles/controls.ts'
import type { Work, WorkInput } from './work-input.ts'

type Spot = Omit<Tile, 'width' | 'height'> & { readonly name: string }

const SPOTS: readonly [Spot, ...Spot[]] = [
  { name: 'Seahorse valley', cx: -0.743643887, cy: 0.131825904, scale: 0.004, iterations: 3_000 },
  { name: 'The whole set', cx: -0.65, cy: 0, scale: 3.2, iterations: 1_000 },
  { name: 'Elephant valley', cx: 0.2865, cy: 0.0122, scale: 0.012, iterations: 2_000 },
  { name: 'Triple spiral', cx: -0.088, cy: 0.654, scale: 0.04, iterations: 1_500 },
  { name: 'A small copy', cx: -1.7548776662, cy: 0, scale: 0.06, iterations: 2_000 },
]

const NUMBERS = { cx: 'Middle, real', cy: 'Middle, imaginary', scale: 'Width', iterations: 'Iterations' } as const

const SIDES = [256, 512, 1_024, 2_048]

/** Asks for a part of the Mandelbrot set: a known spot, or exact numbers. */
export class TileInput extends LitElement implements WorkInput {
  static override styles = [
    controls,
    css`
      :host,
      .numbers {
        display: grid;
        grid-template-columns: minmax(0, 1fr) minmax(0, 1fr);
        gap: var(--space-3);
      }
      details {
        grid-column: 1 / -1;
      }
      .numbers {
        padding-block-start: var(--space-2);
      }
    `,
  ]
  #spot: Spot = SPOTS[0]
  #subject = SPOTS[0].name

  override render() {
    return html`
      <label>
        Place
        <select @change=${this.#goTo}>
          ${SPOTS.map(({ name }) => html`<option>${name}</option>`)}
        </select>
      </label>
      <label>
        Pixels
        <select name="side">
          ${SIDES.map((side) => html`<option value=${side} ?selected=${side === 512}>${side} × ${side}</option>`)}
        </select>
      </label>
      <details>
        <summary class="small soft">Exact numbers</summary>
        <div class="numbers">
          ${(Object.keys(NUMBERS) as (keyof typeof NUMBERS)[]).map(
            (name) => html`<label>
              ${NUMBERS[name]}
              <input name=${name} autocomplete="off" .value=${live(String(this.#spot[name]))} @change=${this.#leaveSpot} />
            </label>`,
          )}
        </div>
      </details>
    `
  }

  async read(): Promise<Work> {
    const side = Number(this.#field('side').value)
    const input: Tile = {
      cx: this.#number('cx', -4, 4),
      cy: this.#number('cy', -4, 4),
      // Below this width neighbouring pixels would be the same number.
      scale: this.#number('scale', 1e-12, 8),
      width: side,
      height: side,
      iterations: Math.round(this.#number('iterations', 1, MAX_ITERATIONS)),
    }
    return { input, subject: `${this.#subject}, ${side} × ${side}` }
  }

  #field(name: string): HTMLInputElement | HTMLSelectElement {
    const field = this.renderRoot.querySelector<HTMLInputElement | HTMLSelectElement>(`[name=${name}]`)
    if (field === null) throw new TypeError(`This form has no field ${name}.`)
    return field
  }

  #number(name: keyof typeof NUMBERS, least: number, most: number): number {
    const field = this.#field(name)
    const value = Number(field.value || Number.NaN)
    if (value >= least && value <= most) return value
    const details = this.renderRoot.querySelector('details')
    if (details !== null) details.open = true
    field.focus()
    throw new Error(`“${NUMBERS[name]}” takes a number from ${least} to ${most}.`)
  }

  #goTo({ target }: Event) {
    this.#spot = SPOTS[(target as HTMLSelectElement).selectedIndex] ?? SPOTS[0]
    this.#subject = this.#spot.name
    this.requestUpdate()
  }

  #leaveSpot() {
    this.#subject = 'A place of my own'
  }
}

customElements.define('tile-input', TileInput)
