import { createSignalingServer, SIGNALING_PATH, type SignalingServer } from '@tsunagi/signaling'
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, expect } from 'vitest'
import { launchChromium } from './browsers.ts'
import { type PageServer, servePages } from './pages/serve.ts'

export interface BrowserTests {
  readonly browser: Browser
  /** Where the pages of test/pages are. */
  readonly origin: string
  /** A browser profile of its own, which lasts for one test. Its pages are watched. */
  newContext(options?: BrowserContextOptions): Promise<BrowserContext>
  /** One of this folder's pages, such as `links.html`, in a profile of its own unless one is given. */
  openPage(name: string, context?: BrowserContext): Promise<Page>
  /** Problems of this test that match are expected. */
  allowProblem(pattern: RegExp): void
}

/**
 * One browser and one page server for the tests of a file. A console error, an uncaught exception, an unhandled
 * rejection or a crash in any page fails the test it happens in.
 */
export function browserTests(): BrowserTests {
  let browser: Browser
  let server: PageServer
  const contexts = new Set<BrowserContext>()
  let problems: string[] = []
  let allowed: RegExp[] = []

  beforeAll(async () => {
    browser = await launchChromium()
    server = await servePages()
  })
  afterAll(async () => {
    await browser?.close()
    await server?.close()
  })
  afterEach(async () => {
    await Promise.all([...contexts].map((context) => context.close()))
    const unexpected = problems.filter((problem) => !allowed.some((pattern) => pattern.test(problem)))
    contexts.clear()
    problems = []
    allowed = []
    expect(unexpected, 'problems in the pages of this test').toEqual([])
  })

  const newContext = async (options?: BrowserContextOptions) => {
    const context = await browser.newContext(options)
    contexts.add(context)
    context.on('console', (message) => {
      if (message.type() === 'error') problems.push(`console: ${message.text()}`)
    })
    context.on('weberror', (error) => problems.push(`uncaught: ${error.error().stack ?? error.error()}`))
    context.on('page', (page) => page.on('crash', () => problems.push(`crash: ${page.url()}`)))
    return context
  }

  return {
    get browser() {
      return browser
    },
    get origin() {
      return server.origin
    },
    newContext,
    async openPage(name, context) {
      const page = await (context ?? (await newContext())).newPage()
      await page.goto(`${server.origin}/${name}`)
      return page
    },
    allowProblem: (pattern) => allowed.push(pattern),
  }
}

/** One signaling server for the tests of a file. */
export function signalingServer(): { readonly url: string } {
  let server: SignalingServer
  beforeAll(async () => {
    server = await createSignalingServer({ port: 0 })
  })
  afterAll(() => server?.close())
  return {
    get url() {
      return `ws://127.0.0.1:${server.port}${SIGNALING_PATH}`
    },
  }
}

/** What the page's site keeps of the library is gone. */
export function deleteData(page: Page): Promise<void> {
  return page.evaluate(
    () =>
      new Promise<void>((deleted, failed) => {
        const request = indexedDB.deleteDatabase('tsunagi')
        request.onsuccess = () => deleted()
        request.onerror = () => failed(request.error)
      }),
  )
}
