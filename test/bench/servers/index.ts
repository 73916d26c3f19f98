/** The servers by which two pages find each other, all of one kind: in one process of their own, on the loopback. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'

/** Addresses for the systems in the pages. */
export interface Servers {
  /** Passes what it gets on to the page it is for: no less could be done. For bare, simple-peer, and js-libp2p's addresses. */
  readonly relay: string
  readonly signaling: string
  readonly peerServer: string
  readonly nostr: string
  /** Multiaddress of a js-libp2p node. */
  readonly circuitRelay: string
}

/** What the results say of them. */
export const SERVERS_USED =
  'All in one process: a WebSocket relay of 20 lines without checks (bare, simple-peer, and the addresses of js-libp2p), PeerServer, a Nostr relay of 30 lines (Trystero), a circuit relay of js-libp2p, and the signaling server of this repository.'

export async function startServers(): Promise<{ readonly addresses: Servers; close(): Promise<void> }> {
  const child = fork(path.join(import.meta.dirname, 'process.ts'), {
    execArgv: ['--conditions=source', '--import', 'tsx'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const ended = once(child, 'exit')
  const failed = ended.then(([code]) => {
    throw new Error(`The servers ended with ${code} before they were ready.`)
  })
  const [addresses] = (await Promise.race([once(child, 'message'), failed])) as [Servers]
  failed.catch(() => undefined)
  return {
    addresses,
    async close() {
      child.kill('SIGKILL')
      await ended
    },
  }
}
