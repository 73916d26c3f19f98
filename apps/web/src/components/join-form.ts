import { PROTOCOL } from '@tsunagi/protocol'
import { css, html, LitElement } from 'lit'
import { fragmentOf, readInvite, readTyped } from '../mesh-address.ts'
import { controls } from '../styles/controls.ts'

/** Asks for a mesh and goes there by changing the fragment, which is where this page reads its mesh from. */
export class JoinForm extends LitElement {
  static override styles = [
    controls,
    css`
      form {
        display: flex;
        flex-wrap: wrap;
        gap: var(--space-3);
        align-items: end;
      }
      label {
        flex: 1 1 10rem;
      }
      p {
        flex: 1 0 100%;
      }
    `,
  ]
  #fault = ''

  override render() {
    return html`
      <form @submit=${this.#join}>
        <label>
          Mesh name or invite link
          <input name="mesh" autocomplete="off" spellcheck="false" aria-describedby="fault" />
        </label>
        <label>
          Secret, if it has one
          <input name="secret" autocomplete="off" spellcheck="false" maxlength=${PROTOCOL.maxSecret} />
        </label>
        <button type="submit">Join</button>
        <p id="fault" class="fault small" role="alert" ?hidden=${this.#fault === ''}>${this.#fault}</p>
      </form>
    `
  }

  #join(event: SubmitEvent) {
    event.preventDefault()
    const fields = new FormData(event.target as HTMLFormElement)
    const typed = readTyped(String(fields.get('mesh')).trim(), String(fields.get('secret')), location.href)
    const here = readInvite(location.hash)
    if (typed.kind === 'invalid') this.#fault = typed.reason
    else if (here.kind === 'mesh' && fragmentOf(here.address) === fragmentOf(typed.address))
      this.#fault = 'This tab is in that mesh already.'
    else {
      this.#fault = ''
      location.hash = fragmentOf(typed.address)
    }
    this.requestUpdate()
    if (this.#fault !== '') this.renderRoot.querySelector('input')?.focus()
  }
}

customElements.define('join-form', JoinForm)
