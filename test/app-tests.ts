/** The built app on the real server, opened as people open it: what the tests of the app share. */
import { createHash } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { createSignalingServer, type SignalingServer } from '@tsunagi/signaling'
import type { BrowserContext, Locator, Page } from 'playwright-core'
import { afterAll, beforeAll } from 'vitest'
import type { BrowserTests } from './browser-tests.ts'

const BUILT_APP = fileURLToPath(new URL('../apps/web/dist', import.meta.url))

/** Words that occur nowhere by chance. */
export const MESH = 'kitchen-table'
export const SECRET = 'only-those-at-the-table-know'
export const INVITE = `/#mesh=${MESH}&secret=${SECRET}`

/** The server with the app that the test command has built. */
export function startServer(port = 0): Promise<SignalingServer> {
  return createSignalingServer({ port, webApp: BUILT_APP })
}

/** One server for the tests of a file. */
export function appServer(): { readonly url: string } {
  let server: SignalingServer
  beforeAll(async () => {
    server = await startServer()
  })
  afterAll(() => server?.close())
  return {
    get url() {
      return server.url
    },
  }
}

/** A tab that has opened `address` and is in its mesh. */
export async function openTab(context: BrowserContext, address: string): Promise<Page> {
  const page = await context.newPage()
  await page.goto(address)
  await joined(page)
  return page
}

export async function joined(page: Page): Promise<void> {
  await page.waitForFunction(() => window.peer?.status === 'online')
}

/** Tabs of one mesh, when each of them has a session with every other and knows what it can do. */
export async function openTabs(context: BrowserContext, address: string, amount: number): Promise<Page[]> {
  const pages: Page[] = []
  while (pages.length < amount) pages.push(await openTab(context, address))
  await Promise.all(pages.map((page) => metOthers(page, amount - 1)))
  return pages
}

/** As openTabs(), two of them in a profile of their own. */
export async function twoTabs(tests: BrowserTests, address: string): Promise<[Page, Page]> {
  const [page, other] = await openTabs(await tests.newContext(), address, 2)
  if (page === undefined || other === undefined) throw new Error('Two tabs were asked for.')
  return [page, other]
}

export async function metOthers(page: Page, amount: number): Promise<void> {
  await page.waitForFunction((amount) => {
    const able = window.peer?.peers.filter(
      ({ session, capabilities }) => session?.state === 'established' && capabilities.length > 0,
    )
    return able?.length === amount
  }, amount)
}

export async function peerIdOf(page: Page): Promise<string> {
  return page.evaluate(() => window.peer?.id ?? '')
}

/** The first eight characters that differ from peer to peer, as people see them. */
export async function fingerprintOf(page: Page): Promise<string> {
  return (await peerIdOf(page)).slice(-8)
}

/** The line of the task list that came last. */
export function latestTask(page: Page): Locator {
  return page.getByRole('list', { name: 'Handed over' }).getByRole('listitem').first()
}

export async function handOver(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Hand over' }).click()
}

export const sha256 = (data: Uint8Array) => createHash('sha256').update(data).digest('hex')

/** Bytes that repeat nowhere nearby, the same in every run. */
export const fileOf = (length: number) => Buffer.from(Uint8Array.from({ length }, (_, i) => (i * 2_654_435_761) >>> 24))

/** Chooses the digest of a file, and that file. */
export async function pickFile(page: Page, name: string, buffer: Buffer): Promise<void> {
  await page.getByRole('combobox', { name: 'Work' }).selectOption({ label: 'SHA-256 of a file' })
  await page.locator('hand-over input[type=file]').setInputFiles({ name, mimeType: 'application/octet-stream', buffer })
}
