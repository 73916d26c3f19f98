/** A page that sends numbered durable messages when told, and writes down what arrives, in a database of its own. */
import { createPeer } from '@tsunagi/protocol/browser'
import { type DBSchema, openDB } from 'idb'
import type { Arrival, ChaosMessage } from '../chaos/ledger.ts'
import { connections, cutLinks } from './connections.ts'

type Peer = Awaited<ReturnType<typeof createPeer>>

declare global {
  interface Window {
    chaos: ChaosPage
  }
}

interface Book extends DBSchema {
  arrivals: { key: number; value: Arrival; indexes: { id: string } }
}

const openBook = () =>
  openDB<Book>('chaos', 1, {
    upgrade(database) {
      // An id that is written down already is refused: a message handed over again after a crash counts once.
      database.createObjectStore('arrivals', { autoIncrement: true }).createIndex('id', 'id', { unique: true })
    },
  })

class ChaosPage {
  readonly cutLinks = cutLinks
  readonly errors: string[] = []
  /** Codes by which durable messages failed. */
  readonly failures: string[] = []
  #peer: Peer | undefined

  /** Joins, and answers with the peer's id. */
  async join(signaling: string, mesh: string): Promise<string> {
    const [book, peer] = await Promise.all([openBook(), createPeer({ signaling, mesh })])
    this.#peer = peer
    peer.on('error', (error) => this.errors.push(`${error.code}: ${error.message}`))
    peer.on('delivery', ({ error }) => {
      if (error !== undefined) this.failures.push(error.code)
    })
    peer.on('message', async ({ from, data, id }) => {
      const { n } = data as ChaosMessage
      try {
        await book.add('arrivals', { to: peer.id, from, n, id: id ?? '' })
      } catch (error) {
        if ((error as DOMException).name !== 'ConstraintError') throw error
      }
    })
    return peer.id
  }

  /** Fulfils when the message is accepted: from then on it must arrive. */
  async send(to: string, n: number): Promise<void> {
    await this.#peer?.send(to, { n } satisfies ChaosMessage, { durable: true }).accepted
  }

  /** Durable messages that are under way. */
  get waiting(): number {
    return this.#peer?.outbox.length ?? 0
  }

  get connected(): number {
    return this.#peer?.peers.filter(({ session }) => session?.state === 'established').length ?? 0
  }

  get state(): unknown {
    return this.#peer?.peers.map(({ id, health, link, session }) => ({ id, health, link, session }))
  }

  /** Ids of the sessions it has. */
  get sessions(): string[] {
    return this.#peer?.peers.map(({ session }) => session?.id ?? '') ?? []
  }

  /** RTCPeerConnections not closed, in use and made ahead. */
  get connections(): { readonly inUse: number; readonly ahead: number } {
    const ahead = [...connections].filter(({ connectionState }) => connectionState === 'new').length
    return { inUse: connections.size - ahead, ahead }
  }

  /** Whether a link made after the last cut is in use. */
  get isBack(): boolean {
    const isDirect = [...connections].some(({ connectionState }) => connectionState === 'connected')
    return this.connected > 0 && (isDirect || this.isRelayed)
  }

  get isRelayed(): boolean {
    return this.#peer?.peers.some(({ link }) => link === 'relay') ?? false
  }
}

window.chaos = new ChaosPage()
