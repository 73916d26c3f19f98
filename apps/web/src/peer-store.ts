import {
  type DelegateOptions,
  type ErrorCode,
  fingerprintOf,
  isTsunagiError,
  type Peer,
  type PeerId,
  type PeerInfo,
  type TaskHandler,
  type TraceEntry,
} from '@tsunagi/protocol'
import { createPeer } from '@tsunagi/protocol/browser'
import type { ReactiveControllerHost } from 'lit'
import { Account } from './account.ts'
import { fractalTile } from './capabilities/fractal-tile.ts'
import { BUILT_IN, type BuiltIn, provide } from './capabilities/index.ts'
import type { Tile } from './capabilities/mandelbrot.ts'
import type { Work } from './components/work-input.ts'
import { Consent } from './consent.ts'
import { plainText } from './format.ts'
import { GivenWork } from './given-work.ts'
import type { MeshAddress } from './mesh-address.ts'
import type { PageHost, PagePart } from './page-part.ts'
import { Pictures } from './picture.ts'
import { Questions } from './questions.ts'
import type { Missing } from './requirements.ts'
import { Transfers } from './transfers.ts'
import { weightOf } from './weight.ts'

declare global {
  /** The peer of this page, for the console. */
  var peer: Peer | undefined
}

/** Where this page stands. */
export type Place =
  | { readonly kind: 'starting' }
  | { readonly kind: 'unsupported'; readonly missing: readonly Missing[] }
  | { readonly kind: 'invalid-invite'; readonly reason: string }
  | { readonly kind: 'joining'; readonly address: MeshAddress }
  | { readonly kind: 'joined'; readonly address: MeshAddress; readonly peer: Peer }
  | { readonly kind: 'failed'; readonly address: MeshAddress; readonly problem: Problem }

/** What happened and what helps. */
export interface Problem {
  readonly text: string
  /** Stable name of the problem, where the library knows it. */
  readonly code: string | undefined
}

/** A problem, and to what it happened. */
export interface Notice extends Problem {
  readonly id: number
  readonly subject: string
  readonly times: number
}

/** Ends of one attempt to connect. The peer goes on trying, its line says so, and its details name the last problem. */
const TRIED_AGAIN: ReadonlySet<ErrorCode> = new Set(['LINK_FAILED', 'LINK_LOST', 'HANDSHAKE_TIMEOUT'])
const NAME_KEY = 'tsunagi.name'
/** Pages are drawn at most 20 times a second, however many messages travel. */
const DRAW_INTERVAL = 50
/** More than a person reads; the oldest give way. */
const MAX_NOTICES = 8
/** The one place that knows the peer; components ask it and are drawn again when something changed. */
export class PeerStore {
  #place: Place = { kind: 'starting' }
  #joins = 0
  #closed = Promise.resolve()
  #notices: readonly Notice[] = []
  #noticeCount = 0
  #announcement = ''
  #drawing: ReturnType<typeof setTimeout> | undefined
  #stopTrace: (() => void) | undefined
  readonly #part: PageHost = {
    changed: () => this.#changed(),
    announce: (text) => this.#announce(text),
    report: (subject, reason) => this.report(subject, reason),
  }
  readonly account = new Account(this.#part)
  readonly questions = new Questions(this.#part)
  readonly consent = new Consent(this.#part, this.questions)
  readonly pictures = new Pictures(this.#part, this.account)
  readonly given = new GivenWork(this.#part, this.account, this.pictures)
  readonly transfers = new Transfers(this.#part, this.questions, this.account)
  readonly #parts: readonly PagePart[] = [this.account, this.consent, this.pictures, this.given, this.transfers]
  readonly #lacking = new Map<string, string | undefined>()
  readonly #hosts = new Set<ReactiveControllerHost>()
  readonly #traceListeners = new Set<(entry: TraceEntry) => void>()

  get place(): Place {
    return this.#place
  }

  get peer(): Peer | undefined {
    return this.#place.kind === 'joined' ? this.#place.peer : undefined
  }

  get notices(): readonly Notice[] {
    return this.#notices
  }

  /** The latest event worth saying aloud. */
  get announcement(): string {
    return this.#announcement
  }

  /** How this peer calls itself; kept by the browser, told to others at the next join. */
  get name(): string {
    try {
      return localStorage.getItem(NAME_KEY) ?? ''
    } catch {
      // Storage that is switched off: the name lasts as long as this peer.
      return this.peer?.name ?? ''
    }
  }

  /** @throws DOMException where the browser keeps nothing for this page */
  set name(name: string) {
    localStorage.setItem(NAME_KEY, name)
    this.#changed()
  }

  /** Draws `host` again whenever something here changes, for as long as it is on the page. */
  drawOnChange(host: ReactiveControllerHost): void {
    host.addController({
      hostConnected: () => this.#hosts.add(host),
      hostDisconnected: () => this.#hosts.delete(host),
    })
  }

  /** The returned function ends it. The peer traces only while somebody listens. */
  onTrace(listener: (entry: TraceEntry) => void): () => void {
    this.#traceListeners.add(listener)
    this.#adjustTrace()
    return () => {
      this.#traceListeners.delete(listener)
      this.#adjustTrace()
    }
  }

  /** Leaves the mesh, if this page is in one, and says why no other can be joined. */
  refuse(place: Extract<Place, { kind: 'unsupported' | 'invalid-invite' }>): void {
    this.#joins++
    this.leave()
    this.#moveTo(place)
  }

  /** Leaves the mesh this page is in and joins the one at `address`. */
  async join(address: MeshAddress): Promise<void> {
    const join = ++this.#joins
    this.leave()
    this.#moveTo({ kind: 'joining', address })
    try {
      // The identity slot of the old peer is free only when it has closed.
      await this.#closed
      if (join !== this.#joins) return
      const scheme = location.protocol === 'https:' ? 'wss' : 'ws'
      const peer = await createPeer({
        // All of it is used here; a tab stays open over new versions, whose files are others.
        preload: true,
        signaling: `${scheme}://${location.host}/signaling`,
        mesh: address.mesh,
        name: this.name,
        ...(address.secret !== undefined && { secret: address.secret }),
      })
      if (join !== this.#joins) return this.#close(peer)
      this.#listen(peer)
      // The person's choices stand before there is anything to use.
      for (const part of this.#parts) part.attach(peer)
      this.#provideAll(peer)
      this.#moveTo({ kind: 'joined', address, peer })
    } catch (error) {
      if (join !== this.#joins) return
      this.#moveTo({ kind: 'failed', address, problem: problemOf(error) })
    }
  }

  /** Says goodbye to the others. Does nothing where no mesh was joined. */
  leave(): void {
    const { peer } = this
    if (peer === undefined) return
    this.#stopTrace?.()
    this.#stopTrace = undefined
    for (const part of this.#parts) part.detach()
    globalThis.peer = undefined
    this.#close(peer)
  }

  /** Keeps what the next page of this tab goes on with. */
  save(): void {
    this.account.save()
    this.pictures.save()
  }

  /** Gives work to another peer, or a picture that anybody may draw to all of them. */
  handOver(capability: string, work: Work, options: DelegateOptions): void {
    if (capability !== fractalTile.name || options.to !== undefined) this.given.give(capability, work, options)
    else this.pictures.draw(work.input as Tile, work.subject, options)
  }

  /** Why this browser does not offer a capability of the app, in a sentence; undefined where it does. */
  lackingFor(capability: string): string | undefined {
    return this.#lacking.get(capability)
  }

  /** How people tell a peer from others: its name, if it has one, and its fingerprint. */
  labelOf(id: PeerId): string {
    const name = this.peer?.peers.find((info) => info.id === id)?.name
    return name ? `${plainText(name)} · ${fingerprintOf(id)}` : fingerprintOf(id)
  }

  /** Shows that something failed: `subject` says what was to be done, or whom it is about. */
  report(subject: string, reason: unknown): void {
    const { text, code } = problemOf(reason)
    const same = this.#notices.find((notice) => notice.subject === subject && notice.text === text)
    if (same !== undefined) {
      // A repeated one stays where it is: nothing moves under the pointer.
      const again = { ...same, times: same.times + 1 }
      this.#notices = this.#notices.map((notice) => (notice === same ? again : notice))
    } else {
      const notice = { id: ++this.#noticeCount, subject, text, code, times: 1 }
      this.#notices = [notice, ...this.#notices].slice(0, MAX_NOTICES)
    }
    this.#changed()
  }

  dismiss(id: number): void {
    this.#notices = this.#notices.filter((notice) => notice.id !== id)
    this.#changed()
  }

  #close(peer: Peer): void {
    this.#closed = peer.close().catch((error) => this.report('Leaving the mesh', error))
  }

  #listen(peer: Peer): void {
    globalThis.peer = peer
    const met = new Set<PeerId>()
    peer.on('status', () => this.#changed())
    peer.on('peer', (info: PeerInfo) => {
      if (info.session?.state === 'established' && !met.has(info.id)) {
        met.add(info.id)
        this.#announce(`${info.name || fingerprintOf(info.id)} is here.`)
      }
      this.#changed()
    })
    peer.on('peerleft', (info: PeerInfo) => {
      if (met.delete(info.id)) this.#announce(`${info.name || fingerprintOf(info.id)} has left.`)
      this.#changed()
    })
    peer.on('task', () => this.#changed())
    peer.on('reachability', () => this.#changed())
    peer.on('wakeup', ({ from, reason }) => {
      this.#announce(`${this.labelOf(from)} woke this tab${reason === '' ? '' : `: ${plainText(reason)}`}.`)
    })
    peer.on('error', (error) => {
      if (TRIED_AGAIN.has(error.code)) return
      this.report(error.peer === undefined ? 'This peer' : `Peer ${this.labelOf(error.peer)}`, error)
    })
  }

  #provideAll(peer: Peer): void {
    const offer = (builtIn: BuiltIn) => provide(peer, builtIn, (handler) => this.#counted(handler))
    for (const builtIn of BUILT_IN) {
      builtIn.lacking().then(
        (lack) => {
          this.#lacking.set(builtIn.name, lack)
          if (lack === undefined && this.peer === peer) offer(builtIn)
          this.#changed()
        },
        (error) => this.report(builtIn.title, error),
      )
    }
  }

  /** What goes in and out of `handler`, in the account of its caller. */
  #counted(handler: TaskHandler): TaskHandler {
    return async (input, context) => {
      const output = await handler(input, context)
      this.account.moved(context.caller, weightOf(output), weightOf(input))
      return output
    }
  }

  #moveTo(place: Place): void {
    this.#place = place
    this.#adjustTrace()
    this.#changed()
  }

  #adjustTrace(): void {
    const wanted = this.#traceListeners.size > 0
    if (wanted && this.peer !== undefined)
      this.#stopTrace ??= this.peer.on('trace', (entry) => {
        for (const listener of this.#traceListeners) listener(entry)
      })
    else {
      this.#stopTrace?.()
      this.#stopTrace = undefined
    }
  }

  #announce(text: string): void {
    this.#announcement = text
    this.#changed()
  }

  #changed(): void {
    this.#drawing ??= setTimeout(() => {
      this.#drawing = undefined
      for (const host of this.#hosts) host.requestUpdate()
    }, DRAW_INTERVAL)
  }
}

/** Anything thrown, in words for a person. */
export function problemOf(reason: unknown): Problem {
  if (isTsunagiError(reason)) return { text: reason.message, code: reason.code }
  return { text: reason instanceof Error ? reason.message : String(reason), code: undefined }
}

export const store = new PeerStore()
