/** A page that sends the file it was given, accepts what it is sent, and counts what its links carry. */
import type { IncomingTransfer, Peer, Transfer, TransferInfo } from '@tsunagi/protocol'
import { createPeer } from '@tsunagi/protocol/browser'
import { cutLinks } from './connections.ts'

declare global {
  interface Window {
    bulk: BulkPage
  }
}

/** Bytes that this page gave to channels and sockets. */
let sentBytes = 0
for (const kind of [RTCDataChannel, WebSocket]) {
  const { send } = kind.prototype
  kind.prototype.send = function (this: RTCDataChannel & WebSocket, data: ArrayBufferView<ArrayBuffer>) {
    sentBytes += data.byteLength
    send.call(this, data)
  } as typeof send
}

/** Of the SHA-256 digests of a blob's parts: the whole would have to be in memory at once. */
async function digestOf(blob: Blob): Promise<string> {
  const PART = 1024 * 1024
  const digests: Uint8Array<ArrayBuffer>[] = []
  for (let at = 0; at < blob.size; at += PART) {
    digests.push(new Uint8Array(await crypto.subtle.digest('SHA-256', await blob.slice(at, at + PART).arrayBuffer())))
  }
  const all = await new Blob(digests).arrayBuffer()
  return Array.from(new Uint8Array(await crypto.subtle.digest('SHA-256', all)), (byte) =>
    byte.toString(16).padStart(2, '0'),
  ).join('')
}

class BulkPage {
  readonly cutLinks = cutLinks
  readonly errors: string[] = []
  #peer: Peer | undefined
  #sending: Transfer | undefined

  /** Joins, and answers with the peer's id. */
  async join(signaling: string, mesh: string): Promise<string> {
    const peer = await createPeer({ signaling, mesh })
    this.#peer = peer
    peer.on('error', ({ code, message }) => this.errors.push(`${code}: ${message}`))
    peer.on('transfer', (offer) => {
      offer.accept()
    })
    return peer.id
  }

  get connected(): boolean {
    return this.#peer?.peers.some(({ session }) => session?.state === 'established') ?? false
  }

  send(to: string): void {
    this.#sending = this.#peer?.transfer(to, this.#file)
  }

  /** Goes on with what the page before this one was sending. */
  resume(): void {
    const kept = this.#peer?.transfers.find(({ info }) => info.state === 'interrupted')
    this.#sending = kept && this.#peer?.resumeTransfer(kept.id, this.#file)
  }

  /** What it sends, or receives. */
  get info(): TransferInfo | undefined {
    return (this.#sending ?? this.#received)?.info
  }

  get sentBytes(): number {
    return sentBytes
  }

  async receivedDigest(): Promise<string> {
    const blob = await this.#received?.blob()
    return blob === undefined ? '' : digestOf(blob)
  }

  /** Of what was received nothing is left. */
  discard(): void {
    this.#received?.discard()
  }

  get #received(): IncomingTransfer | undefined {
    return this.#peer?.transfers.find((transfer): transfer is IncomingTransfer => transfer.info.direction === 'in')
  }

  get #file(): File {
    const file = document.querySelector('input')?.files?.[0]
    if (file === undefined) throw new Error('This page was given no file.')
    return file
  }
}

window.bulk = new BulkPage()
