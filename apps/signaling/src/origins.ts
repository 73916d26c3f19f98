/**
 * Two lists of origins. The server's own, as `ws://host:port`: a join names the one its peer used, so that it is worth
 * nothing elsewhere. And those of the pages that may open a socket here.
 */
import { networkInterfaces } from 'node:os'
import { TsunagiError } from '@tsunagi/protocol/signaling'

const LOOPBACK = ['localhost', '127.0.0.1', '[::1]']

/** The origins of a server that listens on `host`: by every name of this machine where that is a wildcard. */
export function originsAt(host: string, port: number, scheme: 'ws' | 'wss' = 'ws'): string[] {
  return ownHosts(host).map((name) => new URL(`${scheme}://${name}:${port}`).origin)
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
    if (isOrigin(text, ['wss:', 'ws:'])) continue
    throw new TsunagiError(
      'INVALID_ARGUMENT',
      `The origin "${text}" (TSUNAGI_ORIGINS) must be like wss://mesh.example: ws or wss, a host in lower case, no path.`,
    )
  }
  return origins
}

/** Any page at all. */
const ANY = '*'

/** @throws TsunagiError INVALID_ARGUMENT where one is neither the origin of a page nor `*` */
export function checkPageOrigins(origins: readonly string[]): readonly string[] {
  for (const text of origins) {
    if (text === ANY || isOrigin(text, ['https:', 'http:'])) continue
    throw new TsunagiError(
      'INVALID_ARGUMENT',
      `The origin "${text}" (TSUNAGI_PAGE_ORIGINS) must be like https://app.example: http or https, a host in lower case, no path; or * for every page.`,
    )
  }
  return origins
}

export interface PageOrigins {
  /** The server's own, whose pages may always. */
  readonly own: ReadonlySet<string>
  /** Further ones that the operator listed. */
  readonly listed: readonly string[]
  /** Only this machine reaches the server, so any page of this machine may, such as a developer's on another port. */
  readonly isLocal: boolean
}

/**
 * Whether the page that sends this Origin header may open a socket. Browsers always send it, and no page can forge it, so
 * that foreign pages cannot make their visitors a load on this server. Other programs send what they like, or nothing:
 * they pass, and meet the other limits.
 */
export function pageMayEnter(origin: string | undefined, { own, listed, isLocal }: PageOrigins): boolean {
  if (origin === undefined || listed.includes(ANY) || listed.includes(origin)) return true
  if (!isOrigin(origin, ['https:', 'http:'])) return false
  if (own.has(origin.replace(/^http/, 'ws'))) return true
  return isLocal && LOOPBACK.includes(new URL(origin).hostname)
}

/** The address to open in a browser of this machine. localhost is a secure context, which WebCrypto asks for. */
export function pageAddress(host: string, port: number, scheme: 'http' | 'https' = 'http'): string {
  const [name] = ownHosts(host)
  return new URL(`${scheme}://${name}:${port}`).origin
}

/** Whether only programs of this machine reach a server that listens there. */
export function isLoopback(host: string): boolean {
  return LOOPBACK.includes(inUrl(host))
}

function isOrigin(text: string, protocols: readonly string[]): boolean {
  const url = URL.canParse(text) ? new URL(text) : undefined
  return url?.origin === text && protocols.includes(url.protocol)
}

function ownHosts(host: string): string[] {
  if (host === '0.0.0.0' || host === '::') {
    const addresses = Object.values(networkInterfaces()).flatMap((interfaces) => interfaces ?? [])
    return [...LOOPBACK, ...addresses.map(({ address }) => inUrl(address))]
  }
  return isLoopback(host) ? LOOPBACK : [inUrl(host)]
}

function inUrl(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}
