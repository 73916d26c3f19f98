/** The keys that open what the other side sends: of the epoch it uses, and of those it may go on to (SPEC §4.5). */
import { TsunagiError } from '../errors.ts'
import type { KeyChain } from '../handshake/key-schedule.ts'
import type { TrafficKey } from '../ports.ts'

/** Epochs ahead of the one last seen in use: several may be on their way at once, and a liar has no more derived than these. */
const MOST_AHEAD = 8

export class ReceiveKeys {
  /** The chain at #epoch and those after it that were asked for. */
  readonly #chains: Promise<KeyChain>[]
  /** Of those chains, by epoch, the keys that are there already. */
  readonly #ready = new Map<number, TrafficKey>()
  #epoch: number

  constructor(chain: KeyChain, epoch: number) {
    this.#chains = [Promise.resolve(chain)]
    this.#ready.set(epoch, chain.key)
    this.#epoch = epoch
  }

  get epoch(): number {
    return this.#epoch
  }

  /** What keyOf() gives, where that need not be waited for. */
  ready(epoch: number): TrafficKey | undefined {
    return this.#ready.get(epoch)
  }

  /** @throws TsunagiError SESSION_NOT_FOUND where the epoch is past, or too far ahead to be honest */
  async keyOf(epoch: number): Promise<TrafficKey> {
    const ahead = epoch - this.#epoch
    if (ahead < 0 || ahead > MOST_AHEAD) {
      throw new TsunagiError('SESSION_NOT_FOUND', 'A frame of the peer belongs to another session or other keys.')
    }
    for (let known = this.#chains.length; known <= ahead; known++) {
      this.#chains.push((this.#chains[known - 1] as Promise<KeyChain>).then((chain) => chain.next()))
    }
    const { key } = await (this.#chains[ahead] as Promise<KeyChain>)
    if (epoch >= this.#epoch) this.#ready.set(epoch, key)
    return key
  }

  /** A frame of `epoch` was verified: what came before it is forgotten, so that nothing of it can be opened any more. */
  reached(epoch: number): void {
    this.#chains.splice(0, epoch - this.#epoch)
    this.#epoch = epoch
    for (const known of this.#ready.keys()) if (known < epoch) this.#ready.delete(known)
  }
}
