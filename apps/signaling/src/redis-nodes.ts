/**
 * Many nodes, one service: each node keeps in Redis who is at it, hears from the others who is there, and passes relays on
 * to the node that has the addressee. Without Redis each node goes on with its own peers; when Redis is back, each writes
 * its own members anew and reads the others'.
 *
 *     tsunagi:nodes                      the names of the nodes
 *     tsunagi:node:<node>                there as long as the node lives
 *     tsunagi:members:<mesh>:<node>      key → MemberRecord
 *     tsunagi:mesh:<mesh>                channel: MeshNews
 *     tsunagi:mail:<node>                channel: NodeMail
 */
import { randomBytes } from 'node:crypto'
import type { Bytes, Clock } from '@tsunagi/protocol/signaling'
import { Redis } from 'ioredis'
import type { Logger } from 'pino'
import type { Member, Mesh, OtherNodes } from './mesh.ts'
import type { Metrics } from './metrics.ts'
import {
  decodeMail,
  encodeMail,
  type MemberRecord,
  type MeshNews,
  type NodeMail,
  toBytes,
  toText,
} from './node-messages.ts'

/** A node says this often that it lives, and counts as dead after the second: three beats lost. */
const BEAT = 2_000
const NODE_LIFE = 6_500
/** What a node wrote of its members outlives it by this at most. */
const MEMBERS_LIFE = 60_000
/** A command unanswered for this long means that Redis is lost. */
const PATIENCE = 2_000
/** Longest wait between two attempts to reach Redis, each drawn at random up to a bound that doubles. */
const RETRY_MOST = 2_000
/** Bytes that may wait for Redis; above it relays to other nodes are refused. */
const REDIS_HIGH_MARK = 16 * 1024 * 1024

const NODES = 'tsunagi:nodes'
const nodeKey = (node: string) => `tsunagi:node:${node}`
const membersKey = (mesh: string, node: string) => `tsunagi:members:${mesh}:${node}`
const meshChannel = (mesh: string) => `tsunagi:mesh:${mesh}`
const mailChannel = (node: string) => `tsunagi:mail:${node}`
const MESH_CHANNEL = meshChannel('')

interface Followed {
  readonly name: string
  readonly mesh: Mesh
  /** Joins of this node whose echo has not come back: until then another node's join of the same key is the older one. */
  readonly unheard: Map<string, number>
  /** Keys of which there was news while the members are read: what was read of them may be older. */
  touched: Set<string> | undefined
}

export interface RedisNodesOptions {
  readonly url: string
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: Metrics
}

export class RedisNodes implements OtherNodes {
  readonly #node = randomBytes(8).toString('hex')
  readonly #clock: Clock
  readonly #log: Logger
  readonly #metrics: Metrics
  readonly #commands: Redis
  readonly #subscriber: Redis
  readonly #followed = new Map<string, Followed>()
  /** Meshes whose members at other nodes have to be read, one after the other. */
  readonly #toRead = new Set<Followed>()
  #reading: Promise<void> = Promise.resolve()
  #isUp = false
  #isClosed = false
  #turn = 0
  #cancelBeat: () => void = () => undefined

  constructor({ url, clock, log, metrics }: RedisNodesOptions) {
    this.#clock = clock
    this.#log = log
    this.#metrics = metrics
    const options = {
      lazyConnect: true,
      enableOfflineQueue: false,
      autoResubscribe: false,
      maxRetriesPerRequest: 0,
      connectTimeout: PATIENCE,
      commandTimeout: PATIENCE,
      retryStrategy: (times: number) => 50 + Math.random() * Math.min(RETRY_MOST, 100 * 2 ** times),
    }
    this.#commands = new Redis(url, options)
    // It answers nothing while there is no news.
    this.#subscriber = new Redis(url, options)
    for (const redis of [this.#commands, this.#subscriber]) {
      redis.on('ready', () => void this.#connected())
      redis.on('close', () => this.#lost())
      // A close follows, and that is told.
      redis.on('error', () => undefined)
    }
    this.#subscriber.on('messageBuffer', (channel: Buffer, message: Buffer<ArrayBuffer>) => {
      try {
        this.#receive(channel.toString(), message)
      } catch (error) {
        log.error({ err: error }, 'news of another node could not be handled')
      }
    })
  }

  /** Whether peers of other nodes can be reached. */
  get isUp(): boolean {
    return this.#isUp
  }

  /** Fulfils when Redis was reached or is known not to be there; then it is tried for again and again. */
  async connect(): Promise<void> {
    await Promise.all(
      [this.#commands, this.#subscriber].map((redis) =>
        redis.connect().catch(() => this.#log.warn('Redis cannot be reached: peers reach those at this node only')),
      ),
    )
    await this.#connected()
  }

  async enter(mesh: Mesh): Promise<void> {
    const name = Buffer.from(mesh.id).toString('hex')
    const followed = { name, mesh, unheard: new Map<string, number>(), touched: undefined }
    this.#followed.set(name, followed)
    if (this.#isUp) await this.#follow(followed)
  }

  leave(mesh: Mesh): void {
    const name = Buffer.from(mesh.id).toString('hex')
    const followed = this.#followed.get(name)
    if (followed === undefined) return
    this.#followed.delete(name)
    this.#toRead.delete(followed)
    if (this.#isUp) this.#try(this.#subscriber.unsubscribe(meshChannel(name)))
  }

  joined(mesh: Mesh, member: Member, introduced: readonly Member[]): void {
    const followed = this.#followedBy(mesh)
    if (followed === undefined || !this.#isUp) return
    const key = toText(member.publicKey)
    const turn = ++this.#turn
    followed.unheard.set(key, turn)
    const to = introduced.filter(({ node }) => node !== undefined).map(({ publicKey }) => toText(publicKey))
    const presence = toText(member.presence)
    this.#write(followed, member)
    this.#publish(followed, { news: 'joined', node: this.#node, key, presence, turn, to })
  }

  left(mesh: Mesh, member: Member): void {
    const followed = this.#followedBy(mesh)
    if (followed === undefined) return
    const key = toText(member.publicKey)
    followed.unheard.delete(key)
    if (!this.#isUp) return
    this.#try(this.#commands.hdel(membersKey(followed.name, this.#node), key))
    this.#publish(followed, { news: 'left', node: this.#node, key })
  }

  announced(mesh: Mesh, member: Member, tags: readonly Bytes[]): void {
    const followed = this.#followedBy(mesh)
    if (followed === undefined || !this.#isUp) return
    this.#write(followed, member)
    this.#publish(followed, {
      news: 'announced',
      node: this.#node,
      key: toText(member.publicKey),
      tags: tags.map(toText),
    })
  }

  /** Says goodbye to the others. Its peers have left before. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#cancelBeat()
    if (this.#isUp) {
      this.#isUp = false
      const goodbye = this.#commands.pipeline().srem(NODES, this.#node).del(nodeKey(this.#node)).exec()
      await goodbye.catch(() => undefined)
      // What was relayed to other nodes has left before this is answered.
      await this.#commands.quit().catch(() => undefined)
    }
    this.#commands.disconnect()
    this.#subscriber.disconnect()
  }

  #followedBy(mesh: Mesh): Followed | undefined {
    const followed = this.#followed.get(Buffer.from(mesh.id).toString('hex'))
    return followed?.mesh === mesh ? followed : undefined
  }

  // ---------------------------------------------------------------------------------------------------------------
  // Coming and going of Redis

  async #connected(): Promise<void> {
    const areReady = this.#commands.status === 'ready' && this.#subscriber.status === 'ready'
    if (!areReady || this.#isUp || this.#isClosed) return
    this.#isUp = true
    try {
      await this.#subscriber.subscribe(mailChannel(this.#node))
      await this.#sayAlive()
      for (const followed of this.#followed.values()) {
        // What it held before Redis was lost may be there still.
        this.#try(this.#commands.del(membersKey(followed.name, this.#node)))
        for (const member of followed.mesh.members) this.#write(followed, member)
        await this.#follow(followed)
        this.#publish(followed, { news: 'back', node: this.#node })
      }
    } catch {
      this.#giveUp()
      return
    }
    this.#log.info('Redis is there')
    this.#cancelBeat()
    this.#beat()
  }

  #lost(): void {
    if (!this.#isUp) return
    this.#isUp = false
    this.#cancelBeat()
    this.#toRead.clear()
    if (!this.#isClosed) this.#log.warn('Redis is lost: peers reach those at this node only')
    // They cannot be reached, which their own sessions notice or survive; when Redis is back they are told of again.
    for (const { mesh } of this.#followed.values()) {
      for (const member of mesh.members) if (member.node !== undefined) mesh.leave(member)
    }
  }

  /** A connection that does not answer is worth no more than none. */
  #giveUp(): void {
    if (this.#isClosed) return
    this.#lost()
    this.#commands.disconnect(true)
    this.#subscriber.disconnect(true)
  }

  #beat(): void {
    const tick = async () => {
      await this.#sayAlive()
      const living = new Set(await this.#otherNodes())
      for (const { mesh } of this.#followed.values()) {
        for (const member of mesh.members) {
          if (member.node !== undefined && !living.has(member.node)) mesh.leave(member)
        }
      }
    }
    this.#cancelBeat = this.#clock.after(BEAT, () => {
      tick().then(
        () => this.#isUp && this.#beat(),
        () => this.#giveUp(),
      )
    })
  }

  async #sayAlive(): Promise<void> {
    const pipeline = this.#commands.pipeline().sadd(NODES, this.#node).set(nodeKey(this.#node), '', 'PX', NODE_LIFE)
    for (const name of this.#followed.keys()) pipeline.pexpire(membersKey(name, this.#node), MEMBERS_LIFE)
    await pipeline.exec()
  }

  /** Those that live; the names of those that died are removed. */
  async #otherNodes(): Promise<string[]> {
    const nodes = (await this.#commands.smembers(NODES)).filter((node) => node !== this.#node)
    if (nodes.length === 0) return []
    const signs = await this.#commands.mget(nodes.map(nodeKey))
    const dead = nodes.filter((_, i) => signs[i] === null)
    if (dead.length > 0) await this.#commands.srem(NODES, ...dead)
    return nodes.filter((_, i) => signs[i] !== null)
  }

  // ---------------------------------------------------------------------------------------------------------------
  // Members at other nodes

  /** First the news, then the state: nothing falls between. Never rejects: what fails here is done when Redis is back. */
  async #follow(followed: Followed): Promise<void> {
    try {
      await this.#subscriber.subscribe(meshChannel(followed.name))
      await this.#read(followed)
    } catch {
      this.#giveUp()
    }
  }

  /** Soon, and once for however many ask meanwhile. */
  #readLater(followed: Followed): void {
    this.#toRead.add(followed)
    this.#reading = this.#reading.then(async () => {
      if (!this.#isUp || !this.#toRead.delete(followed)) return
      await this.#read(followed).catch(() => this.#giveUp())
    })
  }

  /** Makes the members at other nodes those that Redis has. */
  async #read(followed: Followed): Promise<void> {
    const { name, mesh } = followed
    const touched = new Set<string>()
    followed.touched = touched
    const nodes = await this.#otherNodes()
    const there = new Map<string, { readonly node: string; readonly record: MemberRecord }>()
    for (const node of nodes) {
      const members = await this.#commands.hgetall(membersKey(name, node))
      for (const [key, text] of Object.entries(members)) there.set(key, { node, record: JSON.parse(text) })
    }
    if (followed.touched === touched) followed.touched = undefined
    for (const member of mesh.members) {
      const key = toText(member.publicKey)
      if (member.node !== undefined && !there.has(key) && !touched.has(key)) mesh.leave(member)
    }
    for (const [key, { node, record }] of there) {
      const known = mesh.member(toBytes(key))
      if (touched.has(key) || (known !== undefined && (known.node === undefined || known.node === node))) continue
      const member = this.#seat(followed, node, key, record.presence)
      if (member === undefined) continue
      mesh.announce(member, record.tags.map(toBytes))
      mesh.introduce(member, mesh.sample(member))
    }
  }

  #seat({ mesh }: Followed, node: string, key: string, presence: string): Member | undefined {
    const publicKey = toBytes(key)
    const member: Member = {
      publicKey,
      presence: toBytes(presence),
      node,
      tell: () => undefined,
      relay: (sender, payload) => this.#relay(node, { meshId: mesh.id, sender, addressee: publicKey, payload }),
      undelivered: () => undefined,
      replaced: () => undefined,
    }
    return mesh.join(member) ? member : undefined
  }

  #write({ name, mesh }: Followed, member: Member): void {
    if (member.node !== undefined) return
    const record: MemberRecord = { presence: toText(member.presence), tags: mesh.tagsOf(member).map(toText) }
    const key = membersKey(name, this.#node)
    this.#try(
      this.#commands
        .pipeline()
        .hset(key, toText(member.publicKey), JSON.stringify(record))
        .pexpire(key, MEMBERS_LIFE)
        .exec(),
    )
  }

  // ---------------------------------------------------------------------------------------------------------------
  // Messages between nodes

  #publish({ name }: Followed, news: MeshNews): void {
    this.#try(this.#commands.publish(meshChannel(name), JSON.stringify(news)))
  }

  /** Answers whether it was handed to Redis. */
  #relay(node: string, mail: Omit<NodeMail, 'kind' | 'from'>): boolean {
    if (!this.#isUp || (this.#commands.stream?.writableLength ?? 0) > REDIS_HIGH_MARK) return false
    const message = encodeMail({ kind: 'relay', from: this.#node, ...mail })
    this.#metrics.relayed('node')
    this.#commands.publish(mailChannel(node), message).then(
      (receivers) => receivers === 0 && this.#undelivered(mail),
      () => this.#undelivered(mail),
    )
    return true
  }

  /** The sender is told as where the addressee is not there: it was not. */
  #undelivered({ meshId, sender, addressee }: Omit<NodeMail, 'kind' | 'from'>): void {
    const followed = this.#followed.get(Buffer.from(meshId).toString('hex'))
    followed?.mesh.member(sender)?.undelivered(new Uint8Array(addressee))
  }

  #receive(channel: string, message: Buffer<ArrayBuffer>): void {
    if (!channel.startsWith(MESH_CHANNEL)) {
      const mail = decodeMail(message)
      if (mail !== undefined) this.#receiveMail(mail)
      return
    }
    const followed = this.#followed.get(channel.slice(MESH_CHANNEL.length))
    if (followed !== undefined) this.#receiveNews(followed, JSON.parse(message.toString()))
  }

  #receiveMail(mail: NodeMail): void {
    if (mail.kind === 'undelivered') {
      this.#undelivered(mail)
      return
    }
    const { meshId, sender, addressee, payload, from } = mail
    const mesh = this.#followed.get(Buffer.from(meshId).toString('hex'))?.mesh
    const to = mesh?.member(addressee)
    const isHere = to !== undefined && to.node === undefined
    const known = mesh?.member(sender)
    if (isHere && (known ? mesh?.relay(known, addressee, payload) : to.relay(sender, payload))) return
    this.#try(
      this.#commands.publish(
        mailChannel(from),
        encodeMail({ ...mail, kind: 'undelivered', payload: new Uint8Array() }),
      ),
    )
  }

  #receiveNews(followed: Followed, news: MeshNews): void {
    const { mesh, unheard } = followed
    if (news.node === this.#node) {
      if (news.news === 'joined' && unheard.get(news.key) === news.turn) unheard.delete(news.key)
      return
    }
    if (news.news === 'back') {
      this.#readLater(followed)
      return
    }
    const known = mesh.member(toBytes(news.key))
    followed.touched?.add(news.key)
    switch (news.news) {
      case 'joined': {
        // Redis orders the joins of a key for all nodes alike: ours, which we have not heard yet, comes after this one.
        if (unheard.has(news.key)) return
        const member = this.#seat(followed, news.node, news.key, news.presence)
        if (member === undefined) return
        const to = news.to.map((key) => mesh.member(toBytes(key)))
        mesh.introduce(
          member,
          to.filter((other): other is Member => other !== undefined && other.node === undefined),
        )
        return
      }
      case 'left':
        if (known?.node === news.node) mesh.leave(known)
        return
      case 'announced':
        if (known?.node === news.node) mesh.announce(known, news.tags.map(toBytes))
    }
  }

  /** What Redis does not take is written anew when it is back: its connection is lost, or it will be at the next beat. */
  #try(attempt: Promise<unknown>): void {
    attempt.catch((error: unknown) => this.#log.debug({ err: error }, 'Redis did not take a message'))
  }
}
