/** Two tabs, a file on the disk, and what moving it from one to the other costs. */
import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createSignalingServer, SIGNALING_PATH } from '@tsunagi/signaling'
import type { BrowserContext, CDPSession, Page } from 'playwright-core'
import { launchProfile } from '../browsers.ts'
import { servePages } from '../pages/serve.ts'

const MIB = 1024 * 1024
/** Heaps are looked at this often while a file is on its way. */
const HEAP_INTERVAL = 100

/** A profile of its own on the disk: a private window's files would be in memory. */
export class BulkLab {
  readonly here: BulkTab
  readonly there: BulkTab
  readonly #file: string
  /** As the pages compute it. */
  readonly #digest: string
  readonly #close: () => Promise<void>

  private constructor(here: BulkTab, there: BulkTab, file: string, digest: string, close: () => Promise<void>) {
    this.here = here
    this.there = there
    this.#file = file
    this.#digest = digest
    this.#close = close
  }

  /** Two connected tabs, and a file of random bytes. */
  static async open(mib: number): Promise<BulkLab> {
    const folder = await mkdtemp(path.join(tmpdir(), 'tsunagi-bulk-'))
    const [context, pages, server] = await Promise.all([
      launchProfile(path.join(folder, 'profile')),
      servePages(),
      createSignalingServer({ port: 0 }),
    ])
    const close = async () => {
      await context.close()
      await Promise.all([pages.close(), server.close()])
      await rm(folder, { recursive: true, force: true })
    }
    try {
      const file = path.join(folder, 'file.bin')
      const digest = await writeRandom(file, mib)
      const address = {
        url: `${pages.origin}/bulk.html`,
        signaling: `ws://127.0.0.1:${server.port}${SIGNALING_PATH}`,
      }
      const here = await BulkTab.open(context, address)
      const there = await BulkTab.open(context, address)
      await Promise.all([here.connected(), there.connected()])
      return new BulkLab(here, there, file, digest, close)
    } catch (error) {
      await close()
      throw error
    }
  }

  /** Gives the sending page its file, also one that was loaded anew. */
  async attach(): Promise<void> {
    await this.here.page.setInputFiles('input', this.#file)
  }

  async send(): Promise<void> {
    await this.here.page.evaluate((to) => window.bulk.send(to), this.there.id)
  }

  /** Fulfils when the receiver has kept that share of the file. */
  async reached(share: number): Promise<void> {
    await this.there.page.waitForFunction(
      (least) => {
        const info = window.bulk.info
        return info?.state === 'failed' || (info?.size !== undefined && info.bytes >= least * info.size)
      },
      share,
      { timeout: 0, polling: 20 },
    )
  }

  /** Fulfils when both sides say that the transfer has ended. @returns how */
  async ended(): Promise<string[]> {
    const both = [this.here, this.there].map(async ({ page }) => {
      await page.waitForFunction(() => window.bulk.info?.endedAt !== undefined, null, { timeout: 0, polling: 20 })
      return page.evaluate(() => window.bulk.info?.error?.message ?? window.bulk.info?.state ?? '')
    })
    return Promise.all(both)
  }

  /** Whether the receiver has what was sent, byte for byte. */
  async isReceived(): Promise<boolean> {
    return (await this.there.page.evaluate(() => window.bulk.receivedDigest())) === this.#digest
  }

  close(): Promise<void> {
    return this.#close()
  }
}

export class BulkTab {
  readonly page: Page
  id = ''
  readonly #context: BrowserContext
  readonly #signaling: string

  private constructor(context: BrowserContext, page: Page, signaling: string) {
    this.#context = context
    this.page = page
    this.#signaling = signaling
  }

  static async open(context: BrowserContext, { url, signaling }: { url: string; signaling: string }): Promise<BulkTab> {
    const tab = new BulkTab(context, await context.newPage(), signaling)
    await tab.page.goto(url)
    await tab.#join()
    return tab
  }

  async reload(): Promise<void> {
    await this.page.reload()
    await this.#join()
  }

  async connected(): Promise<void> {
    await this.page.waitForFunction(() => window.bulk.connected)
  }

  async cutLinks(): Promise<void> {
    await this.page.evaluate(() => window.bulk.cutLinks())
  }

  /** The most its page's heap was until stop() is called: objects, and the buffers outside of V8's heap that they hold. */
  async watchHeap(): Promise<{ stop(): Promise<number> }> {
    const devtools = await this.#context.newCDPSession(this.page)
    let most = 0
    let stopped = false
    const watching = (async () => {
      while (!stopped) {
        most = Math.max(most, await heapOf(devtools))
        await new Promise((next) => setTimeout(next, HEAP_INTERVAL))
      }
    })()
    return {
      async stop() {
        stopped = true
        await watching
        return most
      },
    }
  }

  async #join(): Promise<void> {
    await this.page.waitForFunction(() => window.bulk !== undefined)
    this.id = await this.page.evaluate((signaling) => window.bulk.join(signaling, 'bulk'), this.#signaling)
  }
}

/** What Runtime.getHeapUsage says in all: `usedSize` alone would leave out every ArrayBuffer. */
async function heapOf(devtools: CDPSession): Promise<number> {
  const usage = (await devtools.send('Runtime.getHeapUsage')) as Record<string, number>
  return (usage['usedSize'] ?? 0) + (usage['embedderHeapUsedSize'] ?? 0) + (usage['backingStorageSize'] ?? 0)
}

async function writeRandom(name: string, mib: number): Promise<string> {
  const file = await open(name, 'w')
  const all = createHash('sha256')
  for (let n = 0; n < mib; n++) {
    const part = randomBytes(MIB)
    all.update(createHash('sha256').update(part).digest())
    await file.write(part)
  }
  await file.close()
  return all.digest('hex')
}
