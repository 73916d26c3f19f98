/**
 * Wake-ups that wait for peers who are not there: of each sender the newest, until they expire or are taken. What they say
 * is sealed for their addressee.
 */
import { type Bytes, type Clock, equalBytes, type SignalingPayload } from '@tsunagi/protocol/signaling'
import { nameOfPlace, type Place } from './known-peers.ts'
import type { SignalingLimits } from './limits.ts'
import type { Mail } from './mesh.ts'
import type { Metrics } from './metrics.ts'
import { toBytes, toText } from './node-messages.ts'
import { change, parse, type Shelf, type Store } from './store.ts'

export type Priority = SignalingPayload<'wake_up'>['priority']

const MOST_URGENT_FIRST: readonly Priority[] = ['critical', 'high', 'normal', 'low']

export interface KeptMail extends Mail {
  readonly priority: Priority
  /** Milliseconds since 1970. */
  readonly expires: number
}

/** As it is stored: bytes in base64, the oldest first. */
type MailRecord = readonly {
  readonly id: string
  readonly sender: string
  readonly sealed: string
  readonly priority: Priority
  readonly expires: number
}[]

export class Mailbox {
  readonly #shelf: Shelf
  readonly #clock: Clock
  readonly #limits: SignalingLimits
  readonly #metrics: Metrics

  constructor(store: Store, clock: Clock, limits: SignalingLimits, metrics: Metrics) {
    // What was kept for one is never thrown away for another.
    this.#shelf = store.shelf('mail', { records: limits.maxMailboxes, whenFull: 'refuse' })
    this.#clock = clock
    this.#limits = limits
    this.#metrics = metrics
  }

  /** Takes the place of what the same sender left before. `full`: nothing changed. */
  async leave(place: Place, mail: KeptMail): Promise<'kept' | 'full'> {
    const sender = toText(mail.sender)
    const outcome = await this.#change<'kept' | 'full'>(place, (waiting) => {
      const others = waiting.filter((other) => other.sender !== sender)
      const { id, sealed, priority, expires } = mail
      const record = [...others, { id: toText(id), sender, sealed: toText(sealed), priority, expires }]
      const isRoom = record.length <= this.#limits.maxMail && sizeOf(record) <= this.#limits.maxMailBytes
      return isRoom ? { record, answer: 'kept' } : { record: waiting, answer: 'full' }
    })
    if (outcome === 'kept') this.#metrics.mail('kept')
    return outcome
  }

  /** What waits for a peer, the most urgent first, and of those the oldest. */
  async waiting(place: Place): Promise<Mail[]> {
    const now = this.#clock.now()
    const record = parse<MailRecord>(await this.#shelf.read(nameOfPlace(place)), now) ?? []
    const valid = record.filter(({ expires }) => expires > now)
    const inOrder = MOST_URGENT_FIRST.flatMap((priority) => valid.filter((mail) => mail.priority === priority))
    return inOrder.map(({ id, sender, sealed }) => ({
      id: toBytes(id),
      sender: toBytes(sender),
      sealed: toBytes(sealed),
    }))
  }

  /** Only what waits for this peer can be taken: of any other id nothing comes. */
  async take(place: Place, id: Bytes): Promise<void> {
    const wasThere = await this.#change<boolean>(place, (waiting) => {
      const record = waiting.filter((mail) => !equalBytes(toBytes(mail.id), id))
      return record.length < waiting.length ? { record, answer: true } : { record: waiting, answer: false }
    })
    if (wasThere === true) this.#metrics.mail('taken')
  }

  /** Removes mailboxes in which everything has expired. */
  async sweep(): Promise<void> {
    let gone: string[]
    do {
      gone = await this.#shelf.sweep(this.#clock.now())
      for (const text of gone) this.#metrics.mail('expired', (JSON.parse(text) as MailRecord).length)
    } while (gone.length > 0)
  }

  /** What has expired is gone whenever something changes. An empty mailbox is none. */
  async #change<A>(
    place: Place,
    decide: (waiting: MailRecord) => { readonly record: MailRecord; readonly answer: A },
  ): Promise<A | 'full'> {
    const now = this.#clock.now()
    let expired = 0
    const outcome = await change<MailRecord, A>(this.#shelf, nameOfPlace(place), now, (held) => {
      const waiting = (held ?? []).filter(({ expires }) => expires > now)
      expired = (held?.length ?? 0) - waiting.length
      const { record, answer } = decide(waiting)
      if (record === waiting && expired === 0) return { record: held, due: 0, answer }
      const due = Math.max(...record.map(({ expires }) => expires))
      return { record: record.length > 0 ? record : undefined, due, answer }
    })
    if (expired > 0) this.#metrics.mail('expired', expired)
    return outcome
  }
}

/** Bytes of what was sealed: the rest of each has a bound of its own. */
function sizeOf(record: MailRecord): number {
  return record.reduce((bytes, { sealed }) => bytes + Buffer.byteLength(sealed, 'base64'), 0)
}
