import { fingerprintOf, type Peer, type PeerId, type PeerInfo, type TraceEntry } from '@tsunagi/protocol'
import { css, html, LitElement, nothing, svg } from 'lit'
import { repeat } from 'lit/directives/repeat.js'
import { shorten } from '../format.ts'
import { assignSlots, layOut, type MeshLayout, type Point, type Size, trim } from '../mesh-layout.ts'
import { healthOf, lineOf } from '../peer-state.ts'
import { store } from '../peer-store.ts'
import { identiconHues, identiconShape } from './peer-identicon.ts'

const SELF_SIDE = 60
/** A message takes this long from end to end; what it tells is direction and how busy a line is, not speed. */
const TRAVEL = 650
/** On one line and direction a further message is drawn only after this long: a busy line stays a row of dots. */
const DOT_GAP = 150

/** This peer and the others, a line for each session, messages as they travel. */
export class MeshPicture extends LitElement {
  static override properties = { peer: { attribute: false }, selected: { attribute: false } }
  static override styles = [
    identiconHues,
    css`
      :host {
        display: block;
        contain: content;
        height: 22rem;
      }
      :host([others='0']) {
        height: 12rem;
      }
      :host([others='1']) {
        height: 15rem;
      }
      svg {
        display: block;
        width: 100%;
        height: 100%;
        font: var(--text-small) var(--sans);
        font-variant-numeric: tabular-nums;
      }
      text {
        text-anchor: middle;
        fill: var(--ink);
        stroke: var(--surface);
        stroke-width: 5;
        stroke-linejoin: round;
        paint-order: stroke;
      }
      .soft {
        fill: var(--ink-soft);
      }
      .gap {
        fill: var(--surface);
      }
      .self {
        font-weight: 600;
      }
      .frame {
        fill: var(--surface);
        stroke: var(--control-rule);
      }
      .own {
        stroke: var(--accent);
        stroke-width: 2;
      }
      .peer {
        cursor: pointer;
        outline: none;
      }
      .peer:hover .frame {
        stroke: var(--ink);
      }
      .peer[aria-current='true'] .frame {
        stroke: var(--ink);
        stroke-width: 2;
      }
      .ring {
        fill: none;
        stroke: none;
      }
      .peer:focus-visible .ring {
        stroke: var(--accent);
        stroke-width: 2;
      }
      line {
        stroke: var(--accent);
        stroke-width: 1.75;
      }
      .long {
        stroke-dasharray: 16 5;
      }
      .dashed {
        stroke: var(--ink-soft);
        stroke-dasharray: 5 5;
      }
      .dotted {
        stroke: var(--alarm);
        stroke-dasharray: 0.1 6;
        stroke-linecap: round;
        stroke-width: 2.5;
      }
      .out {
        fill: var(--accent);
        stroke: var(--surface);
      }
      .in {
        fill: var(--surface);
        stroke: var(--accent);
        stroke-width: 2;
      }
      .refused {
        fill: var(--alarm);
        stroke: var(--alarm);
      }
    `,
  ]
  declare peer: Peer
  declare selected: PeerId | undefined
  #size: Size = { width: 0, height: 0 }
  #slots: ReadonlyMap<PeerId, number> = new Map()
  /** Others the picture has room for: nobody, one, or a ring. */
  #room = 0
  #layout: MeshLayout | undefined
  #stopTrace: (() => void) | undefined
  #onScreen = false
  readonly #lastDots = new Map<PeerId, { out: number; in: number }>()
  readonly #still = matchMedia('(prefers-reduced-motion: reduce)')
  readonly #resized = new ResizeObserver(([entry]) => {
    if (entry === undefined) return
    this.#size = entry.contentRect
    this.requestUpdate()
  })
  readonly #seen = new IntersectionObserver(([entry]) => {
    this.#onScreen = entry?.isIntersecting === true
    this.#follow()
  })

  constructor() {
    super()
    store.drawOnChange(this)
  }

  override connectedCallback() {
    super.connectedCallback()
    this.#resized.observe(this)
    this.#seen.observe(this)
    document.addEventListener('visibilitychange', this.#follow)
  }

  override disconnectedCallback() {
    super.disconnectedCallback()
    this.#resized.disconnect()
    this.#seen.disconnect()
    document.removeEventListener('visibilitychange', this.#follow)
    this.#onScreen = false
    this.#follow()
  }

  /** Messages are followed only while somebody can see them. */
  readonly #follow = () => {
    const wanted = this.#onScreen && !document.hidden
    if (wanted) this.#stopTrace ??= store.onTrace((message) => this.#showMessage(message))
    else {
      this.#stopTrace?.()
      this.#stopTrace = undefined
    }
  }

  override render() {
    const { peers, id, name } = this.peer
    this.#slots = assignSlots(
      this.#slots,
      peers.map((peer) => peer.id),
    )
    for (const peer of this.#lastDots.keys()) if (!this.#slots.has(peer)) this.#lastDots.delete(peer)
    // The step from a pair to a ring moves everybody, so it waits until the pointer has gone.
    if (!this.matches(':hover')) this.#room = Math.min(peers.length, 2)
    this.setAttribute('others', String(this.#room))
    const { width, height } = this.#size
    if (width === 0) return nothing
    const layout = layOut(this.#slots, this.#size, this.#room < 2)
    this.#layout = layout
    const shown = peers.filter((peer) => layout.peers.has(peer.id))
    return html`
      <svg viewBox="0 0 ${width} ${height}" role="group" aria-label="Picture of the mesh">
        ${repeat(
          shown,
          (peer) => peer.id,
          (peer) => this.#renderLine(peer),
        )}
        <g class="messages"></g>
        ${repeat(
          shown,
          (peer) => peer.id,
          (peer) => this.#renderLineText(peer),
        )}
        <g transform="translate(${layout.self.x} ${layout.self.y})" role="img" aria-label="This tab">
          ${frame('frame own', SELF_SIDE, 6)}
          <g transform="translate(-24 -24)">${identiconShape(id, 48)}</g>
          <text class="self" y=${SELF_SIDE / 2 + 17}>${name === '' ? 'This tab' : shorten(name, 20)}</text>
        </g>
        ${repeat(
          shown,
          (peer) => peer.id,
          (peer) => this.#renderPeer(peer, layout),
        )}
      </svg>
    `
  }

  #renderLine(peer: PeerInfo) {
    const ends = this.#endsOf(peer.id)
    if (ends === undefined) return nothing
    const [from, to] = ends
    return svg`<line class=${lineOf(peer).pattern} x1=${from.x} y1=${from.y} x2=${to.x} y2=${to.y}></line>`
  }

  #renderLineText(peer: PeerInfo) {
    const { text } = lineOf(peer)
    const ends = this.#endsOf(peer.id)
    if (ends === undefined) return nothing
    if (!fits(text, ends)) return this.#renderTextAtPeer(peer.id, text)
    const [from, to] = ends
    const middle = { x: (from.x + to.x) / 2, y: (from.y + to.y) / 2 }
    const width = widthOf(text)
    return svg`
      <rect class="gap" x=${middle.x - width / 2} y=${middle.y - 9} width=${width} height="18"></rect>
      <text class="soft" x=${middle.x} y=${middle.y + 4.5} aria-hidden="true">${text}</text>
    `
  }

  /** On a short line there is no room for its state, which then stands beyond the name. */
  #renderTextAtPeer(id: PeerId, text: string) {
    const at = this.#layout?.peers.get(id)
    if (this.#layout === undefined || at === undefined || this.#layout.nameLength === 0) return nothing
    const { self, side } = this.#layout
    const y = isAbove(at, self, side) ? at.y - side / 2 - 24 : at.y + side / 2 + 33
    return svg`<text class="soft" x=${at.x} y=${y} aria-hidden="true">${text}</text>`
  }

  #renderPeer(peer: PeerInfo, { self, peers, side, nameLength }: MeshLayout) {
    const at = peers.get(peer.id) ?? self
    const pick = () => this.dispatchEvent(new CustomEvent('peer-picked', { detail: peer.id }))
    const fingerprint = fingerprintOf(peer.id)
    const { text } = lineOf(peer)
    const name = peer.name === '' ? fingerprint : shorten(peer.name, nameLength)
    return svg`
      <g
        class="peer"
        role="button"
        tabindex="0"
        aria-current=${this.selected === peer.id}
        aria-label=${[...new Set([peer.name || fingerprint, text, healthOf(peer).word])].join(', ')}
        transform="translate(${at.x} ${at.y})"
        @click=${pick}
        @focus=${pick}
        @keydown=${(event: KeyboardEvent) => {
          if (event.key !== 'Enter' && event.key !== ' ') return
          event.preventDefault()
          pick()
        }}
      >
        ${frame('ring', side + 8, 6)}
        ${frame('frame', side, 4)}
        <g transform="translate(${5 - side / 2} ${5 - side / 2})">${identiconShape(peer.id, side - 10)}</g>
        ${
          nameLength === 0
            ? nothing
            : svg`<text
                y=${isAbove(at, self, side) ? -side / 2 - 9 : side / 2 + 18}
                class=${peer.name === '' ? 'soft' : ''}
              >${name}</text>`
        }
      </g>
    `
  }

  #endsOf(id: PeerId): [Point, Point] | undefined {
    const to = this.#layout?.peers.get(id)
    if (this.#layout === undefined || to === undefined) return undefined
    const { self, side } = this.#layout
    const [x, y] = [Math.abs(to.x - self.x), Math.abs(to.y - self.y)]
    // Both pictures are squares, whose corners are further out than their sides.
    const slant = Math.hypot(x, y) / Math.max(x, y, 1)
    // Below this peer stands its name, which lines go round.
    const below = to.y > self.y && y > x
    return trim(self, to, (SELF_SIDE / 2 + (below ? 26 : 8)) * slant, (side / 2 + 9) * slant)
  }

  #showMessage({ peer, direction, refused }: TraceEntry) {
    const ends = this.#endsOf(peer)
    const messages = this.renderRoot.querySelector('.messages')
    const now = performance.now()
    const last = this.#lastDots.get(peer) ?? { out: -DOT_GAP, in: -DOT_GAP }
    if (ends === undefined || messages === null || now - last[direction] < DOT_GAP) return
    this.#lastDots.set(peer, { ...last, [direction]: now })
    const dot = document.createElementNS('http://www.w3.org/2000/svg', 'circle')
    dot.setAttribute('r', '3.5')
    dot.setAttribute('class', refused === undefined ? direction : 'refused')
    messages.append(dot)
    const [near, far] = ends
    // Where motion is unwanted the message stands still, nearer to its sender.
    const [rest] = direction === 'out' ? trim(near, far, 12, 0) : trim(far, near, 12, 0)
    const [from, to] = this.#still.matches ? [rest, rest] : direction === 'out' ? [near, far] : [far, near]
    const at = ({ x, y }: Point) => ({ transform: `translate(${x}px, ${y}px)` })
    dot.animate([at(from), at(to)], { duration: TRAVEL, easing: 'ease-in-out' }).onfinish = () => dot.remove()
  }
}

/** Names of those above this peer stand over their pictures, where no line runs. */
function isAbove(at: Point, self: Point, side: number): boolean {
  return at.y < self.y - side
}

/** Room that `text` takes on a line, in pixels. */
function widthOf(text: string): number {
  return text.length * 7.2 + 10
}

function fits(text: string, [from, to]: [Point, Point]): boolean {
  const [x, y] = [Math.abs(to.x - from.x), Math.abs(to.y - from.y)]
  const length = Math.hypot(x, y) || 1
  // Some of the line must be left to see on both sides.
  return length >= (x / length) * widthOf(text) + (y / length) * 18 + 28
}

function frame(name: string, side: number, corner: number) {
  return svg`<rect class=${name} x=${-side / 2} y=${-side / 2} width=${side} height=${side} rx=${corner}></rect>`
}

customElements.define('mesh-picture', MeshPicture)
