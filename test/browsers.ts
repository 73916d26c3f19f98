/** Finds a Chromium, or installs one where there is none; starts it for tests. */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Browser, type BrowserContext, chromium } from 'playwright-core'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome']

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
  const onPath = (process.env['PATH'] ?? '')
    .split(path.delimiter)
    .flatMap((folder) => NAMES.map((name) => path.join(folder, name)))
  return [...onPath, chromium.executablePath()].find((file) => existsSync(file) && runs(file, '--version'))
}

/** @throws Error where there is no Chromium and none could be installed */
export function ensureChromium(): string {
  const found = findChromium()
  if (found) return found
  console.log('No Chromium found: installing one.')
  if (runs('apt-get', '--version')) installFromDebian()
  if (!findChromium()) installFromPlaywright()
  const installed = findChromium()
  if (installed) return installed
  throw new Error(
    'The browser tests need Chromium, and it could not be installed: install it so that it is on the PATH.',
  )
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

function installFromDebian(): void {
  const asRoot = process.getuid?.() === 0 ? [] : ['sudo', '-n']
  const aptGet = [...asRoot, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get']
  if (show(...aptGet, 'update'))
    show(...aptGet, 'install', '-y', '--no-install-recommends', 'chromium', 'fonts-liberation')
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

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(`Browser: ${ensureChromium()}`)
