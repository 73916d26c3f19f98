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
    /** What was handed over last. */
    task: ReturnType<Peer['delegate']>
    /** Wakes a peer, and answers when the session with it is established again; `total` is the time until then. */
    wakeUntilEstablished(peer: string): Promise<{ total: number; outcome: string; step: string }>
    /** Whether a session with that peer is in that state. */
    isSession(peer: string, state: string): boolean
  }
}

const wasWoken = new URLSearchParams(location.search).has('tsunagi-slot')
window.heard = []
window.wakeUps = []
window.problems = []
window.timesFrozen = 0
document.addEventListener('freeze', () => window.timesFrozen++)
window.join = async (signaling: string, linkIdle?: number) => {
  const peer = await createPeer({ signaling, mesh: 'waking', ...(linkIdle !== undefined && { linkIdle }) })
  window.peer = peer
  localStorage['signaling'] = signaling
  peer.on('message', ({ data }) => window.heard.push(data))
  peer.on('wakeup', (wakeUp) => window.wakeUps.push(wakeUp))
  peer.on('error', ({ code, message }) => window.problems.push(`${code}: ${message}`))
  // What was begun is finished only by a page that the service worker has opened.
  peer.provide({ name: 'work', version: '1', onReload: 'restart' }, (input) =>
    wasWoken ? `${input} done` : new Promise(() => undefined),
  )
  return peer.id
}
window.wakeUntilEstablished = async (id) => {
  const began = performance.now()
  const established = new Promise<void>((fulfil) => {
    const stop = window.peer.on('peer', (peer) => {
      if (peer.id !== id || peer.session?.state !== 'established') return
      stop()
      fulfil()
    })
  })
  const { outcome, step } = await window.peer.wakeUp(id)
  await established
  return { total: performance.now() - began, outcome, step }
}
// As an app that remembers its mesh: the page that a click on the notification opens joins by itself.
if (wasWoken) void window.join(localStorage['signaling'])
window.isSession = (id, state) => window.peer.peers.some((peer) => peer.id === id && peer.session?.state === state)
