/** One node's connection to Redis: whether it is there, which nodes live, and what they send each other. */
import { randomBytes } from 'node:crypto'
import type { Clock } from '@tsunagi/protocol/signaling'
import { Redis } from 'ioredis'
import type { Logger } from 'pino'

/** A node says this often that it lives, and counts as dead after the second: three beats lost. */
const BEAT = 2_000
const NODE_LIFE = 6_500
/** A command unanswered for this long means that Redis is lost. */
const PATIENCE = 2_000
/** Longest wait between two attempts to reach Redis, each drawn at random up to a bound that doubles. */
const RETRY_MOST = 2_000
/** Bytes that may wait for Redis; above it nothing is relayed to other nodes. */
const REDIS_HIGH_MARK = 16 * 1024 * 1024

/** Set of the names of the nodes. */
export const NODES = 'tsunagi:nodes'
const nodeKey = (node: string) => `tsunagi:node:${node}`

export interface RedisEvents {
  /** Redis is there, and this node is among those that live. A rejection means that it is not. */
  up(): Promise<void>
  down(): void
  /** Again and again. A rejection means that Redis is lost. */
  beat(living: ReadonlySet<string>): Promise<unknown>
  message(channel: string, message: Buffer<ArrayBuffer>): void
}

export interface RedisLinkOptions {
  readonly url: string
  readonly clock: Clock
  readonly log: Logger
}

export class RedisLink {
  /** The name of this node, 16 characters. */
  readonly node = randomBytes(8).toString('hex')
  readonly commands: Redis
  readonly #subscriber: Redis
  readonly #clock: Clock
  readonly #log: Logger
  readonly #events: RedisEvents
  #isUp = false
  #isClosed = false
  #cancelBeat: () => void = () => undefined

  constructor({ url, clock, log }: RedisLinkOptions, events: RedisEvents) {
    this.#clock = clock
    this.#log = log
    this.#events = events
    const options = {
      lazyConnect: true,
      enableOfflineQueue: false,
      autoResubscribe: false,
      maxRetriesPerRequest: 0,
      connectTimeout: PATIENCE,
      commandTimeout: PATIENCE,
      retryStrategy: (times: number) => 50 + Math.random() * Math.min(RETRY_MOST, 100 * 2 ** times),
    }
    this.commands = new Redis(url, options)
    this.#subscriber = new Redis(url, options)
    for (const redis of [this.commands, this.#subscriber]) {
      redis.on('ready', () => void this.#connected())
      redis.on('close', () => this.#lost())
      // A close follows, and that is told.
      redis.on('error', () => undefined)
    }
    this.#subscriber.on('messageBuffer', (channel: Buffer, message: Buffer<ArrayBuffer>) => {
      try {
        events.message(channel.toString(), message)
      } catch (error) {
        log.error({ err: error }, 'news of another node could not be handled')
      }
    })
  }

  get isUp(): boolean {
    return this.#isUp
  }

  /** So much waits for Redis that nothing more should. */
  get isFull(): boolean {
    return (this.commands.stream?.writableLength ?? 0) > REDIS_HIGH_MARK
  }

  /** Fulfils when Redis was reached or is known not to be there; then it is tried for again and again. */
  async connect(): Promise<void> {
    const both = [this.commands, this.#subscriber].map((redis) => redis.connect())
    await Promise.all(both).catch(() => this.#log.warn('Redis cannot be reached: peers reach those at this node only'))
    await this.#connected()
  }

  subscribe(channel: string): Promise<unknown> {
    return this.#subscriber.subscribe(channel)
  }

  unsubscribe(channel: string): void {
    if (this.#isUp) this.attempt(this.#subscriber.unsubscribe(channel))
  }

  /** What Redis does not take is written anew when it is back: its connection is lost, or it will be at the next beat. */
  attempt(command: Promise<unknown>): void {
    // Not the error itself: it holds the command, and with it what is relayed.
    command.catch(({ message }: Error) => this.#log.debug({ reason: message }, 'Redis did not take a message'))
  }

  /** Those that live, without this one; the names of those that died are removed. */
  async otherNodes(): Promise<string[]> {
    const nodes = (await this.commands.smembers(NODES)).filter((node) => node !== this.node)
    if (nodes.length === 0) return []
    const signs = await this.commands.mget(nodes.map(nodeKey))
    const dead = nodes.filter((_, i) => signs[i] === null)
    if (dead.length > 0) await this.commands.srem(NODES, ...dead)
    return nodes.filter((_, i) => signs[i] !== null)
  }

  /** A connection that does not answer is worth no more than none. */
  giveUp(): void {
    if (this.#isClosed) return
    this.#lost()
    this.commands.disconnect(true)
    this.#subscriber.disconnect(true)
  }

  /** Says goodbye to the other nodes, after all that was sent to them. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#cancelBeat()
    if (this.#isUp) {
      this.#isUp = false
      const goodbye = this.commands.pipeline().srem(NODES, this.node).del(nodeKey(this.node)).exec()
      // The others notice by themselves that this node is gone.
      await goodbye.then(() => this.commands.quit()).catch(() => undefined)
    }
    this.commands.disconnect()
    this.#subscriber.disconnect()
  }

  async #connected(): Promise<void> {
    const areReady = this.commands.status === 'ready' && this.#subscriber.status === 'ready'
    if (!areReady || this.#isUp || this.#isClosed) return
    this.#isUp = true
    try {
      await this.#sayAlive()
      // Before, since the others would take this node for dead where it has much to write and read.
      this.#beat()
      await this.#events.up()
    } catch {
      this.giveUp()
      return
    }
    this.#log.info('Redis is there')
  }

  #lost(): void {
    if (!this.#isUp) return
    this.#isUp = false
    this.#cancelBeat()
    if (!this.#isClosed) this.#log.warn('Redis is lost: peers reach those at this node only')
    this.#events.down()
  }

  #beat(): void {
    this.#cancelBeat()
    const tick = async () => {
      // The others took it for dead, and have its members no more. It comes back as after a loss.
      if (await this.#sayAlive()) return this.giveUp()
      await this.#events.beat(new Set(await this.otherNodes()))
    }
    this.#cancelBeat = this.#clock.after(BEAT, () => {
      tick().then(
        () => this.#isUp && this.#beat(),
        () => this.giveUp(),
      )
    })
  }

  /** Answers whether it was not among those that live. */
  async #sayAlive(): Promise<boolean> {
    const sign = this.commands.set(nodeKey(this.node), '', 'PX', NODE_LIFE)
    const [added] = await Promise.all([this.commands.sadd(NODES, this.node), sign])
    return added === 1
  }
}
