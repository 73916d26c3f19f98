import { css } from 'lit'

/** What every component shares: headings, controls, focus. All values are tokens. */
export const controls = css`
  *,
  *::before,
  *::after {
    box-sizing: border-box;
  }
  :host {
    display: block;
  }
  :host([hidden]) {
    display: none;
  }
  h1,
  h2,
  h3,
  p,
  dl,
  dd,
  ul {
    margin: 0;
    padding: 0;
  }
  h2 {
    font-size: var(--text);
    font-weight: 650;
  }
  h3 {
    font-size: var(--text);
    font-weight: 600;
  }
  a {
    color: var(--accent);
  }
  code,
  .mono {
    font-family: var(--mono);
    font-size: 0.93em;
  }
  /* Words of strangers: one without a space may be as long as they like. */
  bdi,
  code {
    overflow-wrap: anywhere;
  }
  .soft {
    color: var(--ink-soft);
  }
  .small {
    font-size: var(--text-small);
  }
  .fault {
    color: var(--alarm);
  }
  .aloud {
    position: absolute;
    width: 1px;
    height: 1px;
    overflow: hidden;
    clip-path: inset(50%);
    white-space: nowrap;
  }
  button,
  input,
  select,
  textarea {
    font: inherit;
    font-variant-numeric: tabular-nums;
    color: inherit;
    border: 1px solid var(--control-rule);
    border-radius: var(--corner);
    background: var(--surface);
    min-height: 2.25rem;
    padding: var(--space-1) var(--space-2);
  }
  input,
  select,
  textarea {
    width: 100%;
    min-width: 0;
  }
  button {
    padding-inline: var(--space-3);
    cursor: pointer;
    white-space: nowrap;
  }
  button:hover,
  summary:hover {
    background: var(--well);
  }
  button.primary {
    background: var(--accent);
    border-color: var(--accent);
    color: var(--on-accent);
    font-weight: 600;
  }
  button.primary:hover {
    text-decoration: underline;
  }
  button.quiet {
    border-color: transparent;
    background: none;
    color: var(--accent);
    padding-inline: var(--space-2);
  }
  button.quiet:hover {
    background: var(--well);
  }
  button[aria-pressed='true'] {
    background: var(--ink);
    border-color: var(--ink);
    color: var(--ground);
  }
  label {
    display: grid;
    gap: var(--space-1);
    font-size: var(--text-small);
    color: var(--ink-soft);
  }
  label > input,
  label > select,
  label > textarea {
    font-size: var(--text);
    color: var(--ink);
  }
  summary {
    cursor: pointer;
    border-radius: var(--corner);
  }
  summary > h2,
  summary > h3 {
    display: inline;
  }
  .panel {
    background: var(--surface);
    border: 1px solid var(--rule);
    border-radius: var(--corner);
    padding: var(--space-4);
  }
  :focus-visible {
    outline: 2px solid var(--accent);
    outline-offset: 2px;
  }
  @media (pointer: coarse) {
    button,
    input,
    select {
      min-height: 2.75rem;
    }
    input,
    select,
    textarea,
    label > input,
    label > select,
    label > textarea {
      /* Below 16 px a phone zooms into a field that gets the focus. */
      font-size: 1rem;
    }
  }
`
