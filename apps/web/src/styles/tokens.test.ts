import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const css = readFileSync(new URL('./tokens.css', import.meta.url), 'utf8')

const SCHEMES = ['light', 'dark'] as const
const text = ['--ink', '--ink-soft', '--accent', '--alarm'].flatMap((ink) =>
  ['--ground', '--surface', '--well'].map((ground): [string, string, number] => [ink, ground, 4.5]),
)
const hues = Array.from({ length: 8 }, (_, i): [string, string, number] => [`--hue-${i}`, '--surface', 3])
const pairs: [string, string, number][] = [
  ...text,
  ...hues,
  ['--on-accent', '--accent', 4.5],
  ['--ink', '--alarm-well', 4.5],
  ['--alarm', '--alarm-well', 4.5],
  ['--control-rule', '--surface', 3],
  ['--control-rule', '--ground', 3],
  ['--qr-ink', '--qr-ground', 7],
]

function colour(token: string, scheme: (typeof SCHEMES)[number]): string {
  const both = new RegExp(`${token}: light-dark\\((#\\w{6}), (#\\w{6})\\)`).exec(css)
  const found = both ? both[scheme === 'light' ? 1 : 2] : new RegExp(`${token}: (#\\w{6})`).exec(css)?.[1]
  if (found === undefined) throw new Error(`tokens.css has no colour ${token}`)
  return found
}

/** Relative luminance, WCAG 2.2. */
function luminance(hex: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => {
    const value = Number.parseInt(hex.slice(at, at + 2), 16) / 255
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * r + 0.7152 * g + 0.0722 * b
}

for (const scheme of SCHEMES) {
  test.each(pairs)(`${scheme}: %s stands out from %s by %d to 1 or more`, (ink, ground, least) => {
    const [a, b] = [luminance(colour(ink, scheme)), luminance(colour(ground, scheme))]
    expect((Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)).toBeGreaterThanOrEqual(least)
  })
}
