/** The model of a random conversation: what was sent each way, what must become of it, and a wire that does as it is told. */
import { expect } from 'vitest'
import { isTsunagiError } from '../errors.ts'
import type { Bytes } from '../wire/bytes.ts'
import type { SessionMessage } from './session-messages.ts'
import type { SessionEnd, Side } from './session-pair.fixture.ts'
import type { StoredMessage } from './store.ts'

export type Kind = 'bytes' | 'value' | 'cancel' | 'status' | 'ping' | 'heartbeat'
const EPHEMERAL: readonly Kind[] = ['ping', 'heartbeat']
const LANE_OF: { readonly [K in Kind]: 'high' | 'normal' | 'low' } = {
  bytes: 'normal',
  value: 'normal',
  cancel: 'high',
  status: 'low',
  ping: 'high',
  heartbeat: 'low',
}

/**
 * The model of one direction: every message has a number, and a receiver sees those of one lane grow, also over its pages and
 * the sender's.
 */
export class Direction {
  readonly #from: () => SessionEnd
  /** What became of each message sent, unless its page was gone before. */
  readonly outcomes = new Map<number, string>()
  readonly #kinds = new Map<number, Kind>()
  readonly #arrived = new Set<number>()
  readonly #last = { high: 0, normal: 0, low: 0 }
  /** Durable messages by id; `accepted` once their sender was told so. */
  readonly #durable = new Map<string, { readonly number: number; accepted: boolean }>()
  /** Those that a page of the receiver was told of, and those that one found stored. */
  readonly #told = new Set<string>()
  readonly #stored = new Set<string>()
  /** What was seen where an exception would go to the session, and not to the test. */
  readonly #faults: string[] = []
  #sent = 0

  /** @param from gives the page that sends at present */
  constructor(from: () => SessionEnd) {
    this.#from = from
  }

  /** @param page receives from now on @param found what it found of an earlier page */
  listen(page: SessionEnd, found: readonly StoredMessage[] = []): void {
    for (const { id } of found) this.#stored.add(id)
    page.onMessage = (message) => this.#arrive(message)
    page.onTaken = ({ id }) => {
      if (!this.#durable.has(id)) this.#faults.push(`durable ${id} was never sent`)
      if (this.#told.has(id)) this.#faults.push(`durable ${id} was taken twice`)
      this.#told.add(id)
      this.#stored.add(id)
    }
  }

  sendDurable(size: number): void {
    const from = this.#from()
    if (from.isGone) return
    const number = ++this.#sent
    const { id, accepted, delivered } = from.session.sendDurable('message', numbered(number, Math.max(size, 4)))
    const sent = { number, accepted: false }
    this.#durable.set(id, sent)
    accepted.then(
      () => {
        sent.accepted = true
      },
      (error: unknown) => this.#failed(from, `durable ${id} was not accepted: ${String(error)}`),
    )
    delivered.then(
      () => {
        if (!this.#stored.has(id)) this.#faults.push(`durable ${id} is not there, as was said`)
      },
      (error: unknown) => this.#failed(from, `durable ${id} was given up: ${String(error)}`),
    )
  }

  /** @param inbox all that the receiver ever stored, in its order */
  checkDurable(inbox: readonly StoredMessage[]): void {
    const numbers = inbox.map(({ id }) => this.#durable.get(id)?.number)
    expect(inbox.map(({ number }) => number)).toEqual(inbox.map((_, i) => i + 1))
    expect(numbers).toEqual([...numbers].sort((a = 0, b = 0) => a - b))
    const there = new Set(inbox.map(({ id }) => id))
    for (const [id, { number, accepted }] of this.#durable) {
      if (accepted) expect(there.has(id), `durable message ${number} was accepted, and arrived`).toBe(true)
    }
    for (const id of this.#told) expect(there.has(id)).toBe(true)
  }

  send(kind: Kind, size: number): void {
    const from = this.#from()
    if (from.isGone) return
    const number = ++this.#sent
    this.#kinds.set(number, kind)
    this.#give(kind, number, size).then(
      () => {
        // send() never lies: the message is there.
        this.#settle(number, this.#arrived.has(number) ? 'delivered' : 'a lie')
      },
      (error: unknown) => {
        const code = isTsunagiError(error) ? error.code : String(error)
        this.#settle(number, from.isGone ? 'gone with its page' : code)
      },
    )
  }

  /**
   * All that must hold when nothing is on its way.
   * @param mayBeLost a page was loaded anew, so that a message which is not durable may have been lost, and its sender told so
   */
  check(mayBeLost = false): void {
    expect(this.#faults).toEqual([])
    for (const [number, kind] of this.#kinds) {
      const outcome = this.outcomes.get(number)
      const lost = mayBeLost ? ['LINK_LOST', 'gone with its page'] : []
      if (EPHEMERAL.includes(kind)) lost.push('LINK_LOST')
      expect(['delivered', ...lost], `${kind} ${number}`).toContain(outcome)
    }
  }

  #failed(from: SessionEnd, fault: string): void {
    if (!from.isGone) this.#faults.push(fault)
  }

  #settle(number: number, outcome: string): void {
    this.outcomes.set(number, this.outcomes.has(number) ? 'settled twice' : outcome)
  }

  #give(kind: Kind, number: number, size: number): Promise<void> {
    const { session } = this.#from()
    switch (kind) {
      case 'bytes':
        return session.send('message', numbered(number, Math.max(size, 4)))
      case 'value':
        return session.send('message', { number, data: new Uint8Array(size) })
      case 'cancel':
        return session.send('task_cancel', { task_id: numbered(number, 16) })
      case 'status':
        return session.send('status_report', {
          name: '',
          uptime: number,
          load: 0,
          running: 0,
          queue_depth: 0,
          capabilities_digest: new Uint8Array(32),
        })
      case 'ping':
        return session.send('ping', { nonce: number })
      case 'heartbeat':
        return session.send('heartbeat', { load: 0, queue_depth: 0, last_sequence: number })
    }
  }

  #arrive(message: SessionMessage): void {
    const number = numberOf(message)
    const kind = this.#kinds.get(number)
    if (kind === undefined) {
      this.#faults.push(`${message.type} ${number} was never sent`)
      return
    }
    const lane = LANE_OF[kind]
    if (this.#arrived.has(number)) this.#faults.push(`${kind} ${number} came twice`)
    if (number <= this.#last[lane]) this.#faults.push(`${kind} ${number} came out of order`)
    this.#arrived.add(number)
    this.#last[lane] = number
  }
}

/** `size` is at least 4. */
function numbered(number: number, size: number): Bytes {
  const bytes = new Uint8Array(size)
  new DataView(bytes.buffer).setUint32(size - 4, number)
  return bytes
}

function numberOf(message: SessionMessage): number {
  switch (message.type) {
    case 'message': {
      const { payload } = message
      return payload instanceof Uint8Array ? lastNumber(payload) : (payload as { number: number }).number
    }
    case 'task_cancel':
      return lastNumber(message.payload.task_id)
    case 'status_report':
      return message.payload.uptime
    case 'ping':
      return message.payload.nonce
    case 'heartbeat':
      return message.payload.last_sequence
    default:
      throw new Error(`${message.type} was never sent`)
  }
}

function lastNumber(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(bytes.length - 4)
}

/** A wire that does to the next frames what it has been told to. */
export class BadWire {
  readonly #orders: { readonly [S in Side]: ('lose' | 'repeat' | 'alter' | 'hold')[] } = { a: [], b: [] }
  #held: (() => void)[] = []

  readonly wire = (frame: Bytes, deliver: (frame: Bytes) => void, from: Side): void => {
    const order = this.#orders[from].shift()
    if (order === 'lose') return
    if (order === 'hold') {
      this.#held.push(() => deliver(frame))
      return
    }
    if (order === 'alter') frame[frame.length >> 1] = (frame[frame.length >> 1] as number) ^ 1
    deliver(frame)
    if (order === 'repeat') deliver(frame.slice())
  }

  order(side: Side, what: 'lose' | 'repeat' | 'alter' | 'hold', frames: number): void {
    for (let i = 0; i < frames; i++) this.#orders[side].push(what)
  }

  release(): void {
    for (const deliver of this.#held.splice(0)) deliver()
  }
}
