/**
 * Many nodes, one service: each node keeps in Redis who is at it, hears from the others who is there, and passes relays on
 * to the node that has the addressee. Without Redis each node goes on with its own peers; when Redis is back, each writes
 * its own members anew and reads the others'.
 *
 *     tsunagi:nodes                      the names of the nodes
 *     tsunagi:node:<node>                there as long as the node lives
 *     tsunagi:members:<mesh>:<node>      key → MemberRecord, of those who joined there last
 *     tsunagi:mesh:<mesh>                channel: MeshNews
 *     tsunagi:mail:<node>                channel: NodeMail
 */
import { type Bytes, concat } from '@tsunagi/protocol/signaling'
import { keyBytes, type Member, type Mesh, mapKey, type OtherNodes } from './mesh.ts'
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
import { NODES, RedisLink, type RedisLinkOptions } from './redis-link.ts'

/** Of the id of mail. */
const ID_END = 16

/** What a node wrote of its members outlives it by this at most. */
const MEMBERS_LIFE = 60_000

/** Where more join at one moment they find each other by what they offer, as in any large mesh. */
const MOST_JOINING = 32

/** A key is at the node where it joined last. One step, so that the records tell the same order of joins as the news. */
const JOIN = `
local members, own, key, record, life, channel, news = unpack(ARGV)
for _, node in ipairs(redis.call('SMEMBERS', KEYS[1])) do redis.call('HDEL', members .. node, key) end
redis.call('HSET', members .. own, key, record)
redis.call('PEXPIRE', members .. own, life)
redis.call('PUBLISH', channel, news)`

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

export class RedisNodes implements OtherNodes {
  /** Also for what else is kept in Redis. */
  readonly link: RedisLink
  readonly #metrics: Metrics
  readonly #followed = new Map<string, Followed>()
  /** Names of meshes of which Redis may hold members of this node. */
  readonly #written = new Set<string>()
  /** Meshes whose members at other nodes have to be read, one after the other. */
  readonly #toRead = new Set<Followed>()
  #reading: Promise<void> = Promise.resolve()
  #turn = 0

  constructor(options: RedisLinkOptions, metrics: Metrics) {
    this.#metrics = metrics
    this.link = new RedisLink(options, {
      up: () => this.#up(),
      down: () => this.#down(),
      beat: (living) => this.#beat(living),
      message: (channel, message) => this.#receive(channel, message),
    })
  }

  /** Whether peers of other nodes can be reached. */
  get isUp(): boolean {
    return this.link.isUp
  }

  /** Fulfils when Redis was reached or is known not to be there; then it is tried for again and again. */
  connect(): Promise<void> {
    return this.link.connect()
  }

  /** Says goodbye to the others. Its peers have left before. */
  close(): Promise<void> {
    return this.link.close()
  }

  async enter(mesh: Mesh): Promise<void> {
    const name = Buffer.from(mesh.id).toString('hex')
    const followed = { name, mesh, unheard: new Map<string, number>(), touched: undefined }
    this.#followed.set(name, followed)
    if (this.link.isUp) await this.#follow(followed)
  }

  leave(mesh: Mesh): void {
    const name = Buffer.from(mesh.id).toString('hex')
    const followed = this.#followed.get(name)
    if (followed === undefined) return
    this.#followed.delete(name)
    this.#toRead.delete(followed)
    this.link.unsubscribe(meshChannel(name))
    if (this.link.isUp) this.#erase(name)
  }

  joined(mesh: Mesh, member: Member, introduced: readonly Member[]): void {
    const followed = this.#followedBy(mesh)
    if (followed === undefined || !this.link.isUp) return
    const key = toText(member.publicKey)
    const turn = ++this.#turn
    followed.unheard.set(key, turn)
    const to = introduced.filter(({ node }) => node !== undefined).map(({ publicKey }) => toText(publicKey))
    const { node } = this.link
    const { name } = followed
    const news: MeshNews = { news: 'joined', node, key, presence: toText(member.presence), turn, to }
    const channel = meshChannel(name)
    const args = [membersKey(name, ''), node, key, recordOf(mesh, member), MEMBERS_LIFE, channel, JSON.stringify(news)]
    this.#written.add(name)
    this.link.attempt(this.link.commands.eval(JOIN, 1, NODES, ...args))
  }

  left(mesh: Mesh, member: Member): void {
    const followed = this.#followedBy(mesh)
    if (followed === undefined) return
    const key = toText(member.publicKey)
    followed.unheard.delete(key)
    if (!this.link.isUp) return
    this.#remove(followed, key)
    this.#publish(followed.name, { news: 'left', node: this.link.node, key })
  }

  announced(mesh: Mesh, member: Member, tags: readonly Bytes[]): void {
    const followed = this.#followedBy(mesh)
    if (followed === undefined || !this.link.isUp) return
    this.#write(followed, member)
    this.#publish(followed.name, {
      news: 'announced',
      node: this.link.node,
      key: toText(member.publicKey),
      tags: tags.map(toText),
    })
  }

  #followedBy(mesh: Mesh): Followed | undefined {
    const followed = this.#followed.get(Buffer.from(mesh.id).toString('hex'))
    return followed?.mesh === mesh ? followed : undefined
  }

  // ---------------------------------------------------------------------------------------------------------------
  // Coming and going of Redis

  async #up(): Promise<void> {
    await this.link.subscribe(mailChannel(this.link.node))
    for (const name of new Set([...this.#written, ...this.#followed.keys()])) {
      // What it held before Redis was lost may be there still, also of a mesh whose last member here left meanwhile.
      this.#erase(name)
      const followed = this.#followed.get(name)
      if (followed !== undefined) {
        for (const member of followed.mesh.members) this.#write(followed, member)
        await this.#follow(followed)
      }
      this.#publish(name, { news: 'back', node: this.link.node })
    }
  }

  /** Those at other nodes cannot be reached, which their sessions notice or survive; when Redis is back they are told of again. */
  #down(): void {
    this.#toRead.clear()
    // No echo comes over a new connection.
    for (const { unheard } of this.#followed.values()) unheard.clear()
    this.#keepThoseAt(new Set())
  }

  #beat(living: ReadonlySet<string>): Promise<unknown> {
    this.#keepThoseAt(living)
    const pipeline = this.link.commands.pipeline()
    for (const name of this.#followed.keys()) pipeline.pexpire(membersKey(name, this.link.node), MEMBERS_LIFE)
    return pipeline.exec()
  }

  #keepThoseAt(nodes: ReadonlySet<string>): void {
    for (const { mesh } of this.#followed.values()) {
      for (const member of mesh.members) {
        if (member.node !== undefined && !nodes.has(member.node)) mesh.leave(member)
      }
    }
  }

  // ---------------------------------------------------------------------------------------------------------------
  // Members at other nodes

  /** First the news, then the state: nothing falls between. Never rejects: what fails here is done when Redis is back. */
  async #follow(followed: Followed): Promise<void> {
    try {
      await this.link.subscribe(meshChannel(followed.name))
      await this.#read(followed)
    } catch {
      this.link.giveUp()
    }
  }

  /** Soon, and once for however many ask meanwhile. */
  #readLater(followed: Followed): void {
    this.#toRead.add(followed)
    this.#reading = this.#reading.then(async () => {
      if (!this.link.isUp || !this.#toRead.delete(followed)) return
      await this.#read(followed).catch(() => this.link.giveUp())
    })
  }

  /** Makes the members at other nodes those that Redis has. */
  async #read(followed: Followed): Promise<void> {
    const { name, mesh } = followed
    const touched = new Set<string>()
    followed.touched = touched
    const nodes = await this.link.otherNodes()
    const there = new Map<string, { readonly node: string; readonly record: MemberRecord }>()
    for (const node of nodes) {
      const members = await this.link.commands.hgetall(membersKey(name, node))
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
      key: mapKey(publicKey),
      publicKey,
      presence: toBytes(presence),
      node,
      seat: undefined,
      tell: () => undefined,
      relay: (sender, payload) =>
        this.#relay(node, { meshId: mesh.id, sender: keyBytes(sender), addressee: publicKey, payload }),
      mail: ({ id, sender, sealed }) =>
        this.#wakeUp(node, { meshId: mesh.id, sender, addressee: publicKey, payload: concat(id, sealed) }),
      undelivered: () => undefined,
      replaced: () => undefined,
    }
    return mesh.join(member) ? member : undefined
  }

  #write({ name, mesh }: Followed, member: Member): void {
    if (member.node !== undefined) return
    const key = membersKey(name, this.link.node)
    this.#written.add(name)
    this.link.attempt(
      this.link.commands
        .pipeline()
        .hset(key, toText(member.publicKey), recordOf(mesh, member))
        .pexpire(key, MEMBERS_LIFE)
        .exec(),
    )
  }

  #remove({ name }: Followed, key: string): void {
    this.link.attempt(this.link.commands.hdel(membersKey(name, this.link.node), key))
  }

  /** Removes all members of this node from Redis. */
  #erase(name: string): void {
    const erased = this.link.commands.del(membersKey(name, this.link.node))
    this.link.attempt(erased.then(() => this.#followed.has(name) || this.#written.delete(name)))
  }

  // ---------------------------------------------------------------------------------------------------------------
  // Messages between nodes

  #publish(name: string, news: MeshNews): void {
    this.link.attempt(this.link.commands.publish(meshChannel(name), JSON.stringify(news)))
  }

  /** Answers whether it was handed to Redis. */
  #relay(node: string, mail: Omit<NodeMail, 'kind' | 'from'>): boolean {
    if (!this.link.isUp || this.link.isFull) return false
    const message = encodeMail({ kind: 'relay', from: this.link.node, ...mail })
    this.#metrics.relayed('node')
    this.link.commands.publish(mailChannel(node), message).then(
      (receivers) => receivers === 0 && this.#undelivered(mail),
      () => this.#undelivered(mail),
    )
    return true
  }

  /** Answers whether it was handed to Redis. Where it does not arrive it waits in the mailbox. */
  #wakeUp(node: string, mail: Omit<NodeMail, 'kind' | 'from'>): boolean {
    if (!this.link.isUp || this.link.isFull) return false
    const message = encodeMail({ kind: 'wake_up', from: this.link.node, ...mail })
    this.link.attempt(this.link.commands.publish(mailChannel(node), message))
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
    if (mail.kind === 'wake_up') {
      if (isHere) to.mail({ id: payload.subarray(0, ID_END), sender, sealed: payload.subarray(ID_END) })
      return
    }
    const known = mesh?.member(sender)
    if (isHere && (known ? mesh?.relay(known, to.key, payload) : to.relay(mapKey(sender), payload))) return
    this.link.attempt(
      this.link.commands.publish(
        mailChannel(from),
        encodeMail({ ...mail, kind: 'undelivered', payload: new Uint8Array() }),
      ),
    )
  }

  #receiveNews(followed: Followed, news: MeshNews): void {
    const { mesh, unheard } = followed
    if (news.node === this.link.node) {
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
        // What it announced here at the last may have been written after it joined there.
        if (known !== undefined && known.node === undefined) this.#remove(followed, news.key)
        const member = this.#seat(followed, news.node, news.key, news.presence)
        if (member === undefined) return
        // Those of ours that join at this moment were not shown it, nor it them: its node had not heard of them, nor we of it.
        const joining = [...unheard.keys()].slice(0, MOST_JOINING)
        const to = [...news.to, ...joining].map((key) => mesh.member(toBytes(key)))
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
}

function recordOf(mesh: Mesh, member: Member): string {
  const record: MemberRecord = { presence: toText(member.presence), tags: mesh.tagsOf(member).map(toText) }
  return JSON.stringify(record)
}
