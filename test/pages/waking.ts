/** A page that sleeps and is woken: what it heard, what it was woken for, and a task that ends on a page opened by a push. */
import { createPeer } from '@tsunagi/protocol/browser'

type Peer = Awaited<ReturnType<typeof createPeer>>

declare global {
  interface Window {
    join(signaling: string, linkIdle?: number): Promise<string>
    peer: Peer
    heard: unknown[]
    wakeUps: { from: string; reason: string; step: string; outcome: string }[]
    problems: string[]
    timesFrozen: number
    /** Whether a session with that peer is in that state. */
    isSession(peer: string, state: string): boolean
  }
}

window.heard = []
window.wakeUps = []
window.problems = []
window.timesFrozen = 0
document.addEventListener('freeze', () => window.timesFrozen++)
window.join = async (signaling, linkIdle) => {
  const peer = await createPeer({ signaling, mesh: 'waking', ...(linkIdle !== undefined && { linkIdle }) })
  window.peer = peer
  peer.on('message', ({ data }) => window.heard.push(data))
  peer.on('wakeup', (wakeUp) => window.wakeUps.push(wakeUp))
  peer.on('error', ({ code, message }) => window.problems.push(`${code}: ${message}`))
  // What was begun is finished only by a page that the service worker has opened.
  const wasWoken = new URLSearchParams(location.search).has('tsunagi-slot')
  peer.provide({ name: 'work', version: '1', onReload: 'restart' }, (input) =>
    wasWoken ? `${input} done` : new Promise(() => undefined),
  )
  return peer.id
}
window.isSession = (id, state) => window.peer.peers.some((peer) => peer.id === id && peer.session?.state === state)
