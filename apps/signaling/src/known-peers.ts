/** Who has proved a key in a mesh, when that was last, and where its browser takes pushes. */
import type { Bytes, Clock, SignalingPayload } from '@tsunagi/protocol/signaling'
import type { SignalingLimits } from './limits.ts'
import { toBytes, toText } from './node-messages.ts'
import { type Change, change, parse, type Shelf, type Store } from './store.ts'

/** A key in a mesh: the same key in another mesh is somebody else. */
export interface Place {
  readonly meshId: Bytes
  readonly publicKey: Bytes
}

export type Subscription = NonNullable<SignalingPayload<'push_subscribe'>['subscription']>

/** As it is stored: bytes in base64. */
interface KnownPeer {
  readonly seen: number
  readonly subscription?: { readonly [Field in keyof Subscription]: string }
  /** Senders for whom it was sent a push within pushSpacing. */
  readonly pushes?: readonly { readonly sender: string; readonly at: number }[]
}

/** That a peer is still there is written no more often than this. */
const SEEN_STEP = 3_600_000

export class KnownPeers {
  readonly #shelf: Shelf
  readonly #clock: Clock
  readonly #limits: SignalingLimits
  readonly #isLasting: boolean
  /** Names of those who left, as long as that is being written. */
  readonly #leaving = new Set<string>()

  constructor(store: Store, clock: Clock, limits: SignalingLimits) {
    // Those not seen for longest make room: who comes back is known again at once.
    this.#shelf = store.shelf('peers', { records: limits.maxKnownPeers, whenFull: 'forget' })
    this.#clock = clock
    this.#limits = limits
    this.#isLasting = store.isLasting
  }

  async isKnown(place: Place): Promise<boolean> {
    const name = nameOfPlace(place)
    return this.#leaving.has(name) || parse(await this.#shelf.read(name), this.#clock.now()) !== undefined
  }

  /**
   * It is there, where it is found in its mesh. What ends with this process need not know it as well before it leaves: of many
   * peers that takes memory.
   */
  async returned(place: Place): Promise<void> {
    await this.#change(place, (held) => ({
      record: held === undefined && !this.#isLasting ? undefined : this.#seenLately(held),
      answer: undefined,
    }))
  }

  /** It was there until now. */
  async left(place: Place): Promise<void> {
    const name = nameOfPlace(place)
    this.#leaving.add(name)
    try {
      await this.#change(place, (held) => ({ record: this.#seenLately(held), answer: undefined }))
    } finally {
      this.#leaving.delete(name)
    }
  }

  /** In the place of the one before, or none. */
  async subscribe(place: Place, subscription: Subscription | undefined): Promise<void> {
    await this.#change(place, (held) => {
      const { subscription: _older, ...peer } = this.#seenNow(held)
      const record = subscription === undefined ? peer : { ...peer, subscription: stored(subscription) }
      return { record, answer: undefined }
    })
  }

  /** The push service says that it is no more. A newer one stays. */
  async unsubscribe(place: Place, endpoint: string): Promise<void> {
    await this.#change(place, (held) => {
      if (held?.subscription?.endpoint !== endpoint) return { record: held, answer: undefined }
      const { subscription: _gone, ...record } = held
      return { record, answer: undefined }
    })
  }

  /**
   * The subscription to send a push to for that sender, which is noted. Undefined where there is none, the pair has had a push
   * within pushSpacing, or the peer one for each of maxPushSenders others.
   */
  async claimPush(place: Place, sender: Bytes): Promise<Subscription | undefined> {
    const now = this.#clock.now()
    const claimed = await this.#change<Subscription | undefined>(place, (held) => {
      if (held?.subscription === undefined) return { record: held, answer: undefined }
      const name = toText(sender)
      const recent = (held.pushes ?? []).filter(({ at }) => now - at < this.#limits.pushSpacing)
      if (recent.length >= this.#limits.maxPushSenders || recent.some((push) => push.sender === name)) {
        return { record: held, answer: undefined }
      }
      const record = { ...held, pushes: [...recent, { sender: name, at: now }] }
      return { record, answer: restored(held.subscription) }
    })
    return claimed === 'full' ? undefined : claimed
  }

  /** Removes those not seen for knownPeerLife. */
  async sweep(): Promise<void> {
    while ((await this.#shelf.sweep(this.#clock.now())).length > 0);
  }

  #seenLately(held: KnownPeer | undefined): KnownPeer {
    return held !== undefined && this.#clock.now() - held.seen < SEEN_STEP ? held : this.#seenNow(held)
  }

  #seenNow(held: KnownPeer | undefined): KnownPeer {
    return { ...held, seen: this.#clock.now() }
  }

  #change<A>(
    place: Place,
    decide: (held: KnownPeer | undefined) => Pick<Change<KnownPeer, A>, 'record' | 'answer'>,
  ): Promise<A | 'full'> {
    return change<KnownPeer, A>(this.#shelf, nameOfPlace(place), this.#clock.now(), (held) => {
      const { record, answer } = decide(held)
      return { record, due: (record?.seen ?? 0) + this.#limits.knownPeerLife, answer }
    })
  }
}

export function nameOfPlace({ meshId, publicKey }: Place): string {
  // Joined: a template would keep its parts as texts of their own.
  return [toText(meshId), toText(publicKey)].join(':')
}

function stored({ endpoint, p256dh, auth, label }: Subscription): NonNullable<KnownPeer['subscription']> {
  return { endpoint, p256dh: toText(p256dh), auth: toText(auth), label: toText(label) }
}

function restored({ endpoint, p256dh, auth, label }: NonNullable<KnownPeer['subscription']>): Subscription {
  return { endpoint, p256dh: toBytes(p256dh), auth: toBytes(auth), label: toBytes(label) }
}
