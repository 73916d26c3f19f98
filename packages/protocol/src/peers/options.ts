/** What createPeer() and the calls of a peer are given by a page, checked at the door. */
import type { PeerOptions, SendOptions } from '../api.ts'
import { TsunagiError } from '../errors.ts'
import { PROTOCOL } from '../limits.ts'

/** The options with their defaults. @throws TsunagiError INVALID_ARGUMENT */
export function checkPeerOptions(
  options: PeerOptions,
): Required<Omit<PeerOptions, 'secret'>> & Pick<PeerOptions, 'secret'> {
  if (typeof options !== 'object' || options === null) {
    throw wrong('createPeer() takes an object, such as { signaling: "wss://mesh.example/signaling", mesh: "team" }.')
  }
  const { signaling, mesh, secret, name = '' } = options
  checkUrl(signaling)
  checkText('mesh', mesh, 1, PROTOCOL.maxMeshName)
  checkText('name', name, 0, PROTOCOL.maxName)
  if (secret === undefined) return { signaling, mesh, name }
  checkText('secret', secret, 1, PROTOCOL.maxSecret)
  return { signaling, mesh, name, secret }
}

/** @throws TsunagiError INVALID_ARGUMENT */
export function checkSend(data: unknown, options: SendOptions): void {
  if (data === undefined) throw wrong('send() needs something to send; null is a value.')
  if (typeof options !== 'object' || options === null || !['undefined', 'boolean'].includes(typeof options.durable)) {
    throw wrong('The options of send() are an object, such as { durable: true }.')
  }
}

function checkUrl(url: unknown): void {
  if (typeof url === 'string' && /^wss?:\/\/[^/]/.test(url) && !url.includes('#')) return
  throw wrong('The option signaling is the address of a signaling server, such as "wss://mesh.example/signaling".')
}

function checkText(option: string, text: unknown, least: number, most: number): void {
  if (typeof text === 'string' && text.length >= least && text.length <= most && isWellFormed(text)) return
  throw wrong(`The option ${option} is a text of ${least} to ${most} characters.`)
}

/** Half a surrogate pair has no UTF-8, so the other side would read another text. */
function isWellFormed(text: string): boolean {
  return !/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/.test(text)
}

function wrong(message: string): TsunagiError {
  return new TsunagiError('INVALID_ARGUMENT', message)
}
