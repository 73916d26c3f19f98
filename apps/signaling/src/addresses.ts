/** Whom a request comes from, and what each address has open here. */
import type { IncomingMessage } from 'node:http'
import { type Clock, TsunagiError } from '@tsunagi/protocol/signaling'
import ipaddr from 'ipaddr.js'
import { Accounts } from './accounts.ts'
import type { SignalingLimits } from './limits.ts'
import { TokenBucket } from './token-bucket.ts'

type Address = ipaddr.IPv4 | ipaddr.IPv6

/** Of an IPv6 address its network: one customer has 2^64 addresses in it, so each alone would count for nothing. */
const IPV6_NETWORK = 64

/** The proxies whose word on the client's address is taken. Anybody can write the header; only theirs is believed. */
export class Proxies {
  readonly #ranges: readonly [Address, number][]

  /**
   * @param proxies addresses or ranges, such as `10.0.0.0/8`
   * @throws TsunagiError INVALID_ARGUMENT where one is neither
   */
  constructor(proxies: readonly string[]) {
    this.#ranges = proxies.map(parseRange)
  }

  includes(address: string | undefined): boolean {
    const parsed = parse(address)
    return parsed !== undefined && this.#isListed(parsed)
  }

  /**
   * The name under which a request's client counts: its IPv4 address or its IPv6 network. Behind listed proxies it is the
   * last address of X-Forwarded-For that is no such proxy: what stands before that, the client wrote itself.
   * Undefined where the connection is gone.
   */
  clientOf(request: IncomingMessage): string | undefined {
    let client = parse(request.socket.remoteAddress)
    const forwarded = String(request.headers['x-forwarded-for'] ?? '').split(',')
    while (client !== undefined && this.#isListed(client)) {
      const before = parse(forwarded.pop()?.trim())
      if (before === undefined) break
      client = before
    }
    return client && nameOf(client)
  }

  #isListed(address: Address): boolean {
    return this.#ranges.some(([base, bits]) => base.kind() === address.kind() && address.match(base, bits))
  }
}

/** What one address has open, and its attempts to open more. */
export interface AddressAccount {
  sockets: number
  /** Of these, sockets that have not proved a key. */
  unproven: number
  /** TCP connections of plain HTTP. */
  requests: number
  readonly attempts: TokenBucket
}

export function addressAccounts(limits: SignalingLimits, clock: Clock): Accounts<AddressAccount> {
  const open = () => ({
    sockets: 0,
    unproven: 0,
    requests: 0,
    attempts: new TokenBucket(limits.attemptRate, limits.attemptBurst, clock),
  })
  return new Accounts(limits.maxRemembered, open, ({ sockets, requests }) => sockets + requests > 0)
}

/** The name under which the other end of a TCP connection counts. */
export function nameOfAddress(address: string | undefined): string | undefined {
  const parsed = parse(address)
  return parsed && nameOf(parsed)
}

function nameOf(address: Address): string {
  if (address.kind() === 'ipv4') return address.toString()
  return ipaddr.IPv6.networkAddressFromCIDR(`${address.toString()}/${IPV6_NETWORK}`).toString()
}

function parse(text: string | undefined): Address | undefined {
  // process() takes an IPv4 address in IPv6 clothes for what it is.
  return text !== undefined && ipaddr.isValid(text) ? withoutZone(ipaddr.process(text)) : undefined
}

/** fe80::1%eth0 and fe80::1 are one neighbour. */
function withoutZone(address: Address): Address {
  return address.kind() === 'ipv4' ? address : new ipaddr.IPv6((address as ipaddr.IPv6).parts)
}

function parseRange(text: string): [Address, number] {
  try {
    if (text.includes('/')) return ipaddr.parseCIDR(text)
    const address = ipaddr.process(text)
    return [address, address.kind() === 'ipv4' ? 32 : 128]
  } catch (cause) {
    throw new TsunagiError(
      'INVALID_ARGUMENT',
      `"${text}" (TSUNAGI_PROXIES) must be an IP address or a range of them, such as 10.0.0.0/8.`,
      { cause },
    )
  }
}
