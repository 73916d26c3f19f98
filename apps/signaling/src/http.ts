/** What is answered to plain HTTP: the built web app and two questions about health. */
import { existsSync } from 'node:fs'
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import { join } from 'node:path'
import { TsunagiError } from '@tsunagi/protocol/signaling'
import send from 'send'

/** Sent with every answer: no foreign script runs in the page, and no other page frames it. */
const SECURITY_HEADERS = {
  'Content-Security-Policy': [
    "default-src 'self'",
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

export interface HttpOptions {
  /** Whether new sockets are taken. */
  ready(): boolean
  /** Directory of the built web app; none is served without it. */
  readonly webApp: string | undefined
}

/** @throws TsunagiError INVALID_ARGUMENT where `webApp` holds no built app */
export function httpHandler({ ready, webApp }: HttpOptions): HttpHandler {
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
    if (path === '/livez') return answerHealth(response, 200, 'live')
    if (path === '/readyz')
      return ready() ? answerHealth(response, 200, 'ready') : answerHealth(response, 503, 'stopping')
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

function answerHealth(response: ServerResponse, status: number, word: string): void {
  response.writeHead(status, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' })
  response.end(JSON.stringify({ status: word }))
}

function answerStatus(response: ServerResponse, status: number): void {
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8', 'Cache-Control': 'no-store' })
  response.end(STATUS_CODES[status])
}
