import type { Health, PeerInfo } from '@tsunagi/protocol'
import { css, html, LitElement, svg } from 'lit'
import { span } from '../format.ts'
import { lastingOf, stretchesOf } from '../health-history.ts'
import { controls } from '../styles/controls.ts'

/** Shown at once. */
const MINUTES = 10
const WINDOW = MINUTES * 60_000
const [WIDTH, HEIGHT] = [600, 24]

/** Height of a bar, so that the strip reads without colour: the less of a peer is there, the lower. */
const LEVEL: Readonly<Record<Health, number>> = {
  healthy: 1,
  degraded: 0.6,
  idle: 0.35,
  connecting: 0.2,
  unreachable: 0.08,
}

/** A peer's health over the last minutes. */
export class HealthStrip extends LitElement {
  static override properties = { info: { attribute: false } }
  static override styles = [
    controls,
    css`
      svg {
        display: block;
        width: 100%;
        height: 1.5rem;
      }
      .ground {
        fill: var(--surface);
      }
      rect {
        fill: var(--accent);
      }
      .unreachable,
      .degraded {
        fill: var(--alarm);
      }
      .connecting,
      .idle {
        fill: var(--ink-soft);
      }
    `,
  ]
  declare info: PeerInfo

  override render() {
    const now = Date.now()
    const stretches = stretchesOf(this.info.healthChanges, now - WINDOW, now)
    const words = lastingOf(stretches).map(([health, time]) => `${health} ${span(time)}`)
    const x = (at: number) => ((at - now + WINDOW) / WINDOW) * WIDTH
    return html`
      <svg viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" aria-hidden="true">
        <rect class="ground" width=${WIDTH} height=${HEIGHT}></rect>
        ${stretches.map(({ health, from, to }) => {
          const height = HEIGHT * LEVEL[health]
          return svg`<rect class=${health} x=${x(from)} y=${HEIGHT - height} width=${Math.max(1, x(to) - x(from))} height=${height}></rect>`
        })}
      </svg>
      <p class="small soft">Last ${MINUTES} minutes: ${words.join(', ') || 'nothing known'}</p>
    `
  }
}

customElements.define('health-strip', HealthStrip)
