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
declare class URL {
  constructor(url: string)
  readonly origin: string
}
