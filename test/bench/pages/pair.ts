/** One of the two pages of a pair: the same for every system and every case. */

import type { Servers } from '../servers/index.ts'
import { SYSTEMS } from '../systems/index.ts'
import { Traffic } from '../traffic.ts'
import { wireBytes } from './connections.ts'

/** What the benchmark asks of a page. */
export interface PairPage {
  /** Fulfils when a guest that comes now finds this page. */
  join(system: string, servers: Servers, room: string, hosts: boolean): Promise<void>
  /**
   * Fulfils when so many others are connected; a guest then has an answer to its first message.
   * @returns milliseconds from knowing of the host to that answer, of a guest
   */
  connected(count: number): Promise<number>
  /** With the first that was connected. */
  readonly traffic: Traffic
  /** Both ways. */
  wireBytes(): Promise<number>
  leave(): Promise<void>
}

declare global {
  interface Window {
    pair: PairPage
  }
}

let knownAt = 0
let tell = (): void => undefined
let all: Traffic[] = []
let leave: (() => Promise<void>) | undefined

window.pair = {
  wireBytes,
  async join(name, servers, room, hosts) {
    const system = SYSTEMS.find((known) => known.name === name)
    if (system === undefined) throw new Error(`There is no system of the name ${name}.`)
    const joined = await system.join(servers, {
      room,
      hosts,
      known() {
        knownAt = performance.now()
      },
      opened(end) {
        all.push(new Traffic(end))
        tell()
      },
    })
    leave = joined.leave
  },
  async connected(count) {
    while (all.length < count) {
      await new Promise<void>((fulfil) => {
        tell = fulfil
      })
    }
    if (knownAt === 0) return Number.NaN
    await window.pair.traffic.echo(1, 200)
    return performance.now() - knownAt
  },
  get traffic() {
    const [first] = all
    if (first === undefined) throw new Error('This page is not connected.')
    return first
  },
  async leave() {
    await leave?.()
    all = []
    knownAt = 0
    leave = undefined
  },
}
