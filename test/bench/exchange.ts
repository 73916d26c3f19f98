/** The least that a page does which can do case 1: it joins, sends, and waits for as many messages of the other. */
import type { Servers } from './servers/index.ts'
import type { End, System } from './systems/system.ts'

export interface Exchange {
  /** Fulfils when a guest that comes now finds this page. */
  join(servers: Servers, room: string, hosts: boolean): Promise<void>
  /** Fulfils when all have come. */
  messages(count: number): Promise<void>
}

export function exchangeOver(system: System): Exchange {
  let came = 0
  let tell = (): void => undefined
  let open: (end: End) => void
  const opened = new Promise<End>((fulfil) => {
    open = fulfil
  })
  return {
    async join(servers, room, hosts) {
      const known = () => undefined
      await system.join(servers, {
        room,
        hosts,
        known,
        opened(end) {
          end.onMessage = () => {
            came++
            tell()
          }
          open(end)
        },
      })
    },
    async messages(count) {
      const end = await opened
      for (let n = 0; n < count; n++) await end.send(new Uint8Array(200))
      while (came < count) {
        await new Promise<void>((fulfil) => {
          tell = fulfil
        })
      }
    },
  }
}
