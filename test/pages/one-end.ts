import type { createWebRtcTransport } from '@tsunagi/protocol/browser'

type Transport = ReturnType<typeof createWebRtcTransport>
type Attempt = ReturnType<Awaited<Transport>['offer']>
type Link = Awaited<Attempt['opened']>

declare global {
  interface Window {
    /** Given by the test, which carries candidates to the other page. */
    tellCandidates(candidates: string[]): Promise<void>
  }
}

const toText = (bytes: Uint8Array) => new TextDecoder().decode(bytes)
const toBytes = (text: string) => new TextEncoder().encode(text)

/** One end of a link to another page, driven by a test: descriptions, candidates and frames are texts here. */
export class OneEnd {
  readonly frames: string[] = []
  /** What closed the link: a code, or 'closed' where this side did. */
  close: string | undefined
  readonly #transport: Transport
  #attempt: Attempt | undefined
  #link: Link | undefined

  constructor(transport: Transport) {
    this.#transport = transport
  }

  /** What is made ahead is there when it fulfils. */
  async prepare(): Promise<void> {
    const transport = await this.#transport
    transport.prepare?.()
  }

  /** Gives back what was made ahead. */
  async leave(): Promise<void> {
    const transport = await this.#transport
    transport.close?.()
  }

  async offer(iceServers: { urls: string[] }[] = []): Promise<string> {
    return this.#begin((await this.#transport).offer((found) => this.#tell(found), iceServers))
  }

  async answer(offer: string): Promise<string> {
    return this.#begin((await this.#transport).answer(toBytes(offer), (found) => this.#tell(found), []))
  }

  accept(answer: string): void {
    this.#attempt?.accept(toBytes(answer))
  }

  addCandidates(candidates: string[]): void {
    this.#attempt?.addCandidates(candidates.map(toBytes))
  }

  /** Fulfils with the error's code and message where the link did not open. */
  async opened(): Promise<string> {
    try {
      this.#link = await this.#attempt?.opened
    } catch (error) {
      return `${(error as { code: string }).code}: ${(error as Error).message}`
    }
    this.#link?.start({
      frame: (bytes) => this.frames.push(toText(bytes)),
      drain: () => undefined,
      close: (reason) => {
        this.close = reason ? (reason as { code?: string }).code : 'closed'
      },
    })
    return 'open'
  }

  send(frame: string): void {
    this.#link?.send(toBytes(frame))
  }

  closeLink(): void {
    this.#link?.close()
  }

  async #begin(attempt: Attempt): Promise<string> {
    this.#attempt = attempt
    return toText((await attempt.description).data)
  }

  #tell(found: readonly Uint8Array[]): void {
    window.tellCandidates(found.map(toText)).catch(reportError)
  }
}
