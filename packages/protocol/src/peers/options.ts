/** What createPeer() and the calls of a peer are given by a page, checked at the door. */
import type { PeerEvents, PeerOptions, SendOptions } from '../api.ts'
import { TsunagiError, toTsunagiError } from '../errors.ts'
import { LIMITS, PROTOCOL } from '../limits.ts'
import { isWellFormed } from '../wire/bytes.ts'

export interface CheckedPeerOptions extends Required<Omit<PeerOptions, 'secret'>> {
  readonly secret: string | undefined
}

/** The options with their defaults. @throws TsunagiError INVALID_ARGUMENT */
export function checkPeerOptions(options: PeerOptions): CheckedPeerOptions {
  if (typeof options !== 'object' || options === null) {
    throw wrong('createPeer() takes an object, such as { signaling: "wss://mesh.example/signaling", mesh: "team" }.')
  }
  const { signaling, mesh, secret, name = '', linkIdle = LIMITS.linkIdle, preload = false } = read(options)
  checkUrl(signaling)
  checkText('mesh', mesh, 1, PROTOCOL.maxMeshName)
  checkText('name', name, 0, PROTOCOL.maxName)
  if (!Number.isInteger(linkIdle) || linkIdle < 1_000 || linkIdle > LIMITS.sessionAge) {
    throw wrong(`The option linkIdle is a whole number of milliseconds, 1000 to ${LIMITS.sessionAge}.`)
  }
  if (typeof preload !== 'boolean') throw wrong('The option preload is true or false.')
  if (secret !== undefined) checkText('secret', secret, 1, PROTOCOL.maxSecret)
  return { signaling, mesh, secret, name, linkIdle, preload }
}

/** @throws TsunagiError INVALID_ARGUMENT, and what reading `options` throws */
export function checkSend(data: unknown, options: SendOptions): void {
  if (data === undefined) throw wrong('send() needs something to send; null is a value.')
  if (typeof options !== 'object' || options === null || !['undefined', 'boolean'].includes(typeof options.durable)) {
    throw wrong('The options of send() are an object, such as { durable: true }.')
  }
}

/** Every event, since an object's own keys alone tell a known name from a misspelt one. */
const EVENTS: Record<keyof PeerEvents, true> = {
  message: true,
  delivery: true,
  peer: true,
  peerleft: true,
  task: true,
  transfer: true,
  transferprogress: true,
  status: true,
  wakeup: true,
  reachability: true,
  error: true,
  trace: true,
}

/** @throws TsunagiError INVALID_ARGUMENT */
export function checkListener(event: unknown, listener: unknown): void {
  if (typeof event === 'string' && Object.hasOwn(EVENTS, event) && typeof listener === 'function') return
  throw wrong(`on() takes one of ${Object.keys(EVENTS).join(', ')}, and a function.`)
}

/** A copy, so that what is checked is what is used. */
function read(options: PeerOptions) {
  try {
    const { signaling, mesh, secret, name, linkIdle, preload } = options
    return { signaling, mesh, secret, name, linkIdle, preload }
  } catch (cause) {
    throw toTsunagiError(cause, 'INVALID_ARGUMENT', 'The options of createPeer() cannot be read; give a plain object.')
  }
}

function checkUrl(url: unknown): void {
  if (typeof url === 'string' && /^wss?:\/\/[^/]/.test(url) && !url.includes('#') && isUrl(url)) return
  throw wrong('The option signaling is the address of a signaling server, such as "wss://mesh.example/signaling".')
}

function isUrl(text: string): boolean {
  try {
    return Boolean(new URL(text))
  } catch {
    return false
  }
}

function checkText(option: string, text: unknown, least: number, most: number): void {
  if (typeof text === 'string' && text.length >= least && text.length <= most && isWellFormed(text)) return
  throw wrong(`The option ${option} is a text of ${least} to ${most} characters.`)
}

function wrong(message: string): TsunagiError {
  return new TsunagiError('INVALID_ARGUMENT', message)
}
