import type { PeerId } from '@tsunagi/protocol'
import { css, html, LitElement, svg } from 'lit'
import { IDENTICON_CELLS, identiconOf } from '../identicon.ts'

/** The filled cells, `side` wide, for use inside another picture. Colours come from {@link identiconHues}. */
export function identiconShape(id: PeerId, side: number) {
  const { path, hue } = identiconOf(id)
  return svg`<path d=${path} class="hue-${hue}" transform="scale(${side / IDENTICON_CELLS})" shape-rendering="crispEdges"></path>`
}

export const identiconHues = css`
  .hue-0 {
    fill: var(--hue-0);
  }
  .hue-1 {
    fill: var(--hue-1);
  }
  .hue-2 {
    fill: var(--hue-2);
  }
  .hue-3 {
    fill: var(--hue-3);
  }
  .hue-4 {
    fill: var(--hue-4);
  }
  .hue-5 {
    fill: var(--hue-5);
  }
  .hue-6 {
    fill: var(--hue-6);
  }
  .hue-7 {
    fill: var(--hue-7);
  }
`

/** A small picture beside a peer's name; the name and fingerprint say the same in words, so it is silent. */
export class PeerIdenticon extends LitElement {
  static override properties = { peer: { type: String } }
  static override styles = [
    identiconHues,
    css`
      :host {
        display: inline-block;
        flex: none;
        width: 1.75rem;
        height: 1.75rem;
        padding: 3px;
        box-sizing: border-box;
        background: var(--surface);
        border: 1px solid var(--rule);
        border-radius: var(--corner);
      }
      svg {
        display: block;
      }
    `,
  ]
  declare peer: PeerId

  override render() {
    return html`<svg viewBox="0 0 ${IDENTICON_CELLS} ${IDENTICON_CELLS}" aria-hidden="true">
      ${identiconShape(this.peer, IDENTICON_CELLS)}
    </svg>`
  }
}

customElements.define('peer-identicon', PeerIdenticon)
