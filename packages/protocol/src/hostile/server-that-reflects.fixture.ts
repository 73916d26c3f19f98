import type { MeshServer } from '../mesh-server.fixture.ts'

/** Brings each frame back to its sender as if the addressee had sent it, and as if the sender itself had, and delivers it. */
export function reflect(server: MeshServer): void {
  server.onRelay = (relay) => {
    server.deliver({ from: relay.to, to: relay.from, payload: relay.payload })
    server.deliver({ from: relay.from, to: relay.from, payload: relay.payload })
    server.deliver(relay)
  }
}
