/**
 * A push service on the loopback, and the browsers that have subscriptions there: it checks who sent a push (RFC 8292), and
 * they decrypt it (RFC 8291). Nothing of it is shared with what sends them.
 */
import { createDecipheriv, createECDH, createPublicKey, hkdfSync, randomBytes, verify } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import type { SignalingPayload } from '@tsunagi/protocol/signaling'
import { onTestFinished } from 'vitest'

type Subscription = NonNullable<SignalingPayload<'push_subscribe'>['subscription']>

export interface ReceivedPush {
  readonly path: string
  readonly method: string | undefined
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

export class Browser {
  readonly subscription: Subscription
  readonly #key = createECDH('prime256v1')

  constructor(endpoint: string) {
    this.subscription = {
      endpoint,
      p256dh: new Uint8Array(this.#key.generateKeys()),
      auth: new Uint8Array(randomBytes(16)),
      label: new Uint8Array(randomBytes(16)),
    }
  }

  /** Throws where the push is for another browser, or was changed. */
  decrypt({ body, headers }: ReceivedPush): Buffer {
    if (headers['content-encoding'] !== 'aes128gcm') throw new Error('It is not encoded as RFC 8188 says.')
    const [salt, recordSize, idLength] = [body.subarray(0, 16), body.readUInt32BE(16), body.readUInt8(20)]
    const [senderKey, sealed] = [body.subarray(21, 21 + idLength), body.subarray(21 + idLength)]
    if (sealed.length > recordSize) throw new Error('A push is one record.')
    const { p256dh, auth } = this.subscription
    const keyInfo = Buffer.concat([Buffer.from('WebPush: info\0'), p256dh, senderKey])
    const secret = derive(this.#key.computeSecret(senderKey), auth, keyInfo, 32)
    const key = derive(secret, salt, 'Content-Encoding: aes128gcm\0', 16)
    const nonce = derive(secret, salt, 'Content-Encoding: nonce\0', 12)
    const decipher = createDecipheriv('aes-128-gcm', key, nonce).setAuthTag(sealed.subarray(-16))
    const padded = Buffer.concat([decipher.update(sealed.subarray(0, -16)), decipher.final()])
    const end = padded.findLastIndex((byte) => byte !== 0)
    if (padded[end] !== 2) throw new Error('The last record does not end as one.')
    return padded.subarray(0, end)
  }
}

/** What a push's sender says of itself. Throws where it did not sign that for this service. */
export function vapidClaims({ headers }: ReceivedPush, origin: string): { readonly key: Buffer; readonly sub: string } {
  const [, token = '', key = ''] = /^vapid t=([^, ]+), ?k=([^, ]+)$/.exec(headers.authorization ?? '') ?? []
  const [head = '', claims = '', signature = ''] = token.split('.')
  const point = Buffer.from(key, 'base64url')
  const [x, y] = [point.subarray(1, 33), point.subarray(33)].map((half) => half.toString('base64url'))
  const publicKey = createPublicKey({ format: 'jwk', key: { kty: 'EC', crv: 'P-256', x: x ?? '', y: y ?? '' } })
  const how = { key: publicKey, dsaEncoding: 'ieee-p1363' as const }
  if (!verify('sha256', Buffer.from(`${head}.${claims}`), how, Buffer.from(signature, 'base64url'))) {
    throw new Error('The token is not signed by the key that it names.')
  }
  const { alg } = JSON.parse(Buffer.from(head, 'base64url').toString())
  const { aud, exp, sub } = JSON.parse(Buffer.from(claims, 'base64url').toString())
  const life = exp - Date.now() / 1_000
  if (alg !== 'ES256' || aud !== origin || life <= 0 || life > 24 * 3_600) throw new Error('The token is not for here.')
  return { key: point, sub }
}

export class PushService {
  readonly origin: string
  /** All that it was asked. */
  readonly received: ReceivedPush[] = []
  /** How it answers. */
  answer: (response: ServerResponse) => void = (response) => response.writeHead(201).end()
  readonly #server: Server
  #wake: () => void = () => undefined

  private constructor(server: Server) {
    this.#server = server
    this.origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    server.on('request', async (request, response) => {
      const { method, headers, url: path = '' } = request
      this.received.push({ path, method, headers, body: await buffer(request) })
      this.answer(response)
      this.#wake()
    })
  }

  static async start(): Promise<PushService> {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    onTestFinished(() => {
      server.close()
      server.closeAllConnections()
    })
    return new PushService(server)
  }

  newBrowser(): Browser {
    return new Browser(`${this.origin}/push/${randomBytes(12).toString('base64url')}`)
  }

  /** Fulfils when it was asked so often. */
  async asked(times: number): Promise<void> {
    while (this.received.length < times) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  /** Fulfils when nobody is connected any more. */
  async left(): Promise<void> {
    this.#server.close()
    await once(this.#server, 'close')
  }
}

function derive(secret: Uint8Array, salt: Uint8Array, info: string | Uint8Array, length: number): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, salt, info, length))
}
