/**
 * `pnpm bench:core [--seconds N]`: handshakes, frames, codec and sequence buffer, in Node and in a page, with both providers
 * of cryptography. What a developer runs while working; nothing is written.
 */
import path from 'node:path'
import { parseArgs } from 'node:util'
import { createWebCryptoProvider, loadNobleProvider } from '@tsunagi/protocol/crypto'
import { launchChromium } from '../../browsers.ts'
import { servePages } from '../../pages/serve.ts'
import { rounded } from '../statistics.ts'
import { type Figure, measureCore } from './core.ts'

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '1' } } })
const duration = Number(values.seconds) * 1_000
if (!(duration > 0 && duration <= 60_000)) throw new Error('--seconds takes a number of up to 60 for each figure.')

const PROVIDERS = ['webcrypto', 'noble'] as const
const columns = new Map<string, readonly Figure[]>()
const browser = await launchChromium()
const pages = await servePages(path.join(import.meta.dirname, 'pages'))
try {
  const page = await browser.newPage()
  await page.goto(`${pages.origin}/core.html`)
  for (const provider of PROVIDERS) {
    const crypto = provider === 'noble' ? await loadNobleProvider() : createWebCryptoProvider()
    columns.set(`Node, ${provider}`, await measureCore(crypto, duration))
    columns.set(
      `page, ${provider}`,
      await page.evaluate(([name, time]) => window.measureCore(name, time), [provider, duration] as const),
    )
  }
} finally {
  await browser.close()
  await pages.close()
}
const [first = []] = columns.values()
console.table(
  first.map(({ what, unit }, row) => ({
    what,
    unit,
    ...Object.fromEntries([...columns].map(([name, figures]) => [name, rounded(figures[row]?.value ?? Number.NaN)])),
  })),
)
