import type { Peer, PeerId } from '@tsunagi/protocol'
import { css, html, LitElement, nothing } from 'lit'
import { count } from '../format.ts'
import { type MeshAddress, openAnotherTab } from '../mesh-address.ts'
import { type Problem, store } from '../peer-store.ts'
import type { Missing } from '../requirements.ts'
import { controls } from '../styles/controls.ts'
import './account-panel.ts'
import './consent-panel.ts'
import './error-notices.ts'
import './hand-over.ts'
import './invite-panel.ts'
import './mesh-picture.ts'
import './message-inspector.ts'
import './open-questions.ts'
import './page-header.ts'
import './peer-list.ts'
import './task-list.ts'
import './transfer-panel.ts'

/** The page: the mesh in the middle, work beside it, the inspector below. */
export class TsunagiApp extends LitElement {
  static override properties = { began: { attribute: false } }
  static override styles = [
    controls,
    css`
      main {
        display: grid;
        grid-template:
          'door work' auto
          'mesh work' auto
          'more work' 1fr / minmax(0, 1fr) 26rem;
        align-items: start;
        gap: var(--space-4);
        max-width: 88rem;
        margin: 0 auto;
        padding: 0 var(--space-5) var(--space-6);
      }
      invite-panel {
        grid-area: door;
      }
      .mesh {
        grid-area: mesh;
        display: grid;
        grid-template-columns: minmax(0, 1fr);
        gap: var(--space-3);
      }
      .more {
        grid-area: more;
      }
      .work {
        grid-area: work;
      }
      .more,
      .work {
        display: grid;
        grid-template-columns: minmax(0, 1fr);
        gap: var(--space-4);
      }
      /* At the end of the page it takes room of its own, so that it hides nothing that cannot be scrolled free. */
      .foot {
        position: sticky;
        inset-block-end: 0;
        z-index: 1;
        pointer-events: none;
      }
      .title {
        display: flex;
        flex-wrap: wrap;
        align-items: baseline;
        gap: 0 var(--space-3);
      }
      .alone {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: var(--space-2) var(--space-3);
        padding: var(--space-3);
        background: var(--well);
        border-radius: var(--corner);
      }
      .alone p {
        flex: 1 1 16rem;
      }
      .stop {
        grid-column: 1 / -1;
        display: grid;
        gap: var(--space-3);
        justify-items: start;
        max-width: 44rem;
      }
      .stop join-form {
        justify-self: stretch;
      }
      .stop h2 {
        font-size: var(--text-large);
      }
      @media (max-width: 64rem) {
        main {
          grid-template: 'door' 'mesh' 'work' 'more' / minmax(0, 1fr);
        }
      }
      @media (max-width: 40rem) {
        main {
          padding-inline: var(--space-2);
        }
      }
    `,
  ]
  /** The mesh this page began itself, if it did. */
  declare began: MeshAddress | undefined
  #selected: PeerId | undefined

  constructor() {
    super()
    store.drawOnChange(this)
  }

  override render() {
    return html`
      <page-header></page-header>
      <main>${this.#renderPlace()}</main>
      <div class="foot">
        <open-questions></open-questions>
        <error-notices></error-notices>
      </div>
      <p class="aloud" aria-live="polite">${store.announcement}</p>
    `
  }

  #renderPlace() {
    const { place } = store
    switch (place.kind) {
      case 'starting':
        return nothing
      case 'unsupported':
        return renderUnsupported(place.missing)
      case 'invalid-invite':
        return renderInvalidInvite(place.reason)
      case 'joining':
        return html`<section class="stop panel" aria-busy="true"><h2>Joining ${place.address.mesh}</h2>
          <p>Making or finding the keys of this tab…</p></section>`
      case 'failed':
        return renderFailure(place.address, place.problem)
      case 'joined':
        return this.#renderMesh(place.peer, place.address)
    }
  }

  #renderMesh(peer: Peer, address: MeshAddress) {
    const sessions = peer.peers.filter(({ session }) => session?.state === 'established').length
    const pick = ({ detail }: CustomEvent<PeerId | undefined>) => {
      this.#selected = detail
      this.requestUpdate()
    }
    return html`
      <invite-panel .address=${address} .first=${this.began === address}></invite-panel>
      <section class="mesh panel" aria-labelledby="mesh">
        <div class="title">
          <h2 id="mesh">Mesh</h2>
          <span class="small soft">${
            peer.peers.length === 0
              ? nothing
              : `${count(peer.peers.length, 'other peer')}, ${count(sessions, 'session')}`
          }</span>
        </div>
        <mesh-picture .peer=${peer} .selected=${this.#selected} @peer-picked=${pick}></mesh-picture>
        ${
          peer.peers.length === 0
            ? renderAlone(address)
            : html`<peer-list .peer=${peer} .selected=${this.#selected} @peer-picked=${pick}></peer-list>`
        }
        ${peer.status === 'closed' ? renderRejoin(address) : nothing}
      </section>
      <div class="work">
        <hand-over .peer=${peer} .address=${address}></hand-over>
        <task-list .peer=${peer}></task-list>
        <transfer-panel .peer=${peer}></transfer-panel>
      </div>
      <div class="more">
        <consent-panel .peer=${peer}></consent-panel>
        <account-panel></account-panel>
        <message-inspector .peer=${peer}></message-inspector>
      </div>
    `
  }
}

function renderAlone(address: MeshAddress) {
  const open = () => openAnotherTab(address)
  return html`<div class="alone">
    <p>Nobody else is here yet. Open a second tab, or send the invite link to another device: each is a peer of its own.</p>
    <button type="button" @click=${open}>Open a second tab</button>
  </div>`
}

function renderRejoin(address: MeshAddress) {
  return html`<div class="alone" role="alert">
    <p>This tab is not in the mesh any more.</p>
    <button type="button" class="primary" @click=${() => store.join(address)}>Join again</button>
  </div>`
}

function renderUnsupported(missing: readonly Missing[]) {
  return html`<section class="stop panel" role="alert">
    <h2>This page cannot join a mesh here</h2>
    ${missing.map(({ what, remedy }) => html`<p>${what}<br />${remedy}</p>`)}
  </section>`
}

function renderInvalidInvite(reason: string) {
  return html`<section class="stop panel">
    <h2>This invite link does not work</h2>
    <p role="alert">${reason} Ask for the link again, enter the mesh by hand, or <a href="./">start a mesh of your own</a>.</p>
    <join-form></join-form>
  </section>`
}

function renderFailure(address: MeshAddress, { text, code }: Problem) {
  return html`<section class="stop panel">
    <h2>${address.mesh} could not be joined</h2>
    <p role="alert">${text} ${code === undefined ? nothing : html`<code class="small">${code}</code>`}</p>
    <button type="button" class="primary" @click=${() => store.join(address)}>Try again</button>
  </section>`
}

customElements.define('tsunagi-app', TsunagiApp)
