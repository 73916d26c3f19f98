/** One of the two pages of a pair: the same for every system and every case. */

import type { Servers } from '../servers.ts'
import { SYSTEMS } from '../systems/index.ts'
import type { End } from '../systems/system.ts'
import { Traffic } from '../traffic.ts'

/** What the benchmark asks of a page. */
export interface PairPage {
  /** Names of all there are. */
  readonly systems: readonly string[]
  /** Fulfils when the other page can find this one. */
  join(system: string, servers: Servers, room: string): Promise<void>
  /** @returns milliseconds from knowing of the other page to being connected, of this page */
  connected(): Promise<number>
  /** Of use once connected. */
  readonly traffic: Traffic
  leave(): Promise<void>
}

declare global {
  interface Window {
    pair: PairPage
  }
}

let connected: Promise<number> | undefined
let end: End | undefined
let traffic: Traffic | undefined

window.pair = {
  systems: SYSTEMS.map(({ name }) => name),
  async join(name, servers, room) {
    const system = SYSTEMS.find((known) => known.name === name)
    if (system === undefined) throw new Error(`There is no system of the name ${name}.`)
    let knownAt = 0
    const joined = await system.join(servers, room, () => {
      knownAt = performance.now()
    })
    connected = joined.connected.then((opened) => {
      const took = performance.now() - knownAt
      end = opened
      traffic = new Traffic(opened)
      return took
    })
    connected.catch(() => undefined)
  },
  async connected() {
    if (connected === undefined) throw new Error('This page has joined nothing.')
    return connected
  },
  get traffic() {
    if (traffic === undefined) throw new Error('This page is not connected.')
    return traffic
  },
  async leave() {
    await end?.close()
    connected = end = traffic = undefined
  },
}
