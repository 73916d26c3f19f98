import type { MeshServer } from '../mesh-server.fixture.ts'
import type { Bytes } from '../wire/bytes.ts'

/** Puts an introduction key of its own into each record, so that what others seal it could read. */
export function substituteKeys(server: MeshServer, introductionKeys: readonly Bytes[], own: Bytes): void {
  server.shows = (record) => {
    const shown = record.slice()
    for (const key of introductionKeys) {
      for (let at = 0; at + key.length <= shown.length; at++) {
        if (key.every((byte, i) => shown[at + i] === byte)) shown.set(own, at)
      }
    }
    return shown
  }
}
