import type { MeshServer } from '../mesh-server.fixture.ts'
import { type Bytes, equalBytes } from '../wire/bytes.ts'

/** Says of all that one member sends that another sent it. */
export function nameAnotherSender(server: MeshServer, sender: Bytes, named: Bytes): void {
  server.onRelay = (relay) => server.deliver(equalBytes(relay.from, sender) ? { ...relay, from: named } : relay)
}
