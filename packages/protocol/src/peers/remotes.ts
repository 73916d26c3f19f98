/** The other peers this one knows of (SPEC §10): found by their keys and ids; who of them is there, and who is there no more. */
import type { PeerEvents, PeerId } from '../api.ts'
import { TsunagiError } from '../errors.ts'
import { peerIdOf, publicKeyOf } from '../identity/peer-id.ts'
import { type Bytes, equalBytes } from '../wire/bytes.ts'
import type { Emitter } from './emitter.ts'
import type { KnownPeers } from './known-peers.ts'
import { RemotePeer, type RemotePeerHost } from './remote-peer.ts'

export class Remotes {
  readonly #host: RemotePeerHost
  readonly #known: KnownPeers
  readonly #events: Emitter<PeerEvents>
  readonly #remotes = new Map<PeerId, RemotePeer>()

  /** @param known what pages before this one knew of them */
  constructor(host: RemotePeerHost, known: KnownPeers, events: Emitter<PeerEvents>) {
    this.#host = host
    this.#known = known
    this.#events = events
  }

  /** Those who are there: named by signaling, or connected. */
  get present(): RemotePeer[] {
    return [...this.#remotes.values()].filter((remote) => remote.isPresent)
  }

  get connected(): RemotePeer[] {
    return [...this.#remotes.values()].filter((remote) => remote.isConnected)
  }

  get(id: PeerId): RemotePeer | undefined {
    return this.#remotes.get(id)
  }

  /** The one of a key, known from now on. */
  of(key: Bytes): RemotePeer {
    const id = peerIdOf(key)
    let remote = this.#remotes.get(id)
    if (remote === undefined) {
      remote = new RemotePeer(this.#host, key.slice())
      const known = this.#known.find(id)
      if (known !== undefined) remote.recall(known)
      this.#remotes.set(id, remote)
    }
    return remote
  }

  /** One that is there. @throws TsunagiError as keyOf(), UNKNOWN_PEER where nobody of that id is */
  find(id: PeerId): RemotePeer {
    // Looked up as it is: reading the key out of an id costs more than all else that one message takes.
    const remote = this.#remotes.get(id)
    if (remote?.isPresent) return remote
    this.keyOf(id)
    throw new TsunagiError('UNKNOWN_PEER', 'No peer of that id is here; take one from the list of peers.', { peer: id })
  }

  /** As find(), also where it is not there and its session goes on. */
  findKept(id: PeerId): RemotePeer {
    const remote = this.#remotes.get(id)
    return remote !== undefined && this.#host.sessions.find(id) !== undefined ? remote : this.find(id)
  }

  /** The key of another peer. @throws TsunagiError INVALID_ARGUMENT where `id` is no peer id, or our own */
  keyOf(id: PeerId): Bytes {
    const key = publicKeyOf(id)
    if (!equalBytes(key, this.#host.key.publicKey)) return key
    throw new TsunagiError('INVALID_ARGUMENT', 'That is the id of this peer itself, which has no session with itself.')
  }

  /** Something that its info shows has changed. */
  changed(remote: RemotePeer): void {
    if (!remote.isPresent) return
    remote.isShown = true
    this.#events.emit('peer', remote.info)
  }

  /** It may be there no more: that is told once, and it is forgotten when nothing of it is left. */
  checkPresence(remote: RemotePeer): void {
    if (remote.isPresent) return
    const { id, info } = remote
    const { sessions } = this.#host
    if (sessions.find(id)?.isKept !== true) {
      sessions.drop(id, new TsunagiError('UNKNOWN_PEER', 'The peer has left.', { peer: id }))
      this.#remotes.delete(id)
    }
    if (!remote.isShown) return
    remote.isShown = false
    this.#events.emit('peerleft', info)
  }

  /** This peer's own status or capabilities changed. */
  tellStatus(): void {
    for (const remote of this.#remotes.values()) remote.tellStatus()
  }

  clear(): void {
    this.#remotes.clear()
  }
}
