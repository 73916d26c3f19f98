/** Two pages of one browser, in profiles of their own, and one system between them at a time. */
import type { Browser, CDPSession, Page } from 'playwright-core'
import type { Servers } from './servers/index.ts'

/** No step takes longer, whatever the system. */
const PATIENCE = 120_000

/** What a network does to each packet of a page, both ways. */
export interface Network {
  /** Milliseconds. */
  readonly latency: number
  /** Percent. */
  readonly packetLoss: number
}

export class Pair {
  readonly #guest: Page
  readonly #host: Page
  readonly #servers: Servers
  readonly #devtools: CDPSession
  readonly #problems: string[]
  #setup = Number.NaN

  private constructor(guest: Page, host: Page, servers: Servers, devtools: CDPSession, problems: string[]) {
    this.#guest = guest
    this.#host = host
    this.#servers = servers
    this.#devtools = devtools
    this.#problems = problems
  }

  /** @param network of all the guest's connections; where it is not given, a good one */
  static async open(browser: Browser, origin: string, servers: Servers, network?: Network): Promise<Pair> {
    const problems: string[] = []
    const open = async () => {
      const page = await (await browser.newContext()).newPage()
      page.on('pageerror', (error) => problems.push(error.stack ?? error.message))
      page.on('crash', () => problems.push('A page crashed.'))
      return page
    }
    const [guest, host] = [await open(), await open()]
    if (network) await spoilNetwork(guest, network)
    for (const page of [guest, host]) await page.goto(`${origin}/pair.html`)
    return new Pair(guest, host, servers, await browser.newBrowserCDPSession(), problems)
  }

  /** Milliseconds from the guest's knowing of the host to the answer to its first message. */
  get setup(): number {
    return this.#setup
  }

  async connect(system: string, room: string): Promise<void> {
    for (const page of [this.#host, this.#guest]) {
      const step = page.evaluate(([name, servers, at, hosts]) => window.pair.join(name, servers, at, hosts), [
        system,
        this.#servers,
        room,
        page === this.#host,
      ] as const)
      await this.#ended(step)
    }
    const both = [this.#host, this.#guest].map((page) => page.evaluate(() => window.pair.connected(1)))
    this.#setup = (await this.#ended(Promise.all(both)))[1] ?? Number.NaN
  }

  async disconnect(): Promise<void> {
    for (const page of [this.#guest, this.#host]) await this.#ended(page.evaluate(() => window.pair.leave()))
  }

  /** @returns seconds */
  stream(count: number, size: number): Promise<number> {
    return this.#ask(([n, bytes]) => window.pair.traffic.stream(n, bytes), [count, size] as const)
  }

  /** @returns seconds until all has arrived, and seconds that both pages computed meanwhile */
  async bulk(length: number): Promise<{ readonly seconds: number; readonly cpu: number }> {
    await this.#ask((bytes) => window.pair.traffic.prepareBulk(bytes), length)
    const before = await this.cpu()
    const seconds = await this.#ask(() => window.pair.traffic.bulk(), undefined)
    const cpu = (await this.cpu()) - before
    await this.#ask(() => window.pair.traffic.checkBulk(), undefined)
    return { seconds, cpu }
  }

  /** @returns milliseconds of each */
  echo(count: number, size: number): Promise<number[]> {
    return this.#ask(([n, bytes]) => window.pair.traffic.echo(n, bytes), [count, size] as const)
  }

  async echoUnderBulk(length: number, size: number): Promise<{ readonly times: number[]; readonly seconds: number }> {
    await this.#ask((bytes) => window.pair.traffic.prepareBulk(bytes), length)
    const result = await this.#ask((bytes) => window.pair.traffic.echoUnderBulk(bytes), size)
    await this.#ask(() => window.pair.traffic.checkBulk(), undefined)
    return result
  }

  wireBytes(): Promise<number> {
    return this.#ask(() => window.pair.wireBytes(), undefined)
  }

  /** Seconds that the processes of all pages have computed by now. */
  async cpu(): Promise<number> {
    const { processInfo } = await this.#devtools.send('SystemInfo.getProcessInfo')
    return processInfo.reduce((sum, { type, cpuTime }) => (type === 'renderer' ? sum + cpuTime : sum), 0)
  }

  /** So that what one measurement left is not collected during the next. */
  async collectGarbage(): Promise<void> {
    for (const page of [this.#guest, this.#host]) await page.requestGC()
  }

  async close(): Promise<void> {
    await this.#devtools.detach()
    for (const page of [this.#guest, this.#host]) await page.context().close()
  }

  #ask<Input, Output>(question: (input: Input) => Output | Promise<Output>, input: Input): Promise<Output> {
    return this.#ended(this.#guest.evaluate(question as never, input) as Promise<Output>)
  }

  /** @throws Error where a page failed, or nothing came of it */
  async #ended<Output>(step: Promise<Output>): Promise<Output> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(this.#problems[0] ?? 'Nothing came of it.')), PATIENCE)
    })
    try {
      const output = await Promise.race([step, late])
      const [problem] = this.#problems
      if (problem !== undefined) throw new Error(problem)
      return output
    } finally {
      clearTimeout(timer)
      // Where it was late, what became of it interests nobody any more.
      step.catch(() => undefined)
    }
  }
}

/** Of its WebRTC connections; DevTools leaves its WebSockets as they are. */
async function spoilNetwork(page: Page, network: Network): Promise<void> {
  const devtools = await page.context().newCDPSession(page)
  await devtools.send('Network.enable')
  const condition = { urlPattern: '', downloadThroughput: -1, uploadThroughput: -1, ...network }
  // Newer than the types: the rule with an empty pattern is for WebRTC.
  const byRule = 'Network.emulateNetworkConditionsByRule' as 'Network.enable'
  await devtools.send(byRule, { offline: false, matchedNetworkConditions: [condition] } as object)
}
