/** Cuts the link between two tabs again and again, and counts what that leaves behind. `pnpm reconnections --times N` */
import { parseArgs } from 'node:util'
import { createSignalingServer, SIGNALING_PATH } from '@tsunagi/signaling'
import type { CDPSession } from 'playwright-core'
import { launchChromium } from '../browsers.ts'
import { servePages } from '../pages/serve.ts'
import { Tab } from './tab.ts'

const HANDSHAKE_SPACING = 1_100

export interface Reconnections {
  readonly times: number
  /** Bytes of live objects in the page's heap after garbage collection, at each tenth of the way. */
  readonly heaps: readonly number[]
  /** How often the session came back by a relayed link, as it does where the browser makes no more connections for a while. */
  readonly relayed: number
  /** RTCPeerConnections that were made and not closed, at the end. */
  readonly live_connections: { readonly inUse: number; readonly ahead: number }
  /** Whether it was one session all along. */
  readonly same_session: boolean
}

export async function countReconnections(times: number): Promise<Reconnections> {
  const [browser, pages, server] = await Promise.all([
    launchChromium(),
    servePages(),
    createSignalingServer({ port: 0 }),
  ])
  try {
    const context = await browser.newContext()
    const options = {
      url: `${pages.origin}/chaos.html`,
      signaling: `ws://127.0.0.1:${server.port}${SIGNALING_PATH}`,
      mesh: 'reconnections',
    }
    const [here, there] = [new Tab(context, options), new Tab(context, options)]
    await here.open()
    await there.open()
    await Promise.all([here.connected(), there.connected()])
    const devtools = await here.devtools()
    const session = await here.evaluate(() => window.chaos.sessions)
    const heaps: number[] = []
    let relayed = 0
    for (let n = 1; n <= times; n++) {
      // A peer takes one handshake a second from another, and lets more than that run into their time-out.
      await new Promise((wait) => setTimeout(wait, HANDSHAKE_SPACING))
      await here.evaluate(() => window.chaos.cutLinks())
      await here.reconnected().catch(async (cause) => {
        const states = await Promise.all([here, there].map((tab) => tab.evaluate(() => window.chaos.state)))
        throw new Error(`Reconnection ${n} did not come about: ${JSON.stringify(states)}`, { cause })
      })
      if (await here.evaluate(() => window.chaos.isRelayed)) relayed++
      if (n % Math.ceil(times / 10) === 0) heaps.push(await usedHeap(devtools))
    }
    return {
      times,
      heaps,
      relayed,
      live_connections: await here.evaluate(() => window.chaos.connections),
      same_session: String(await here.evaluate(() => window.chaos.sessions)) === String(session),
    }
  } finally {
    await browser.close()
    await Promise.all([server.close(), pages.close()])
  }
}

async function usedHeap(devtools: CDPSession): Promise<number> {
  await devtools.send('HeapProfiler.collectGarbage')
  return (await devtools.send('Runtime.getHeapUsage')).usedSize
}

if (process.argv[1] === import.meta.filename) {
  const { values } = parseArgs({ options: { times: { type: 'string', default: '1000' } } })
  console.log(JSON.stringify(await countReconnections(Number(values.times))))
}
