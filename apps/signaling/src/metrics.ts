/** What an operator's Prometheus asks for. Labels are names of this program, never a peer's, a mesh's or an address. */
import { SIGNALING_CLOSE } from '@tsunagi/protocol/signaling'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

const CLOSE_CODES: ReadonlySet<number> = new Set(Object.values(SIGNALING_CLOSE))

export interface MetricsSources {
  connections(): number
  unproven(): number
  meshes(): number
  queued(): number
}

/** Counts under names. The counter that an operator sees is made of it when somebody asks: that costs too much for each message. */
class Tally {
  readonly #counts = new Map<string, number>()

  add(name: string, count = 1): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + count)
  }

  get counts(): Iterable<[name: string, count: number]> {
    return this.#counts
  }
}

export class Metrics {
  readonly #registry = new Registry()
  readonly #closed = this.#counter('tsunagi_closed_total', 'Sockets that closed, by close code', 'code')
  readonly #received = this.#counter('tsunagi_received_total', 'Messages taken from peers', 'type')
  readonly #relayed = this.#counter(
    'tsunagi_relayed_total',
    'Relays passed on: to a peer here, or to its node',
    'route',
  )
  readonly #refused = this.#counter('tsunagi_refused_total', 'What a limit refused or dropped', 'limit')
  readonly #mail = this.#counter('tsunagi_mail_total', 'Wake-ups for who is not there, by what became of them', 'event')
  readonly #pushes = this.#counter('tsunagi_pushes_total', 'Pushes, by what became of them', 'outcome')
  readonly #joinSeconds = new Histogram({
    name: 'tsunagi_join_seconds',
    help: 'From a join to its welcome',
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
    registers: [this.#registry],
  })

  /** Looked at when somebody asks. */
  watch(sources: MetricsSources): void {
    const gauge = (name: string, help: string, read: () => number) =>
      new Gauge({
        name,
        help,
        registers: [this.#registry],
        collect() {
          this.set(read())
        },
      })
    gauge('tsunagi_connections', 'Open sockets', () => sources.connections())
    gauge('tsunagi_proven', 'Open sockets that proved a key', () => sources.connections() - sources.unproven())
    gauge('tsunagi_meshes', 'Meshes with a member here', () => sources.meshes())
    gauge('tsunagi_queue_bytes', 'Bytes that wait for readers', () => sources.queued())
  }

  /** Memory, processor time and the delay of the event loop: for a process that has one server. */
  watchProcess(): void {
    collectDefaultMetrics({ register: this.#registry })
  }

  closed(code: number): void {
    // The peer's own codes are its choice: as labels they would be as many as it likes.
    const known = (code >= 1000 && code <= 1015) || CLOSE_CODES.has(code)
    this.#closed.add(known ? String(code) : 'other')
  }

  received(type: string): void {
    this.#received.add(type)
  }

  relayed(route: 'local' | 'node'): void {
    this.#relayed.add(route)
  }

  refused(limit: string): void {
    this.#refused.add(limit)
  }

  mail(event: 'kept' | 'delivered' | 'taken' | 'expired', count = 1): void {
    this.#mail.add(event, count)
  }

  push(outcome: string): void {
    this.#pushes.add(outcome)
  }

  /** @param duration milliseconds */
  joined(duration: number): void {
    this.#joinSeconds.observe(duration / 1_000)
  }

  get contentType(): string {
    return this.#registry.contentType
  }

  text(): Promise<string> {
    return this.#registry.metrics()
  }

  #counter(name: string, help: string, label: string): Tally {
    const tally = new Tally()
    new Counter({
      name,
      help,
      labelNames: [label],
      registers: [this.#registry],
      collect() {
        this.reset()
        for (const [value, count] of tally.counts) this.inc({ [label]: value }, count)
      },
    })
    return tally
  }
}
