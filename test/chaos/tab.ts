import type { BrowserContext, CDPSession, Page } from 'playwright-core'

/** One tab that is opened again and again; its identity is whichever the browser gives it. */
export class Tab {
  readonly #context: BrowserContext
  readonly #url: string
  readonly #signaling: string
  readonly #mesh: string
  #page: Page | undefined
  #id = ''
  /** Errors its pages' peers told, for the report. */
  readonly errors: string[] = []

  constructor(context: BrowserContext, options: { url: string; signaling: string; mesh: string }) {
    this.#context = context
    this.#url = options.url
    this.#signaling = options.signaling
    this.#mesh = options.mesh
  }

  /** The peer in it; '' while there is none. */
  get id(): string {
    return this.#id
  }

  async open(): Promise<void> {
    this.#page = await this.#context.newPage()
    await this.#page.goto(this.#url)
    await this.#join()
  }

  async reload(): Promise<void> {
    const page = this.#leave()
    await page.reload()
    await this.#join()
  }

  async close(): Promise<void> {
    await this.#leave().close()
  }

  async closeAndReopen(): Promise<void> {
    await this.close()
    await this.open()
  }

  /** Ends the tab's process. */
  async crashAndReopen(): Promise<void> {
    const page = this.#leave()
    const crashed = page.waitForEvent('crash')
    // Never comes to an end: the page is gone.
    page.goto('chrome://crash').catch(() => undefined)
    await crashed
    await page.close()
    await this.open()
  }

  /**
   * Stops the page's script while its links stay open, as those of a frozen tab do: Chromium freezes only tabs that are hidden, and
   * Playwright keeps all of them visible.
   */
  async freezeAndThaw(ms: number): Promise<void> {
    const session = await this.devtools()
    await session.send('Debugger.enable')
    await session.send('Debugger.pause')
    await new Promise((thaw) => setTimeout(thaw, ms))
    // Before its first statement it cannot have been stopped.
    await session.send('Debugger.resume').catch(() => undefined)
    await session.detach()
  }

  /** Loses every packet of new connections for a while, and the connections there are. */
  async cutNetwork(ms: number): Promise<void> {
    const session = await this.devtools()
    const loss = { urlPattern: '', latency: 0, downloadThroughput: -1, uploadThroughput: -1, packetLoss: 100 }
    await session.send('Network.enable')
    // Newer than the types: the rule with an empty pattern is for WebRTC.
    const byRule = 'Network.emulateNetworkConditionsByRule' as 'Network.enable'
    await session.send(byRule, { offline: false, matchedNetworkConditions: [loss] } as object)
    await this.evaluate(() => window.chaos.cutLinks())
    await new Promise((restore) => setTimeout(restore, ms))
    await session.detach()
    await this.evaluate(() => window.chaos.cutLinks())
  }

  async evaluate<T>(action: () => T): Promise<T> {
    return this.#current.evaluate(action) as Promise<T>
  }

  /** Fulfils when `condition` holds in its page; rejects after `ms`. */
  async until(condition: () => boolean, ms: number): Promise<void> {
    await this.#current.waitForFunction(condition, null, { timeout: ms, polling: 200 })
  }

  /** Hands a task over, again where its page did so already, and answers with its id; undefined where the page ended meanwhile. */
  async delegate(...task: Parameters<Window['chaosTasks']['delegate']>): Promise<string | undefined> {
    try {
      return await this.#current.evaluate((task) => window.chaosTasks.delegate(...task), task)
    } catch {
      return undefined
    }
  }

  /** Whether the message was accepted; false where the page ended before that was known. */
  async send(to: string, n: number): Promise<boolean> {
    try {
      await this.#current.evaluate(([peer, number]) => window.chaos.send(peer as string, number as number), [to, n])
      return true
    } catch {
      return false
    }
  }

  /** Fulfils when no durable message of its own is under way any more; rejects after `ms`. */
  async settled(ms: number): Promise<void> {
    await this.#current.waitForFunction(() => window.chaos.waiting === 0, null, { timeout: ms, polling: 200 })
  }

  /** Fulfils when its peer has a session with a link. */
  async connected(): Promise<void> {
    await this.#current.waitForFunction(() => window.chaos.connected > 0)
  }

  /** Fulfils when it has a link that was made after the last cut. */
  async reconnected(): Promise<void> {
    await this.#current.waitForFunction(() => window.chaos.isBack, null, { polling: 20 })
  }

  get #current(): Page {
    if (this.#page === undefined) throw new Error('The tab is closed.')
    return this.#page
  }

  async devtools(): Promise<CDPSession> {
    return this.#context.newCDPSession(this.#current)
  }

  async #join(): Promise<void> {
    const page = this.#current
    await page.waitForFunction(() => window.chaos !== undefined)
    this.#id = await page.evaluate(
      ([signaling, mesh]) => window.chaos.join(signaling as string, mesh as string),
      [this.#signaling, this.#mesh],
    )
  }

  #leave(): Page {
    this.#id = ''
    const page = this.#current
    page
      .evaluate(() => window.chaos.errors)
      .then((errors) => this.errors.push(...errors))
      .catch(() => undefined)
    return page
  }
}
