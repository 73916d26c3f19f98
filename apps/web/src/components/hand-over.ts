import {
  type CapabilityDescription,
  type DelegateOptions,
  fingerprintOf,
  type Peer,
  type PeerId,
  type PeerInfo,
  PRIORITIES,
  type Priority,
} from '@tsunagi/protocol'
import { css, html, LitElement, nothing } from 'lit'
import { keyed } from 'lit/directives/keyed.js'
import { fractalTile } from '../capabilities/fractal-tile.ts'
import { BUILT_IN, titleOf } from '../capabilities/index.ts'
import { plainText } from '../format.ts'
import { type MeshAddress, openAnotherTab } from '../mesh-address.ts'
import { store } from '../peer-store.ts'
import { fieldsOf } from '../schema-fields.ts'
import { controls } from '../styles/controls.ts'
import type { Work, WorkInput } from './work-input.ts'
import './json-input.ts'
import './schema-form.ts'
import './tile-input.ts'

/** Work that waits for somebody who is able. */
interface Waiting extends Work {
  readonly capability: string
  readonly options: DelegateOptions
}

/** Chooses work, who does it and how urgent it is, and gives it away. */
export class HandOver extends LitElement {
  static override properties = { peer: { attribute: false }, address: { attribute: false } }
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
        overflow-wrap: anywhere;
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
  declare address: MeshAddress
  #waiting: Waiting | undefined
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
    const able = this.#able(this.#capability)
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
                  ${titleOf(name)}
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
          <div class="last">${this.#renderLast(able.length > 0)}</div>
          <p class="whole fault small" role="alert" ?hidden=${this.#fault === ''}>${this.#fault}</p>
        </form>
      </section>
    `
  }

  /** With nobody else here the work is handed to a tab that this one opens: the same button begins both. */
  #renderLast(isAnyoneAble: boolean) {
    if (this.#waiting !== undefined) {
      return html`<p role="status">Waiting for the second tab. If none opened, open the invite link in one.</p>
        <button type="button" @click=${this.#stopWaiting}>Cancel</button>`
    }
    const opensTab = this.#opensTab()
    return html`
      <button type="submit" class="primary">${opensTab ? 'Open a second tab and hand over' : 'Hand over'}</button>
      <p class="small soft">${
        opensTab || isAnyoneAble
          ? nothing
          : `Nobody here does this yet.${this.peer.peers.length === 0 ? ' A second tab of this browser cannot do it.' : ''}`
      }</p>
    `
  }

  /** Whether nobody is here and a second tab, which offers what this one does, would help. */
  #opensTab(): boolean {
    const isOffered = BUILT_IN.some(({ name }) => name === this.#capability)
    return this.peer.peers.length === 0 && isOffered && store.lackingFor(this.#capability) === undefined
  }

  protected override updated() {
    const waiting = this.#waiting
    if (waiting === undefined || this.#able(waiting.capability).length === 0) return
    this.#stopWaiting()
    store.handOver(waiting.capability, waiting, waiting.options)
  }

  #renderInput(offered: readonly CapabilityDescription[]) {
    if (this.#capability === fractalTile.name) return html`<tile-input class="input"></tile-input>`
    const described = this.#described(offered)
    const fields = fieldsOf(described?.input)
    return html`
      ${described === undefined ? nothing : renderDescription(described)}
      ${keyed(
        this.#capability,
        fields === undefined
          ? html`<json-input class="input" .schema=${described?.input}></json-input>`
          : html`<schema-form class="input" .fields=${fields}></schema-form>`,
      )}
    `
  }

  /** The work as its owner describes it: the peer that was chosen, else whoever offers it first. */
  #described(offered: readonly CapabilityDescription[]): CapabilityDescription | undefined {
    const chosen = this.peer.peers.find(({ id }) => id === this.#to)?.capabilities ?? []
    return [...chosen, ...offered].find(({ name }) => name === this.#capability)
  }

  /** What this app knows how to ask for, and whatever else somebody offers. */
  #offered(): CapabilityDescription[] {
    const all = new Map<string, CapabilityDescription>(BUILT_IN.map((capability) => [capability.name, capability]))
    for (const { capabilities } of this.peer.peers)
      for (const capability of capabilities) if (!all.has(capability.name)) all.set(capability.name, capability)
    return [...all.values()]
  }

  #able(capability: string): PeerInfo[] {
    return this.peer.peers.filter(({ capabilities }) => capabilities.some(({ name }) => name === capability))
  }

  async #handOver(event: SubmitEvent) {
    event.preventDefault()
    const capability = this.#capability
    const options = { priority: this.#priority, ...(this.#to !== '' && { to: this.#to }) }
    this.#fault = ''
    try {
      const form = this.renderRoot.querySelector<WorkInput>('.input')
      if (form === null) return
      const work = await form.read()
      if (this.#opensTab()) {
        this.#waiting = { ...work, capability, options }
        openAnotherTab(this.address)
      } else store.handOver(capability, work, options)
    } catch (error) {
      this.#fault = (error as Error).message
    }
    this.requestUpdate()
  }

  #stopWaiting() {
    this.#waiting = undefined
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

function renderDescription({ name, version, description }: CapabilityDescription) {
  return html`<p class="whole small soft">
    <bdi>${plainText(description ?? '')}</bdi> <code>${plainText(name)} ${plainText(version)}</code>
  </p>`
}

customElements.define('hand-over', HandOver)
