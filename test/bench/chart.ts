/** Charts as SVG text: horizontal bars with their values, readable on a light and on a dark page. */
import type { Row } from './row.ts'

/** Those that are drawn, by the case they show. */
export const CHARTS: Readonly<Record<string, string>> = {
  messages: '200-byte messages a second: more is better',
  bulk: '64 MiB, Mbit/s: more is better',
  echo: 'Request and answer, ms: less is better',
  setup: 'From knowing each other to the first answer, ms: less is better',
  'cpu, messages': 'CPU seconds of both pages per 100,000 messages: less is better',
  size: 'JavaScript loaded, kB gzip: less is better',
}

const WIDTH = 720
const LABEL = 150
const VALUE = 110
const BAR = 18
const STEP = 26
const TOP = 56

/** @param where shown small below the title: date, machine, rounds */
export function chart(title: string, where: string, rows: readonly Row[]): string {
  const shown = rows.flatMap(({ system, value, spread }) => (value === null ? [] : [{ system, value, spread }]))
  const most = Math.max(...shown.map(({ value }) => value))
  const height = TOP + shown.length * STEP + 8
  const bars = shown.map(({ system, value, spread }, n) => {
    const y = TOP + n * STEP
    const width = ((WIDTH - LABEL - VALUE) * value) / most
    const text = spread ? `${format(value)} ±${Math.round(100 * spread)} %` : format(value)
    return [
      `<text x="${LABEL - 8}" y="${y + 14}" text-anchor="end">${system}</text>`,
      `<rect x="${LABEL}" y="${y}" width="${width.toFixed(1)}" height="${BAR}" rx="2"${system.startsWith('tsunagi') ? ' class="own"' : ''}/>`,
      `<text x="${(LABEL + width + 6).toFixed(1)}" y="${y + 14}" class="value">${text}</text>`,
    ].join('')
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${title}">
<style>
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.title { font-weight: 600; font-size: 15px }
.where { font-size: 11px; fill: #59636e }
.value { font-variant-numeric: tabular-nums }
rect { fill: #9aa4af }
.own { fill: #0b7a75 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .where { fill: #9198a1 }
  rect { fill: #59636e }
  .own { fill: #2fb5ae }
}
</style>
<text x="8" y="20" class="title">${title}</text>
<text x="8" y="38" class="where">${where}</text>
${bars.join('\n')}
</svg>
`
}

function format(value: number): string {
  return value.toLocaleString('en', { maximumSignificantDigits: 3 })
}
