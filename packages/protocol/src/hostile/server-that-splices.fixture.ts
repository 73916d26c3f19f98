import type { MeshServer, Relay } from '../mesh-server.fixture.ts'
import { concat } from '../wire/bytes.ts'

/** Delivers with each frame its first half with the second half of the one before, and that one in the name of this sender. */
export function splice(server: MeshServer): void {
  let before: Relay | undefined
  server.onRelay = (relay) => {
    if (before !== undefined) {
      const middle = Math.floor(relay.payload.length / 2)
      server.deliver({ ...relay, payload: concat(relay.payload.subarray(0, middle), before.payload.subarray(middle)) })
      server.deliver({ ...relay, payload: before.payload })
      server.deliver({ ...before, to: relay.to })
    }
    before = relay
    server.deliver(relay)
  }
}
