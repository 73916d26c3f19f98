/** A page with a peer, and a network that lets direct connections come about or not. */
import type { Peer, PeerInfo } from '@tsunagi/protocol'
import { createPeer } from '@tsunagi/protocol/browser'

declare global {
  interface Window {
    relayed: RelayPage
  }
}

class RelayPage {
  /** With candidates of TURN servers only, and no TURN server, no connection comes about. Counts for those made from now on. */
  isDirectWayClosed = true
  readonly heard: number[] = []
  readonly problems: string[] = []
  /** States of the session with the other peer since it was first established. */
  readonly states: string[] = []
  #peer: Peer | undefined
  #connections: RTCPeerConnection[] = []
  #sent = 0
  #delivered = 0
  #isSending = false

  constructor() {
    const page = this
    window.RTCPeerConnection = class extends RTCPeerConnection {
      constructor(configuration: RTCConfiguration = {}) {
        super(page.isDirectWayClosed ? { ...configuration, iceTransportPolicy: 'relay' } : configuration)
        page.#connections.push(this)
      }
    }
  }

  async join(signaling: string, name: string): Promise<void> {
    this.#peer = await createPeer({ signaling, mesh: 'relayed', name })
    this.#peer.on('message', ({ data }) => this.heard.push((data as { n: number }).n))
    this.#peer.on('error', ({ code, message }) => this.problems.push(`${code}: ${message}`))
    this.#peer.on('peer', ({ session }) => {
      if (session && session.since !== undefined && this.states.at(-1) !== session.state)
        this.states.push(session.state)
    })
  }

  get other(): PeerInfo | undefined {
    return this.#peer?.peers[0]
  }

  get delivered(): number {
    return this.#delivered
  }

  get sent(): number {
    return this.#sent
  }

  /** A numbered message every few milliseconds, each with words that nobody on the way may read. */
  async startSending(words: string): Promise<void> {
    this.#isSending = true
    while (this.#isSending) {
      const { other } = this
      if (other === undefined || this.#peer === undefined) throw new Error('There is nobody to send to.')
      const delivery = this.#peer.send(other.id, { n: this.#sent++, words })
      delivery.then(
        () => this.#delivered++,
        (error: unknown) => this.problems.push(String(error)),
      )
      await new Promise((later) => setTimeout(later, 10))
    }
  }

  stopSending(): void {
    this.#isSending = false
  }

  cutLinks(): void {
    for (const connection of this.#connections.splice(0)) connection.close()
  }
}

window.relayed = new RelayPage()
