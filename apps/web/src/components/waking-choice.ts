import type { Peer, WakePolicy } from '@tsunagi/protocol'
import { css, html, LitElement } from 'lit'
import { live } from 'lit/directives/live.js'
import { store } from '../peer-store.ts'
import { controls } from '../styles/controls.ts'

const WHO: Readonly<Record<WakePolicy, string>> = {
  mesh: 'everybody in the mesh',
  contacts: 'my contacts',
  nobody: 'nobody',
}

/** Milliseconds in which a push service answers if it is within reach at all; browsers themselves may wait for ever. */
const PUSH_PATIENCE = 10_000

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
  /** What it is being turned to, which takes a while. */
  #turningTo: boolean | undefined

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
          .checked=${live(this.#turningTo ?? state === 'on')}
          ?disabled=${isFixed || this.#turningTo !== undefined}
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
    const { reachability } = this.peer
    this.#turningTo = (target as HTMLInputElement).checked
    this.requestUpdate()
    try {
      if (this.#turningTo) {
        // Asked here already: how long a person thinks about it says nothing of the push service.
        await Notification.requestPermission()
        await withinPatience(reachability.enable())
      } else await withinPatience(reachability.disable())
    } catch (error) {
      store.report('Reachable when closed', error)
    }
    this.#turningTo = undefined
    this.requestUpdate()
  }
}

/** Settles as `answer` does, or rejects when that takes too long; what comes of it later, the peer's reachability tells. */
async function withinPatience(answer: Promise<void>): Promise<void> {
  let silence: ReturnType<typeof setTimeout> | undefined
  const tooLong = new Promise<never>((_, reject) => {
    silence = setTimeout(() => reject(new Error('The push service of this browser does not answer.')), PUSH_PATIENCE)
  })
  await Promise.race([answer, tooLong]).finally(() => clearTimeout(silence))
}

customElements.define('waking-choice', WakingChoice)
