import type { MeshServer } from '../mesh-server.fixture.ts'
import type { Bytes } from '../wire/bytes.ts'

/** Does its duty and remembers every byte. @returns how often something occurs in what any peer sent */
export function recordEverything(server: MeshServer): (what: Bytes) => number {
  const recorded: Bytes[] = []
  server.onBytes = (bytes) => recorded.push(bytes.slice())
  return (what) => {
    let times = 0
    for (const bytes of recorded) {
      for (let at = 0; at + what.length <= bytes.length; at++) {
        if (what.every((byte, i) => bytes[at + i] === byte)) times++
      }
    }
    return times
  }
}
