import { css, html, type TemplateResult } from 'lit'

/** Shapes that differ without colour. They stand beside a word that says the same. */
export type Mark = 'full' | 'half' | 'empty' | 'dashed' | 'check' | 'cross'

const SHAPES: Record<Mark, TemplateResult> = {
  full: html`<svg viewBox="0 0 12 12" aria-hidden="true"><circle cx="6" cy="6" r="5" class="filled" /></svg>`,
  half: html`<svg viewBox="0 0 12 12" aria-hidden="true">
    <circle cx="6" cy="6" r="4.5" />
    <path d="M6 1.5a4.5 4.5 0 0 1 0 9z" class="filled" />
  </svg>`,
  empty: html`<svg viewBox="0 0 12 12" aria-hidden="true"><circle cx="6" cy="6" r="4.5" /></svg>`,
  dashed: html`<svg viewBox="0 0 12 12" aria-hidden="true">
    <circle cx="6" cy="6" r="4.5" stroke-dasharray="2 1.53" />
  </svg>`,
  check: html`<svg viewBox="0 0 12 12" aria-hidden="true"><path d="M1.5 6.5l3 3 6-7" /></svg>`,
  cross: html`<svg viewBox="0 0 12 12" aria-hidden="true"><path d="M2 2l8 8m0-8l-8 8" /></svg>`,
}

export function stateMark(mark: Mark): TemplateResult {
  return html`<span class="mark ${mark}">${SHAPES[mark]}</span>`
}

export const markStyles = css`
  .mark {
    display: inline-block;
    width: 0.75em;
    height: 0.75em;
    margin-inline-end: 0.4em;
    color: var(--accent);
  }
  .mark.cross,
  .mark.empty {
    color: var(--alarm);
  }
  .mark.dashed {
    color: var(--ink-soft);
  }
  .mark svg {
    display: block;
    fill: none;
    stroke: currentColor;
    stroke-width: 1.6;
  }
  .mark .filled {
    fill: currentColor;
    stroke: none;
  }
`
