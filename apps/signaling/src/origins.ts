/** Which addresses are this server's own. A join names the one its peer used, so that it is worth nothing elsewhere. */
import { networkInterfaces } from 'node:os'
import { TsunagiError } from '@tsunagi/protocol/signaling'

const LOOPBACK = ['localhost', '127.0.0.1', '[::1]']

/** The origins of a server that listens on `host`: by every name of this machine where that is a wildcard. */
export function originsAt(host: string, port: number): string[] {
  return ownHosts(host).map((name) => new URL(`ws://${name}:${port}`).origin)
}

/** @throws TsunagiError INVALID_ARGUMENT where no browser could be sent there, as to an IPv6 address with a zone */
export function checkHost(host: string): string {
  if (URL.canParse(`http://${inUrl(host)}`)) return host
  throw new TsunagiError(
    'INVALID_ARGUMENT',
    `HOST is "${host}", but must be a host name or an IP address, such as 127.0.0.1 or 0.0.0.0.`,
  )
}

/**
 * @param origins by which people reach the server where something stands before it, such as `wss://mesh.example`
 * @throws TsunagiError INVALID_ARGUMENT where one is not the origin of a WebSocket address
 */
export function checkOrigins(origins: readonly string[]): readonly string[] {
  for (const text of origins) {
    const url = URL.canParse(text) ? new URL(text) : undefined
    if (url?.origin === text && (url.protocol === 'wss:' || url.protocol === 'ws:')) continue
    throw new TsunagiError(
      'INVALID_ARGUMENT',
      `The origin "${text}" (TSUNAGI_ORIGINS) must be like wss://mesh.example: ws or wss, a host in lower case, no path.`,
    )
  }
  return origins
}

/** The address to open in a browser of this machine. localhost is a secure context, which WebCrypto asks for. */
export function pageAddress(host: string, port: number): string {
  const [name] = ownHosts(host)
  return new URL(`http://${name}:${port}`).origin
}

function ownHosts(host: string): string[] {
  if (host === '0.0.0.0' || host === '::') {
    const addresses = Object.values(networkInterfaces()).flatMap((interfaces) => interfaces ?? [])
    return [...LOOPBACK, ...addresses.map(({ address }) => inUrl(address))]
  }
  const name = inUrl(host)
  return LOOPBACK.includes(name) ? LOOPBACK : [name]
}

function inUrl(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}
