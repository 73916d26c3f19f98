import type { Peer, WakePolicy } from '@tsunagi/protocol'
import { css, html, LitElement } from 'lit'
import { store } from '../peer-store.ts'
import { controls } from '../styles/controls.ts'

const WHO: Readonly<Record<WakePolicy, string>> = {
  mesh: 'everybody in the mesh',
  contacts: 'my contacts',
  nobody: 'nobody',
}

/** Who may wake this peer, and whether while it is closed. */
export class WakingChoice extends LitElement {
  static override properties = { peer: { attribute: false } }
  static override styles = [
    controls,
    css`
      fieldset {
        display: grid;
        gap: var(--space-2);
        margin: 0;
        padding: var(--space-3) 0 0;
        border: 0;
        border-block-start: 1px solid var(--rule);
      }
      legend {
        float: left;
        padding: 0;
        font-weight: 600;
      }
      .switch {
        display: flex;
        align-items: center;
        gap: var(--space-2);
        color: var(--ink);
        font-size: var(--text);
      }
      .switch input {
        flex: none;
        width: 1.25rem;
        height: 1.25rem;
        min-height: 0;
        accent-color: var(--accent);
      }
    `,
  ]
  declare peer: Peer
  /** Turning it on or off takes a while, in which it is neither. */
  #isTurning = false

  constructor() {
    super()
    store.drawOnChange(this)
  }

  override render() {
    const { wakePolicy, reachability } = this.peer
    const { state } = reachability
    const isFixed = state === 'unsupported' || state === 'denied'
    return html`<fieldset>
      <legend>Wake this tab</legend>
      <label>
        Who
        <select @change=${this.#choose}>
          ${(Object.keys(WHO) as WakePolicy[]).map(
            (who) => html`<option value=${who} ?selected=${who === wakePolicy}>${WHO[who]}</option>`,
          )}
        </select>
      </label>
      <label class="switch">
        <input
          type="checkbox"
          role="switch"
          .checked=${state === 'on'}
          ?disabled=${isFixed || this.#isTurning}
          aria-describedby="about"
          @change=${this.#turn}
        />
        Reachable when closed
      </label>
      <p id="about" class="small soft">${
        state === 'unsupported'
          ? 'This browser cannot take notifications for a page that is closed.'
          : state === 'denied'
            ? 'Notifications are forbidden for this site; the settings of the browser can allow them.'
            : 'When somebody wakes this tab while it is closed, the browser shows a notification that opens it.'
      }</p>
    </fieldset>`
  }

  #choose({ target }: Event) {
    this.peer.wakePolicy = (target as HTMLSelectElement).value as WakePolicy
  }

  async #turn({ target }: Event) {
    const field = target as HTMLInputElement
    this.#isTurning = true
    this.requestUpdate()
    try {
      await (field.checked ? this.peer.reachability.enable() : this.peer.reachability.disable())
    } catch (error) {
      store.report('Reachable when closed', error)
      // The browser has the last word, and it may have said no.
      field.checked = this.peer.reachability.state === 'on'
    }
    this.#isTurning = false
    this.requestUpdate()
  }
}

customElements.define('waking-choice', WakingChoice)
