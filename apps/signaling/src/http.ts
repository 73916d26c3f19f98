/** What is answered to plain HTTP: the built web app, two questions about health, and the limits. */
import { existsSync } from 'node:fs'
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import { join } from 'node:path'
import { TsunagiError } from '@tsunagi/protocol/signaling'
import send from 'send'
import type { SignalingLimits } from './limits.ts'

/** Sent with every answer: no foreign script runs in the page, and no other page frames it. */
const SECURITY_HEADERS = {
  'Content-Security-Policy': [
    "default-src 'self'",
    // WebAssembly compiles, as workers that run modules of others need; scripts from texts do not.
    "script-src 'self' 'wasm-unsafe-eval'",
    // Not every browser counts a WebSocket to the same host as 'self'.
    "connect-src 'self' ws: wss:",
    "worker-src 'self' blob:",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
} as const

/** File names in here hold a hash of the content, so what a name stands for never changes. */
const HASHED = '/assets/'
const FOR_EVER = 'public, max-age=31536000, immutable'
const ASK_AGAIN = 'no-cache'

export type HttpHandler = (request: IncomingMessage, response: ServerResponse) => void

/** `degraded`: peers are taken, and reach those at this node only. */
export type Readiness = 'ready' | 'degraded' | 'stopping'

export interface HttpOptions {
  readonly limits: SignalingLimits
  readiness(): Readiness
  /** Directory of the built web app; none is served without it. */
  readonly webApp: string | undefined
}

/** @throws TsunagiError INVALID_ARGUMENT where `webApp` holds no built app */
export function httpHandler({ limits, readiness, webApp }: HttpOptions): HttpHandler {
  if (webApp !== undefined && !existsSync(join(webApp, 'index.html'))) {
    throw new TsunagiError(
      'INVALID_ARGUMENT',
      `There is no built web app in ${webApp}: build it with "npx --yes pnpm build", or name another place in TSUNAGI_WEB_APP.`,
    )
  }
  return (request, response) => {
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) response.setHeader(name, value)
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('Allow', 'GET, HEAD')
      return answerStatus(response, 405)
    }
    const path = pathOf(request)
    if (path === '/livez') return answerJson(response, 200, { status: 'live' })
    if (path === '/readyz') {
      const status = readiness()
      // A degraded node takes peers: without Redis all are, and a balancer that left them all out would end the service.
      return answerJson(response, status === 'stopping' ? 503 : 200, { status })
    }
    if (path === '/limits') return answerJson(response, 200, limits)
    if (webApp === undefined) return answerStatus(response, 404)
    send(request, path, { root: webApp, acceptRanges: false, cacheControl: false, lastModified: false })
      .on('headers', (file: ServerResponse) => {
        file.setHeader('Cache-Control', path.startsWith(HASHED) ? FOR_EVER : ASK_AGAIN)
      })
      .on('error', (error: Error & { status?: number }) => {
        if (response.headersSent) response.destroy()
        else answerStatus(response, error.status ?? 500)
      })
      .pipe(response)
  }
}

/** The path of a request without its query. */
export function pathOf(request: IncomingMessage): string {
  return (request.url ?? '/').split('?', 1)[0] as string
}

function answerJson(response: ServerResponse, status: number, value: object): void {
  response.writeHead(status, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' })
  response.end(JSON.stringify(value))
}

function answerStatus(response: ServerResponse, status: number): void {
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8', 'Cache-Control': 'no-store' })
  response.end(STATUS_CODES[status])
}
