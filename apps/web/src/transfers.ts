import type { IncomingTransfer, Peer, PeerId, TaskInfo, Transfer, TransferInfo, TransferOffer } from '@tsunagi/protocol'
import { fingerprintOf } from '@tsunagi/protocol'
import type { Account } from './account.ts'
import { plainText, size } from './format.ts'
import type { PageHost, PagePart } from './page-part.ts'
import type { Questions } from './questions.ts'

/** A person has so long to answer an offer. */
const ANSWER_TIME = 5 * 60_000

/** Files to and from other peers, each with the person's consent. */
export class Transfers implements PagePart {
  readonly #host: PageHost
  readonly #questions: Questions
  readonly #account: Account
  readonly #stops: (() => void)[] = []
  /** Received files that were thrown away: their transfers are remembered by the library for a while, and nothing to show. */
  readonly #discarded = new WeakSet<Transfer>()
  /** What arrived and was counted, of transfers of this page. */
  readonly #counted = new Map<string, number>()
  #peer: Peer | undefined

  constructor(host: PageHost, questions: Questions, account: Account) {
    this.#host = host
    this.#questions = questions
    this.#account = account
  }

  attach(peer: Peer): void {
    this.#peer = peer
    for (const { info } of peer.transfers) this.#counted.set(info.id, info.bytes)
    this.#stops.push(
      peer.on('transfer', (offer) => this.#consider(offer)),
      peer.on('transferprogress', (info) => this.#count(info)),
    )
  }

  detach(): void {
    for (const stop of this.#stops.splice(0)) stop()
    this.#counted.clear()
    this.#peer = undefined
  }

  /** Newest first, without the files of tasks, which are seen there. */
  get all(): readonly (Transfer | IncomingTransfer)[] {
    return this.#peer?.transfers.filter((transfer) => !transfer.info.ofTask && !this.#discarded.has(transfer)) ?? []
  }

  discard(transfer: IncomingTransfer): void {
    transfer.discard()
    this.#discarded.add(transfer)
    this.#host.changed()
  }

  /** Bytes of a task's files that have moved, and of all of them as far as they are known; undefined where it has none. */
  ofTask({ id, peer }: TaskInfo): { readonly moved: number; readonly size: number } | undefined {
    // The last two bytes of its id say which of the task's files it is (SPEC R92).
    const files = this.#peer?.transfers.filter(
      ({ info }) => info.ofTask && info.peer === peer && info.id.slice(0, -4) === id.slice(0, -4),
    )
    if (files === undefined || files.length === 0) return undefined
    const sum = (bytes: readonly number[]) => bytes.reduce((a, b) => a + b, 0)
    return {
      moved: sum(files.map(({ info }) => info.bytes)),
      size: sum(files.map(({ info }) => info.size ?? info.bytes)),
    }
  }

  send(to: PeerId, file: File): void {
    const transfer = this.#peer?.transfer(to, file)
    const name = plainText(file.name, 80)
    transfer?.done.then(
      () => this.#host.announce(`“${name}” has arrived.`),
      (error) => {
        // What never began stands in no list.
        if (transfer.id === '') this.#host.report(`Sending “${name}”`, error)
      },
    )
    this.#host.changed()
  }

  /** Goes on with a transfer of a page before this one, which had the same file. */
  resume(id: string, file: File): void {
    const transfer = this.#peer?.resumeTransfer(id, file)
    transfer?.done.catch((error) => {
      if (transfer.id === '') this.#host.report(`Sending “${plainText(file.name, 80)}”`, error)
    })
    this.#host.changed()
  }

  async #consider(offer: TransferOffer): Promise<void> {
    const withdrawn = new AbortController()
    const stop = this.#peer?.on('transferprogress', ({ id, state }) => {
      if (id === offer.id && state === 'failed') withdrawn.abort()
    })
    const name = plainText(offer.name, 80) || 'a file without a name'
    const amount = offer.size === undefined ? 'of unknown size' : size(offer.size)
    const who = this.#peer?.peers.find(({ id }) => id === offer.from)?.name || fingerprintOf(offer.from)
    this.#host.announce(`${plainText(who)} would send ${name}, ${amount}. Accept or decline it at the end of the page.`)
    const answer = await this.#questions.ask(
      { from: offer.from, wish: 'would send a file:', detail: `${name}, ${amount}`, yes: 'Accept', no: 'Decline' },
      ANSWER_TIME,
      withdrawn.signal,
    )
    stop?.()
    if (answer !== 'yes' || withdrawn.signal.aborted) return
    const transfer = offer.accept()
    transfer.done.then(
      () => this.#host.announce(`${name} has arrived.`),
      // Its line tells.
      () => undefined,
    )
  }

  #count({ id, direction, peer, bytes }: TransferInfo): void {
    const more = bytes - (this.#counted.get(id) ?? 0)
    this.#counted.set(id, bytes)
    if (this.#counted.size > 1_000) this.#counted.delete(this.#counted.keys().next().value ?? '')
    if (more > 0) this.#account.moved(peer, direction === 'out' ? more : 0, direction === 'in' ? more : 0)
    this.#host.changed()
  }
}
