import type { MeshServer, Relay } from '../mesh-server.fixture.ts'

/** Delivers everything twice, and everything there ever was again when told to. */
export function replay(server: MeshServer): () => void {
  const relays: Relay[] = []
  server.onRelay = (relay) => {
    relays.push(relay)
    server.deliver(relay)
    server.deliver(relay)
  }
  return () => {
    for (const relay of relays) server.deliver(relay)
  }
}
