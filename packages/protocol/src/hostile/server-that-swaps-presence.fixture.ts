import type { MeshServer } from '../mesh-server.fixture.ts'
import { type Bytes, equalBytes } from '../wire/bytes.ts'

/** Shows the record of each of two members in place of the other's, and turns round what goes from or to them. */
export function swapPresence(server: MeshServer, one: Bytes, other: Bytes): void {
  const records = new Map<string, Bytes>()
  const swapped = (key: Bytes) => (equalBytes(key, one) ? other : equalBytes(key, other) ? one : key)
  server.shows = (record, of) => {
    records.set(of.toString(), record)
    return records.get(swapped(of).toString()) ?? record
  }
  server.onRelay = ({ from, to, payload }) => server.deliver({ from: swapped(from), to: swapped(to), payload })
}
