import { css, html, LitElement } from 'lit'
import { inviteLink, type MeshAddress } from '../mesh-address.ts'
import { controls } from '../styles/controls.ts'
import './copy-button.ts'
import './join-form.ts'
import './qr-code.ts'

/** The way in for others, and the way from here into another mesh. */
export class InvitePanel extends LitElement {
  static override properties = { address: { attribute: false }, first: { type: Boolean } }
  static override styles = [
    controls,
    css`
      section {
        display: flex;
        flex-wrap: wrap;
        gap: var(--space-3) var(--space-5);
        padding-block: var(--space-3);
      }
      details[open] {
        flex: 1 0 100%;
      }
      .invite {
        display: grid;
        grid-template-columns: minmax(0, 1fr) 8.5rem;
        gap: var(--space-2) var(--space-4);
        padding-block-start: var(--space-3);
      }
      .words {
        display: flex;
        flex-wrap: wrap;
        gap: var(--space-2);
        align-content: start;
      }
      .words > input {
        flex: 1 1 9rem;
        width: auto;
      }
      .words > p {
        flex: 1 0 100%;
      }
      input {
        font-family: var(--mono);
        font-size: var(--text-small);
      }
      join-form {
        padding-block-start: var(--space-3);
      }
    `,
  ]
  declare address: MeshAddress
  /** Whether this page began the mesh: then the invitation stands open. */
  declare first: boolean

  override render() {
    const link = inviteLink(location.href, this.address)
    return html`
      <section class="panel" aria-label="Invite and join">
        <details ?open=${this.first}>
          <summary><h2>Invite others</h2></summary>
          <div class="invite">
            <div class="words">
              <input readonly aria-label="Invite link" .value=${link} @focus=${selectAll} />
              <copy-button label="Copy invite link" .text=${link}></copy-button>
              <p class="small soft">
                ${
                  this.address.secret === undefined
                    ? 'This mesh has no secret: whoever knows its name can join and hand over work here.'
                    : 'Whoever has this link can join and hand over work here. The server never sees its secret.'
                }
              </p>
            </div>
            <qr-code label="QR code of the invite link" .text=${link}></qr-code>
          </div>
        </details>
        <details>
          <summary><h2>Join another mesh</h2></summary>
          <join-form></join-form>
        </details>
      </section>
    `
  }
}

function selectAll({ target }: Event) {
  ;(target as HTMLInputElement).select()
}

customElements.define('invite-panel', InvitePanel)
