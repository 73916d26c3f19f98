import type { Mail, MeshServer } from '../mesh-server.fixture.ts'

/** Does its duty, twice; and brings every wake-up and answer there ever was again when told to, as a relay and as mail. */
export function replayWakeUps(server: MeshServer): () => void {
  const seen: Mail[] = []
  server.onRelay = (relay) => {
    seen.push({ ...relay, expires: Number.POSITIVE_INFINITY })
    server.deliver(relay)
    server.deliver(relay)
  }
  server.onWakeUp = (mail) => {
    seen.push(mail)
    server.keep(mail)
    return server.keep(mail)
  }
  return () => {
    for (const relay of seen) {
      server.deliver(relay)
      server.deliverMail(relay)
    }
  }
}
