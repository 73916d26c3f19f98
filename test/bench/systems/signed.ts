/** Messages that the page signs (Ed25519) and encrypts (AES-256-GCM) by WebCrypto, one by one, with keys that were agreed beforehand. */
import type { End } from './system.ts'

/** Bytes that are being sealed at which the sender waits: of 1/4, 1 and 4 MiB the quickest for large messages. */
const MOST_WAITING = 1024 * 1024
/** Messages that are being sealed at which it waits, too. */
const MOST_AT_ONCE = 64
const SIGNATURE = 64
const TAG = 16
/** PKCS #8 before the 32 bytes of an Ed25519 key (RFC 8410 §7). */
const KEY_HEAD = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 112, 4, 0x22, 4, 0x20]

/** One pair for both pages: whose key signs makes no difference to how long it takes. */
const keys = makeKeys()

async function makeKeys() {
  const { subtle } = crypto
  const secret = new Uint8Array(32).fill(7)
  const signing = await subtle.importKey('pkcs8', new Uint8Array([...KEY_HEAD, ...secret]), 'Ed25519', true, ['sign'])
  const { kty, crv, x } = await subtle.exportKey('jwk', signing)
  const verification = await subtle.importKey('jwk', { kty, crv, x } as JsonWebKey, 'Ed25519', false, ['verify'])
  const traffic = await subtle.importKey('raw', secret, 'AES-GCM', false, ['encrypt', 'decrypt'])
  return { signing, verification, traffic }
}

export class SignedEnd implements End {
  onMessage: End['onMessage'] = () => undefined
  readonly largest = 262_144 - SIGNATURE - TAG
  readonly #end: End
  readonly #hosts: boolean
  #sent = 0
  #received = 0
  #sealing = 0
  #sealingBytes = 0
  #left: Promise<unknown> = Promise.resolve()
  #arrived: Promise<unknown> = Promise.resolve()

  constructor(end: End, hosts: boolean) {
    this.#end = end
    this.#hosts = hosts
    end.onMessage = (message) => this.#take(message as Uint8Array<ArrayBuffer>)
  }

  send(message: Uint8Array<ArrayBuffer>): Promise<unknown> | undefined {
    const sealed = seal(message, nonceOf(this.#hosts, this.#sent++))
    this.#sealing++
    this.#sealingBytes += message.length
    this.#left = this.#left.then(async () => {
      const full = this.#end.send(await sealed)
      this.#sealing--
      this.#sealingBytes -= message.length
      await full
    })
    return this.#sealing < MOST_AT_ONCE && this.#sealingBytes < MOST_WAITING ? undefined : this.#left
  }

  delivered(): Promise<unknown> {
    return this.#end.delivered()
  }

  /** One that was altered rejects, which ends the measurement. */
  #take(sealed: Uint8Array<ArrayBuffer>): void {
    const opened = open(sealed, nonceOf(!this.#hosts, this.#received++))
    this.#arrived = this.#arrived.then(async () => this.onMessage(await opened))
  }
}

async function seal(message: Uint8Array<ArrayBuffer>, iv: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const { signing, traffic } = await keys
  const signed = new Uint8Array(message.length + SIGNATURE)
  signed.set(message)
  signed.set(new Uint8Array(await crypto.subtle.sign('Ed25519', signing, message)), message.length)
  return new Uint8Array(await crypto.subtle.encrypt({ name: 'AES-GCM', iv }, traffic, signed))
}

/** @throws Error where the message is not what was sent */
async function open(sealed: Uint8Array<ArrayBuffer>, iv: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const { verification, traffic } = await keys
  const signed = new Uint8Array(await crypto.subtle.decrypt({ name: 'AES-GCM', iv }, traffic, sealed))
  const message = signed.subarray(0, -SIGNATURE)
  if (await crypto.subtle.verify('Ed25519', verification, signed.subarray(-SIGNATURE), message)) return message
  throw new Error('A message is not signed by the other page.')
}

/** Of each side and message another. */
function nonceOf(hosts: boolean, number: number): Uint8Array<ArrayBuffer> {
  const nonce = new Uint8Array(12)
  nonce[0] = hosts ? 1 : 0
  new DataView(nonce.buffer).setUint32(8, number)
  return nonce
}
