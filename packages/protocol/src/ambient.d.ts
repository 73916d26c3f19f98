/** What every JavaScript host has beside the language itself: all the core may use of it. */
declare class TextEncoder {
  encode(text: string): Uint8Array<ArrayBuffer>
}
declare class TextDecoder {
  constructor(label: 'utf-8', options: { fatal: true })
  decode(bytes: Uint8Array): string
}
declare class AbortController {
  readonly signal: import('./api.ts').AbortSignal
  abort(reason?: unknown): void
}
/** Of a host that has them; what stands here is what the core needs. */
interface Blob {
  readonly size: number
  readonly type: string
}
interface ReadableStream<R> {
  readonly locked: boolean
  cancel(reason?: unknown): Promise<void>
  getReader(): { read(): Promise<{ done: boolean; value?: R | undefined }> }
}
declare class URL {
  constructor(url: string)
  readonly origin: string
}
