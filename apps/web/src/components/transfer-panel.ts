import type { Peer, PeerId } from '@tsunagi/protocol'
import { css, html, LitElement, nothing } from 'lit'
import { repeat } from 'lit/directives/repeat.js'
import { store } from '../peer-store.ts'
import { SecondHand } from '../second-hand.ts'
import { controls } from '../styles/controls.ts'
import './transfer-line.ts'

/** Sends files to another peer, dropped here or chosen, and shows those on their way. */
export class TransferPanel extends LitElement {
  static override properties = { peer: { attribute: false } }
  static override styles = [
    controls,
    css`
      form {
        display: grid;
        gap: var(--space-3);
        margin-block-start: var(--space-3);
        padding: var(--space-3);
        border: 1px dashed var(--control-rule);
        border-radius: var(--corner);
      }
      form.over {
        border-style: solid;
        border-color: var(--accent);
        background: var(--well);
      }
      input[type='file'] {
        padding: var(--space-1);
      }
      ul {
        list-style: none;
        margin-block-start: var(--space-3);
      }
      li {
        border-block-start: 1px solid var(--rule);
      }
    `,
  ]
  declare peer: Peer
  #to: PeerId | undefined
  #isOver = false
  readonly #secondHand = new SecondHand(this)

  constructor() {
    super()
    store.drawOnChange(this)
  }

  override render() {
    const transfers = store.transfers.all
    const running = transfers.some(({ info }) => info.endedAt === undefined)
    this.#secondHand.run(running)
    const now = running ? Date.now() : 0
    return html`
      <section class="panel" aria-labelledby="title">
        <details ?open=${transfers.length > 0}>
          <summary><h2 id="title">Send files</h2> <span class="soft small">to one peer, of any size</span></summary>
          ${this.peer.peers.length === 0 ? html`<p class="soft">Nobody is here to send to.</p>` : this.#renderForm()}
        </details>
        <ul aria-label="Files" ?hidden=${transfers.length === 0}>
          ${repeat(
            transfers,
            ({ info }) => `${info.direction} ${info.peer} ${info.id}`,
            (transfer) => html`<li><transfer-line .transfer=${transfer} .now=${now}></transfer-line></li>`,
          )}
        </ul>
      </section>
    `
  }

  #renderForm() {
    const { peers } = this.peer
    const to = this.#target
    return html`<form
      class=${this.#isOver ? 'over' : ''}
      @submit=${(event: Event) => event.preventDefault()}
      @dragover=${this.#over}
      @dragleave=${() => this.#hover(false)}
      @drop=${this.#drop}
    >
      <label>
        To
        <select @change=${this.#choose}>
          ${peers.map(({ id }) => html`<option value=${id} ?selected=${id === to}>${store.labelOf(id)}</option>`)}
        </select>
      </label>
      <label>
        Files, chosen or dropped here
        <input type="file" multiple @change=${this.#pick} />
      </label>
      ${this.#isOver ? html`<p class="small">Let go to send to ${to === undefined ? 'nobody' : store.labelOf(to)}.</p>` : nothing}
    </form>`
  }

  /** The peer that was chosen, for as long as it is here. */
  get #target(): PeerId | undefined {
    const { peers } = this.peer
    return peers.some(({ id }) => id === this.#to) ? this.#to : peers[0]?.id
  }

  #choose({ target }: Event) {
    this.#to = (target as HTMLSelectElement).value
    this.requestUpdate()
  }

  #over(event: DragEvent) {
    if (event.dataTransfer?.types.includes('Files') !== true) return
    event.preventDefault()
    this.#hover(true)
  }

  #hover(isOver: boolean) {
    if (this.#isOver === isOver) return
    this.#isOver = isOver
    this.requestUpdate()
  }

  #drop(event: DragEvent) {
    event.preventDefault()
    this.#hover(false)
    this.#send([...(event.dataTransfer?.files ?? [])])
  }

  #pick({ target }: Event) {
    const field = target as HTMLInputElement
    this.#send([...(field.files ?? [])])
    // The same file may be sent again.
    field.value = ''
  }

  #send(files: readonly File[]) {
    const to = this.#target
    if (to === undefined) return
    for (const file of files) store.transfers.send(to, file)
  }
}

customElements.define('transfer-panel', TransferPanel)
