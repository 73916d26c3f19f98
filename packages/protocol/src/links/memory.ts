/** Links between peers of one program, for tests: no network, no time of their own, every step when the test says so. */
import { TsunagiError } from '../errors.ts'
import { PROTOCOL } from '../limits.ts'
import { type Bytes, concat } from '../wire/bytes.ts'
import type { ChannelBinding, Link, LinkAttempt, LinkDescription, LinkEvents, LinkTransport } from './link.ts'
import { LinkEnd } from './link-end.ts'

export interface MemoryNetworkOptions {
  /** Runs an action soon, never at once, and actions in the order given: queueMicrotask, or a clock of the test. */
  readonly schedule: (action: () => void) => void
  readonly randomBytes: (length: number) => Bytes
  /**
   * Stands between the two ends: gets each frame when it is about to arrive, with the name of the transport that sent
   * it. Not calling `deliver` loses the frame, calling it twice repeats it, calling it later delays it.
   */
  readonly onFrame?: (frame: Bytes, deliver: (frame: Bytes) => void, from: string) => void
}

export interface MemoryNetwork {
  /** One peer's end of the network; `name` is what onFrame calls it. */
  transport(name?: string): LinkTransport
  /** Breaks one link, or all that are open: both ends get LINK_LOST. */
  cut(link?: Link): void
  /** Ends of links that are open, and attempts neither opened nor aborted: what has been left behind. */
  readonly openEnds: number
  readonly openAttempts: number
}

const OFFER = 1
const ANSWER = 2
const FINGERPRINT = 32
const FIRST_LOW_MARK = 64 * 1024
/** Where Chromium's send buffer refuses more. */
const MOST_BUFFERED = 16 * 1024 * 1024

export function createMemoryNetwork(options: MemoryNetworkOptions): MemoryNetwork {
  const attempts = new Map<string, MemoryAttempt>()
  const links = new Set<MemoryLink>()
  const net: Net = { ...options, attempts, links }
  return {
    transport: (name = '') => ({
      kind: 'memory',
      offer: (onCandidates) => new MemoryAttempt(net, name, undefined, onCandidates),
      answer: (offer, onCandidates) => new MemoryAttempt(net, name, readDescription(offer, OFFER), onCandidates),
      fingerprintOf: (data) => readDescription(data).slice(),
    }),
    cut(link) {
      for (const open of [...links]) {
        if (link === undefined || open === link || open.other === link) open.lose('The link was cut.')
      }
    },
    get openEnds() {
      return links.size
    },
    get openAttempts() {
      return attempts.size
    },
  }
}

interface Net extends MemoryNetworkOptions {
  /** Attempts that wait for their other half, by fingerprint. */
  readonly attempts: Map<string, MemoryAttempt>
  readonly links: Set<MemoryLink>
}

/** A description is its role and the fingerprint, which is also the attempt's address: a swapped one leads elsewhere. */
function readDescription(data: Bytes, role?: number): Bytes {
  const [found] = data
  const known = role === undefined ? found === OFFER || found === ANSWER : found === role
  if (data.length !== 1 + FINGERPRINT || !known) {
    throw new TsunagiError('INVALID_FORMAT', 'This is not the description of a memory link.')
  }
  return data.subarray(1)
}

class MemoryAttempt implements LinkAttempt {
  readonly description: Promise<LinkDescription>
  readonly opened: Promise<Link>
  readonly name: string
  readonly fingerprint: Bytes
  /** Fingerprint of the offer that this attempt answers. */
  readonly answered: Bytes | undefined
  readonly #net: Net
  #accepted = false
  #ended = false
  #link: MemoryLink | undefined
  #fulfil!: (link: Link) => void
  #reject!: (reason: Error) => void

  constructor(net: Net, name: string, offered: Bytes | undefined, onCandidates: (candidates: Bytes[]) => void) {
    this.#net = net
    this.name = name
    this.answered = offered?.slice()
    this.fingerprint = net.randomBytes(FINGERPRINT)
    net.attempts.set(this.fingerprint.toString(), this)
    this.opened = new Promise((fulfil, reject) => {
      this.#fulfil = fulfil
      this.#reject = reject
    })
    this.opened.catch(() => undefined)
    const data = concat(Uint8Array.of(offered ? ANSWER : OFFER), this.fingerprint)
    this.description = Promise.resolve({ data, fingerprint: this.fingerprint.slice() })
    const tellCandidate = () => {
      if (!this.#ended) onCandidates([this.fingerprint.slice(0, 8)])
    }
    void this.description.then(() => net.schedule(tellCandidate))
  }

  accept(answer: Bytes): void {
    const address = readDescription(answer, ANSWER).toString()
    if (this.answered || this.#accepted) {
      throw new TsunagiError('INVALID_STATE', 'Only the side that offered takes an answer, and only one.')
    }
    this.#accepted = true
    this.#net.schedule(() => this.#connect(address))
  }

  addCandidates(): void {
    // There is one way from end to end, so a candidate changes nothing.
  }

  abort(): void {
    this.#link?.close()
    this.#fail('The attempt was ended.')
  }

  #connect(address: string): void {
    if (this.#ended) return
    const other = this.#net.attempts.get(address)
    if (other?.answered?.toString() !== this.fingerprint.toString()) {
      this.#fail('The other side is not there any more.')
      return
    }
    const here = new MemoryLink(this.#net, this.name, { local: this.fingerprint, remote: other.fingerprint })
    const there = new MemoryLink(this.#net, other.name, { local: other.fingerprint, remote: this.fingerprint })
    here.other = there
    there.other = here
    this.#open(here)
    other.#open(there)
  }

  #open(link: MemoryLink): void {
    this.#end()
    this.#link = link
    this.#fulfil(link)
  }

  #fail(why: string): void {
    this.#end()
    this.#reject(new TsunagiError('LINK_FAILED', why))
  }

  #end(): void {
    this.#ended = true
    this.#net.attempts.delete(this.fingerprint.toString())
  }
}

class MemoryLink implements Link {
  readonly kind = 'memory'
  readonly route = 'direct'
  readonly maxFrame = PROTOCOL.maxFrame
  lowMark = FIRST_LOW_MARK
  readonly binding: ChannelBinding
  other: MemoryLink | undefined
  readonly #net: Net
  readonly #name: string
  readonly #end: LinkEnd
  readonly #buffer: Bytes[] = []
  #bufferedAmount = 0

  constructor(net: Net, name: string, binding: ChannelBinding) {
    this.#net = net
    this.#name = name
    this.binding = { local: binding.local.slice(), remote: binding.remote.slice() }
    this.#end = new LinkEnd(net.schedule)
    net.links.add(this)
  }

  get bufferedAmount(): number {
    return this.#bufferedAmount
  }

  start(events: LinkEvents): void {
    this.#end.start(events)
  }

  send(frame: Bytes): void {
    this.#end.checkSend(frame)
    if (this.#bufferedAmount + frame.length > MOST_BUFFERED) {
      throw new TsunagiError('QUEUE_FULL', 'The link takes no more before some of what waits has left.')
    }
    this.#buffer.push(frame.slice())
    this.#bufferedAmount += frame.length
    this.#net.schedule(() => this.#leave())
  }

  close(): void {
    this.#shut()
  }

  arrive(frame: Bytes): void {
    if (!this.#end.frame(frame)) this.lose('More frames came than this side keeps before it listens.')
  }

  lose(why: string): void {
    this.#shut(new TsunagiError('LINK_LOST', why))
  }

  /** What has not left by now is lost, as it is when a browser closes a connection. */
  #shut(reason?: Error): void {
    if (!this.#end.closed) this.#net.schedule(() => this.other?.lose('The peer closed the link.'))
    this.#buffer.length = 0
    this.#bufferedAmount = 0
    this.#net.links.delete(this)
    this.#end.close(reason)
  }

  /** The oldest frame leaves this end and arrives at the other. */
  #leave(): void {
    const frame = this.#buffer.shift()
    if (!frame) return
    const before = this.#bufferedAmount
    this.#bufferedAmount -= frame.length
    const arrive = (bytes: Bytes) => this.other?.arrive(bytes)
    if (this.#net.onFrame) this.#net.onFrame(frame, arrive, this.#name)
    else arrive(frame)
    if (before > this.lowMark && this.#bufferedAmount <= this.lowMark) this.#end.drain()
  }
}
