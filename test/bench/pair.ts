/** Two pages of one browser, in profiles of their own, and one system between them at a time. */
import type { Browser, Page } from 'playwright-core'
import type { Servers } from './servers.ts'

export class Pair {
  /** Sends, asks, measures. */
  readonly first: Page
  /** Receives, checks, answers. */
  readonly second: Page
  readonly #servers: Servers
  #rooms = 0
  #setup = 0

  private constructor(first: Page, second: Page, servers: Servers) {
    this.first = first
    this.second = second
    this.#servers = servers
  }

  /** @param onProblem told of every error in a page */
  static async open(browser: Browser, origin: string, servers: Servers, onProblem: (problem: string) => void) {
    const open = async () => {
      const page = await (await browser.newContext()).newPage()
      page.on('pageerror', (error) => onProblem(error.stack ?? error.message))
      page.on('console', (message) => {
        if (message.type() === 'warning') console.warn(message.text())
      })
      page.on('crash', () => onProblem('A page crashed.'))
      await page.goto(`${origin}/pair.html`)
      return page
    }
    return new Pair(await open(), await open(), servers)
  }

  /** Milliseconds from both knowing each other to both being connected: each measures its own, the longer counts. */
  get setup(): number {
    return this.#setup
  }

  async connect(system: string): Promise<void> {
    const room = `room ${++this.#rooms}`
    // The second to come finds the first, as with every system.
    for (const page of [this.first, this.second]) {
      await page.evaluate(([name, servers, at]) => window.pair.join(name, servers, at), [
        system,
        this.#servers,
        room,
      ] as const)
    }
    const both = [this.first, this.second].map((page) => page.evaluate(() => window.pair.connected()))
    this.#setup = Math.max(...(await Promise.all(both)))
  }

  async disconnect(): Promise<void> {
    for (const page of [this.first, this.second]) await page.evaluate(() => window.pair.leave())
  }

  /** So that what one system left is not collected while the next is measured. */
  async collectGarbage(): Promise<void> {
    for (const page of [this.first, this.second]) await page.requestGC()
  }
}
