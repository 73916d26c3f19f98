/** A push service for one Firefox: RFC 8030 towards senders, and what Firefox speaks with its own service towards the browser. */
import { randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { WebSocket, WebSocketServer } from 'ws'

/** What Firefox says, as far as it matters here. */
interface FromBrowser {
  readonly messageType?: 'hello' | 'register' | 'unregister' | 'ack' | 'nack' | 'broadcast_subscribe'
  readonly channelID?: string
  readonly updates?: readonly { readonly version: string }[]
}

export interface PostedPush {
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
}

export class LocalPushService {
  readonly #http = createServer((request, response) => void this.#posted(request, response))
  readonly #sockets = new WebSocketServer({ server: this.#http })
  /** Pushes that were posted, as their senders sent them: no byte of a body can be read here. */
  readonly posted: PostedPush[] = []
  /** Versions of those that the browser says it has decrypted and handed to a service worker. */
  readonly acknowledged: string[] = []
  #browser: WebSocket | undefined

  private constructor() {
    this.#sockets.on('connection', (socket) => {
      this.#browser = socket
      socket.on('message', (data) => this.#heard(socket, JSON.parse(String(data)) as FromBrowser))
    })
  }

  static async start(): Promise<LocalPushService> {
    const service = new LocalPushService()
    await new Promise<void>((listening) => service.#http.listen(0, '127.0.0.1', listening))
    return service
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#http.address() as AddressInfo).port}`
  }

  /** Preferences with which a Firefox takes this service for its own. */
  get preferences(): Record<string, unknown> {
    return {
      'dom.push.serverURL': `${this.origin.replace('http', 'ws')}/`,
      'dom.push.connection.enabled': true,
      'dom.push.testing.allowInsecureServerURL': true,
      'dom.push.testing.ignorePermission': true,
    }
  }

  /** Of what came so far. */
  forget(): void {
    this.posted.length = 0
    this.acknowledged.length = 0
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets.clients) socket.terminate()
    this.#http.closeAllConnections()
    await new Promise((closed) => this.#http.close(closed))
  }

  #heard(socket: WebSocket, { messageType, channelID, updates = [] }: FromBrowser): void {
    const answer = (fields: object) => socket.send(JSON.stringify({ messageType, status: 200, ...fields }))
    if (messageType === 'hello') answer({ uaid: randomBytes(16).toString('hex'), use_webpush: true, broadcasts: {} })
    if (messageType === 'register') answer({ channelID, pushEndpoint: `${this.origin}/push/${channelID}` })
    if (messageType === 'unregister') answer({ channelID })
    if (messageType === 'ack') this.acknowledged.push(...updates.map(({ version }) => version))
  }

  async #posted(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await buffer(request)
    const channelID = /^\/push\/([\w-]+)$/.exec(request.url ?? '')?.[1]
    const isWhole = request.method === 'POST' && request.headers['content-encoding'] === 'aes128gcm'
    if (!isWhole || channelID === undefined || this.#browser?.readyState !== WebSocket.OPEN) {
      response.writeHead(channelID === undefined ? 404 : 400).end()
      return
    }
    const version = String(this.posted.push({ headers: request.headers, body }))
    const headers = { encoding: 'aes128gcm' }
    const data = body.toString('base64url')
    this.#browser.send(JSON.stringify({ messageType: 'notification', channelID, version, data, headers }))
    response.writeHead(201).end()
  }
}
