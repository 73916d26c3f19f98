/** Finds a Chromium and a Firefox, or installs them where there are none; starts them for tests. */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Browser, type BrowserContext, chromium } from 'playwright-core'
import puppeteer, { type Browser as Firefox } from 'puppeteer-core'

const CHROMIUM = ['chromium', 'chromium-browser', 'google-chrome']
const FIREFOX = ['firefox-esr', 'firefox']

/** No sandbox: containers and root have none. The others keep the browser off the network and off the GPU. */
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** Path of a Chromium that runs, from the PATH or where Playwright keeps its own. */
export function findChromium(): string | undefined {
  return firstThatRuns([...onPath(CHROMIUM), chromium.executablePath()])
}

/** Path of a Firefox that runs. */
export function findFirefox(): string | undefined {
  return firstThatRuns(onPath(FIREFOX))
}

function onPath(names: readonly string[]): string[] {
  const folders = (process.env['PATH'] ?? '').split(path.delimiter)
  return folders.flatMap((folder) => names.map((name) => path.join(folder, name)))
}

function firstThatRuns(files: readonly string[]): string | undefined {
  return files.find((file) => existsSync(file) && runs(file, '--version'))
}

/** @throws Error where there is no Chromium and none could be installed */
export function ensureChromium(): string {
  const found = findChromium()
  if (found) return found
  console.log('No Chromium found: installing one.')
  if (runs('apt-get', '--version')) installFromDebian('chromium', 'fonts-liberation')
  if (!findChromium()) installFromPlaywright()
  const installed = findChromium()
  if (installed) return installed
  throw new Error(
    'The browser tests need Chromium, and it could not be installed: install it so that it is on the PATH.',
  )
}

/** @throws Error where there is no Firefox and none could be installed */
export function ensureFirefox(): string {
  const found = findFirefox()
  if (found) return found
  console.log('No Firefox found: installing one.')
  if (runs('apt-get', '--version')) installFromDebian('firefox-esr')
  const installed = findFirefox()
  if (installed) return installed
  throw new Error(
    'The tests of pushes need Firefox, and it could not be installed: install it so that it is on the PATH.',
  )
}

/**
 * With a profile of its own, and access for the test to the browser's own windows, such as those of notifications.
 * @throws Error where there is no Firefox: `pnpm --filter @tsunagi/test browser` installs it
 */
export async function launchFirefox(preferences: Record<string, unknown>): Promise<Firefox> {
  const executablePath = findFirefox()
  if (executablePath === undefined) {
    throw new Error('There is no Firefox on the PATH: run `npx --yes pnpm --filter @tsunagi/test browser`.')
  }
  return puppeteer.launch({
    browser: 'firefox',
    executablePath,
    args: ['--remote-allow-system-access'],
    extraPrefsFirefox: preferences,
  })
}

/** @throws Error where there is no Chromium: `pnpm --filter @tsunagi/test browser` installs it */
export async function launchChromium(moreFlags: readonly string[] = []): Promise<Browser> {
  return chromium.launch({ executablePath: foundChromium(), args: [...FLAGS, ...moreFlags] })
}

/** As launchChromium(), with a profile that is kept in `folder`: other contexts keep all they store in memory. */
export async function launchProfile(folder: string): Promise<BrowserContext> {
  return chromium.launchPersistentContext(folder, { executablePath: foundChromium(), args: FLAGS })
}

function foundChromium(): string {
  const executablePath = findChromium()
  if (executablePath) return executablePath
  throw new Error('There is no Chromium on the PATH: run `npx --yes pnpm --filter @tsunagi/test browser`.')
}

function installFromDebian(...packages: string[]): void {
  const asRoot = process.getuid?.() === 0 ? [] : ['sudo', '-n']
  const aptGet = [...asRoot, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get']
  if (show(...aptGet, 'update')) show(...aptGet, 'install', '-y', '--no-install-recommends', ...packages)
}

function installFromPlaywright(): void {
  const manifest = createRequire(import.meta.url).resolve('playwright-core/package.json')
  show(process.execPath, path.join(path.dirname(manifest), 'cli.js'), 'install', 'chromium')
}

function runs(command: string, ...args: string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0
}

function show(...[command = '', ...args]: string[]): boolean {
  return spawnSync(command, args, { stdio: 'inherit' }).status === 0
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  console.log(`Browsers: ${ensureChromium()}, ${ensureFirefox()}`)
}
