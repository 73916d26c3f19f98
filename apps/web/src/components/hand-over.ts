import {
  type CapabilityDescription,
  fingerprintOf,
  type Peer,
  type PeerId,
  type PeerInfo,
  PRIORITIES,
  type Priority,
} from '@tsunagi/protocol'
import { css, html, LitElement, nothing } from 'lit'
import { fileSha256 } from '../capabilities/file-sha256.ts'
import { fractalTile } from '../capabilities/fractal-tile.ts'
import { BUILT_IN } from '../capabilities/index.ts'
import { store } from '../peer-store.ts'
import { controls } from '../styles/controls.ts'
import type { WorkInput } from './work-input.ts'
import './file-input.ts'
import './json-input.ts'
import './tile-input.ts'

const TITLES: Record<string, string> = {
  [fractalTile.name]: 'Draw a fractal tile',
  [fileSha256.name]: 'SHA-256 of a file',
}

/** Chooses work, who does it and how urgent it is, and gives it away. */
export class HandOver extends LitElement {
  static override properties = { peer: { attribute: false } }
  static override styles = [
    controls,
    css`
      form {
        display: grid;
        grid-template-columns: repeat(6, minmax(0, 1fr));
        gap: var(--space-3);
        margin-block-start: var(--space-3);
      }
      .whole,
      .input {
        grid-column: 1 / -1;
      }
      .to {
        grid-column: span 4;
      }
      .priority {
        grid-column: span 2;
      }
      .last {
        grid-column: 1 / -1;
        display: flex;
        align-items: center;
        gap: var(--space-3);
      }
    `,
  ]
  declare peer: Peer
  #capability = fractalTile.name
  #to: PeerId | '' = ''
  #priority: Priority = 'normal'
  #fault = ''

  constructor() {
    super()
    store.drawOnChange(this)
  }

  override render() {
    const offered = this.#offered()
    const able = this.#able()
    const stays = this.#to === '' || able.some(({ id }) => id === this.#to)
    return html`
      <section class="panel" aria-labelledby="title">
        <h2 id="title">Hand over work</h2>
        <form @submit=${this.#handOver}>
          <label class="whole">
            Work
            <select @change=${this.#chooseCapability}>
              ${offered.map(
                ({ name }) => html`<option value=${name} ?selected=${name === this.#capability}>
                  ${name in TITLES ? `${TITLES[name]} (${name})` : name}
                </option>`,
              )}
            </select>
          </label>
          <label class="to">
            Done by
            <select @change=${this.#chooseTarget}>
              <option value="" ?selected=${this.#to === ''}>Anyone able</option>
              ${able.map(
                ({ id }) => html`<option value=${id} ?selected=${id === this.#to}>${store.labelOf(id)}</option>`,
              )}
              ${stays ? nothing : html`<option value=${this.#to} selected>${fingerprintOf(this.#to)}, not here now</option>`}
            </select>
          </label>
          <label class="priority">
            Priority
            <select @change=${this.#choosePriority}>
              ${PRIORITIES.map(
                (priority) =>
                  html`<option value=${priority} ?selected=${priority === this.#priority}>${priority}</option>`,
              )}
            </select>
          </label>
          ${this.#renderInput(offered)}
          <div class="last">
            <button type="submit" class="primary">Hand over</button>
            <p class="small soft">${able.length > 0 ? nothing : 'Nobody here does this yet. Open a second tab first.'}</p>
          </div>
          <p class="whole fault small" role="alert" ?hidden=${this.#fault === ''}>${this.#fault}</p>
        </form>
      </section>
    `
  }

  #renderInput(offered: readonly CapabilityDescription[]) {
    if (this.#capability === fractalTile.name) return html`<tile-input class="input"></tile-input>`
    if (this.#capability === fileSha256.name) return html`<file-input class="input"></file-input>`
    const schema = offered.find(({ name }) => name === this.#capability)?.input
    return html`<json-input class="input" .schema=${schema}></json-input>`
  }

  /** What this app knows how to ask for, and whatever else somebody offers. */
  #offered(): CapabilityDescription[] {
    const all = new Map(BUILT_IN.map((capability) => [capability.name, capability]))
    for (const { capabilities } of this.peer.peers)
      for (const capability of capabilities) if (!all.has(capability.name)) all.set(capability.name, capability)
    return [...all.values()]
  }

  #able(): PeerInfo[] {
    return this.peer.peers.filter(({ capabilities }) => capabilities.some(({ name }) => name === this.#capability))
  }

  async #handOver(event: SubmitEvent) {
    event.preventDefault()
    const capability = this.#capability
    const options = { priority: this.#priority, ...(this.#to !== '' && { to: this.#to }) }
    this.#fault = ''
    try {
      const form = this.renderRoot.querySelector<WorkInput>('.input')
      if (form === null) return
      const { input, subject } = await form.read()
      store.delegate(capability, input, subject, options)
    } catch (error) {
      this.#fault = (error as Error).message
    }
    this.requestUpdate()
  }

  #chooseCapability({ target }: Event) {
    this.#capability = (target as HTMLSelectElement).value
    this.#to = ''
    this.#fault = ''
    this.requestUpdate()
  }

  #chooseTarget({ target }: Event) {
    this.#to = (target as HTMLSelectElement).value
  }

  #choosePriority({ target }: Event) {
    this.#priority = (target as HTMLSelectElement).value as Priority
  }
}

customElements.define('hand-over', HandOver)
