/** A page that hands a large file to a task and gets one back, or does that for others. */
import { createPeer } from '@tsunagi/protocol/browser'
import { cutLinks } from './connections.ts'

type Peer = Awaited<ReturnType<typeof createPeer>>

declare global {
  interface Window {
    taskFiles: TaskFilesPage
  }
}

class TaskFilesPage {
  readonly cutLinks = cutLinks
  peer: Peer | undefined

  async join(signaling: string): Promise<string> {
    const peer = await createPeer({ signaling, mesh: 'task files' })
    this.peer = peer
    peer.provide(
      { name: 'copy', version: '1', input: { type: 'string', contentEncoding: 'blob' }, idempotent: true },
      async (file: Blob) => ({ digest: await digestOf(file), copy: file.slice(0, file.size, 'image/x-copy') }),
    )
    return peer.id
  }

  /** Hands over a file of random bytes; answers with the task's id and the file's digest. */
  async begin(to: string, mib: number): Promise<{ id: string; digest: string }> {
    const parts = Array.from({ length: mib * 16 }, () => crypto.getRandomValues(new Uint8Array(65_536)))
    const file = new File(parts, 'random.bin', { type: 'application/x-random' })
    return { id: this.peer?.delegate('copy', file, { to }).id ?? '', digest: await digestOf(file) }
  }

  /** How the task ended, and the digests of what the executor got and of what came back. */
  async outcome(id: string): Promise<unknown> {
    const output = await this.peer?.task<{ digest: string; copy: Blob }>(id)?.result
    return output && { there: output.digest, back: await digestOf(output.copy), type: output.copy.type }
  }

  /** Share of the transfer of that direction that the receiver has. */
  share(direction: 'in' | 'out'): number {
    const info = this.peer?.transfers.find((transfer) => transfer.info.direction === direction)?.info
    return info?.size === undefined ? 0 : info.bytes / info.size
  }

  /** Received files that this page's browser has. */
  async kept(): Promise<number> {
    const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle('tsunagi-transfers')
    let count = 0
    for await (const _ of (folder as unknown as { keys(): AsyncIterable<string> }).keys()) count++
    return count
  }
}

async function digestOf(blob: Blob): Promise<string> {
  return String(new Uint8Array(await crypto.subtle.digest('SHA-256', await blob.arrayBuffer())))
}

window.taskFiles = new TaskFilesPage()
