import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { chromium, type Page } from 'playwright-core'
import { findChromium } from './browsers.ts'

/**
 * Runs `use` with a page that another tab hides, in a browser of its own that slows hidden pages as a user's does:
 * Playwright starts browsers with that switched off, and tells every page that it has the focus.
 */
export async function withHiddenPage(url: string, use: (page: Page) => Promise<void>): Promise<void> {
  const profile = await mkdtemp(path.join(tmpdir(), 'tsunagi-test-'))
  const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking']
  const chrome = spawn(findChromium() ?? 'chromium', [
    ...flags,
    '--remote-debugging-port=0',
    `--user-data-dir=${profile}`,
  ])
  const ended = new Promise((resolve) => chrome.once('close', resolve))
  try {
    const browser = await chromium.connectOverCDP(await debuggerAddress(chrome.stderr), { noDefaults: true })
    const [context] = browser.contexts()
    if (!context) throw new Error('The browser has no profile.')
    const page = await context.newPage()
    await page.goto(url)
    const other = await context.newPage()
    await other.bringToFront()
    await page.waitForFunction(() => document.visibilityState === 'hidden', undefined, { polling: 50 })
    await use(page)
    await browser.close()
  } finally {
    chrome.kill()
    await ended
    await rm(profile, { recursive: true, force: true, maxRetries: 5 })
  }
}

async function debuggerAddress(output: NodeJS.ReadableStream): Promise<string> {
  for await (const line of createInterface({ input: output })) {
    const address = /^DevTools listening on (ws:.*)$/.exec(line)?.[1]
    if (address) return address
  }
  throw new Error('The browser ended before it could be reached.')
}
